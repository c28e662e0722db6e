//! Telephones with different codecs and packet lengths sit in one room, and what each hears is judged by
//! its tones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::time::Duration;
use trunkline_tests::baresip::Baresip;
use trunkline_tests::ears;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::terminal::Terminal;

/// A phone: baresip's name of its codec with account parameters, and the tone that it speaks, in Hz.
type Phone = (&'static str, u32);

fn callers(gateway: &Gateway) -> usize {
    gateway.json(&["room", "list"])[0]["callers"].as_array().map_or(0, Vec::len)
}

fn with_a_room() -> Gateway {
    let gateway = Gateway::start();
    let rule = gateway.cli(&["rule", "add", "--room", "lobby"]);
    assert!(rule.status.success(), "{}", String::from_utf8_lossy(&rule.stderr));
    gateway
}

/// All dial one room and stay there together for a while; each hears all others and not itself. Gives the
/// CDRs, newest first.
fn all_hear_each_other(phones: &[Phone]) -> Vec<Value> {
    let mut gateway = with_a_room();
    let folder = tempfile::tempdir().expect("a folder");
    let uri = format!("sip:lobby@127.0.0.1:{}", gateway.port);
    let calls: Vec<Baresip> = phones
        .iter()
        .map(|(codec, hertz)| Baresip::call(&uri, &ears::tone(folder.path(), *hertz, 30), 8, codec, "udp"))
        .collect();
    gateway.wait_until("all are in the room", |g| callers(g) == phones.len());
    let heard: Vec<_> = calls.into_iter().map(|call| call.finish(Duration::from_secs(40))).collect();
    for ((wav, printed, _folder), (codec, own)) in heard.iter().zip(phones) {
        assert!(wav.exists(), "the phone with {codec} recorded nothing:\n{printed}");
        for (other, hertz) in phones {
            let share = ears::tone_heard(wav, 0, f64::from(*hertz));
            if hertz == own {
                assert!(share < 0.01, "the phone with {codec} hears itself: {share:.3}");
            } else {
                // baresip's own resampling takes 6 dB from the tone of a wideband phone; what is not
                // there at all is below 0.001.
                assert!(share > 0.05, "the phone with {codec} hears {share:.3} of the one with {other}");
            }
        }
    }
    gateway.wait_until_idle();
    let ended = gateway.json(&["calls"])["ended"].clone();
    ended.as_array().expect("CDRs").clone()
}

#[test]
fn phones_with_four_codecs_hear_each_other() {
    let phones = [("PCMU/8000/1", 500), ("PCMA/8000/1", 800), ("G722/16000/1", 1200), ("opus/48000/2", 1700)];
    let ended = all_hear_each_other(&phones);
    let mut codecs: Vec<&str> = ended.iter().filter_map(|c| c["codec"].as_str()).collect();
    codecs.sort_unstable();
    assert_eq!(codecs, ["G722", "PCMA", "PCMU", "opus"]);
    for cdr in ended {
        let media = &cdr["media"];
        let (received, lost) = (media["received"].as_u64().unwrap(), media["lost"].as_u64().unwrap());
        assert!(received > 100, "{cdr:#}");
        assert!(lost * 20 < received, "{lost} of {received} packets are lost on loopback: {media:#}");
    }
}

#[test]
fn phones_with_packets_of_ten_to_sixty_milliseconds_hear_each_other() {
    let phones = [
        ("PCMU/8000/1;ptime=10", 500),
        ("PCMA/8000/1;ptime=30", 800),
        ("G722/16000/1;ptime=40", 1200),
        ("PCMU/8000/1;ptime=60", 1700),
    ];
    let ended = all_hear_each_other(&phones);
    assert_eq!(ended.len(), phones.len());
}

#[test]
fn our_own_telephone_hears_another_in_another_codec() {
    let mut gateway = with_a_room();
    let folder = tempfile::tempdir().expect("a folder");
    let tones = [500, 1200].map(|hertz| ears::tone(folder.path(), hertz, 6).display().to_string());
    let call = |codec, tone: &str| {
        let arguments = ["--json", "--at-once", "--codecs", codec, "--patience", "1", "--wav", tone];
        Terminal::call(&gateway, "lobby", &arguments)
    };
    let (one, two) = (call("opus", &tones[0]), call("pcma", &tones[1]));
    for (phone, codec, hears, says) in [(one, "opus", 1200.0, 500.0), (two, "pcma", 500.0, 1200.0)] {
        let phone = phone.finish();
        assert!(phone.success, "{}", phone.printed);
        assert_eq!(phone.json()["media"]["codec"], codec);
        let left = |hertz| ears::tone_heard(&phone.recording(), 0, hertz);
        assert!(left(hears) > 0.9, "{codec} hears {:.3} of the other", left(hears));
        assert!(left(says) < 0.02, "{codec} hears {:.3} of itself", left(says));
        let right = ears::tone_heard(&phone.recording(), 1, says);
        assert!(right > 0.9, "its own voice is on the right of the recording: {right:.3}");
    }
    gateway.wait_until_idle();
}
