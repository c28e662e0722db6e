//! Calls over a network that loses, doubles and reorders; large requests; connections that break.

use crate::pair::{Fate, Pair, SDP_B};
use bytes::Bytes;
use std::time::Duration;
use trunkline_sip::{End, Event, Flow, Transport};

/// A generator that a test can repeat.
fn dice(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 11
    }
}

#[test]
fn calls_come_about_and_end_over_a_network_that_loses_a_quarter_and_doubles_and_delays_the_rest() {
    for seed in 1..=200_u64 {
        let mut pair = Pair::new();
        let mut roll = dice(seed * 0x9e37_79b9);
        pair.fate = Box::new(move |_| match roll() % 8 {
            0 | 1 => Fate::Lost,
            2 => Fate::Twice,
            3 => Fate::Late(Duration::from_millis(roll() % 900)),
            _ => Fate::Arrives,
        });
        let invite = pair.invite();
        let ours = pair.a.endpoint.invite(pair.now, invite).unwrap();
        let mut theirs = None;
        for _ in 0..40 {
            pair.pass(Duration::from_secs(1));
            if let Some(Event::Incoming { call, .. }) = pair.b.events.pop_front() {
                assert!(theirs.is_none(), "one call, seed {seed}");
                theirs = Some(call);
                pair.b.endpoint.answer(pair.now, call, Bytes::from_static(SDP_B), &[]).unwrap();
            }
        }
        if pair.a.endpoint.identity(ours).is_some() {
            pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
        }
        pair.pass(Duration::from_secs(60));
        let over = pair.a.events.iter().filter(|e| matches!(e, Event::Ended { .. } | Event::Rejected { .. }));
        assert_eq!(over.count(), 1, "seed {seed}: {:?}", pair.a.events);
        if pair.b.endpoint.counts().calls > 0 {
            // Its BYE was lost altogether: only the media or the session timer could tell.
            pair.b.endpoint.hang_up(pair.now, theirs.unwrap(), "").unwrap();
        }
        pair.assert_empty();
    }
}

#[test]
fn an_invite_that_no_datagram_should_carry_goes_over_tcp_and_back_to_udp_when_nobody_listens() {
    let mut pair = Pair::new();
    let mut invite = pair.invite();
    invite.headers.push(("X-Long".into(), "x".repeat(1200)));
    pair.fate = Box::new(|_| Fate::Lost);
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    assert_eq!(pair.a.sent[0].1.via().unwrap().transport, "TCP");
    pair.fate = Box::new(|_| Fate::Arrives);
    let stream = Flow { transport: Transport::Tcp, ..pair.flow() };
    pair.a.endpoint.transport_failed(pair.now, stream);
    pair.settle();
    assert_eq!(pair.a.sent[1].1.via().unwrap().transport, "UDP");
    let (theirs, _) = pair.incoming();
    pair.b.endpoint.answer(pair.now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Answered { .. })));
}

#[test]
fn a_connection_that_cannot_be_opened_fails_the_call_with_503() {
    let mut pair = Pair::new();
    pair.transport = Transport::Tcp;
    pair.fate = Box::new(|_| Fate::Lost);
    let invite = pair.invite();
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    pair.a.endpoint.transport_failed(pair.now, pair.flow());
    pair.settle();
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Rejected { status: 503, response: None, .. })));
    pair.assert_empty();
}

#[test]
fn the_handle_of_a_finished_call_never_means_the_next_one() {
    let mut pair = Pair::new();
    let (ours, _) = pair.connected();
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Ended { end: End::LocalBye, .. })));
    pair.b.events.clear();
    let (next, _) = pair.connected();
    assert_ne!(ours, next);
    assert!(pair.a.endpoint.identity(ours).is_none());
}
