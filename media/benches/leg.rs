//! What 20 ms of a leg cost without sockets: one packet received, a frame each way, one packet sent.
//!
//! 50 of them a second: 12 µs are 0.06 % of a core.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use divan::{Bencher, black_box};
use std::net::SocketAddr;
use std::time::Duration;
use trunkline_media::codec::{Encoder, MAX_PAYLOAD};
use trunkline_media::event::LegEvent;
use trunkline_media::leg::{InbandDtmf, Leg, LegConfig, Seed, Sink};
use trunkline_media::port::{AudioPort, audio_port};
use trunkline_media::rtp::RtpSender;
use trunkline_media::session::{Codec, Direction, Session};

const TICK: Duration = Duration::from_millis(20);
/// Legs that take turns, as many as a thread serves, so that none is in the cache when its turn comes.
const LEGS: usize = 500;

/// Shows what a tick allocates, which is nothing.
#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

struct Nowhere;

impl Sink for Nowhere {
    fn rtp(&mut self, to: SocketAddr, datagram: &[u8]) {
        black_box((to, datagram));
    }
    fn rtcp(&mut self, to: SocketAddr, datagram: &[u8]) {
        black_box((to, datagram));
    }
}

/// A leg, whom it talks with, and the peer that sends to it.
struct Seat {
    leg: Leg,
    port: Option<AudioPort>,
    peer: RtpSender,
}

struct Hall {
    seats: Vec<Seat>,
    turn: usize,
    now: Duration,
    remote: SocketAddr,
    payload: Vec<u8>,
    payload_type: u8,
    ticks: u32,
    frame: Vec<i16>,
    heard: Vec<i16>,
    events: Vec<LegEvent>,
}

impl Hall {
    fn new(codec: Codec, talks: bool, inband_dtmf: InbandDtmf) -> Self {
        let remote = SocketAddr::from(([192, 0, 2, 1], 4_000));
        let payload_type = match codec {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
            Codec::Opus => 96,
        };
        let session = Session {
            remote: Some(remote),
            remote_rtcp: Some(SocketAddr::new(remote.ip(), 4_001)),
            rtcp_mux: false,
            codec,
            payload_type,
            receive: vec![(payload_type, codec)],
            dtmf: Some((101, 101)),
            dtmf_clock: 8_000,
            comfort_noise: false,
            ptime_ms: 20,
            direction: Direction::SendRecv,
            security: None,
        };
        let samples = codec.rate() as usize / 50;
        let frame: Vec<i16> = (0..samples).map(|n| ((n as f64 * 0.3).sin() * 8_000.0) as i16).collect();
        let mut payload = vec![0; MAX_PAYLOAD];
        let length = Encoder::new(codec).unwrap().encode(&frame, &mut payload).unwrap();
        payload.truncate(length);
        let seats = (0..LEGS as u64)
            .map(|n| {
                let (port, company) = audio_port(codec.rate(), 10);
                let config = LegConfig {
                    session: session.clone(),
                    company: talks.then_some(company),
                    timeout_initial: Duration::from_secs(30),
                    timeout: Duration::from_secs(15),
                    inband_dtmf,
                    symmetric: true,
                };
                let seed = Seed { random: [n, n], wall: Duration::ZERO };
                let leg = Leg::new(config, &seed, Duration::ZERO).unwrap();
                Seat { leg, port: talks.then_some(port), peer: RtpSender::new(n as u32, 0, 0) }
            })
            .collect();
        let mut hall = Self {
            seats,
            turn: 0,
            now: Duration::ZERO,
            remote,
            payload,
            payload_type,
            ticks: codec.clock() / 50,
            heard: vec![0; samples],
            frame,
            events: Vec::new(),
        };
        // Until the jitter buffers play.
        for _ in 0..LEGS * 10 {
            hall.tick();
        }
        hall
    }

    fn tick(&mut self) {
        let Some(seat) = self.seats.get_mut(self.turn) else { return };
        let header = seat.peer.header(self.payload_type, false, self.payload.len(), self.ticks);
        let mut datagram = [0; 12 + MAX_PAYLOAD];
        let length = 12 + self.payload.len();
        datagram[..12].copy_from_slice(&header);
        datagram[12..length].copy_from_slice(&self.payload);
        if let Some(port) = &mut seat.port {
            let _ = port.speak.push_entire_slice(&self.frame);
            let _ = port.hear.pop_partial_slice(&mut self.heard);
        }
        black_box(seat.leg.receive(self.now, self.remote, &datagram[..length], &mut self.events));
        seat.leg.tick(self.now, &mut Nowhere, &mut self.events);
        self.events.clear();
        self.turn += 1;
        if self.turn == LEGS {
            self.turn = 0;
            self.now += TICK;
        }
    }
}

#[divan::bench(sample_size = 500, args = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus])]
fn with_company(bencher: Bencher<'_, '_>, codec: Codec) {
    let mut hall = Hall::new(codec, true, InbandDtmf::Fallback);
    bencher.bench_local(|| hall.tick());
}

#[divan::bench(sample_size = 500)]
fn pcmu_listening_for_keys_in_the_sound(bencher: Bencher<'_, '_>) {
    let mut hall = Hall::new(Codec::Pcmu, true, InbandDtmf::Always);
    bencher.bench_local(|| hall.tick());
}

#[divan::bench(sample_size = 500)]
fn pcmu_without_company(bencher: Bencher<'_, '_>) {
    let mut hall = Hall::new(Codec::Pcmu, false, InbandDtmf::Fallback);
    bencher.bench_local(|| hall.tick());
}
