//! Encrypted sessions: what is heard, what a stranger can do, and what a new key changes.

use crate::network::{Call, address, session};
use std::time::Duration;
use trunkline_media::event::{DtmfHow, LegCommand, LegEvent};
use trunkline_media::session::{Codec, Session};
use trunkline_media::srtp::{KeySource, MasterKey, Protect, Security, Suite};

const SECOND: Duration = Duration::from_secs(1);

fn key(seed: u8, suite: Suite) -> MasterKey {
    KeySource::new(&[seed; 32]).next(suite)
}

/// Two ends with a key each.
fn encrypted(suite: Suite, mux: bool) -> Call {
    Call::new(Codec::Pcmu, |session| {
        let first = session.remote == Some(address(1));
        let (ours, theirs) = if first { (1, 2) } else { (2, 1) };
        session.security = Some(Box::new(Security { ours: key(ours, suite), theirs: key(theirs, suite) }));
        session.rtcp_mux = mux;
        if mux {
            session.remote_rtcp = session.remote;
        }
    })
}

fn renewed(to: usize, ours: u8, theirs: u8) -> Session {
    let suite = Suite::AesCm128Sha1_80;
    let security = Some(Box::new(Security { ours: key(ours, suite), theirs: key(theirs, suite) }));
    Session { security, ..session(Codec::Pcmu, to) }
}

#[test]
fn sound_keys_and_reports_go_through_in_every_suite() {
    for suite in Suite::ALL {
        for mux in [false, true] {
            let mut call = encrypted(suite, mux);
            call.ends[0].says = Some(1_000.0);
            call.ends[1].says = Some(700.0);
            call.run(SECOND);
            let press = LegCommand::Dtmf { digit: '5', length: Duration::from_millis(100), how: None };
            call.command(0, press);
            call.run(20 * SECOND);
            assert!(call.ends[1].hears(1_000.0) > 0.95 && call.ends[0].hears(700.0) > 0.95, "{suite:?}");
            let heard =
                |event: &LegEvent| matches!(event, LegEvent::Dtmf { digit: '5', how: DtmfHow::Rfc4733, .. });
            assert_eq!(call.ends[1].events.iter().filter(|event| heard(event)).count(), 1, "{suite:?}");
            let report = call.ends[1].leg.report();
            assert!(report.round_trip_ms.is_some(), "{suite:?}, mux {mux}: reports");
            assert_eq!((report.strangers, report.unauthentic, report.replayed, report.lost), (0, 0, 0, 0));
        }
    }
}

#[test]
fn nobody_without_the_key_becomes_the_peer_and_the_failure_is_told_once() {
    let mut call = encrypted(Suite::AesCm128Sha1_80, false);
    let mut stranger = Protect::new(&key(9, Suite::AesCm128Sha1_80)).unwrap();
    let mut plain = trunkline_media::rtp::RtpSender::new(7, 1, 0);
    for n in 0..100u64 {
        let mut packet = plain.header(0, false, 160, 160).to_vec();
        packet.extend([0; 160]);
        let from = address(0);
        if n % 2 == 0 {
            packet = stranger.rtp(&packet).unwrap().to_vec();
        }
        call.inject(1, from, &packet);
    }
    let said = |event: &&LegEvent| matches!(event, LegEvent::Unauthentic { .. });
    assert_eq!(call.ends[1].events.iter().filter(said).count(), 1);
    assert_eq!(call.ends[1].events.len(), 1, "no first packet, no source: {:?}", call.ends[1].events);
    assert_eq!(call.ends[1].leg.report().unauthentic, 100);
    assert_eq!(call.ends[1].leg.report().received, 0);
}

#[test]
fn behind_a_nat_authentic_packets_make_the_peer() {
    let mut call = encrypted(Suite::AesGcm128, false);
    call.ends[0].source = "203.0.113.5:40000".parse().unwrap();
    call.ends[0].says = Some(1_000.0);
    call.run(SECOND);
    assert!(call.ends[1].hears(1_000.0) > 0.9);
    assert!(call.ends[1].events.iter().any(|event| matches!(event, LegEvent::Latched { .. })));
}

#[test]
fn a_packet_that_is_sent_again_is_heard_once() {
    let mut call = encrypted(Suite::AesCm128Sha1_80, false);
    call.ends[0].says = Some(1_000.0);
    call.run(SECOND);
    let again = call.ends[0].sent.clone();
    for datagram in again.iter().filter(|datagram| !datagram.control) {
        call.inject(1, address(0), &datagram.bytes);
    }
    let report = call.ends[1].leg.report();
    assert_eq!((report.replayed, report.duplicate, report.received), (50, 0, 50));
}

#[test]
fn new_keys_cost_no_sound_though_packets_under_the_old_ones_are_still_on_the_way() {
    let mut call = encrypted(Suite::AesCm128Sha1_80, false);
    call.delay = 5;
    call.ends[0].says = Some(1_000.0);
    call.ends[1].says = Some(700.0);
    call.run(SECOND);
    // the answerer has the new keys 200 ms before the offerer
    call.command(1, LegCommand::Session(renewed(0, 2, 4)));
    call.run(SECOND / 5);
    call.command(0, LegCommand::Session(renewed(1, 4, 2)));
    call.run(2 * SECOND);
    for end in &call.ends {
        let report = end.leg.report();
        assert_eq!((report.unauthentic, report.lost, report.concealed), (0, 0, 0), "{report:?}");
    }
}

#[test]
fn the_same_keys_again_go_on_where_they_were() {
    let mut call = encrypted(Suite::AesCm128Sha1_80, false);
    call.ends[0].says = Some(1_000.0);
    call.run(SECOND);
    call.command(1, LegCommand::Session(renewed(0, 2, 1)));
    let again = call.ends[0].sent.clone();
    for datagram in again.iter().filter(|datagram| !datagram.control) {
        call.inject(1, address(0), &datagram.bytes);
    }
    assert_eq!(call.ends[1].leg.report().replayed, 50, "what came is still known");
}
