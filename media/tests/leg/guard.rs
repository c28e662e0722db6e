//! Whose packets belong to the call, and what happens when none come.

use crate::network::{Call, address, session};
use std::net::SocketAddr;
use std::time::Duration;
use trunkline_media::event::{LegCommand, LegEvent};
use trunkline_media::rtp::RtpSender;
use trunkline_media::session::Codec;

const SECOND: Duration = Duration::from_secs(1);

fn stranger() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 66], 6_666))
}

/// Packets of a loud noise.
fn noise(packets: usize) -> Vec<Vec<u8>> {
    let mut sender = RtpSender::new(0xbad, 1, 0);
    (0..packets)
        .map(|n| {
            let mut packet = sender.header(0, false, 160, 160).to_vec();
            packet.extend(std::iter::repeat_n(if n % 2 == 0 { 0x00 } else { 0x80 }, 160));
            packet
        })
        .collect()
}

#[test]
fn packets_of_a_stranger_never_enter_a_call() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.ends[0].says = Some(1_000.0);
    call.run(SECOND);
    for packet in noise(100) {
        call.inject(1, stranger(), &packet);
        call.run(Duration::from_millis(20));
    }
    assert!(call.ends[1].hears(1_000.0) > 0.99);
    let report = call.ends[1].leg.report();
    assert_eq!((report.strangers, report.lost, report.late, report.duplicate), (100, 0, 0, 0));
    assert_eq!(call.ends[1].sent.last().unwrap().to, address(0));
}

#[test]
fn behind_a_nat_the_source_becomes_the_peer_and_is_told() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    let outside = SocketAddr::from(([203, 0, 113, 5], 40_000));
    call.ends[0].source = outside;
    call.ends[0].says = Some(1_000.0);
    call.ends[1].says = Some(700.0);
    call.run(SECOND);
    assert!(call.ends[1].hears(1_000.0) > 0.95);
    assert!(call.ends[0].hears(700.0) > 0.95, "ours go to where the peer's come from");
    let latched: Vec<_> = call.ends[1]
        .events
        .iter()
        .filter_map(|event| match event {
            LegEvent::Latched { source, announced } => Some((*source, *announced)),
            _ => None,
        })
        .collect();
    assert_eq!(latched, [(outside, Some(address(0)))]);
    for packet in noise(50) {
        call.inject(1, stranger(), &packet);
    }
    call.run(SECOND);
    assert!(call.ends[1].hears(1_000.0) > 0.99);
}

#[test]
fn a_peer_that_moves_is_heard_from_its_new_address_only() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.ends[0].says = Some(1_000.0);
    call.run(SECOND);
    let moved = SocketAddr::from(([192, 0, 2, 77], 5_000));
    call.ends[0].source = moved;
    call.run(SECOND);
    assert!(call.ends[1].newest(200).iter().all(|sample| *sample == 0), "not announced yet");
    let mut changed = session(Codec::Pcmu, 0);
    changed.remote = Some(moved);
    call.command(1, LegCommand::Session(changed));
    call.run(SECOND);
    assert!(call.ends[1].hears(1_000.0) > 0.95);
    assert_eq!(call.ends[1].sent.last().unwrap().to, moved);
}

#[test]
fn the_first_packet_is_told_once_and_a_silence_once() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.run(SECOND);
    call.loses = |_| true;
    call.run(40 * SECOND);
    let events = &call.ends[1].events;
    let first = events.iter().filter(|event| matches!(event, LegEvent::FirstPacket { .. })).count();
    let silences: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            LegEvent::MediaTimeout { silent } => Some(*silent),
            _ => None,
        })
        .collect();
    assert_eq!((first, silences), (1, vec![15 * SECOND]));
}

#[test]
fn a_peer_that_never_sends_is_told_after_the_initial_time() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.loses = |_| true;
    call.run(29 * SECOND);
    assert!(call.ends[0].events.is_empty());
    call.run(2 * SECOND);
    assert!(matches!(call.ends[0].events[..], [LegEvent::MediaTimeout { .. }]));
}

#[test]
fn an_unknown_payload_type_and_what_is_no_rtp_change_nothing_but_a_counter() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.ends[0].says = Some(1_000.0);
    call.run(SECOND);
    let mut unknown = noise(1).remove(0);
    unknown[1] = 77;
    call.inject(1, address(0), &unknown);
    call.inject(1, address(0), b"REGISTER sip:example.org SIP/2.0\r\n");
    call.inject(1, address(0), &[]);
    call.run(SECOND);
    assert!(call.ends[1].hears(1_000.0) > 0.99);
    assert_eq!(call.ends[1].leg.report().strangers, 3);
}
