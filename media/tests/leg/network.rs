//! The stage: two legs, the wires between them, time that passes when it is told to.

use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::time::Duration;
use trunkline_media::event::{LegCommand, LegEvent};
use trunkline_media::leg::{InbandDtmf, Leg, LegConfig, Seed, Sink};
use trunkline_media::port::{AudioPort, audio_port};
use trunkline_media::rtp::RtpPacket;
use trunkline_media::session::{Codec, Direction, Session};

pub const TICK: Duration = Duration::from_millis(20);

/// A datagram on the wire.
#[derive(Debug, Clone)]
pub struct Datagram {
    pub control: bool,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

impl Datagram {
    /// As RTP: sequence, timestamp, marker, payload type, payload length.
    pub fn rtp(&self) -> (u16, u32, bool, u8, usize) {
        let packet = RtpPacket::parse(&self.bytes).unwrap();
        (packet.sequence, packet.timestamp, packet.marker, packet.payload_type, packet.payload.len())
    }
}

#[derive(Default)]
struct Wire(Vec<Datagram>);

impl Sink for Wire {
    fn rtp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.0.push(Datagram { control: false, to, bytes: datagram.to_vec() });
    }
    fn rtcp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.0.push(Datagram { control: true, to, bytes: datagram.to_vec() });
    }
}

/// One end of a call.
pub struct End {
    pub leg: Leg,
    pub port: AudioPort,
    /// Where its packets come from, as the other sees it.
    pub source: SocketAddr,
    pub events: Vec<LegEvent>,
    /// Everything it sent.
    pub sent: Vec<Datagram>,
    /// Everything it heard.
    pub heard: Vec<i16>,
    /// What it says: a tone of this frequency.
    pub says: Option<f64>,
    at: usize,
}

/// A call.
pub struct Call {
    pub now: Duration,
    pub ends: [End; 2],
    /// Which datagrams get lost: asked with the number of the datagram.
    pub loses: fn(u64) -> bool,
    /// How many ticks a datagram travels.
    pub delay: usize,
    travelling: Vec<(usize, usize, Datagram)>,
    count: u64,
}

pub fn address(end: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + end as u8], 4_000))
}

/// A session that sends to this end.
pub fn session(codec: Codec, to: usize) -> Session {
    let payload_type = match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 96,
    };
    let remote = address(to);
    Session {
        remote: Some(remote),
        remote_rtcp: Some(SocketAddr::new(remote.ip(), remote.port() + 1)),
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
    }
}

impl Call {
    /// Both ends run this session, each with the other's address, after a change.
    pub fn new(codec: Codec, change: impl Fn(&mut Session)) -> Self {
        Self::with(codec, InbandDtmf::Fallback, codec.rate(), change)
    }

    pub fn with(codec: Codec, inband: InbandDtmf, rate: u32, change: impl Fn(&mut Session)) -> Self {
        let ends = [0, 1].map(|end: usize| {
            let mut session = session(codec, 1 - end);
            change(&mut session);
            let (port, company) = audio_port(rate, 25);
            let config = LegConfig {
                session,
                company: Some(company),
                timeout_initial: Duration::from_secs(30),
                timeout: Duration::from_secs(15),
                inband_dtmf: inband,
                symmetric: true,
            };
            let random = 0x1234_5678_9abc_def0 + end as u64 * 0x1111_1111_1111;
            let seed = Seed { random: [random, !random], wall: Duration::from_secs(1_700_000_000) };
            let leg = Leg::new(config, &seed, Duration::ZERO).unwrap();
            End {
                leg,
                port,
                source: address(end),
                events: Vec::new(),
                sent: Vec::new(),
                heard: Vec::new(),
                says: None,
                at: 0,
            }
        });
        Self { now: Duration::ZERO, ends, loses: |_| false, delay: 0, travelling: Vec::new(), count: 0 }
    }

