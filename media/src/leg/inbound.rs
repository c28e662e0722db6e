//! What a leg receives: packets that belong to the call in, frames of 20 ms at the leg's rate out. A participant
//! of a LiveKit room hears each track through one, too.

use super::decoded::Decoded;
use super::freshness::Freshness;
use crate::comfort_noise::{self, Generator};
use crate::jitter::{JitterBuffer, JitterCounts, Pulled, packet_ticks};
use crate::rtp::{Arrival, COMFORT_NOISE, RtpPacket, RtpReceiver};
use crate::session::{Codec, Session};
use std::time::Duration;

/// One frame never takes more answers of the jitter buffer.
const PULLS: usize = 32;
/// A frame that nowhere exceeds this is quiet: sound can be left out there unheard.
const QUIET: i16 = 250;

/// What a payload type stands for in this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Speech.
    Sound(Codec),
    /// telephone-event.
    Key,
    /// RFC 3389.
    Comfort,
}

/// The receiving half of a leg.
pub struct Inbound {
    receive: Vec<(u8, Codec)>,
    key: Option<u8>,
    comfort_noise: bool,
    rate: u32,
    clock: u32,
    statistics: RtpReceiver,
    jitter: JitterBuffer,
    freshness: Freshness,
    decoded: Decoded,
    noise: Generator,
    /// The peer says that its silence has a sound.
    comfort: bool,
}

impl Inbound {
    /// Of a session that was negotiated. The seed makes its comfort noise.
    #[must_use]
    pub fn new(session: &Session, noise_seed: u32) -> Self {
        let receive = session.receive.clone();
        let mut inbound = Self::clocked(receive, session.codec.rate(), session.codec.clock(), noise_seed);
        inbound.key = session.dtmf.map(|(_, receives)| receives);
        inbound.comfort_noise = session.comfort_noise;
        inbound
    }

    /// Sound only, of these payload types, as frames at this rate (8,000 or 16,000 Hz).
    #[must_use]
    pub fn of_codecs(receive: Vec<(u8, Codec)>, rate: u32, noise_seed: u32) -> Self {
        let clock = receive.first().map_or(8_000, |(_, codec)| codec.clock());
        Self::clocked(receive, rate, clock, noise_seed)
    }

    fn clocked(receive: Vec<(u8, Codec)>, rate: u32, clock: u32, noise_seed: u32) -> Self {
        Self {
            receive,
            key: None,
            comfort_noise: false,
            rate,
            clock,
            statistics: RtpReceiver::with_tick(super::TICK),
            jitter: JitterBuffer::new(clock),
            freshness: Freshness::default(),
            decoded: Decoded::new(rate),
            noise: Generator::new(noise_seed),
            comfort: false,
        }
    }

    /// The session changed.
    pub fn renew(&mut self, session: &Session) {
        self.receive.clone_from(&session.receive);
        self.key = session.dtmf.map(|(_, receives)| receives);
        self.comfort_noise = session.comfort_noise;
        self.rate = session.codec.rate();
        self.decoded.set_rate(self.rate);
    }

    /// The rate of the frames.
    pub fn set_rate(&mut self, rate: u32) {
        self.rate = rate;
        self.decoded.set_rate(rate);
    }

    /// Sound that waits is of the past: a hold is over, or begins.
    pub fn forget(&mut self) {
        self.jitter.reset(self.clock);
        self.decoded.clear();
    }

    /// What a payload type stands for; `None`: nothing that was agreed on.
    #[must_use]
    pub fn kind(&self, payload_type: u8) -> Option<Kind> {
        if let Some((_, codec)) = self.receive.iter().find(|(number, _)| *number == payload_type) {
            return Some(Kind::Sound(*codec));
        }
        if self.key == Some(payload_type) {
            return Some(Kind::Key);
        }
        (self.comfort_noise && payload_type == COMFORT_NOISE).then_some(Kind::Comfort)
    }

