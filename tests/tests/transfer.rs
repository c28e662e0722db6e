//! The agent connects its caller with somebody else: a call that trunkline places, to a phone that we did
//! not write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;
use trunkline_tests::baresip::Baresip;
use trunkline_tests::ears;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::wire::Peer;

const PATIENCE: Duration = Duration::from_secs(20);

/// A dialogue whose key 2 sends the caller to this address.
fn dialogue(folder: &Path, office: &str) -> String {
    let file = folder.join("office.yaml");
    let text = format!(
        "greeting: {{ say: Press two for the office., menu: main }}\n\
         menus:\n  main:\n    say: Press two.\n    keys:\n      2: {{ say: One moment., transfer: \"{office}\" }}\n\
         intents:\n  goodbye:\n    phrases: [goodbye]\n    reply: {{ say: Goodbye., hangup: true }}\n"
    );
    std::fs::write(&file, text).expect("a dialogue");
    format!("agent: {{dialogue: {}}}\n", file.display())
}

#[test]
fn a_caller_who_asks_for_the_office_hears_the_office() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = trunkline_tests::free_port();
    let office = Baresip::answer(port, &ears::tone(folder.path(), 700, 30), 40);
    let mut gateway = Gateway::with(&dialogue(folder.path(), &format!("sip:baresip@127.0.0.1:{port}")));
    let recording = folder.path().join("caller.wav");
    let uri = format!("sip:agent@127.0.0.1:{}", gateway.port);
    let call = gateway.cli(&[
        "call",
        &uri,
        "--keys",
        "2",
        "--codecs",
        "pcmu",
        "--patience",
        "3",
        "--json",
        "--record",
        &recording.display().to_string(),
        "--longest",
        "15",
    ]);
    assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stderr));
    let (_, printed, _kept) = office.finish(Duration::ZERO);
    let (sound, rate) = ears::channel(&recording, 0);
    let seconds: Vec<f64> = sound.chunks(rate as usize).map(|s| ears::share_at(s, rate, 700.0)).collect();
    assert!(
        seconds.iter().any(|share| *share > 0.8),
        "no second of the caller's sound is the office's tone: {seconds:?}\n{printed}"
    );
    gateway.wait_until_idle();
    let calls = gateway.json(&["calls"]);
    let directions: Vec<&str> =
        calls["ended"].as_array().unwrap().iter().map(|c| c["direction"].as_str().unwrap()).collect();
    assert!(directions.contains(&"outbound"), "{directions:?}");
    let went = calls["ended"].as_array().unwrap().iter().find(|c| c["direction"] == "inbound").unwrap();
    assert_eq!(went["destination"], format!("agent, then sip:baresip@127.0.0.1:{port}"));
}

#[test]
fn a_caller_whose_office_is_not_there_is_told_and_has_the_agent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody listens there.
    let nobody = trunkline_tests::free_port();
    let yaml = dialogue(folder.path(), &format!("sip:office@127.0.0.1:{nobody}")) + "limits: {ringing: 3s}\n";
    let mut gateway = Gateway::with(&yaml);
    let uri = format!("sip:agent@127.0.0.1:{}", gateway.port);
    let call = gateway.cli(&["call", &uri, "--keys", "2", "--patience", "5", "--json", "--longest", "60"]);
    assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stderr));
    gateway.wait_until_idle();
    let calls = gateway.json(&["calls"]);
    let inbound = calls["ended"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["direction"] == "inbound")
        .expect("the caller's");
    let shown = gateway.json(&["calls", "show", inbound["id"].as_str().unwrap()]);
    let timeline = shown["timeline"].as_array().unwrap();
    let failed =
        timeline.iter().position(|e| e["what"] == "the transfer failed").expect("told in the timeline");
    let said = |entries: &[serde_json::Value], text: &str| {
        entries
            .iter()
            .filter(|e| e["kind"] == "transcript" && e["text"].as_str().is_some_and(|t| t.contains(text)))
            .count()
    };
    assert_eq!(said(&timeline[failed..], "nobody"), 1, "the agent did not say so: {timeline:#?}");
    assert_eq!(said(timeline, "Press two for the office"), 1, "it greeted again: {timeline:#?}");
}

#[test]
fn a_caller_who_hangs_up_while_the_office_rings_stops_the_ringing() {
    let folder = tempfile::tempdir().expect("a folder");
    let office = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    office.set_read_timeout(Some(PATIENCE / 200)).expect("a timeout");
    let address = office.local_addr().expect("bound");
    let mut gateway = Gateway::with(&dialogue(folder.path(), &format!("sip:office@{address}")));
    let office = Peer { socket: office, gateway: ([127, 0, 0, 1], gateway.port).into() };
    let caller = Peer::new(gateway.port);
    let talk = caller.dial("one", 40_000).expect("a call");
    let info = caller.request("INFO", "one", 2, Some(&talk.tag), None).replacen(
        "Content-Length: 0\r\n\r\n",
        "Content-Type: application/dtmf-relay\r\nContent-Length: 23\r\n\r\nSignal=2\r\nDuration=160\r\n",
        1,
    );
    caller.send(info.as_bytes());
    let invite = office.expect(PATIENCE, |m| m.starts_with("INVITE ")).expect("an INVITE");
    office.respond(&invite, "180 Ringing");
    gateway.wait_until("the office is known to ring", |g| {
        let up = g.json(&["calls"])["up"].as_array().unwrap().clone();
        up.iter().any(|c| {
            c["direction"] == "outbound"
                && g.json(&["calls", "show", c["id"].as_str().unwrap()])["timeline"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|e| e["state"] == "ringing")
        })
    });
    caller.send(caller.request("BYE", "one", 3, Some(&talk.tag), None).as_bytes());
    let cancel = office.expect(PATIENCE, |m| m.starts_with("CANCEL ")).expect("a CANCEL");
    office.respond(&cancel, "200 OK");
    office.respond(&invite, "487 Request Terminated");
    gateway.wait_until_idle();
}
