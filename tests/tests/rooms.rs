//! Callers in one room hear each other and not themselves; who must type a PIN is told when it is wrong,
//! gets three tries, and leaves no trace of what was typed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines
)]

use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use trunkline_tests::baresip::Baresip;
use trunkline_tests::ears;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::sipp;
use trunkline_tests::terminal::{Called, Terminal};
use trunkline_tests::wire::{Peer, sdp, status, to_tag};

/// Long enough to be found nowhere by chance.
const PIN: &str = "80316427";

/// Number 4000 is a room; 5000 leads into the same room behind a PIN.
fn with_a_room() -> Gateway {
    let gateway = Gateway::start();
    let open = gateway.cli(&["rule", "add", "--room", "lobby", "--number", "4000"]);
    assert!(open.status.success(), "{}", String::from_utf8_lossy(&open.stderr));
    let shut = gateway.cli(&["rule", "add", "--room", "lobby", "--number", "5000", "--pin", PIN]);
    assert!(shut.status.success(), "{}", String::from_utf8_lossy(&shut.stderr));
    gateway
}

fn callers(gateway: &Gateway, room: &str) -> usize {
    let rooms = gateway.json(&["room", "list"]);
    let rooms = rooms.as_array().expect("a list");
    rooms.iter().find(|r| r["room"] == room).map_or(0, |r| r["callers"].as_array().map_or(0, Vec::len))
}

/// CDR and timeline of a call, by the Call-ID that the caller had.
fn shown(gateway: &Gateway, sip_call_id: &str) -> Value {
    gateway.json(&["calls", "show", sip_call_id])
}

fn decisions(call: &Value) -> Vec<(String, String)> {
    let entries = call["timeline"].as_array().expect("a timeline").iter();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    entries.filter(|e| e["kind"] == "decision").map(|e| (text(&e["what"]), text(&e["why"]))).collect()
}

fn call_id(called: &Called) -> String {
    called.json()["call_id"].as_str().expect("a Call-ID").to_owned()
}

/// Nothing that was typed is written down anywhere: the state is looked at byte by byte, the log too.
fn nothing_was_kept_of_what_was_typed(gateway: &Gateway, sip_call_id: &str, typed: &[&str]) {
    let call = shown(gateway, sip_call_id);
    let digits: Vec<&str> = call["timeline"]
        .as_array()
        .expect("a timeline")
        .iter()
        .filter(|e| e["kind"] == "dtmf")
        .map(|e| e["digit"].as_str().expect("a digit"))
        .collect();
    assert!(!digits.is_empty(), "the keys are in the timeline, masked");
    assert!(digits.iter().all(|d| matches!(*d, "\u{2022}" | "#")), "digits of a PIN are shown: {digits:?}");
    for secret in typed {
        assert!(!call.to_string().contains(secret), "{secret} is in the CDR or timeline: {call:#}");
        assert!(!gateway.log().contains(secret), "{secret} is in the log");
        let rules = gateway.json(&["rule", "list"]).to_string();
        assert!(!rules.contains(secret), "{secret} is shown with the rules");
    }
}

#[test]
fn two_phones_that_dial_the_same_number_hear_each_other_and_not_themselves() {
    let mut gateway = with_a_room();
    let folder = tempfile::tempdir().expect("a folder");
    let uri = format!("sip:4000@127.0.0.1:{}", gateway.port);
    let low = ears::tone(folder.path(), 500, 30);
    let high = ears::tone(folder.path(), 1200, 30);
    let one = Baresip::call(&uri, &low, 9, "PCMU/8000/1", "udp");
    let two = Baresip::call(&uri, &high, 9, "PCMU/8000/1", "udp");
    gateway.wait_until("both are in the room", |g| callers(g, "lobby") == 2);
    let status = gateway.json(&["status"]);
    assert_eq!(status["counts"]["participants"], 2);
    for (phone, hears, says) in [(one, 1200.0, 500.0), (two, 500.0, 1200.0)] {
        let (heard, printed, _kept) = phone.finish(Duration::from_secs(40));
        assert!(heard.exists(), "baresip recorded nothing:\n{printed}");
        let (other, own) = (ears::tone_heard(&heard, 0, hears), ears::tone_heard(&heard, 0, says));
        assert!(other > 0.9, "the other's {hears} Hz has only {other:.3} of what was heard");
        assert!(own < 0.01, "its own {says} Hz has {own:.3} of what was heard");
    }
    gateway.wait_until_idle();
    assert_eq!(gateway.json(&["room", "list"]), serde_json::json!([]));
}

