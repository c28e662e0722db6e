//! Calls from their first message to their end.

use crate::pair::{Fate, Pair, SDP_B};
use bytes::Bytes;
use std::time::Duration;
use trunkline_sip::{CommandError, End, Event};

#[test]
fn a_call_is_placed_answered_and_hung_up() {
    let mut pair = Pair::new();
    let invite = pair.invite();
    let ours = pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let (theirs, request) = pair.incoming();
    assert_eq!(request.request_uri_raw(), "sip:bob@192.0.2.2");
    pair.b.endpoint.ring(pair.now, theirs, 180, None, false, &[]).unwrap();
    pair.settle();
    assert!(matches!(&pair.a.events[0], Event::Progress { response, .. } if response.status() == Some(180)));
    pair.b.endpoint.answer(pair.now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.settle();
    assert!(matches!(&pair.a.events[1], Event::Answered { sdp: Some(sdp), .. } if sdp == SDP_B));
    assert!(matches!(pair.b.events.pop_front(), Some(Event::Confirmed { sdp: None, .. })));
    let (a, b) = (pair.a.endpoint.identity(ours).unwrap(), pair.b.endpoint.identity(theirs).unwrap());
    assert_eq!((a.local_tag, a.remote_tag, a.call_id), (b.remote_tag, b.local_tag, b.call_id));
    pair.a.endpoint.hang_up(pair.now, ours, "Q.850;cause=16").unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Ended { end: End::LocalBye, .. })));
    assert!(
        matches!(pair.b.events.pop_back(), Some(Event::Ended { end: End::RemoteBye { reason: Some(r) }, .. }) if r == "Q.850;cause=16")
    );
    assert_eq!(Pair::names(&pair.a, 0), ["INVITE", "ACK", "BYE"]);
    assert_eq!(Pair::names(&pair.b, 0), ["100 INVITE", "180 INVITE", "200 INVITE", "200 BYE"]);
    assert_eq!(pair.a.endpoint.hang_up(pair.now, ours, ""), Err(CommandError::NoCall));
    // Both sides have told every message of theirs and of the other.
    assert_eq!((pair.a.traced, pair.b.traced), (7, 7));
    pair.assert_empty();
}

#[test]
fn the_callee_hangs_up() {
    let mut pair = Pair::new();
    let (_, theirs) = pair.connected();
    pair.b.endpoint.hang_up(pair.now, theirs, "").unwrap();
    pair.settle();
    assert!(matches!(
        pair.a.events.pop_back(),
        Some(Event::Ended { end: End::RemoteBye { reason: None }, .. })
    ));
    assert!(matches!(pair.b.events.pop_back(), Some(Event::Ended { end: End::LocalBye, .. })));
    pair.assert_empty();
}

#[test]
fn a_refused_call_is_over_on_both_sides() {
    let mut pair = Pair::new();
    let invite = pair.invite();
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let (theirs, _) = pair.incoming();
    pair.b.endpoint.reject(pair.now, theirs, 486, "", &[]).unwrap();
    pair.settle();
    assert!(matches!(pair.b.events.pop_back(), Some(Event::Ended { end: End::Refused(486), .. })));
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Rejected { status: 486, .. })));
    assert_eq!(Pair::names(&pair.a, 0), ["INVITE", "ACK"]);
    pair.assert_empty();
}

#[test]
fn a_caller_that_gives_up_while_it_rings_is_told_487() {
    let mut pair = Pair::new();
    let invite = pair.invite();
    let ours = pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    pair.incoming();
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.settle();
    assert!(matches!(pair.b.events.pop_back(), Some(Event::Ended { end: End::Cancelled, .. })));
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Rejected { status: 487, response: Some(_), .. })));
    assert_eq!(Pair::names(&pair.a, 0), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(Pair::names(&pair.b, 0), ["100 INVITE", "200 CANCEL", "487 INVITE"]);
    pair.assert_empty();
}

#[test]
fn a_phone_that_rings_too_long_is_cancelled_as_408() {
    let mut pair = Pair::new();
    let mut invite = pair.invite();
    invite.ring_timeout = Duration::from_secs(20);
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.pass(Duration::from_secs(19));
    assert!(pair.a.events.is_empty());
    pair.pass(Duration::from_secs(2));
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Rejected { status: 408, .. })));
    pair.assert_empty();
}

#[test]
fn a_call_that_nobody_hears_is_over_at_once_when_it_is_given_up_and_cancelled_when_somebody_does() {
    let mut pair = Pair::new();
    pair.fate = Box::new(|_| Fate::Lost);
    let invite = pair.invite();
    let ours = pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.pass(Duration::from_secs(1));
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Rejected { status: 487, response: None, .. })));
    pair.fate = Box::new(|_| Fate::Arrives);
    pair.pass(Duration::from_secs(2));
    assert!(matches!(pair.b.events.pop_back(), Some(Event::Ended { end: End::Cancelled, .. })));
    assert_eq!(Pair::names(&pair.a, 2), ["INVITE", "CANCEL", "ACK"]);
    pair.assert_empty();
}

#[test]
fn a_caller_that_hangs_up_before_its_own_ack_arrives_is_heard() {
    let mut pair = Pair::new();
    pair.fate = Box::new(|line| if line.starts_with("ACK") { Fate::Lost } else { Fate::Arrives });
    let (ours, _) = pair.connected();
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.pass(Duration::from_secs(5));
    assert!(matches!(pair.b.events.pop_back(), Some(Event::Ended { end: End::RemoteBye { .. }, .. })));
    assert_eq!(Pair::times_of(&pair.b, "200 INVITE"), [0], "who hung up needs no more of them");
    pair.assert_empty();
}

#[test]
fn a_ringing_that_comes_late_is_no_reason_to_cancel_a_call_that_was_answered() {
    let mut pair = Pair::new();
    let (ours, _) = pair.connected();
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.settle();
    let trying = pair.b.sent[0].1.bytes().clone();
    pair.a.endpoint.receive(pair.now, pair.flow(), trying);
    pair.settle();
    assert_eq!(Pair::names(&pair.a, 0), ["INVITE", "ACK", "BYE"]);
}
