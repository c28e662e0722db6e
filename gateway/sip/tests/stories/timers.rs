//! The timers of RFC 3261 §17, each by what it makes the endpoint send.

use crate::pair::{Fate, Pair, SDP_B};
use bytes::Bytes;
use std::time::Duration;
use trunkline_sip::{End, Event, Transport};

#[test]
fn timers_a_and_b_repeat_an_invite_at_doubling_intervals_and_give_up_with_408() {
    let mut pair = Pair::new();
    pair.fate = Box::new(|_| Fate::Lost);
    let invite = pair.invite();
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.pass(Duration::from_secs(40));
    assert_eq!(Pair::times_of(&pair.a, "INVITE"), [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Rejected { status: 408, response: None, .. })));
    pair.assert_empty();
}

#[test]
fn a_2xx_is_repeated_until_64_t1_and_the_call_ends_without_its_ack() {
    let mut pair = Pair::new();
    pair.fate = Box::new(|line| if line.starts_with("ACK") { Fate::Lost } else { Fate::Arrives });
    pair.connected();
    pair.pass(Duration::from_secs(31));
    let times = Pair::times_of(&pair.b, "200 INVITE");
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500]);
    pair.pass(Duration::from_secs(2));
    assert!(matches!(pair.b.events.pop_back(), Some(Event::Ended { end: End::NoAck, .. })));
    assert_eq!(pair.b.sent.iter().filter(|(_, m)| m.method().is_some()).count(), 1, "one BYE");
    // The caller acknowledged each of them.
    assert_eq!(Pair::times_of(&pair.a, "ACK").len(), 11);
    pair.assert_empty();
}

#[test]
fn timers_e_and_f_repeat_a_bye_and_end_the_call_all_the_same() {
    let mut pair = Pair::new();
    let (ours, _) = pair.connected();
    pair.fate = Box::new(|_| Fate::Lost);
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.pass(Duration::from_secs(31));
    let times = Pair::times_of(&pair.a, "BYE");
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500][..10]);
    assert!(pair.a.events.is_empty());
    pair.pass(Duration::from_secs(2));
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Ended { end: End::LocalBye, .. })));
    assert_eq!(pair.a.endpoint.counts().calls, 0);
}

#[test]
fn timers_g_and_h_repeat_a_refusal_until_its_ack_or_64_t1() {
    let mut pair = Pair::new();
    pair.fate = Box::new(|line| if line.starts_with("ACK") { Fate::Lost } else { Fate::Arrives });
    let invite = pair.invite();
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let (theirs, _) = pair.incoming();
    pair.b.endpoint.reject(pair.now, theirs, 404, "", &[]).unwrap();
    pair.pass(Duration::from_secs(5));
    assert_eq!(Pair::times_of(&pair.b, "404 INVITE"), [0, 500, 1500, 3500]);
    assert_eq!(Pair::times_of(&pair.a, "ACK"), [0, 500, 1500, 3500]);
    pair.fate = Box::new(|_| Fate::Arrives);
    pair.pass(Duration::from_secs(60));
    assert_eq!(Pair::times_of(&pair.b, "404 INVITE").len(), 5, "none after the ACK");
    pair.assert_empty();
}

#[test]
fn over_tcp_nothing_but_a_2xx_is_repeated() {
    let mut pair = Pair::new();
    pair.transport = Transport::Tcp;
    pair.fate = Box::new(|line| if line.starts_with("ACK") { Fate::Lost } else { Fate::Arrives });
    let invite = pair.invite();
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.pass(Duration::from_secs(10));
    let (theirs, _) = pair.incoming();
    pair.b.endpoint.answer(pair.now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.pass(Duration::from_secs(4));
    assert_eq!(Pair::names(&pair.a, 0), ["INVITE", "ACK", "ACK", "ACK", "ACK"]);
}

#[test]
fn a_repeated_invite_gets_the_last_response_and_makes_no_second_call() {
    let mut pair = Pair::new();
    let mut heard = 0;
    pair.fate = Box::new(move |line| {
        heard += i32::from(line.starts_with("SIP/2.0 100"));
        if heard == 1 && line.starts_with("SIP/2.0 100") { Fate::Lost } else { Fate::Arrives }
    });
    let invite = pair.invite();
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.pass(Duration::from_secs(1));
    pair.incoming();
    assert!(pair.b.events.is_empty());
    assert_eq!(Pair::names(&pair.b, 0), ["100 INVITE", "100 INVITE"]);
    assert_eq!(pair.b.endpoint.counts().calls, 1);
}

#[test]
fn a_call_that_rings_long_is_spoken_of_each_minute() {
    let mut pair = Pair::new();
    let invite = pair.invite();
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let (theirs, _) = pair.incoming();
    pair.b.endpoint.ring(pair.now, theirs, 180, None, false, &[]).unwrap();
    pair.pass(Duration::from_secs(130));
    assert_eq!(Pair::times_of(&pair.b, "180 INVITE"), [0, 60_000, 120_000]);
    pair.b.endpoint.answer(pair.now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.pass(Duration::from_secs(130));
    assert_eq!(Pair::times_of(&pair.b, "180 INVITE").len(), 3);
}

#[test]
fn a_lost_200_of_a_bye_is_given_again_to_its_repetition() {
    let mut pair = Pair::new();
    let (ours, _) = pair.connected();
    let mut first = true;
    pair.fate = Box::new(move |line| {
        if line.starts_with("SIP/2.0 200") && std::mem::take(&mut first) { Fate::Lost } else { Fate::Arrives }
    });
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.pass(Duration::from_secs(1));
    assert_eq!(Pair::times_of(&pair.b, "200 BYE"), [0, 500]);
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Ended { end: End::LocalBye, .. })));
    pair.assert_empty();
}