#[test]
fn a_wrong_pin_is_told_and_the_right_one_leads_into_the_room() {
    let mut gateway = with_a_room();
    let folder = tempfile::tempdir().expect("a folder");
    let uri = format!("sip:4000@127.0.0.1:{}", gateway.port);
    let right = format!("{PIN}#");
    // The second keys are pressed when the far party has finished saying that the first were wrong.
    let guest = Terminal::call(&gateway, "5000", &["--json", "--keys", "92516043#", "--keys", &right]);
    gateway.wait_until("the PIN opened the room", |g| callers(g, "lobby") == 1);
    let tone = ears::tone(folder.path(), 500, 30);
    let phone = Baresip::call(&uri, &tone, 4, "PCMU/8000/1", "udp");
    let _ = phone.finish(Duration::from_secs(30));
    let guest = guest.finish();
    assert!(guest.success, "{}", guest.printed);
    let heard = ears::tone_heard(&guest.recording(), 0, 500.0);
    assert!(heard > 0.9, "the room's 500 Hz has {heard:.3} of what the guest heard");
    gateway.wait_until_idle();
    let id = call_id(&guest);
    let call = shown(&gateway, &id);
    let what: Vec<String> = decisions(&call).into_iter().map(|(what, _)| what).collect();
    let place = |name: &str| what.iter().position(|w| w == name);
    assert!(place("wrong PIN") < place("the PIN is right") && place("wrong PIN").is_some(), "{what:?}");
    assert_eq!(call["cdr"]["destination"], "room lobby");
    nothing_was_kept_of_what_was_typed(&gateway, &id, &[PIN, "92516043"]);
    if !trunkline_tests::is_quick() {
        let said = ears::transcribe(&guest.recording(), 0);
        assert!(said.contains("wrong"), "the caller was not told that the PIN is wrong: {said}");
    }
}

#[test]
fn three_wrong_pins_are_enough() {
    let mut gateway = with_a_room();
    let guest =
        Terminal::call(&gateway, "5000", &["--json", "--at-once", "--keys", "7193825#7258143#7364920#"]);
    let guest = guest.finish();
    assert!(guest.success, "{}", guest.printed);
    assert_eq!(guest.json()["end"], "the far party hung up");
    gateway.wait_until_idle();
    let id = call_id(&guest);
    let call = shown(&gateway, &id);
    assert_eq!(call["cdr"]["end"], "no PIN was right");
    let wrong: Vec<String> =
        decisions(&call).into_iter().filter(|(what, _)| what == "wrong PIN").map(|(_, why)| why).collect();
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(wrong[2].ends_with("that was the last try"), "{wrong:?}");
    nothing_was_kept_of_what_was_typed(&gateway, &id, &["7193825", "7258143", "7364920"]);
}

