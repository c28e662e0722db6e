//! What is refused, with which status and which headers.

use crate::pair::{Pair, name};
use bytes::Bytes;
use trunkline_sip::message::HeaderName;
use trunkline_sip::{CommandError, Config, Event, Flow, Message};

/// A request from A's address, as text.
fn request(method: &str, uri: &str, extra: &str, body: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-{}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@192.0.2.1>;tag=a1\r\nTo: <sip:b@192.0.2.2>\r\nCall-ID: c{}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:a@192.0.2.1>\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        method.len() + extra.len() + uri.len(),
        extra.len(),
        body.len(),
    )
}

fn asked(pair: &mut Pair, text: &str) -> Message {
    let flow = Flow { local: pair.b.at, remote: pair.a.at, ..pair.flow() };
    pair.b.endpoint.receive(pair.now, flow, Bytes::copy_from_slice(text.as_bytes()));
    pair.settle();
    pair.b.sent.last().expect("an answer").1.clone()
}

#[test]
fn each_refusal_has_its_status_and_its_header() {
    let sdp = "Content-Type: application/sdp\r\n";
    let own = "sip:b@192.0.2.2";
    for (method, uri, extra, body, status, header) in [
        (
            "REGISTER",
            "sip:192.0.2.2",
            "",
            "",
            405,
            Some((HeaderName::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, NOTIFY")),
        ),
        (
            "SUBSCRIBE",
            own,
            "",
            "",
            405,
            Some((HeaderName::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, NOTIFY")),
        ),
        ("FETCH", own, "", "", 501, None),
        ("BYE", own, "", "", 481, None),
        ("CANCEL", own, "", "", 481, None),
        ("INVITE", "urn:service:sos", "", "", 416, None),
        (
            "INVITE",
            own,
            "Require: teleport, 100rel\r\n",
            "",
            420,
            Some((HeaderName::Unsupported, "teleport")),
        ),
        (
            "INVITE",
            own,
            "Content-Type: text/plain\r\n",
            "hello",
            415,
            Some((HeaderName::Accept, "application/sdp, multipart/mixed")),
        ),
        (
            "INVITE",
            own,
            "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n",
            "x",
            415,
            Some((HeaderName::AcceptEncoding, "identity")),
        ),
        ("OPTIONS", own, "", "", 200, Some((HeaderName::Supported, "timer, 100rel"))),
        ("INVITE", own, "Proxy-Require: teleport\r\n", "", 100, None),
        ("INVITE", own, sdp, "v=0\r\n", 100, None),
        ("INVITE", "tel:+123", sdp, "v=0\r\n", 100, None),
    ] {
        let mut pair = Pair::new();
        let answer = asked(&mut pair, &request(method, uri, extra, body));
        assert_eq!(answer.status(), Some(status), "{method} {uri} {extra}");
        if let Some((name, value)) = header {
            assert_eq!(answer.header(name), Some(value), "{method}");
        }
        assert_eq!(pair.b.events.is_empty(), status != 100);
    }
}

#[test]
fn a_malformed_request_is_told_what_was_wrong() {
    let good = request("INVITE", "sip:b@192.0.2.2", "", "");
    for (from, to, status, reason) in [
        ("SIP/2.0\r\nVia", "SIP/3.0\r\nVia", 505, "Version Not Supported"),
        ("CSeq: 1 INVITE", "CSeq: x INVITE", 400, "malformed CSeq"),
        ("Call-ID: c0\r\n", "", 400, "missing Call-ID"),
        ("Call-ID: c0", "X-A: \u{0}\r\nCall-ID: c0", 400, "control character in a header"),
    ] {
        let mut pair = Pair::new();
        let text = good.replacen(from, to, 1);
        let flow = Flow { local: pair.b.at, remote: pair.a.at, ..pair.flow() };
        pair.b.endpoint.receive(pair.now, flow, Bytes::copy_from_slice(text.as_bytes()));
        pair.settle();
        match pair.b.sent.last() {
            Some((_, answer)) => assert_eq!((answer.status(), answer.reason()), (Some(status), reason)),
            // What cannot be sent back cannot be answered.
            None => assert!(text.contains('\u{0}')),
        }
        assert_eq!(pair.b.endpoint.counts(), trunkline_sip::Counts::default());
    }
}

#[test]
fn a_draining_or_full_endpoint_answers_503_with_retry_after_and_calls_go_on() {
    let mut pair = Pair::of(Config::default(), Config { calls: 1, ..Config::default() });
    let (ours, _) = pair.connected();
    let full = asked(&mut pair, &request("INVITE", "sip:b@192.0.2.2", "", ""));
    assert_eq!((full.status(), full.retry_after()), (Some(503), Some(5)));
    pair.b.endpoint.set_draining(Some(17));
    let draining = asked(&mut pair, &request("OPTIONS", "sip:b@192.0.2.2", "", ""));
    assert_eq!((draining.status(), draining.retry_after()), (Some(503), Some(17)));
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.settle();
    assert_eq!(pair.b.sent.last().map(|(_, m)| name(m)).as_deref(), Some("200 BYE"));
    pair.b.endpoint.set_draining(None);
    assert_eq!(asked(&mut pair, &request("OPTIONS", "sip:b@192.0.2.2", "", "")).status(), Some(200));
}

#[test]
fn while_full_options_get_503_and_an_invite_still_reaches_whoever_counts_calls() {
    let mut pair = Pair::new();
    let options = request("OPTIONS", "sip:b@192.0.2.2", "", "");
    pair.b.endpoint.set_full(true);
    let full = asked(&mut pair, &options);
    assert_eq!(full.status(), Some(503));
    assert!(full.retry_after().is_some_and(|seconds| seconds > 0));
    // Panics where the call is not connected.
    let _ = pair.connected();
    pair.b.endpoint.set_full(false);
    assert_eq!(asked(&mut pair, &options).status(), Some(200));
}

#[test]
fn a_request_for_a_dialog_that_is_not_there_gets_481_and_a_stray_ack_nothing() {
    let mut pair = Pair::new();
    for (method, count) in [("BYE", 1), ("INVITE", 1), ("ACK", 0), ("INFO", 1)] {
        let text =
            request(method, "sip:b@192.0.2.2", "", "").replace("<sip:b@192.0.2.2>", "<sip:b@x>;tag=gone");
        let before = pair.b.sent.len();
        let flow = Flow { local: pair.b.at, remote: pair.a.at, ..pair.flow() };
        pair.b.endpoint.receive(pair.now, flow, Bytes::from(text));
        pair.settle();
        assert_eq!(pair.b.sent.len() - before, count, "{method}");
        if count == 1 {
            assert_eq!(pair.b.sent.last().unwrap().1.status(), Some(481));
        }
    }
}

#[test]
fn a_request_that_is_out_of_order_gets_500() {
    let mut pair = Pair::new();
    pair.connected();
    let bye = |number: u32| {
        let answer = pair.b.sent.last().unwrap().1.clone();
        let to = answer.header(HeaderName::To).unwrap().to_owned();
        let from = answer.header(HeaderName::From).unwrap().to_owned();
        let call_id = answer.call_id().unwrap().to_owned();
        format!(
            "INFO sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx{number}\r\nFrom: {from}\r\n\
             To: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} INFO\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let (old, new) = (bye(0), bye(7));
    assert_eq!(asked(&mut pair, &new).status(), Some(200));
    assert_eq!(asked(&mut pair, &old).status(), Some(500));
}

#[test]
fn a_response_goes_where_the_via_says_and_bears_received_and_rport() {
    for (via, to, top) in [
        (
            "192.0.2.1:5060",
            "192.0.2.77:5060",
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKv;received=192.0.2.77",
        ),
        ("phone.local", "192.0.2.77:5060", "SIP/2.0/UDP phone.local;branch=z9hG4bKv;received=192.0.2.77"),
        (
            "192.0.2.1:5060;rport",
            "192.0.2.77:40000",
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKv;received=192.0.2.77;rport=40000",
        ),
    ] {
        let (host, params) = via.split_once(';').map_or((via, ""), |(h, _)| (h, ";rport"));
        let text = format!(
            "OPTIONS sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP {host}{params};branch=z9hG4bKv\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        let mut pair = Pair::new();
        let flow = Flow { local: pair.b.at, remote: "192.0.2.77:40000".parse().unwrap(), ..pair.flow() };
        pair.b.endpoint.receive(pair.now, flow, Bytes::from(text));
        let Some(trunkline_sip::Output::Send { flow, bytes }) = pair.b.endpoint.poll() else { panic!() };
        assert_eq!(flow.remote, to.parse().unwrap());
        assert_eq!(Message::parse(bytes).unwrap().header(HeaderName::Via), Some(top));
    }
}

#[test]
fn values_that_would_break_a_message_are_refused_before_anything_is_sent() {
    let mut pair = Pair::new();
    let mut invite = pair.invite();
    invite.headers.push(("X-A".into(), "1\r\nX-B: 2".into()));
    assert_eq!(pair.a.endpoint.invite(pair.now, invite), Err(CommandError::Value));
    let mut invite = pair.invite();
    invite.uri = "bob".into();
    assert_eq!(pair.a.endpoint.invite(pair.now, invite), Err(CommandError::Value));
    assert!(pair.a.endpoint.poll().is_none());
    assert_eq!(pair.a.endpoint.counts(), trunkline_sip::Counts::default());
    let (_, theirs) = pair.connected();
    assert_eq!(pair.b.endpoint.hang_up(pair.now, theirs, "a\r\nb"), Err(CommandError::Value));
    assert!(!pair.b.events.iter().any(|e| matches!(e, Event::Ended { .. })));
}
