//! Single answers of the program to single requests: what it serves, and what it owes to what it does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::wire::{Peer, header, sdp, status, to_tag};

const PATIENCE: Duration = Duration::from_secs(10);

/// A gateway without agents in its calls.
fn gateway(yaml: &str) -> Gateway {
    let gateway = Gateway::with(yaml);
    assert!(gateway.cli(&["rule", "add", "--room", "lobby"]).status.success());
    gateway
}

/// The final answer to a request, which is made of a sound one.
fn answer(peer: &Peer, method: &str, body: Option<&str>, change: impl Fn(String) -> String) -> String {
    let request = change(peer.request(method, "one", 1, None, body));
    peer.send(request.as_bytes());
    peer.expect(PATIENCE, |m| status(m).is_some_and(|s| s >= 200)).expect("a final answer")
}

fn answer_to_invite(change: impl Fn(String) -> String) -> String {
    let gateway = gateway("");
    answer(&Peer::new(gateway.port), "INVITE", Some(&sdp("127.0.0.1", 40_000)), change)
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// Ends the calls that a peer's INVITEs have made, and waits until nothing is left.
fn hang_up(gateway: &mut Gateway, peer: &Peer, id: &str, ok: &str) {
    let tag = to_tag(ok).unwrap();
    peer.send(peer.request("ACK", id, 1, Some(&tag), None).as_bytes());
    peer.send(peer.request("BYE", id, 2, Some(&tag), None).as_bytes());
    assert!(peer.expect(PATIENCE, |m| status(m) == Some(200) && m.contains("CSeq: 2 BYE")).is_some());
    gateway.wait_until_idle();
}

#[test]
fn options_tells_what_is_served() {
    let gateway = gateway("");
    let ok = answer(&Peer::new(gateway.port), "OPTIONS", None, |r| r);
    assert_eq!(status(&ok), Some(200));
    for method in ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE"] {
        assert!(header(&ok, "Allow").unwrap().contains(method), "{method}: {ok}");
    }
    assert!(header(&ok, "Accept").unwrap().contains("application/sdp"));
    assert!(header(&ok, "Supported").unwrap().contains("100rel"));
    assert!(header(&ok, "Supported").unwrap().contains("timer"));
}

#[test]
fn a_method_that_is_not_served_gets_405_with_those_that_are() {
    let gateway = gateway("");
    let no = answer(&Peer::new(gateway.port), "REGISTER", None, |r| r);
    assert_eq!(status(&no), Some(405));
    let allow = header(&no, "Allow").unwrap();
    assert!(allow.contains("INVITE") && !allow.contains("REGISTER"), "{allow}");
}

#[test]
fn a_method_that_nobody_knows_gets_501() {
    let gateway = gateway("");
    assert_eq!(status(&answer(&Peer::new(gateway.port), "NEWMETHOD", None, |r| r)), Some(501));
}

#[test]
fn a_bye_and_a_cancel_for_nothing_get_481() {
    let gateway = gateway("");
    let peer = Peer::new(gateway.port);
    assert_eq!(status(&answer(&peer, "CANCEL", None, |r| r)), Some(481));
    peer.send(peer.request("BYE", "other", 2, Some("no-such-tag"), None).as_bytes());
    assert_eq!(peer.final_status(PATIENCE), Some(481));
}

#[test]
fn the_same_invite_by_another_path_gets_482() {
    let mut gateway = gateway("");
    let peer = Peer::new(gateway.port);
    let offer = sdp("127.0.0.1", 40_000);
    let ok = answer(&peer, "INVITE", Some(&offer), |r| r);
    let merged = answer(&peer, "INVITE", Some(&offer), |r| r.replace("branch=z9hG4bK-", "branch=z9hG4bK-b"));
    assert_eq!((status(&ok), status(&merged)), (Some(200), Some(482)));
    hang_up(&mut gateway, &peer, "one", &ok);
}

