//! The way down: SIGTERM and `trunkline drain` refuse new calls and let those go on that are up; a limit,
//! or being asked again, ends them with a BYE. What was said of them is in the records.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};
use trunkline_tests::gateway::Gateway;
use trunkline_tests::wire::{Peer, Talk, header, sdp, status};

/// A gateway with a call in a room.
fn with_a_call(yaml: &str) -> (Gateway, Peer, Talk) {
    let mut gateway = Gateway::with(yaml);
    assert!(gateway.cli(&["rule", "add", "--room", "lobby"]).status.success());
    let peer = Peer::new(gateway.port);
    let talk = peer.dial("going-on", 40_000).unwrap();
    gateway.wait_until("the call is up", |g| g.number("counts", "participants") == 1);
    (gateway, peer, talk)
}

fn wait_until_draining(gateway: &mut Gateway) {
    gateway.wait_until("draining", |g| g.json(&["status"])["draining"] == true);
}

fn new_calls_are_refused(peer: &Peer) {
    let invite = peer.request("INVITE", "late", 1, None, Some(&sdp("127.0.0.1", 40_002)));
    let answer = peer.ask(&invite, "late", "1 INVITE").expect("an answer");
    assert_eq!(status(&answer), Some(503), "{answer}");
    let seconds = header(&answer, "Retry-After").expect("Retry-After").parse::<u32>().unwrap();
    assert!(seconds > 0);
}

/// The BYE of the gateway comes, and is answered. Its Reason.
fn bye_comes(peer: &Peer, talk: &Talk) -> String {
    let bye = |m: &str| m.starts_with("BYE ") && header(m, "Call-ID") == Some(talk.id.as_str());
    let bye = peer.expect(Duration::from_secs(20), bye).expect("a BYE");
    let same = |name: &str| format!("{name}: {}\r\n", header(&bye, name).unwrap());
    let names = ["Via", "From", "To", "Call-ID", "CSeq"];
    let head: String = names.iter().map(|name| same(name)).collect();
    peer.send(format!("SIP/2.0 200 OK\r\n{head}Content-Length: 0\r\n\r\n").as_bytes());
    header(&bye, "Reason").unwrap_or_default().to_owned()
}

/// It ends well, takes its socket along and leaves a CDR that says how the call ended.
fn ends_well(mut gateway: Gateway, how: &str) {
    assert_eq!(gateway.wait_for_exit(), Some(0), "{}", gateway.log());
    assert!(!gateway.folder.path().join("state/control.sock").exists(), "the control socket was left");
    let calls = gateway.json(&["calls", "list"]);
    let cdr = calls["ended"].as_array().unwrap().iter().find(|c| c["sip_call_id"] == "going-on");
    let cdr = cdr.unwrap_or_else(|| panic!("no CDR: {calls}"));
    assert_eq!((&cdr["interrupted"], &cdr["status"]), (&false.into(), &200.into()), "{cdr}");
    assert!(cdr["end"].as_str().unwrap().contains(how), "{cdr}");
    assert!(cdr["media"]["sent"].is_u64(), "the figures are there: {cdr}");
}

#[test]
fn after_a_sigterm_new_calls_get_503_and_the_program_ends_with_the_last_call() {
    let (mut gateway, peer, talk) = with_a_call("");
    gateway.signal("TERM");
    wait_until_draining(&mut gateway);
    new_calls_are_refused(&peer);
    assert_eq!(gateway.number("counts", "calls"), 1, "the call that was up goes on");
    let shown = gateway.json(&["calls", "list"]);
    assert_eq!(shown["up"].as_array().map(Vec::len), Some(1), "{shown}");
    peer.hang_up(&talk).unwrap();
    ends_well(gateway, "the caller hung up");
}

#[test]
fn when_the_limit_of_the_drain_is_over_calls_get_a_bye() {
    let (gateway, peer, talk) = with_a_call("limits: {drain: 1s}\n");
    gateway.signal("TERM");
    let reason = bye_comes(&peer, &talk);
    assert!(reason.contains("limits.drain"), "{reason}");
    ends_well(gateway, "limits.drain is over");
}

#[test]
fn a_second_sigterm_ends_calls_now() {
    let (mut gateway, peer, talk) = with_a_call("");
    gateway.signal("TERM");
    wait_until_draining(&mut gateway);
    gateway.signal("TERM");
    bye_comes(&peer, &talk);
    ends_well(gateway, "asked to stop");
}

#[test]
fn a_bye_that_nobody_answers_does_not_keep_the_program() {
    let (mut gateway, peer, _) = with_a_call("");
    drop(peer);
    gateway.signal("INT");
    wait_until_draining(&mut gateway);
    gateway.signal("TERM");
    ends_well(gateway, "asked to stop");
}

#[test]
fn trunkline_drain_does_what_a_sigterm_does() {
    let (mut gateway, peer, talk) = with_a_call("");
    for _ in 0..2 {
        let said = gateway.cli(&["drain"]);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        assert!(String::from_utf8_lossy(&said.stdout).contains("1 call still up"));
    }
    wait_until_draining(&mut gateway);
    new_calls_are_refused(&peer);
    assert!(gateway.cli(&["drain", "--now"]).status.success());
    bye_comes(&peer, &talk);
    ends_well(gateway, "asked to stop");
}

#[test]
fn trunkline_drain_waits_for_the_end_when_it_is_told_to() {
    let (gateway, peer, talk) = with_a_call("");
    let said = std::thread::scope(|scope| {
        let waits = scope.spawn(|| gateway.cli(&["drain", "--wait"]));
        let end = Instant::now() + Duration::from_secs(20);
        while !gateway.log().contains("no new calls") {
            assert!(Instant::now() < end, "it never began to drain");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!waits.is_finished(), "it did not wait");
        peer.hang_up(&talk).unwrap();
        waits.join().unwrap()
    });
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(String::from_utf8_lossy(&said.stdout).contains("ended"));
    ends_well(gateway, "the caller hung up");
}

#[test]
fn a_sigterm_without_calls_ends_the_program_at_once() {
    for signal in ["TERM", "INT"] {
        let mut gateway = Gateway::with("limits: {drain: 1h}\n");
        gateway.signal(signal);
        assert_eq!(gateway.wait_for_exit(), Some(0), "{}", gateway.log());
    }
}