    pub fn command(&mut self, end: usize, command: LegCommand) {
        let end = &mut self.ends[end];
        end.leg.command(self.now, command, &mut end.events);
    }

    /// A datagram from somewhere comes to the RTP port of this end.
    pub fn inject(&mut self, end: usize, from: SocketAddr, bytes: &[u8]) {
        let end = &mut self.ends[end];
        end.leg.receive(self.now, from, bytes, &mut end.events);
    }

    /// This much time passes.
    pub fn run(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / TICK.as_millis() {
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.now += TICK;
        for from in [0, 1] {
            let end = &mut self.ends[from];
            end.speak();
            let mut wire = Wire::default();
            end.leg.tick(self.now, &mut wire, &mut end.events);
            end.listen();
            for datagram in wire.0 {
                self.count += 1;
                end.sent.push(datagram.clone());
                if !(self.loses)(self.count) {
                    self.travelling.push((self.delay, from, datagram));
                }
            }
        }
        let arrived = self.travelling.extract_if(.., |(left, ..)| {
            *left = left.saturating_sub(1);
            *left == 0
        });
        for (_, from, datagram) in arrived {
            let source = self.ends[from].source;
            let to = &mut self.ends[1 - from];
            let mut port = to.source;
            if datagram.control {
                port.set_port(port.port() + 1);
                if datagram.to == port {
                    let source = SocketAddr::new(source.ip(), source.port() + 1);
                    to.leg.receive_control(self.now, source, &datagram.bytes);
                }
            } else if datagram.to == port {
                to.leg.receive(self.now, source, &datagram.bytes, &mut to.events);
            }
        }
    }
}

impl End {
    /// Keeps three frames ahead, as who speaks should.
    fn speak(&mut self) {
        let Some(hertz) = self.says else { return };
        let frame = self.port.rate as usize / 50;
        while self.port.speak.buffer().capacity() - self.port.speak.slots() < 3 * frame {
            let sound = tone(hertz, self.port.rate, self.at, frame);
            self.at += frame;
            self.port.speak.push_entire_slice(&sound).unwrap();
        }
    }

    fn listen(&mut self) {
        while let Ok(sample) = self.port.hear.pop() {
            self.heard.push(sample);
        }
    }

    /// What it heard in the last so many milliseconds.
    pub fn newest(&self, ms: usize) -> &[i16] {
        let samples = self.port.rate as usize / 1_000 * ms;
        &self.heard[self.heard.len().saturating_sub(samples)..]
    }

    /// How much of the last 200 ms that it heard is this tone.
    pub fn hears(&self, hertz: f64) -> f64 {
        purity(self.newest(200), self.port.rate, hertz)
    }

    /// RTP that it sent, from the packet of this number on.
    pub fn rtp_from(&self, first: usize) -> impl Iterator<Item = (u16, u32, bool, u8, usize)> + '_ {
        self.sent.iter().filter(|datagram| !datagram.control).skip(first).map(Datagram::rtp)
    }

    pub fn rtp_sent(&self) -> usize {
        self.sent.iter().filter(|datagram| !datagram.control).count()
    }
}

pub fn tone(hertz: f64, rate: u32, from: usize, samples: usize) -> Vec<i16> {
    (from..from + samples)
        .map(|n| ((n as f64 * hertz * TAU / f64::from(rate)).sin() * 8_000.0) as i16)
        .collect()
}

/// How much of the sound is this tone, 0..=1 (Goertzel over energy).
pub fn purity(sound: &[i16], rate: u32, hertz: f64) -> f64 {
    let (mut re, mut im, mut energy) = (0.0, 0.0, 0.0);
    for (n, sample) in sound.iter().enumerate() {
        let (angle, sample) = (n as f64 * hertz * TAU / f64::from(rate), f64::from(*sample));
        re += sample * angle.cos();
        im += sample * angle.sin();
        energy += sample * sample;
    }
    if energy == 0.0 { 0.0 } else { 2.0 * (re * re + im * im) / (energy * sound.len() as f64) }
}
