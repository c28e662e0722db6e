//! 100rel and PRACK (RFC 3262), both roles.

use crate::pair::{Fate, Pair, SDP_A, SDP_B};
use bytes::Bytes;
use std::time::Duration;
use trunkline_sip::message::HeaderName;
use trunkline_sip::{CallHandle, End, Event, Flow};

const EARLY: &[u8] = b"v=0\r\no=early\r\n";

fn ringing(pair: &mut Pair) -> (CallHandle, CallHandle) {
    let invite = pair.invite();
    let ours = pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let theirs = pair.incoming().0;
    (ours, theirs)
}

#[test]
fn a_reliable_183_is_acknowledged_by_prack_and_the_next_one_waits_for_that() {
    let mut pair = Pair::new();
    let (_, theirs) = ringing(&mut pair);
    let now = pair.now;
    pair.b.endpoint.ring(now, theirs, 183, Some(Bytes::from_static(EARLY)), true, &[]).unwrap();
    pair.b.endpoint.ring(now, theirs, 180, None, true, &[]).unwrap();
    pair.settle();
    let want = ["100 INVITE", "183 INVITE", "200 PRACK", "180 INVITE", "200 PRACK"];
    assert_eq!(Pair::names(&pair.b, 0), want);
    assert_eq!(pair.a.events.len(), 2);
    assert!(matches!(pair.b.events.pop_front(), Some(Event::ProvisionalConfirmed { sdp: None, .. })));
    pair.b.endpoint.answer(now, theirs, Bytes::from_static(EARLY), &[]).unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Answered { .. })));
}

#[test]
fn a_2xx_waits_while_a_description_is_not_acknowledged() {
    let mut pair = Pair::new();
    let (_, theirs) = ringing(&mut pair);
    let mut lost = 0;
    pair.fate = Box::new(move |line| {
        lost += i32::from(line.starts_with("PRACK"));
        if line.starts_with("PRACK") && lost == 1 { Fate::Lost } else { Fate::Arrives }
    });
    let now = pair.now;
    pair.b.endpoint.ring(now, theirs, 183, Some(Bytes::from_static(EARLY)), true, &[]).unwrap();
    pair.settle();
    pair.b.endpoint.answer(now, theirs, Bytes::from_static(EARLY), &[]).unwrap();
    pair.settle();
    assert_eq!(Pair::names(&pair.b, 0), ["100 INVITE", "183 INVITE"]);
    pair.pass(Duration::from_secs(1));
    assert_eq!(Pair::times_of(&pair.b, "200 INVITE"), [500]);
    assert_eq!(pair.a.events.len(), 2, "the repeated 183 is told once");
}

#[test]
fn without_prack_the_call_ends_with_504_after_64_t1() {
    let mut pair = Pair::new();
    let (_, theirs) = ringing(&mut pair);
    pair.fate = Box::new(|line| if line.starts_with("PRACK") { Fate::Lost } else { Fate::Arrives });
    pair.b.endpoint.ring(pair.now, theirs, 180, None, true, &[]).unwrap();
    pair.pass(Duration::from_secs(33));
    assert_eq!(Pair::times_of(&pair.b, "180 INVITE"), [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert!(matches!(pair.b.events.pop_back(), Some(Event::Ended { end: End::NoPrack, .. })));
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Rejected { status: 504, .. })));
    pair.assert_empty();
}

#[test]
fn an_update_carries_an_offer_before_the_answer() {
    let mut pair = Pair::new();
    let (ours, theirs) = ringing(&mut pair);
    let now = pair.now;
    pair.b.endpoint.ring(now, theirs, 183, Some(Bytes::from_static(EARLY)), true, &[]).unwrap();
    pair.settle();
    pair.a.endpoint.offer(now, ours, Bytes::from_static(SDP_A)).unwrap();
    pair.settle();
    assert!(matches!(pair.b.events.pop_back(), Some(Event::Offer { sdp: Some(_), .. })));
    pair.b.endpoint.accept_offer(now, theirs, Bytes::from_static(SDP_B)).unwrap();
    pair.settle();
    assert!(
        matches!(pair.a.events.pop_back(), Some(Event::OfferAccepted { sdp: Some(s), .. }) if s == SDP_B)
    );
    assert_eq!(Pair::names(&pair.a, 0), ["INVITE", "PRACK", "UPDATE"]);
    pair.b.endpoint.answer(now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.settle();
    pair.a.endpoint.hang_up(now, ours, "").unwrap();
    pair.assert_empty();
}

#[test]
fn an_offer_in_a_reliable_183_is_answered_by_prack_and_the_200_repeats_no_description() {
    let mut pair = Pair::new();
    let text = "INVITE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKi\r\n\
        From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\n\
        Require: 100rel\r\nContent-Length: 0\r\n\r\n";
    let back = Flow { local: pair.b.at, remote: pair.a.at, ..pair.flow() };
    pair.b.endpoint.receive(pair.now, back, Bytes::from_static(text.as_bytes()));
    pair.settle();
    let (theirs, _) = pair.incoming();
    pair.b.endpoint.ring(pair.now, theirs, 183, Some(Bytes::from_static(SDP_B)), false, &[]).unwrap();
    pair.settle();
    let progress = pair.b.sent.last().unwrap().1.clone();
    let prack = format!(
        "PRACK sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKp\r\nFrom: <sip:a@h>;tag=1\r\n\
         To: {}\r\nCall-ID: x\r\nCSeq: 2 PRACK\r\nRAck: {} 1 INVITE\r\nContent-Type: application/sdp\r\n\
         Content-Length: 5\r\n\r\nv=0\r\n",
        progress.header(HeaderName::To).unwrap(),
        progress.rseq().unwrap(),
    );
    pair.b.endpoint.receive(pair.now, back, Bytes::from(prack.clone()));
    pair.settle();
    assert!(matches!(pair.b.events.pop_front(), Some(Event::ProvisionalConfirmed { sdp: Some(_), .. })));
    pair.b.endpoint.answer(pair.now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.settle();
    assert!(pair.b.sent.last().unwrap().1.body().is_empty());
    // A PRACK that acknowledges nothing.
    let stray = prack.replace("z9hG4bKp", "z9hG4bKq").replace("CSeq: 2", "CSeq: 3");
    pair.b.endpoint.receive(pair.now, back, Bytes::from(stray));
    pair.settle();
    assert_eq!(pair.b.sent.last().unwrap().1.status(), Some(481));
}
