//! SIPp calls the program: dialogs from INVITE to BYE, one behaviour a scenario of `tests/sipp`. What the
//! scenarios check themselves (statuses, headers, descriptions) is not repeated here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::net::UdpSocket;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::{is_quick, sipp};

/// A gateway whose calls go into a room: nothing there but the protocol and the sound.
fn gateway() -> Gateway {
    with("")
}

fn with(yaml: &str) -> Gateway {
    let gateway = Gateway::with(yaml);
    done(&gateway, &["rule", "add", "--room", "lobby"]);
    gateway
}

fn done(gateway: &Gateway, arguments: &[&str]) {
    let output = gateway.cli(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// The scenario passes, and when its call is over nothing of it is left.
fn passes(gateway: &mut Gateway, scenario: &str, more: &[&str]) {
    sipp::run(scenario, gateway.port, 1, 10, more).assert_passed();
    gateway.wait_until_idle();
}

/// What a gateway of its own makes of one scenario: the record and the timeline of the call.
fn call(scenario: &str) -> Value {
    let mut gateway = gateway();
    passes(&mut gateway, scenario, &[]);
    gateway.last_call()
}

/// The texts of one kind of timeline entry.
fn entries<'a>(call: &'a Value, kind: &str, field: &str) -> Vec<&'a str> {
    let timeline = call["timeline"].as_array().expect("a timeline");
    timeline.iter().filter(|e| e["kind"] == kind).filter_map(|e| e[field].as_str()).collect()
}

/// SIP messages that were sent, or received, and begin so.
fn messages<'a>(call: &'a Value, sent: bool, begins: &str, cseq: &str) -> Vec<&'a str> {
    let timeline = call["timeline"].as_array().expect("a timeline");
    timeline
        .iter()
        .filter(|e| e["kind"] == "sip" && e["sent"] == sent)
        .filter_map(|e| e["text"].as_str())
        .filter(|text| text.starts_with(begins) && text.contains(&format!("CSeq: {cseq}")))
        .collect()
}

#[test]
fn a_call_over_udp_is_answered_and_ended() {
    let call = call("call.xml");
    assert_eq!(call["cdr"]["status"], 200);
    assert_eq!(call["cdr"]["end"], "the caller hung up");
}

#[test]
fn many_calls_at_a_time_go_through() {
    let mut gateway = gateway();
    sipp::run("call.xml", gateway.port, 60, 30, &[]).assert_passed();
    gateway.wait_until_idle();
}

#[test]
fn a_call_over_tcp_is_answered_and_ended() {
    let mut gateway = gateway();
    passes(&mut gateway, "call.xml", &["-t", "t1"]);
    let call = gateway.last_call();
    let contact = messages(&call, true, "SIP/2.0 200", "1 INVITE")[0];
    assert!(contact.contains(";transport=tcp"), "{contact}");
    assert!(entries(&call, "sip", "transport").iter().all(|t| *t == "TCP"));
}

#[test]
fn a_call_over_ipv6_is_answered_and_ended() {
    for transport in ["u1", "t1"] {
        let mut gateway = with("listen_ip: \"::1\"\n");
        sipp::run_from("::1", "call.xml", gateway.port, 1, 10, &["-t", transport]).assert_passed();
        gateway.wait_until_idle();
        let call = gateway.last_call();
        let ok = messages(&call, true, "SIP/2.0 200", "1 INVITE")[0];
        assert!(ok.contains("c=IN IP6 ::1\r\n") && ok.contains(&format!("@[::1]:{}", gateway.port)), "{ok}");
    }
}

#[test]
fn where_no_address_is_configured_both_families_are_listened_on() {
    let mut gateway = with("listen_ip:\n");
    for ip in ["127.0.0.1", "::1"] {
        sipp::run_from(ip, "call.xml", gateway.port, 1, 10, &[]).assert_passed();
    }
    gateway.wait_until_idle();
}

#[test]
fn sound_flows_both_ways_in_a_call() {
    let mut gateway = Gateway::start();
    passes(&mut gateway, "media.xml", &[]);
    let call = gateway.last_call();
    let count = |key: &str| call["cdr"]["media"][key].as_u64().unwrap();
    assert!((90..=120).contains(&count("received")), "{call}");
    // The agent's greeting.
    assert!(count("sent") > 40 && count("lost") == 0, "{call}");
}

#[test]
fn a_call_that_is_ended_here_gets_a_bye_that_says_why() {
    let mut gateway = gateway();
    let port = gateway.port;
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| sipp::run("hung_up_on.xml", port, 1, 10, &[]));
        gateway.wait_until("the call is up", |g| {
            g.json(&["calls"])["up"].as_array().is_some_and(|calls| !calls.is_empty())
        });
        let id = gateway.json(&["calls"])["up"][0]["id"].as_str().unwrap().to_owned();
        done(&gateway, &["calls", "hangup", &id]);
        caller.join().unwrap().assert_passed();
    });
    gateway.wait_until_idle();
}

#[test]
fn a_cancel_that_the_200_overtook_is_answered_and_changes_nothing() {
    assert_eq!(call("cancel_crosses.xml")["cdr"]["end"], "the caller hung up");
}

#[test]
fn ringing_that_must_be_reliable_is_acknowledged_by_prack() {
    let call = call("prack.xml");
    assert_eq!(messages(&call, true, "SIP/2.0 180", "1 INVITE").len(), 1, "it stops with its PRACK");
}