#[test]
fn a_stranger_types_the_pin_as_telephone_events() {
    if std::fs::metadata("/proc/self").expect("a process").uid() != 0 {
        eprintln!("not tried: SIPp sends telephone-events through a raw socket, which only root may open");
        return;
    }
    let mut gateway = with_a_room();
    let keys = format!("{PIN}#");
    let ran = sipp::run("pin.xml", gateway.port, 1, 1, &["-s", "5000", "-key", "keys", &keys]);
    assert!(ran.passed, "{}", ran.account);
    gateway.wait_until_idle();
    let ended = gateway.json(&["calls"])["ended"].clone();
    assert_eq!(ended[0]["destination"], "room lobby", "{ended:#}");
    let id = ended[0]["sip_call_id"].as_str().expect("a Call-ID").to_owned();
    let ways: Vec<Value> = shown(&gateway, &id)["timeline"]
        .as_array()
        .expect("a timeline")
        .iter()
        .filter(|e| e["kind"] == "dtmf")
        .map(|e| e["how"].clone())
        .collect();
    assert_eq!(ways, vec!["RFC 4733"; keys.len()]);
    nothing_was_kept_of_what_was_typed(&gateway, &id, &[PIN]);
}

#[test]
fn a_pin_typed_as_info_is_in_no_sip_message_of_the_timeline() {
    let mut gateway = with_a_room();
    let peer = Peer::new(gateway.port);
    let me = peer.address();
    let id = "pin-by-info";
    let request = |method: &str, cseq: u32, tag: Option<&str>, body: Option<&str>| {
        peer.request(method, id, cseq, tag, body).replace("agent@", "5000@")
    };
    let patience = Duration::from_secs(5);
    peer.send(request("INVITE", 1, None, Some(&sdp("127.0.0.1", me.port() + 1))).as_bytes());
    let ok = peer.expect(patience, |m| status(m) == Some(200)).expect("a 200");
    let tag = to_tag(&ok).expect("a tag");
    peer.send(request("ACK", 1, Some(&tag), None).as_bytes());
    let keys = format!("{PIN}#");
    for (key, cseq) in keys.chars().zip(2..) {
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        let info = request("INFO", cseq, Some(&tag), Some(&body))
            .replace("application/sdp", "application/dtmf-relay");
        peer.send(info.as_bytes());
        let ours = format!("CSeq: {cseq} INFO");
        let answer = peer.expect(patience, |m| m.contains(&ours)).expect("an answer");
        assert_eq!(status(&answer), Some(200), "{answer}");
    }
    gateway.wait_until("the PIN opened the room", |g| callers(g, "lobby") == 1);
    peer.send(request("BYE", 40, Some(&tag), None).as_bytes());
    gateway.wait_until_idle();
    let call = shown(&gateway, id);
    let infos: Vec<&str> = call["timeline"]
        .as_array()
        .expect("a timeline")
        .iter()
        .filter_map(|e| e["text"].as_str())
        .filter(|t| t.starts_with("INFO "))
        .collect();
    assert_eq!(infos.len(), keys.len());
    assert!(infos.iter().all(|t| t.contains("Signal=x")), "{infos:?}");
    nothing_was_kept_of_what_was_typed(&gateway, id, &[PIN]);
}

#[test]
fn keys_pressed_in_a_room_reach_the_others() {
    let mut gateway = with_a_room();
    let listener = Terminal::call(&gateway, "4000", &["--patience", "30"]);
    gateway.wait_until("the listener is in the room", |g| callers(g, "lobby") == 1);
    let presser = Terminal::call(&gateway, "4000", &["--at-once", "--keys", "42#", "--patience", "2"]);
    let presser = presser.finish();
    assert!(presser.success, "{}", presser.printed);
    gateway.wait_until("the listener got the keys", |_| {
        ["4", "2", "#"].iter().all(|key| listener.printed().contains(&format!("the far party pressed {key}")))
    });
    assert!(
        !presser.printed.contains("the far party pressed"),
        "its own keys came back: {}",
        presser.printed
    );
    let up = gateway.json(&["calls"])["up"].clone();
    let id = up[0]["id"].as_str().expect("the listener is up").to_owned();
    assert!(gateway.cli(&["calls", "hangup", &id]).status.success());
    let listener = listener.finish();
    assert!(listener.printed.contains("the far party hung up"), "{}", listener.printed);
    gateway.wait_until_idle();
}
