//! Each limit holds where it is promised, and what it counted is given back: calls at a time and a second
//! of a trunk, calls of one source, the time that a far party may ring, offers that are never answered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::terminal::Terminal;
use trunkline_tests::wire::{Peer, header, sdp, status, to_tag};

const PATIENCE: Duration = Duration::from_secs(10);

/// A gateway whose calls go into a room.
fn gateway(yaml: &str) -> Gateway {
    let gateway = Gateway::with(yaml);
    ask(&gateway, &["rule", "add", "--room", "lobby"]);
    gateway
}

fn ask(gateway: &Gateway, arguments: &[&str]) {
    let done = gateway.cli(arguments);
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The final answer to an INVITE with a small offer.
fn invite(peer: &Peer, id: &str) -> String {
    peer.send(peer.request("INVITE", id, 1, None, Some(&sdp("127.0.0.1", 40_000))).as_bytes());
    let answer = peer.final_answer(id, "1 INVITE").expect("a final answer");
    peer.send(peer.request("ACK", id, 1, to_tag(&answer).as_deref(), None).as_bytes());
    answer
}

/// It is told to come again, and in how many seconds.
fn assert_busy(answer: &str) {
    assert_eq!(status(answer), Some(503), "{answer}");
    let seconds: u32 = header(answer, "Retry-After").expect("Retry-After").parse().expect("seconds");
    assert!(seconds > 0);
}

#[test]
fn a_trunk_takes_no_more_calls_at_a_time_than_it_may_and_another_trunk_is_not_concerned() {
    let mut gateway = gateway("");
    ask(&gateway, &["trunk", "add", "--name", "small", "--allow-address", "127.0.0.1", "--max-calls", "1"]);
    ask(&gateway, &["trunk", "add", "--name", "other", "--allow-address", "127.0.0.2"]);
    let (small, other) = (Peer::new(gateway.port), Peer::from_address("127.0.0.2", gateway.port));
    let first = small.dial("first", 40_000).unwrap();
    assert_busy(&invite(&small, "second"));
    other.short_call("other").unwrap();
    small.hang_up(&first).unwrap();
    small.short_call("third").unwrap();
    gateway.wait_until_idle();
}

#[test]
fn a_trunk_takes_no_more_new_calls_a_second_than_it_may() {
    let mut gateway = gateway("");
    ask(&gateway, &["trunk", "add", "--name", "slow", "--number", "agent", "--calls-per-second", "1"]);
    let peer = Peer::new(gateway.port);
    // Two calls within the same second; on a machine that is very slow, a later pair.
    let refused = (0..20).find_map(|n| {
        let ids = [format!("one{n}"), format!("two{n}")];
        for id in &ids {
            peer.send(peer.request("INVITE", id, 1, None, Some(&sdp("127.0.0.1", 40_000))).as_bytes());
        }
        let answers = [(); 2].map(|()| {
            peer.expect(PATIENCE, |m| status(m).is_some_and(|s| s >= 200)).expect("a final answer")
        });
        for answer in &answers {
            let (id, tag) = (header(answer, "Call-ID").unwrap(), to_tag(answer));
            peer.send(peer.request("ACK", id, 1, tag.as_deref(), None).as_bytes());
            if status(answer) == Some(200) {
                peer.send(peer.request("BYE", id, 2, tag.as_deref(), None).as_bytes());
                assert!(peer.final_answer(id, "2 BYE").is_some());
            }
        }
        answers.into_iter().find(|a| status(a) != Some(200))
    });
    assert_busy(&refused.expect("one of two calls at once is refused"));
    let mut tries = 0;
    gateway.wait_until("a second has passed", |_| {
        tries += 1;
        peer.short_call(&format!("later{tries}")).is_ok()
    });
    gateway.wait_until_idle();
}

#[test]
fn one_source_takes_no_more_calls_than_its_share_and_others_are_served() {
    let mut gateway = gateway("limits: {source_calls: 2}\n");
    let (greedy, other) = (Peer::new(gateway.port), Peer::from_address("127.0.0.2", gateway.port));
    let up = [greedy.dial("a", 40_000).unwrap(), greedy.dial("b", 40_000).unwrap()];
    assert_busy(&invite(&greedy, "c"));
    other.short_call("d").unwrap();
    for talk in &up {
        greedy.hang_up(talk).unwrap();
    }
    greedy.short_call("e").unwrap();
    gateway.wait_until_idle();
}

#[test]
fn a_call_that_was_refused_for_its_offer_counts_no_longer_even_before_its_ack() {
    let gateway = gateway("limits: {source_calls: 1}\n");
    let peer = Peer::new(gateway.port);
    let offer = sdp("127.0.0.1", 40_000)
        .replace("RTP/AVP 0 8 101", "RTP/AVP 18")
        .replace("PCMU", "G729")
        .replace("a=rtpmap:0", "a=rtpmap:18");
    peer.send(peer.request("INVITE", "bad", 1, None, Some(&offer)).as_bytes());
    let no = peer.final_answer("bad", "1 INVITE").expect("a final answer");
    assert_eq!(status(&no), Some(488), "{no}");
    peer.short_call("good").unwrap();
}

#[test]
fn a_caller_who_never_answers_our_offer_is_hung_up_on_and_holds_no_port() {
    let mut gateway = gateway("");
    let peer = Peer::new(gateway.port);
    peer.send(peer.request("INVITE", "delayed", 1, None, None).as_bytes());
    let ok = peer.final_answer("delayed", "1 INVITE").expect("a 200 with an offer");
    assert!(ok.contains("m=audio"), "{ok}");
    peer.send(peer.request("ACK", "delayed", 1, to_tag(&ok).as_deref(), None).as_bytes());
    let bye = peer.expect(PATIENCE, |m| m.starts_with("BYE ")).expect("a BYE");
    peer.respond(&bye, "200 OK");
    gateway.wait_until_idle();
    let end = gateway.last_call()["cdr"]["end"].as_str().unwrap().to_owned();
    assert!(end.contains("answer"), "{end}");
}

/// A dialogue whose key 2 sends the caller to this address.
fn dialogue(folder: &Path, office: &str) -> String {
    let file = folder.join("office.yaml");
    let text = format!(
        "greeting: {{ say: Two., menu: main }}\n\
         menus:\n  main:\n    say: Press two.\n    keys:\n      2: {{ say: Wait., transfer: \"{office}\" }}\n\
         intents:\n  goodbye:\n    phrases: [goodbye]\n    reply: {{ say: Goodbye., hangup: true }}\n"
    );
    std::fs::write(&file, text).expect("a dialogue");
    format!("agent: {{dialogue: {}}}\n", file.display())
}

#[test]
fn a_far_party_that_only_rings_is_given_up_after_the_limit_and_the_caller_keeps_its_agent() {
    let folder = tempfile::tempdir().expect("a folder");
    let office = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    office.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    let address = format!("sip:office@{}", office.local_addr().expect("bound"));
    let yaml = dialogue(folder.path(), &address) + "limits: {ringing: 2s}\n";
    let mut gateway = Gateway::with(&yaml);
    let office = Peer { socket: office, gateway: ([127, 0, 0, 1], gateway.port).into() };
    let caller =
        Terminal::call(&gateway, "agent", &["--keys", "2", "--patience", "4", "--longest", "40", "--json"]);
    let invite = office.expect(Duration::from_secs(30), |m| m.starts_with("INVITE ")).expect("an INVITE");
    office.respond(&invite, "180 Ringing");
    let cancel = office.expect(Duration::from_secs(20), |m| m.starts_with("CANCEL ")).expect("a CANCEL");
    office.respond(&cancel, "200 OK");
    office.respond(&invite, "487 Request Terminated");
    let called = caller.finish();
    gateway.wait_until_idle();
    let shown = gateway.json(&["calls", "show", called.json()["call_id"].as_str().unwrap()]);
    let timeline = shown["timeline"].as_array().unwrap();
    let failed = timeline.iter().position(|e| e["what"] == "the transfer failed");
    let failed = failed.unwrap_or_else(|| panic!("not told in the timeline: {timeline:#?}"));
    assert_eq!(timeline[failed]["why"], "nobody answered in time");
    let said =
        |text: &str| timeline.iter().filter(|e| e["text"].as_str().is_some_and(|t| t.contains(text))).count();
    assert_eq!(said("Two."), 1, "the agent that was there goes on, and greets nobody anew: {timeline:#?}");
    assert!(timeline[failed..].iter().any(|e| e["kind"] == "transcript"), "{timeline:#?}");
}

#[test]
fn options_say_that_there_is_no_room_and_again_that_there_is_and_invites_have_their_own_answer() {
    let health = trunkline_tests::free_port();
    let mut gateway = gateway(&format!("health_port: {health}\nlimits:\n  calls: 1\n"));
    let peer = Peer::new(gateway.port);
    let options = |id: &str| {
        let answer = peer.ask(&peer.request("OPTIONS", id, 1, None, None), id, "1 OPTIONS");
        answer.expect("an answer to OPTIONS")
    };
    assert_eq!(status(&options("before")), Some(200));
    let talk = peer.dial("only", 40_000).unwrap();
    assert_busy(&options("full"));
    assert_eq!(page(health), "429 UnderLoad");
    assert_busy(&invite(&peer, "second"));
    peer.hang_up(&talk).unwrap();
    gateway.wait_until_idle();
    assert_eq!(status(&options("after")), Some(200));
    assert_eq!(page(health), "200 OK");
}

/// Status and word of the health page.
fn page(port: u16) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("health_port listens");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("asked");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a page");
    let code = text.split(' ').nth(1).unwrap_or_default();
    format!("{code} {}", text.split("\r\n\r\n").nth(1).unwrap_or_default())
}
