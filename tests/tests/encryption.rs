//! SRTP with a telephone that we did not write: each mode of a rule against each mode of the telephone, the sound
//! judged by ear, and no key anywhere but on the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::json;
use std::time::Duration;
use trunkline_tests::baresip::Baresip;
use trunkline_tests::ears;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::livekit::House;
use trunkline_tests::sipp;
use trunkline_tests::wire::{Peer, sdp, status};

const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

/// All numbers lead into one room; 4000 says nothing of encryption, the others what their names say.
fn with_rules() -> Gateway {
    let gateway = Gateway::start();
    for (number, encryption) in [("4000", ""), ("4100", "DISABLE"), ("4200", "ALLOW"), ("4300", "REQUIRE")] {
        let mut text = format!("dispatch_rule:\n  room_name: lobby\n  numbers: [\"{number}\"]\n");
        if !encryption.is_empty() {
            text.push_str(&format!("  media_encryption: SIP_MEDIA_ENCRYPT_{encryption}\n"));
        }
        let file = gateway.folder.path().join(format!("{number}.yaml"));
        std::fs::write(&file, text).unwrap();
        let output = gateway.cli(&["rule", "import", &file.display().to_string()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    gateway
}

/// What the records say of the calls that were answered, newest first.
fn encryptions(gateway: &Gateway) -> Vec<Option<String>> {
    let calls = gateway.json(&["calls"]);
    let ended = calls["ended"].as_array().cloned().unwrap_or_default();
    ended.iter().map(|cdr| cdr["encryption"].as_str().map(str::to_owned)).collect()
}

/// Two telephones in the room hear each other.
fn hear_each_other(gateway: &mut Gateway, one: (&str, &str), two: (&str, &str)) {
    let folder = tempfile::tempdir().unwrap();
    let call = |(number, mediaenc): (&str, &str), hertz: u32| {
        let uri = format!("sip:{number}@127.0.0.1:{}", gateway.port);
        let tone = ears::tone(folder.path(), hertz, 30);
        match mediaenc {
            "" => Baresip::call(&uri, &tone, 7, "PCMU/8000/1", "udp"),
            mediaenc => Baresip::call_encrypted(&uri, &tone, 7, mediaenc),
        }
    };
    let phones = [(call(one, 500), 1_200.0), (call(two, 1_200), 500.0)];
    for (phone, hears) in phones {
        let (heard, printed, _kept) = phone.finish(Duration::from_secs(40));
        assert!(heard.exists(), "baresip recorded nothing:\n{printed}\n{}", gateway.log());
        let share = ears::tone_heard(&heard, 0, hears);
        assert!(share > 0.7, "{hears} Hz has only {share:.3} of what was heard:\n{printed}");
    }
    gateway.wait_until_idle();
}

#[test]
fn telephones_with_srtp_and_without_hear_each_other_and_the_records_say_who_was_encrypted() {
    let mut gateway = with_rules();
    hear_each_other(&mut gateway, ("4200", "srtp-mand"), ("4200", ""));
    hear_each_other(&mut gateway, ("4300", "srtp-mand"), ("4300", "srtp"));
    hear_each_other(&mut gateway, ("4000", "srtp-mand"), ("4100", "srtp"));
    let mut said = encryptions(&gateway);
    said.sort();
    let encrypted = Some("AES_CM_128_HMAC_SHA1_80".to_owned());
    assert_eq!(said.len(), 6, "{said:?}");
    assert_eq!(said.iter().filter(|said| said.is_none()).count(), 2, "{said:?}");
    assert!(said.iter().flatten().all(|suite| Some(suite) == encrypted.as_ref()), "{said:?}");
}

#[test]
fn an_offer_that_the_rule_does_not_take_is_answered_488_and_the_reason_is_in_the_records() {
    let mut gateway = with_rules();
    let peer = Peer::new(gateway.port);
    let secure = |line: &str| sdp("127.0.0.1", 40_000).replace("RTP/AVP", "RTP/SAVP") + line;
    let usable = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n");
    for (id, number, body, expected, why) in [
        ("plain", "4300", sdp("127.0.0.1", 40_000), 488, "without a=crypto"),
        ("secure", "4100", secure(&usable), 488, "RTP/SAVP"),
        ("tag", "4200", secure(&usable.replace(":1 ", ":one ")), 488, "tag"),
        ("mki", "4200", secure(&usable.replace("\r\n", "|2^20|1:4\r\n")), 488, "MKI"),
        ("good", "4200", secure(&usable), 200, ""),
    ] {
        let invite = peer
            .request("INVITE", id, 1, None, Some(&body))
            .replace("INVITE sip:agent@", &format!("INVITE sip:{number}@"));
        let answer = peer.ask(&invite, id, "1 INVITE").expect("an answer");
        assert_eq!(status(&answer), Some(expected), "{id}: {answer}");
        let tag = trunkline_tests::wire::to_tag(&answer).unwrap();
        peer.send(peer.request("ACK", id, 1, Some(&tag), None).as_bytes());
        if expected == 200 {
            assert!(answer.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"), "{answer}");
            let bye = peer.request("BYE", id, 2, Some(&tag), None);
            peer.ask(&bye, id, "2 BYE").expect("an answer to the BYE");
            let ours = answer.split("inline:").nth(1).unwrap().lines().next().unwrap();
            gateway.wait_until_idle();
            nothing_is_kept_of(&gateway, id, &[KEY, ours]);
        } else {
            let call = gateway.json(&["calls", "show", id]);
            assert!(call["cdr"]["end"].as_str().is_some_and(|end| end.contains(why)), "{call:#}");
        }
    }
}

/// Neither the timeline, nor the log, nor the pcap, nor any file of the state has these keys.
fn nothing_is_kept_of(gateway: &Gateway, id: &str, keys: &[&str]) {
    let shown = gateway.json(&["calls", "show", id]).to_string();
    assert!(shown.contains("inline:xxxx"), "the message itself is there: {shown}");
    for key in keys {
        assert!(!shown.contains(key) && !gateway.log().contains(key), "a key is shown");
        let mut folders = vec![gateway.folder.path().join("state")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().filter_map(Result::ok) {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else if let Ok(bytes) = std::fs::read(entry.path()) {
                    let found = bytes.windows(key.len()).any(|part| part == key.as_bytes());
                    assert!(!found, "a key is in {}", entry.path().display());
                }
            }
        }
    }
}

#[test]
fn a_telephone_that_the_api_calls_with_encryption_required_is_heard_and_hears_and_a_wrong_answer_is_told() {
    let house = House::start();
    let mut gateway = Gateway::with(&house.yaml());
    let mut person = house.person("lobby", "person");
    person.tone(1_000);
    let speech = ears::tone(gateway.folder.path(), 440, 20);
    for (name, mode, mediaenc, encrypted) in [
        ("one", 2, "srtp-mand", Some("AES_CM_128_HMAC_SHA1_80")),
        ("two", 1, "srtp", Some("AES_CM_128_HMAC_SHA1_80")),
        ("three", 0, "srtp", None),
    ] {
        let port = trunkline_tests::free_port();
        let phone = Baresip::answer_encrypted(port, &speech, 9, mediaenc);
        let trunk = house.sip(
            "create_outbound_trunk",
            &json!({"trunk": {"name": name, "address": format!("127.0.0.1:{port}"), "numbers": ["+15550199"],
                "media_encryption": mode}}),
        );
        let request = json!({"sip_trunk_id": trunk["sip_trunk_id"], "sip_call_to": "baresip", "room_name": "lobby",
            "participant_identity": name, "wait_until_answered": true});
        let placed = house.api(&["create_participant", &request.to_string()]);
        assert_eq!(placed["participant_identity"], name, "{placed}\n{}", gateway.log());
        person.wait_for_tone(name, 440.0);
        let (heard, printed, _folder) = phone.finish(Duration::from_secs(20));
        let share = ears::tone_heard(&heard, 0, 1_000.0);
        assert!(share > 0.7, "the telephone hears the room: {share}\n{printed}");
        gateway.wait_until_idle();
        assert_eq!(gateway.last_call()["cdr"]["encryption"].as_str(), encrypted, "{name}");
    }
    let phone = sipp::Server::start("uas-wrong-crypto-tag.xml");
    let trunk = house.sip(
        "create_outbound_trunk",
        &json!({"trunk": {"name": "odd", "address": format!("127.0.0.1:{}", phone.port), "numbers": ["+15550199"],
            "media_encryption": 2}}),
    );
    let request = json!({"sip_trunk_id": trunk["sip_trunk_id"], "sip_call_to": "+15550177", "room_name": "lobby",
        "participant_identity": "four", "wait_until_answered": true});
    let refused = house.api(&["create_participant", &request.to_string()]);
    assert_eq!(refused["error"]["code"], "failed_precondition", "{refused}\n{}", gateway.log());
    assert!(refused.to_string().contains("crypto line 9"), "{refused}");
    phone.finish();
    gateway.wait_until_idle();
}
