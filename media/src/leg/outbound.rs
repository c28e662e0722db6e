//! What a leg sends: frames of 20 ms in, packets of the negotiated length out, silence as the session has it.

use super::Sink;
use crate::codec::{CodecError, Encoder, MAX_PAYLOAD};
use crate::comfort_noise;
use crate::dtmf::rfc4733::EventPacket;
use crate::rtp::{COMFORT_NOISE, HEADER, RtpSender};
use crate::session::{Codec, Session};
use std::net::SocketAddr;

/// The longest packet, and a frame on top of one that is not quite full.
const ROOM: usize = 960 + super::FRAME;
/// So many frames with nothing to say are a silence. The gaps in somebody's speech are none.
const QUIET_FRAMES: u32 = 10;
/// Comfort noise is repeated once in so many frames: it also keeps the NAT's door open.
const FRAMES_A_COMFORT: u32 = 10;
/// Level of the noise that we ask for, in -dBov (RFC 3389 §3): as quiet as a quiet room.
const COMFORT_LEVEL: u8 = 68;

/// The sending half of a leg.
pub(super) struct Outbound {
    sender: RtpSender,
    encoder: Encoder,
    payload_type: u8,
    comfort_noise: bool,
    /// Samples of one packet.
    packet: usize,
    waiting: Box<[i16; ROOM]>,
    filled: usize,
    /// The next packet is the first after a silence.
    marker: bool,
    quiet: u32,
}

impl Outbound {
    pub(super) fn new(session: &Session, sender: RtpSender) -> Result<Self, CodecError> {
        Ok(Self {
            sender,
            encoder: Encoder::new(session.codec)?,
            payload_type: session.payload_type,
            comfort_noise: session.comfort_noise,
            packet: packet_samples(session),
            waiting: Box::new([0; ROOM]),
            filled: 0,
            marker: true,
            quiet: 0,
        })
    }

    /// The session changed. Sequence numbers and timestamps go on.
    pub(super) fn renew(&mut self, session: &Session) -> Result<(), CodecError> {
        if session.codec != self.encoder.codec() {
            self.encoder = Encoder::new(session.codec)?;
            self.filled = 0;
            self.marker = true;
        }
        self.payload_type = session.payload_type;
        self.comfort_noise = session.comfort_noise;
        self.packet = packet_samples(session);
        Ok(())
    }

    pub(super) fn codec(&self) -> Codec {
        self.encoder.codec()
    }

    pub(super) fn sender(&self) -> &RtpSender {
        &self.sender
    }

    /// What the peer reports to lose.
    pub(super) fn expect_loss(&mut self, loss: f32) {
        self.encoder.expect_loss(loss);
    }

    /// Sends 20 ms. `spoke`: somebody said something in it, be it silence.
    pub(super) fn send(&mut self, near: &[i16], spoke: bool, to: SocketAddr, sink: &mut impl Sink) {
        self.quiet = if spoke { 0 } else { self.quiet.saturating_add(1) };
        if self.comfort_noise && self.quiet > QUIET_FRAMES {
            return self.send_comfort(near.len(), to, sink);
        }
        let end = self.filled + near.len();
        let Some(free) = self.waiting.get_mut(self.filled..end) else { return };
        free.copy_from_slice(near);
        self.filled = end;
        let mut start = 0;
        while self.filled - start >= self.packet {
            self.send_packet(start, to, sink);
            start += self.packet;
        }
        if start > 0 {
            self.waiting.copy_within(start..self.filled, 0);
            self.filled -= start;
        }
    }

    /// 20 ms pass in which nothing of the sound is sent: hold, a key, no address.
    pub(super) fn pause(&mut self, samples: usize) {
        let ticks = self.ticks(self.filled + samples);
        self.sender.advance(ticks);
        self.filled = 0;
        self.marker = true;
    }

    /// A key goes down now: the timestamp of it. Sound that waits to fill a packet is left out.
    pub(super) fn event_begins(&mut self) -> u32 {
        self.pause(0);
        self.sender.timestamp()
    }

    /// Sends a packet of a key in place of 20 ms of sound.
    pub(super) fn send_event(
        &mut self,
        event: &EventPacket,
        payload_type: u8,
        samples: usize,
        to: SocketAddr,
        sink: &mut impl Sink,
    ) {
        let payload = &event.payload;
        let mut datagram = [0u8; HEADER + 4];
        let (header, body) = datagram.split_at_mut(HEADER);
        let written = self.sender.header_at(event.timestamp, payload_type, event.marker, payload.len());
        header.copy_from_slice(&written);
        body.copy_from_slice(payload);
        sink.rtp(to, &datagram);
        self.pause(samples);
    }

    fn send_packet(&mut self, start: usize, to: SocketAddr, sink: &mut impl Sink) {
        let mut datagram = [0u8; HEADER + MAX_PAYLOAD];
        let ticks = self.ticks(self.packet);
        let (header, payload) = datagram.split_at_mut(HEADER);
        let samples = self.waiting.get(start..start + self.packet).unwrap_or_default();
        let Ok(length) = self.encoder.encode(samples, payload) else {
            self.sender.advance(ticks);
            return;
        };
        header.copy_from_slice(&self.sender.header(self.payload_type, self.marker, length, ticks));
        self.marker = false;
        sink.rtp(to, datagram.get(..HEADER + length).unwrap_or_default());
    }

    /// RFC 3389: one packet says how loud the silence is, and again from time to time.
    fn send_comfort(&mut self, samples: usize, to: SocketAddr, sink: &mut impl Sink) {
        if (self.quiet - QUIET_FRAMES) % FRAMES_A_COMFORT == 1 {
            let mut datagram = [0; HEADER + comfort_noise::PAYLOAD];
            let (header, payload) = datagram.split_at_mut(HEADER);
            payload.copy_from_slice(&comfort_noise::encode(COMFORT_LEVEL));
            header.copy_from_slice(&self.sender.header(COMFORT_NOISE, false, comfort_noise::PAYLOAD, 0));
            sink.rtp(to, &datagram);
        }
        self.pause(samples);
    }

    /// Samples in ticks of the RTP clock.
    fn ticks(&self, samples: usize) -> u32 {
        let codec = self.encoder.codec();
        (samples as u64 * u64::from(codec.clock()) / u64::from(codec.rate())) as u32
    }
}

/// Whole multiples of 10 ms; Opus has no packets of 30 or 50 ms.
fn packet_samples(session: &Session) -> usize {
    let ms = match (session.codec, session.ptime_ms) {
        (Codec::Opus, 10 | 20 | 40 | 60) => session.ptime_ms,
        (Codec::Pcmu | Codec::Pcma | Codec::G722, ms @ (10 | 20 | 30 | 40 | 50 | 60)) => ms,
        _ => 20,
    };
    session.codec.rate() as usize / 1_000 * usize::from(ms)
}
