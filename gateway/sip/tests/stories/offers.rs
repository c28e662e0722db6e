//! Offers inside a call: re-INVITE, UPDATE, glare, delayed offers.

use crate::pair::{Fate, Pair, SDP_A, SDP_B};
use bytes::Bytes;
use std::time::Duration;
use trunkline_sip::{CommandError, End, Event};

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
