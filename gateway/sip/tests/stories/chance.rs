//! Whatever two applications do, over whatever network: each call ends once on each side, and nothing
//! is left of it.

use crate::pair::{Fate, Pair, SDP_A, SDP_B, Side};
use bytes::Bytes;
use std::collections::HashMap;
use std::time::Duration;
use trunkline_sip::{CallHandle, Config, Event, Output, Transport};

/// A generator that a test can repeat.
fn dice(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |n| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % n
    }
}

/// What an application may do with a call of which it knows no more than its handle.
fn act(side: &mut Side, now: Duration, call: CallHandle, choice: u64) {
    let endpoint = &mut side.endpoint;
    let sdp = Bytes::from_static(SDP_B);
    // Refusals are part of the game: most of these are wrong most of the time.
    let _ = match choice {
        0 => endpoint.ring(now, call, 180, None, false, &[]),
        1 => endpoint.ring(now, call, 183, Some(sdp), true, &[]),
        2 => endpoint.ring(now, call, 181, None, true, &[]),
        3..=5 => endpoint.answer(now, call, sdp, &[]),
        6 => endpoint.reject(now, call, 486, "", &[]),
        7 => endpoint.acknowledge(now, call, sdp),
        8..=9 => endpoint.offer(now, call, sdp),
        10..=11 => endpoint.accept_offer(now, call, sdp),
        12 => endpoint.refuse_offer(now, call, 488, ""),
        13 => endpoint.info(now, call, "application/dtmf", Bytes::from_static(b"1")),
        14 => endpoint.hang_up(now, call, ""),
        _ => Ok(()),
    };
}

/// Counts ends by call; a handle must be new when it comes.
#[derive(Default)]
struct Ledger {
    open: Vec<CallHandle>,
    ends: HashMap<CallHandle, u32>,
}

impl Ledger {
    fn read(&mut self, side: &mut Side) {
        while let Some(event) = side.events.pop_front() {
            match event {
                Event::Incoming { call, .. } => {
                    assert!(!self.ends.contains_key(&call));
                    self.ends.insert(call, 0);
                    self.open.push(call);
                }
                Event::Ended { call, .. } | Event::Rejected { call, .. } => {
                    *self.ends.get_mut(&call).unwrap() += 1;
                    self.open.retain(|c| *c != call);
                }
                Event::Progress { call, .. }
                | Event::Answered { call, .. }
                | Event::Confirmed { call, .. }
                | Event::ProvisionalConfirmed { call, .. }
                | Event::Offer { call, .. }
                | Event::OfferAccepted { call, .. }
                | Event::OfferRefused { call, .. }
                | Event::Info { call, .. } => {
                    assert_eq!(self.ends.get(&call), Some(&0), "told of a call that is over");
                }
                _ => {}
            }
        }
    }
}

fn game(seed: u64) {
    let session_expires = if seed.is_multiple_of(3) { 90 } else { 0 };
    let mut pair = Pair::with(Config { session_expires, ..Config::default() });
    if seed.is_multiple_of(4) {
        pair.transport = Transport::Tcp;
    }
    let mut roll = dice(seed * 0x9e37_79b9 + 1);
    let mut weather = dice(seed * 0x85eb_ca6b + 1);
    let bad = seed % 5;
    pair.fate = Box::new(move |_| match weather(20) {
        n if n < bad => Fate::Lost,
        n if n < 2 * bad => Fate::Twice,
        n if n < 3 * bad => Fate::Late(Duration::from_millis(weather(3000))),
        _ => Fate::Arrives,
    });
    let (mut a, mut b) = (Ledger::default(), Ledger::default());
    for step in 0..60 {
        if step < 40 && roll(5) == 0 {
            let mut invite = pair.invite();
            invite.sdp = (roll(4) > 0).then(|| Bytes::from_static(SDP_A));
            invite.ring_timeout = Duration::from_secs(5 + roll(60));
            let call = pair.a.endpoint.invite(pair.now, invite).unwrap();
            a.ends.insert(call, 0);
            a.open.push(call);
        }
        for (side, ledger) in [(&mut pair.a, &a), (&mut pair.b, &b)] {
            for call in ledger.open.clone() {
                act(side, pair.now, call, roll(30));
            }
        }
        if roll(40) == 0 {
            let flow = pair.flow();
            pair.a.endpoint.transport_failed(pair.now, flow);
        }
        pair.pass(Duration::from_millis(50 + roll(2500)));
        a.read(&mut pair.a);
        b.read(&mut pair.b);
    }
    for (side, ledger) in [(&mut pair.a, &a), (&mut pair.b, &b)] {
        for call in &ledger.open {
            let _ = side.endpoint.hang_up(pair.now, *call, "");
        }
    }
    pair.pass(Duration::from_secs(100));
    a.read(&mut pair.a);
    b.read(&mut pair.b);
    for (name, ledger) in [("a", &a), ("b", &b)] {
        assert!(ledger.ends.values().all(|n| *n == 1), "seed {seed} {name}: {:?}", ledger.ends);
    }
    pair.assert_empty();
}

#[test]
fn whatever_is_done_over_whatever_network_each_call_ends_once_and_nothing_is_left() {
    for seed in 1..=300 {
        game(seed);
    }
}

#[test]
fn the_same_seed_says_the_same_bytes() {
    let run = || {
        let mut pair = Pair::new();
        let invite = pair.invite();
        pair.a.endpoint.invite(pair.now, invite).unwrap();
        match pair.a.endpoint.poll() {
            Some(Output::Trace { bytes, .. } | Output::Send { bytes, .. }) => bytes,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(run(), run());
}