#[test]
fn an_update_changes_the_session_and_one_without_an_offer_refreshes_it() {
    let call = call("update.xml");
    assert_eq!(call["cdr"]["codec"], "PCMA");
}

/// Where RTP arrives, on loopback.
struct Ear(UdpSocket);

impl Ear {
    fn new() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").unwrap())
    }

    fn port(&self) -> String {
        self.0.local_addr().unwrap().port().to_string()
    }

    /// The payload type of each packet that lies here.
    fn payload_types(&self) -> Vec<u8> {
        self.0.set_nonblocking(true).unwrap();
        let mut buffer = [0; 1500];
        let mut types = Vec::new();
        while self.0.recv(&mut buffer).is_ok() {
            types.push(buffer[1] & 0x7f);
        }
        types
    }
}

/// A scenario that tells an agent where it wants sound, at three ports in turn: what came to each.
fn heard(scenario: &str) -> (Value, [Vec<u8>; 3]) {
    let mut gateway = Gateway::start();
    let ears = [Ear::new(), Ear::new(), Ear::new()];
    let ports = ears.each_ref().map(Ear::port);
    let keys = ["-key", "first", &ports[0], "-key", "second", &ports[1], "-key", "third", &ports[2]];
    passes(&mut gateway, scenario, &keys);
    (gateway.last_call(), ears.each_ref().map(Ear::payload_types))
}

#[test]
fn a_call_is_held_in_three_ways_and_resumed() {
    let (call, [before, held, resumed]) = heard("hold.xml");
    let states = entries(&call, "state", "state");
    assert!(states.contains(&"held") && states.contains(&"resumed"), "{states:?}");
    assert!(before.len() > 5 && resumed.len() > 5, "{} and {} packets", before.len(), resumed.len());
    assert!(held.is_empty(), "{} packets while it was held", held.len());
}

#[test]
fn silence_does_not_end_a_call_that_is_held() {
    let mut gateway = with("media_timeout_initial: 2s\nmedia_timeout: 2s\n");
    passes(&mut gateway, "long_hold.xml", &[]);
    assert_eq!(gateway.last_call()["cdr"]["end"], "the caller hung up");
}

#[test]
fn a_reinvite_changes_the_codec() {
    let (call, [before, after, _]) = heard("codec_change.xml");
    assert_eq!(call["cdr"]["codec"], "PCMA");
    assert!(before.len() > 5 && before.iter().all(|pt| *pt == 0), "{before:?}");
    assert!(after.len() > 5 && after.iter().all(|pt| *pt == 8), "{after:?}");
}

#[test]
fn a_reinvite_moves_the_sound_to_another_port() {
    let (call, [before, after, _]) = heard("moved.xml");
    assert_eq!(entries(&call, "media", "text").len(), 2);
    assert!(before.len() > 5 && after.len() > 5, "{} and {} packets", before.len(), after.len());
}

#[test]
fn a_reinvite_that_offers_nothing_we_speak_leaves_the_call_as_it_was() {
    assert_eq!(call("no_common_codec_later.xml")["cdr"]["codec"], "PCMU");
}

#[test]
fn an_invite_without_an_offer_gets_ours_and_its_ack_answers() {
    assert_eq!(call("delayed_offer.xml")["cdr"]["codec"], "PCMA");
}

#[test]
fn a_reinvite_without_an_offer_gets_ours_and_its_ack_answers() {
    assert_eq!(call("delayed_reinvite.xml")["cdr"]["codec"], "PCMA");
}

#[test]
fn a_session_timer_is_agreed_on_and_refreshed_by_the_caller() {
    call("session_timer.xml");
}

#[test]
fn a_session_that_is_too_short_is_refused_with_the_least_that_is_taken() {
    call("session_too_small.xml");
}

#[test]
fn keys_come_by_info() {
    let call = call("info_dtmf.xml");
    assert_eq!(entries(&call, "dtmf", "digit"), ["7", "9"]);
    assert_eq!(entries(&call, "dtmf", "how"), ["INFO", "INFO"]);
}

/// Half a minute to a minute each, of nothing but waiting: all of them at once.
#[test]
fn timers_of_the_protocol_end_and_refresh_calls() {
    if is_quick() {
        return;
    }
    let mut gateway = with("media_timeout_initial: 120s\n");
    let port = gateway.port;
    let scenarios = ["lost_ack.xml", "session_expires.xml", "session_refreshed.xml", "glare.xml"];
    let outcomes = std::thread::scope(|scope| {
        let runs = scenarios.map(|s| scope.spawn(move || sipp::run(s, port, 1, 10, &[])));
        runs.map(|run| run.join().unwrap())
    });
    outcomes.iter().for_each(sipp::Outcome::assert_passed);
    gateway.wait_until_idle();
    let calls = gateway.json(&["calls"]);
    let ends: Vec<&str> =
        calls["ended"].as_array().unwrap().iter().map(|c| c["end"].as_str().unwrap()).collect();
    for end in ["never acknowledged", "session timer ran out", "the caller hung up"] {
        assert!(ends.iter().any(|e| e.contains(end)), "{end}: {ends:?}");
    }
    let unacknowledged =
        calls["ended"].as_array().unwrap().iter().find(|c| c["end"].as_str().unwrap().contains("ACK"));
    let id = unacknowledged.unwrap()["id"].as_str().unwrap().to_owned();
    let repeated = messages(&gateway.json(&["calls", "show", &id]), true, "SIP/2.0 200", "1 INVITE").len();
    assert!((9..=12).contains(&repeated), "the 200 went out {repeated} times");
}
