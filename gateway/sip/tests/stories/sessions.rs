//! Session timers (RFC 4028), both roles.

use crate::pair::{Fate, Pair, SDP_A, SDP_B};
use bytes::Bytes;
use std::time::Duration;
use trunkline_sip::message::HeaderName;
use trunkline_sip::{Config, End, Event};

fn config(session_expires: u32, min_se: u32) -> Config {
    Config { session_expires, min_se, ..Config::default() }
}

#[test]
fn the_caller_refreshes_by_update_at_half_time_and_nobody_is_told() {
    let mut pair = Pair::with(config(1800, 90));
    let (ours, _) = pair.connected();
    pair.pass(Duration::from_secs(4000));
    assert_eq!(Pair::times_of(&pair.a, "UPDATE"), [900_000, 1_800_000, 2_700_000, 3_600_000]);
    assert!(pair.a.events.is_empty() && pair.b.events.is_empty());
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.assert_empty();
}

#[test]
fn a_session_that_is_not_refreshed_ends_with_a_bye() {
    let mut pair = Pair::with(config(90, 90));
    pair.connected();
    pair.fate = Box::new(|_| Fate::Lost);
    pair.pass(Duration::from_secs(70));
    // The called side waited for the refresh: 90 s, less a third of it.
    assert!(matches!(pair.b.events.pop_front(), Some(Event::Ended { end: End::SessionExpired, .. })));
    assert_eq!(Pair::times_of(&pair.b, "BYE")[0], 60_000);
    pair.pass(Duration::from_secs(30));
    // The calling side heard no answer to its UPDATE.
    assert!(matches!(pair.a.events.pop_front(), Some(Event::Ended { .. })));
    pair.assert_empty();
}

#[test]
fn an_interval_that_is_too_small_is_refused_with_422_and_asked_for_anew() {
    let mut pair = Pair::of(config(120, 90), config(0, 600));
    let invite = pair.invite();
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let (_, request) = pair.incoming();
    assert_eq!(request.session_expires().unwrap().seconds, 600);
    assert_eq!(request.header(HeaderName::MinSe), Some("600"));
    assert_eq!(Pair::names(&pair.b, 0), ["422 INVITE", "100 INVITE"]);
}

#[test]
fn a_peer_without_session_timers_is_left_alone() {
    let mut pair = Pair::of(config(0, 90), config(0, 90));
    pair.connected();
    pair.pass(Duration::from_secs(10_000));
    assert_eq!(Pair::names(&pair.a, 0), ["INVITE", "ACK"]);
    assert_eq!(pair.a.endpoint.counts().calls, 1);
}

#[test]
fn a_peer_that_takes_no_update_is_refreshed_by_a_reinvite_with_the_offer_that_stands() {
    let mut pair = Pair::with(config(1800, 90));
    let invite = pair.invite();
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let (theirs, _) = pair.incoming();
    pair.fate = Box::new(|line| if line.contains("200") { Fate::Lost } else { Fate::Arrives });
    pair.b.endpoint.answer(pair.now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.settle();
    let answer = String::from_utf8(pair.b.sent.last().unwrap().1.bytes().to_vec()).unwrap();
    pair.a.endpoint.receive(pair.now, pair.flow(), Bytes::from(answer.replace(", UPDATE", "")));
    pair.fate = Box::new(|_| Fate::Arrives);
    pair.pass(Duration::from_secs(901));
    assert_eq!(Pair::times_of(&pair.a, "INVITE"), [0, 900_000]);
    let refresh = &pair.a.sent.iter().rfind(|(_, m)| crate::pair::name(m) == "INVITE").unwrap().1;
    assert_eq!(refresh.body(), SDP_A);
    assert_eq!(refresh.header(HeaderName::SessionExpires), Some("1800;refresher=uac"));
    // The called side is told of it as of any offer, for it must be answered.
    assert!(matches!(pair.b.events.pop_back(), Some(Event::Offer { sdp: Some(_), .. })));
}