    /// Loss and jitter of what came.
    pub fn statistics(&mut self) -> &mut RtpReceiver {
        &mut self.statistics
    }

    /// Packets, lost, jitter and its maximum.
    #[must_use]
    pub fn figures(&self) -> (u64, u64, Duration, Duration) {
        let of = &self.statistics;
        (of.packets(), of.lost(), of.jitter(), of.jitter_max())
    }

    /// What the jitter buffer counted.
    #[must_use]
    pub fn counts(&self) -> JitterCounts {
        self.jitter.counts()
    }

    /// How long sound waits here before it is heard.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.jitter.target()
    }

    /// Sound came. `plays`: it is to be heard (the leg is not on hold). True if no newer packet can have come yet.
    pub fn sound(&mut self, now: Duration, packet: &RtpPacket<'_>, codec: Codec, plays: bool) -> bool {
        let clock = codec.clock();
        let arrival = self.statistics.receive(now, packet, clock);
        let newest = self.freshness.is_newest(now, packet.timestamp, clock);
        if plays && arrival != Arrival::Stray {
            if clock != self.clock {
                self.clock = clock;
                self.jitter.reset(clock);
            }
            let length = packet_ticks(codec, packet.payload);
            self.jitter.insert(now, packet, length);
        }
        newest
    }

    /// Comfort noise came: it takes its place among the sound.
    pub fn comfort(&mut self, now: Duration, packet: &RtpPacket<'_>, plays: bool) {
        let arrival = self.statistics.receive_event(packet);
        if plays && arrival != Arrival::Stray {
            self.jitter.insert(now, packet, 0);
        }
    }

    /// A packet of a key came.
    pub fn key(&mut self, packet: &RtpPacket<'_>) {
        self.statistics.receive_event(packet);
        self.jitter.key();
    }

    /// The next 20 ms. Where nobody `listens` nothing is decoded: time passes all the same. While a `key` is
    /// down the peer sends no sound, and none is made up for it.
    pub fn frame(&mut self, now: Duration, listens: bool, key: bool, frame: &mut [i16]) {
        for _ in 0..PULLS {
            if self.decoded.filled() >= frame.len() {
                break;
            }
            self.pull(now, listens, key);
        }
        self.decoded.take(frame);
        if listens {
            self.jitter.set_quiet(frame.iter().all(|sample| sample.unsigned_abs() < QUIET.unsigned_abs()));
        }
    }

    fn pull(&mut self, now: Duration, listens: bool, key: bool) {
        let (rate, clock) = (u64::from(self.rate), u64::from(self.clock.max(1)));
        let samples = |ticks: u32| (u64::from(ticks) * rate / clock) as usize;
        let codec_of = |number: u8| self.receive.iter().find(|(n, _)| *n == number).map(|(_, codec)| *codec);
        match self.jitter.pull(now) {
            Pulled::Packet { payload_type, payload, skip } => {
                let Some(codec) = codec_of(payload_type) else {
                    // Comfort noise, or a payload type of the session before, whose packet is of no use now.
                    if let (COMFORT_NOISE, Some(level)) = (payload_type, comfort_noise::decode(payload)) {
                        self.noise.set_level(level);
                        self.comfort = true;
                    }
                    return;
                };
                self.comfort = false;
                let length = samples(packet_ticks(codec, payload));
                if listens {
                    self.decoded.packet(codec, payload, length, skip);
                } else if !skip {
                    self.decoded.silence(length);
                }
            }
            Pulled::Missing { ticks, next } => {
                if listens && !key {
                    self.decoded.missing(samples(ticks), next);
                } else {
                    self.decoded.silence(samples(ticks));
                }
            }
            Pulled::Silence { ticks } if self.comfort && listens => {
                self.noise.fill(self.decoded.append(samples(ticks)));
            }
            Pulled::Silence { ticks } => self.decoded.silence(samples(ticks)),
        }
    }
}
