//! Offers inside a call: re-INVITE, UPDATE, glare, delayed offers.

use crate::pair::{Fate, Pair, SDP_A, SDP_B};
use bytes::Bytes;
use std::time::Duration;
use trunkline_sip::message::{HeaderName, Method};
use trunkline_sip::{CommandError, End, Event, Flow};

const HOLD: &[u8] = b"v=0\r\na=sendonly\r\n";

#[test]
fn a_reinvite_is_told_accepted_and_acknowledged() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.connected();
    pair.a.endpoint.offer(pair.now, ours, Bytes::from_static(HOLD)).unwrap();
    pair.settle();
    assert!(matches!(pair.b.events.pop_front(), Some(Event::Offer { sdp: Some(s), .. }) if s == HOLD));
    pair.b.endpoint.accept_offer(pair.now, theirs, Bytes::from_static(SDP_B)).unwrap();
    pair.settle();
    assert!(
        matches!(pair.a.events.pop_front(), Some(Event::OfferAccepted { sdp: Some(s), .. }) if s == SDP_B)
    );
    assert!(matches!(pair.b.events.pop_front(), Some(Event::Confirmed { .. })));
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.assert_empty();
}

#[test]
fn a_refused_reinvite_leaves_the_call_up() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.connected();
    pair.a.endpoint.offer(pair.now, ours, Bytes::from_static(HOLD)).unwrap();
    assert_eq!(pair.a.endpoint.offer(pair.now, ours, Bytes::from_static(HOLD)), Err(CommandError::OfferOpen));
    pair.settle();
    pair.b.endpoint.refuse_offer(pair.now, theirs, 488, "").unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_front(), Some(Event::OfferRefused { status: 488, .. })));
    assert_eq!(Pair::names(&pair.a, 2), ["INVITE", "ACK"]);
    assert_eq!(pair.a.endpoint.counts().calls, 1);
}

#[test]
fn glare_is_resolved_by_the_owner_of_the_call_id_waiting_longer() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.connected();
    let now = pair.now;
    pair.a.endpoint.offer(now, ours, Bytes::from_static(SDP_A)).unwrap();
    pair.b.endpoint.offer(now, theirs, Bytes::from_static(SDP_B)).unwrap();
    pair.settle();
    assert_eq!(pair.a.sent.last().map(|(_, m)| crate::pair::name(m)).as_deref(), Some("ACK"));
    pair.pass(Duration::from_millis(2050));
    // B does not own the Call-ID, so it has come first.
    assert!(matches!(pair.a.events.pop_front(), Some(Event::Offer { .. })));
    pair.a.endpoint.accept_offer(pair.now, ours, Bytes::from_static(SDP_A)).unwrap();
    pair.settle();
    assert!(matches!(pair.b.events.pop_front(), Some(Event::OfferAccepted { .. })));
    pair.pass(Duration::from_secs(3));
    assert!(matches!(pair.b.events.pop_front(), Some(Event::Offer { .. })));
    pair.b.endpoint.accept_offer(pair.now, theirs, Bytes::from_static(SDP_B)).unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_back(), Some(Event::OfferAccepted { .. })));
}

#[test]
fn a_call_without_an_offer_is_offered_by_the_answer_and_answered_by_the_ack() {
    let mut pair = Pair::new();
    let mut invite = pair.invite();
    invite.sdp = None;
    let ours = pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let (theirs, _) = pair.incoming();
    pair.b.endpoint.answer(pair.now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_front(), Some(Event::Answered { sdp: Some(s), .. }) if s == SDP_B));
    assert!(pair.b.events.is_empty());
    pair.a.endpoint.acknowledge(pair.now, ours, Bytes::from_static(SDP_A)).unwrap();
    pair.settle();
    assert!(matches!(pair.b.events.pop_front(), Some(Event::Confirmed { sdp: Some(s), .. }) if s == SDP_A));
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.assert_empty();
}

#[test]
fn a_bye_waits_for_the_ack_of_our_2xx() {
    let mut pair = Pair::new();
    pair.fate = Box::new(|line| {
        if line.starts_with("ACK") { Fate::Late(Duration::from_millis(300)) } else { Fate::Arrives }
    });
    let (_, theirs) = pair.connected();
    pair.b.endpoint.hang_up(pair.now, theirs, "").unwrap();
    pair.settle();
    assert_eq!(Pair::times_of(&pair.b, "BYE"), [] as [u128; 0]);
    pair.pass(Duration::from_secs(1));
    assert_eq!(Pair::times_of(&pair.b, "BYE"), [300]);
    assert!(matches!(pair.b.events.pop_back(), Some(Event::Ended { end: End::LocalBye, .. })));
    pair.assert_empty();
}