#[test]
fn an_invite_that_comes_again_gets_the_same_answer_and_makes_no_other_call() {
    let mut gateway = gateway("");
    let peer = Peer::new(gateway.port);
    let invite = peer.request("INVITE", "one", 1, None, Some(&sdp("127.0.0.1", 40_000)));
    let mut answers = Vec::new();
    for _ in 0..3 {
        peer.send(invite.as_bytes());
        answers.push(peer.expect(PATIENCE, |m| status(m) == Some(200)).expect("a 200"));
    }
    assert!(answers.iter().all(|a| *a == answers[0]), "{answers:?}");
    assert_eq!(gateway.json(&["calls"])["up"].as_array().unwrap().len(), 1);
    hang_up(&mut gateway, &peer, "one", &answers[0]);
}

#[test]
fn a_body_that_is_no_session_description_gets_415_with_what_is_understood() {
    let no = answer_to_invite(|r| r.replace("application/sdp", "text/plain"));
    assert_eq!(status(&no), Some(415));
    assert!(header(&no, "Accept").unwrap().contains("application/sdp"));
}

#[test]
fn a_request_uri_of_another_scheme_gets_416() {
    let no = answer_to_invite(|r| r.replacen("INVITE sip:agent@", "INVITE mailto:agent@", 1));
    assert_eq!(status(&no), Some(416));
}

#[test]
fn an_extension_that_is_required_and_not_known_gets_420() {
    let no = answer_to_invite(|r| r.replacen("Contact:", "Require: foo, timer\r\nContact:", 1));
    assert_eq!((status(&no), header(&no, "Unsupported")), (Some(420), Some("foo")));
}

#[test]
fn an_offer_without_a_codec_of_ours_gets_488() {
    let gateway = gateway("");
    let offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                 m=audio 40000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n";
    assert_eq!(status(&answer(&Peer::new(gateway.port), "INVITE", Some(offer), |r| r)), Some(488));
}

#[test]
fn another_version_of_sip_gets_505() {
    let no = answer_to_invite(|r| r.replacen(" SIP/2.0\r\n", " SIP/3.0\r\n", 1));
    assert_eq!(status(&no), Some(505), "{}", first_line(&no));
}

#[test]
fn calls_above_the_limit_get_503_with_a_time_to_try_again() {
    let mut gateway = gateway("limits: {calls: 1}\n");
    let peer = Peer::new(gateway.port);
    let offer = sdp("127.0.0.1", 40_000);
    let ok = answer(&peer, "INVITE", Some(&offer), |r| r);
    assert_eq!(status(&ok), Some(200));
    peer.send(peer.request("INVITE", "two", 1, None, Some(&offer)).as_bytes());
    let no = peer.expect(PATIENCE, |m| m.contains("Call-ID: two") && !m.contains(" 100 ")).unwrap();
    assert_eq!(status(&no), Some(503));
    assert!(header(&no, "Retry-After").unwrap().parse::<u32>().unwrap() > 0);
    hang_up(&mut gateway, &peer, "one", &ok);
    peer.short_call("three").unwrap();
}

#[test]
fn a_call_that_no_rule_takes_gets_404_at_once_and_the_log_says_why() {
    let mut gateway = Gateway::start();
    assert!(gateway.cli(&["rule", "add", "--id", "R1", "--number", "+4930", "--room", "x"]).status.success());
    let no = answer(&Peer::new(gateway.port), "INVITE", Some(&sdp("127.0.0.1", 40_000)), |r| r);
    assert_eq!(status(&no), Some(404));
    gateway.wait_until("the log says why", |g| {
        g.log().lines().any(|l| l.contains("call refused") && l.contains("404") && l.contains("rule"))
    });
}

#[test]
fn an_answer_goes_to_where_the_request_came_from_and_says_where_that_is() {
    let gateway = gateway("");
    let peer = Peer::new(gateway.port);
    let me = peer.address();
    let ok = answer(&peer, "OPTIONS", None, |r| r.replacen(&format!("UDP {me}"), "UDP 192.0.2.99:5060", 1));
    let via = header(&ok, "Via").unwrap();
    assert!(via.contains("received=127.0.0.1") && via.contains(&format!("rport={}", me.port())), "{via}");
}

