//! Calls over a network that loses, doubles and reorders; large requests; connections that break.

use crate::pair::{Fate, Pair, SDP_B};
use bytes::Bytes;
use std::time::Duration;
use trunkline_sip::{ConnId, End, Event, Flow, Output, Transport};

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
fn a_large_invite_whose_connection_is_swallowed_goes_by_datagram_after_two_seconds() {
    let mut pair = Pair::new();
    let mut invite = pair.invite();
    invite.headers.push(("X-Long".into(), "x".repeat(1200)));
    pair.fate = Box::new(|_| Fate::Lost);
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.pass(Duration::from_secs(4));
    assert_eq!(Pair::times_of(&pair.a, "INVITE"), [0, 2000, 2500, 3500]);
    let vias: Vec<_> = pair.a.sent.iter().map(|(_, m)| m.via().unwrap()).collect();
    assert_eq!((vias[0].transport, vias[1].transport), ("TCP", "UDP"));
    assert_eq!(vias[0].branch(), vias[1].branch());
}

#[test]
fn a_bye_whose_connection_breaks_is_sent_over_a_new_one_to_the_contact() {
    let mut pair = Pair::new();
    pair.transport = Transport::Tcp;
    let (_, theirs) = pair.connected();
    let from_phone = Flow {
        local: pair.b.at,
        remote: "192.0.2.1:40000".parse().unwrap(),
        connection: Some(ConnId(7)),
        ..pair.flow()
    };
    // The phone refreshes over the connection it has opened since.
    let text = String::from_utf8(pair.a.sent.last().unwrap().1.bytes().to_vec()).unwrap();
    let update =
        text.replace("ACK", "UPDATE").replace("CSeq: 1", "CSeq: 2").replace("branch=", "branch=z9hG4bKn");
    pair.b.endpoint.receive(pair.now, from_phone, Bytes::from(update));
    pair.settle();
    pair.fate = Box::new(|_| Fate::Lost);
    pair.b.endpoint.hang_up(pair.now, theirs, "").unwrap();
    let mut flows = Vec::new();
    let mut sends = |pair: &mut Pair| {
        while let Some(output) = pair.b.endpoint.poll() {
            if let Output::Send { flow, .. } = output {
                flows.push((flow.remote.to_string(), flow.connection));
            }
        }
    };
    sends(&mut pair);
    pair.b.endpoint.transport_failed(pair.now, from_phone);
    sends(&mut pair);
    assert_eq!(flows, [("192.0.2.1:40000".to_owned(), Some(ConnId(7))), ("192.0.2.1:5060".to_owned(), None)]);
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