#[test]
fn info_brings_digits_and_a_call_that_the_peer_forgot_is_gone() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.connected();
    pair.a.endpoint.info(pair.now, ours, "application/dtmf-relay", Bytes::from_static(b"Signal=5")).unwrap();
    pair.settle();
    let Some(Event::Info { call, content_type, body }) = pair.b.events.pop_front() else { panic!() };
    assert_eq!(
        (call, content_type.as_str(), &body[..]),
        (theirs, "application/dtmf-relay", &b"Signal=5"[..])
    );
    pair.a.endpoint.info(pair.now, ours, "text/plain", Bytes::from_static(b"hello")).unwrap();
    pair.settle();
    assert!(pair.b.events.is_empty());
    assert_eq!(Pair::names(&pair.b, 2), ["200 INFO", "415 INFO"]);
    pair.b.endpoint = trunkline_sip::Endpoint::new(trunkline_sip::Config::default(), [9; 32]);
    pair.a.endpoint.info(pair.now, ours, "application/dtmf", Bytes::from_static(b"5")).unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Ended { end: End::PeerGone(481), .. })));
}

#[test]
fn an_update_without_an_offer_is_answered_and_not_told() {
    let mut pair = Pair::new();
    pair.connected();
    let text = request_of_a(&pair, "UPDATE", 2, "");
    deliver_to_b(&mut pair, text);
    assert_eq!(Pair::names(&pair.b, 2), ["200 UPDATE"]);
    assert!(pair.b.events.is_empty());
}

#[test]
fn a_second_reinvite_before_the_first_is_answered_gets_500_and_a_time() {
    let mut pair = Pair::new();
    let (ours, _) = pair.connected();
    pair.a.endpoint.offer(pair.now, ours, Bytes::from_static(HOLD)).unwrap();
    pair.settle();
    let text = request_of_a(&pair, "INVITE", 9, "v=0\r\n");
    deliver_to_b(&mut pair, text);
    let answer = &pair.b.sent.last().unwrap().1;
    assert_eq!(answer.status(), Some(500));
    assert!(answer.retry_after().is_some_and(|s| s <= 10));
    assert_eq!(pair.b.events.len(), 1);
}

#[test]
fn a_reinvite_that_asks_for_an_offer_gets_it_and_answers_with_its_ack() {
    let mut pair = Pair::new();
    let (_, theirs) = pair.connected();
    let text = request_of_a(&pair, "INVITE", 2, "");
    deliver_to_b(&mut pair, text);
    assert!(matches!(pair.b.events.pop_front(), Some(Event::Offer { sdp: None, .. })));
    pair.b.endpoint.accept_offer(pair.now, theirs, Bytes::from_static(SDP_B)).unwrap();
    pair.settle();
    let text = request_of_a(&pair, "ACK", 2, "v=0\r\n");
    deliver_to_b(&mut pair, text);
    assert!(matches!(pair.b.events.pop_front(), Some(Event::Confirmed { sdp: Some(_), .. })));
}

#[test]
fn a_peer_that_answers_nothing_inside_a_call_is_gone_and_is_sent_a_bye() {
    let mut pair = Pair::new();
    let (ours, _) = pair.connected();
    pair.fate = Box::new(|_| Fate::Lost);
    pair.a.endpoint.offer(pair.now, ours, Bytes::from_static(HOLD)).unwrap();
    pair.pass(Duration::from_secs(33));
    assert!(matches!(pair.a.events.pop_front(), Some(Event::OfferRefused { status: 408, .. })));
    assert!(matches!(pair.a.events.pop_front(), Some(Event::Ended { end: End::PeerGone(408), .. })));
    assert_eq!(pair.a.sent.last().map(|(_, m)| crate::pair::name(m)).as_deref(), Some("BYE"));
}

#[test]
fn a_reinvite_from_a_new_address_moves_the_call_there_once_it_is_accepted() {
    let mut pair = Pair::new();
    let (_, theirs) = pair.connected();
    let text = request_of_a(&pair, "INVITE", 2, "v=0\r\n")
        .replace("Contact: <sip:alice@192.0.2.1:5060>", "Contact: <sip:alice@192.0.2.66:5066>");
    deliver_to_b(&mut pair, text);
    pair.b.endpoint.accept_offer(pair.now, theirs, Bytes::from_static(SDP_B)).unwrap();
    pair.settle();
    let text = request_of_a(&pair, "ACK", 2, "");
    deliver_to_b(&mut pair, text);
    pair.b.endpoint.hang_up(pair.now, theirs, "").unwrap();
    pair.settle();
    let bye = &pair.b.sent.last().unwrap().1;
    assert_eq!(bye.request_uri_raw(), "sip:alice@192.0.2.66:5066");
}

/// A request inside the call, as A's phone would write it.
fn request_of_a(pair: &Pair, method: &str, cseq: u32, sdp: &str) -> String {
    let invite = pair.a.sent.iter().find(|(_, m)| m.method() == Some(Method::Ack)).unwrap().1.clone();
    let header = |name| invite.header(name).unwrap().to_owned();
    let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:bob@192.0.2.2:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKraw{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:alice@192.0.2.1:5060>\r\n{kind}Content-Length: {}\r\n\r\n{sdp}",
        header(HeaderName::From),
        header(HeaderName::To),
        header(HeaderName::CallId),
        sdp.len(),
    )
}

fn deliver_to_b(pair: &mut Pair, text: String) {
    let flow = Flow { local: pair.b.at, remote: pair.a.at, ..pair.flow() };
    pair.b.endpoint.receive(pair.now, flow, Bytes::from(text));
    pair.settle();
}
