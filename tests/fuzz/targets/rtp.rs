//! Datagrams, each behind a byte of length, to a leg: the first byte of all chooses its codec.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::SocketAddr;
use std::time::Duration;
use trunkline_media::leg::{InbandDtmf, Leg, LegConfig, Seed, Sink, TICK};
use trunkline_media::rtp::RtpPacket;
use trunkline_media::session::{Codec, Direction, Session};

struct Nowhere;

impl Sink for Nowhere {
    fn rtp(&mut self, _to: SocketAddr, datagram: &[u8]) {
        assert!(RtpPacket::parse(datagram).is_ok());
    }
    fn rtcp(&mut self, _to: SocketAddr, _datagram: &[u8]) {}
}

fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], port))
}

fn leg(choice: u8) -> Leg {
    let (codec, payload_type) =
        [(Codec::Pcmu, 0), (Codec::Pcma, 8), (Codec::G722, 9), (Codec::Opus, 96)][usize::from(choice % 4)];
    let session = Session {
        remote: Some(peer(31_000)),
        remote_rtcp: Some(peer(31_001)),
        rtcp_mux: choice & 4 != 0,
        codec,
        payload_type,
        receive: vec![(payload_type, codec), (111, Codec::Pcma)],
        dtmf: Some((101, 101)),
        dtmf_clock: codec.clock(),
        comfort_noise: true,
        ptime_ms: 20,
        direction: Direction::SendRecv,
        security: None,
    };
    let (timeout_initial, timeout) = (Duration::from_secs(30), Duration::from_secs(15));
    let inband_dtmf = InbandDtmf::Always;
    let config = LegConfig { session, company: None, timeout_initial, timeout, inband_dtmf, symmetric: true };
    let seed = Seed { random: [u64::from(choice); 2], wall: Duration::from_secs(1_700_000_000) };
    Leg::new(config, &seed, Duration::ZERO).expect("memory for a leg")
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, mut rest)) = data.split_first() else { return };
    let (mut leg, mut now, mut events) = (leg(*choice), Duration::ZERO, Vec::new());
    while let Some((length, behind)) = rest.split_first() {
        let (datagram, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = behind;
        now += TICK;
        leg.receive(now, peer(31_000), datagram, &mut events);
        leg.receive_control(now, peer(31_001), datagram);
        leg.tick(now, &mut Nowhere, &mut events);
    }
    for _ in 0..10 {
        now += TICK;
        leg.tick(now, &mut Nowhere, &mut events);
    }
    let _ = leg.report();
});