#[test]
fn without_rport_an_answer_goes_to_the_port_of_the_via() {
    let gateway = gateway("");
    let (peer, other) = (Peer::new(gateway.port), Peer::new(gateway.port));
    let request = peer
        .request("OPTIONS", "one", 1, None, None)
        .replacen(&format!("UDP {}", peer.address()), &format!("UDP {}", other.address()), 1)
        .replacen(";rport", "", 1);
    peer.send(request.as_bytes());
    assert_eq!(other.final_status(PATIENCE), Some(200));
}

#[test]
fn compact_names_and_folded_lines_are_read() {
    let mut gateway = gateway("");
    let peer = Peer::new(gateway.port);
    let compact = |request: String| {
        let names = [
            ("Via: ", "v:  "),
            ("From: ", "f : "),
            ("To: ", "t:\r\n "),
            ("Call-ID: ", "i: "),
            ("Contact: ", "m:\t"),
            ("Content-Type: ", "c: "),
            ("Content-Length: ", "l: "),
            ("Max-Forwards", "s: a\r\n  folded\r\n\tsubject\r\nMAX-forwards"),
        ];
        names
            .iter()
            .fold(request, |r, (long, short)| r.replacen(&format!("\n{long}"), &format!("\n{short}"), 1))
    };
    let ok = answer(&peer, "INVITE", Some(&sdp("127.0.0.1", 40_000)), compact);
    assert_eq!(status(&ok), Some(200), "{ok}");
    hang_up(&mut gateway, &peer, "one", &ok);
}

#[test]
fn an_offer_inside_a_multipart_body_is_answered() {
    let mut gateway = gateway("");
    let peer = Peer::new(gateway.port);
    let body = format!(
        "--edge\r\nContent-Type: application/isup;version=itu-t92+\r\n\r\n\x01\x10\r\n--edge\r\n\
         Content-Type: application/sdp\r\n\r\n{}\r\n--edge--\r\n",
        sdp("127.0.0.1", 40_000)
    );
    let ok = answer(&peer, "INVITE", Some(&body), |r| {
        r.replacen("application/sdp", "multipart/mixed;boundary=edge", 1)
    });
    assert_eq!(status(&ok), Some(200), "{ok}");
    hang_up(&mut gateway, &peer, "one", &ok);
}

#[test]
fn a_call_to_a_tel_uri_is_taken_under_its_number() {
    let mut gateway = gateway("");
    let peer = Peer::new(gateway.port);
    let target = format!("INVITE sip:agent@{}", peer.gateway);
    let ok = answer(&peer, "INVITE", Some(&sdp("127.0.0.1", 40_000)), |r| {
        r.replacen(&target, "INVITE tel:+1-555-0100", 1)
    });
    assert_eq!(status(&ok), Some(200), "{ok}");
    hang_up(&mut gateway, &peer, "one", &ok);
    let call = gateway.last_call();
    assert_eq!(call["cdr"]["to"].as_str().unwrap().replace('-', ""), "+15550100");
}

#[test]
fn a_tcp_connection_takes_large_messages_in_pieces_and_answers_keep_alives() {
    let gateway = gateway("");
    let peer = Peer::new(gateway.port);
    let mut stream = TcpStream::connect(peer.gateway).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // RFC 5626 §4.4.1: ping and pong.
    stream.write_all(b"\r\n\r\n").unwrap();
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\r\n");
    let large = peer
        .request("OPTIONS", "one", 1, None, None)
        .replacen("SIP/2.0/UDP", "SIP/2.0/TCP", 1)
        .replacen("Contact:", &format!("Subject: {}\r\nContact:", "x".repeat(20_000)), 1);
    for piece in large.as_bytes().chunks(3_000) {
        stream.write_all(piece).unwrap();
    }
    let mut answer = [0; 512];
    let n = stream.read(&mut answer).unwrap();
    assert_eq!(status(&String::from_utf8_lossy(&answer[..n])), Some(200));
}
