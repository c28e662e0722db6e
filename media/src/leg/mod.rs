//! A leg: everything of one call's sound, with no socket and no clock of its own.
//!
//! In: datagrams with the address that they came from, commands, and [`Leg::tick`] once in 20 ms. Out:
//! datagrams into a [`Sink`], events into a list, sound through the port of its company. The engine drives it
//! from a media thread, tests from a virtual clock.
//!
//! The path of a tick: jitter buffer → decoder → keys → company and recording; key, prompt or company →
//! recording → encoder → sink; then RTCP, and the watch for a peer that fell silent.

mod company;
mod config;
mod control;
mod decoded;
mod freshness;
mod inbound;
mod keys;
mod outbound;
mod prompt;
mod report;
mod secured;
mod watch;

pub use config::{InbandDtmf, LegConfig, Seed};
pub use inbound::{Inbound, Kind};

use crate::codec::CodecError;
use crate::company::Company;
use crate::event::{LegCommand, LegEvent};
use crate::latch::{Latch, Verdict};
use crate::port::LegPort;
use crate::record::Tape;
use crate::rtcp::MAX_COMPOUND;
use crate::rtp::{RtpPacket, RtpSender};
use crate::session::Session;
use crate::srtp::NoCipher;
use company::AtPort;
use control::Control;
use keys::{KeyFrame, KeysHeard, KeysSent};
use outbound::Outbound;
use prompt::Playing;
use secured::{Refused, Secured, Unchanged};
use std::net::SocketAddr;
use std::time::Duration;
use watch::Watch;

/// Samples of 20 ms at 16,000 Hz, the most that a frame has.
pub const FRAME: usize = 320;

/// How often [`Leg::tick`] is called, and the sockets are read.
pub const TICK: Duration = Duration::from_millis(20);

/// Where a leg's datagrams go.
pub trait Sink {
    /// From the RTP port.
    fn rtp(&mut self, to: SocketAddr, datagram: &[u8]);
    /// From the RTCP port.
    fn rtcp(&mut self, to: SocketAddr, datagram: &[u8]);
    /// RTCP from the RTP port (RFC 5761).
    fn muxed(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.rtp(to, datagram);
    }
}

/// What a datagram was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Sound, and so fresh that nothing newer can wait behind it.
    Newest,
    /// Of the call.
    Ours,
    /// Not of the call.
    Stranger,
}

/// Why a leg cannot begin.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LegError {
    /// Of the codec.
    #[error("cannot set up a codec: {0}")]
    Codec(#[from] CodecError),
    /// Of SRTP.
    #[error(transparent)]
    Cipher(#[from] NoCipher),
}

/// One leg.
pub struct Leg {
    session: Session,
    latch: Latch,
    inbound: Inbound,
    outbound: Outbound,
    control: Control,
    keys_heard: KeysHeard,
    keys_sent: KeysSent,
    company: Option<Box<dyn Company>>,
    playing: Option<Playing>,
    tape: Option<Tape>,
    watch: Watch,
    /// Encrypted, if it is; a box, as it is taken out and put back around each turn.
    secured: Option<Box<Secured>>,
    refused: Refused,
    strangers: u64,
    overrun: u64,
}

impl std::fmt::Debug for Leg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leg").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Leg {
    /// A leg that begins at `now`.
    ///
    /// # Errors
    /// [`LegError`], for lack of memory.
    pub fn new(config: LegConfig, seed: &Seed, now: Duration) -> Result<Self, LegError> {
        let LegConfig { session, company, timeout_initial, timeout, inband_dtmf, symmetric } = config;
        let [random, more] = seed.random;
        // The lower half: a receiver that misses the first packets guesses the rollover counter right
        // (RFC 3711 §3.3.1).
        let first_sequence = (random >> 16) as u16 >> 1;
        let secured = session.security.as_deref().map(Secured::new).transpose()?.map(Box::new);
        let sender = RtpSender::new((random >> 32) as u32, first_sequence, (random as u32) << 8);
        let mut leg = Self {
            control: Control::new(&sender, first_sequence, seed, now),
            keys_heard: KeysHeard::new(inband_dtmf, &session),
            keys_sent: KeysSent::default(),
            latch: Latch::new(session.remote, symmetric),
            inbound: Inbound::new(&session, more as u32),
            outbound: Outbound::new(&session, sender)?,
            company: None,
            playing: None,
            tape: None,
            watch: Watch::new(timeout_initial, timeout, now),
            secured,
            refused: Refused::default(),
            strangers: 0,
            overrun: 0,
            session,
        };
        leg.attach(company);
        Ok(leg)
    }

    /// Samples a second of its codec.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.session.codec.rate()
    }

    fn packet(
        &mut self,
        now: Duration,
        from: SocketAddr,
        datagram: &[u8],
        events: &mut Vec<LegEvent>,
    ) -> Received {
        let Ok(packet) = RtpPacket::parse(datagram) else { return self.stranger() };
        let Some(kind) = self.inbound.kind(packet.payload_type) else { return self.stranger() };
        match self.latch.judge(from, packet.ssrc, packet.sequence) {
            Verdict::Peer => {}
            Verdict::Latched => {
                events.push(LegEvent::Latched { source: from, announced: self.session.remote });
            }
            Verdict::Stranger => return self.stranger(),
        }
        if self.watch.packet(now) {
            events.push(LegEvent::FirstPacket { source: from });
        }
        let plays = self.session.direction.receives();
        match kind {
            Kind::Sound(codec) if self.inbound.sound(now, &packet, codec, plays) => return Received::Newest,
            Kind::Sound(_) => {}
            Kind::Comfort => self.inbound.comfort(now, &packet, plays),
            Kind::Key => {
                self.inbound.key(&packet);
                self.keys_heard.packet(now, packet.timestamp, packet.payload, events);
            }
        }
        Received::Ours
    }

    fn report_came(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Received {
        let announced = self.session.remote_rtcp == Some(from);
        let beside = self.latch.source().is_some_and(|source| source.ip() == from.ip());
        if !(announced || beside) || !self.control.receive(now, from, datagram) {
            return self.stranger();
        }
        if let Some(loss) = self.control.remote_loss() {
            self.outbound.expect_loss(loss);
        }
        Received::Ours
    }

    fn turn(&mut self, now: Duration, sink: &mut impl Sink, events: &mut Vec<LegEvent>) {
        let samples = (self.rate() / 50) as usize;
        let (mut far, mut near) = ([0; FRAME], [0; FRAME]);
        let (Some(far), Some(near)) = (far.get_mut(..samples), near.get_mut(..samples)) else { return };
        self.hear(now, far, events);
        self.say(far, near, sink, events);
        if self.control.is_due(now) {
            self.send_report(now, false, sink);
        }
        if let Some(silent) = self.watch.overdue(now, self.session.direction.receives()) {
            events.push(LegEvent::MediaTimeout { silent });
        }
    }

    /// The thread was held up: so many ticks are left out.
    pub fn skip(&mut self, ticks: u32) {
        let samples = (self.rate() / 50) as usize;
        for _ in 0..ticks {
            self.outbound.pause(samples);
        }
    }

    /// Tells it something. A recording is handed in by [`Leg::record`], as it needs a file.
    pub fn command(&mut self, now: Duration, command: LegCommand, events: &mut Vec<LegEvent>) {
        match command {
            LegCommand::Session(session) => self.renew(now, session),
            LegCommand::Attach(port) => self.attach(Some(port)),
            LegCommand::Meet(company) => self.meet(Some(company)),
            LegCommand::Detach => self.attach(None),
            LegCommand::Play(prompt) => {
                self.stop_playing(events);
                self.playing = Playing::new(prompt, self.rate()).ok();
                if self.playing.is_none() {
                    events.push(LegEvent::PlayEnded { whole: false });
                }
            }
            LegCommand::StopPlay => self.stop_playing(events),
            LegCommand::Dtmf { digit, length, how } => self.keys_sent.press(digit, length, how),
            LegCommand::Record(_) | LegCommand::StopRecord => self.record(None),
        }
    }

    /// Records onto this tape, or no more.
    pub fn record(&mut self, tape: Option<Tape>) {
        self.tape = tape;
    }

    fn stranger(&mut self) -> Received {
        self.strangers += 1;
        Received::Stranger
    }

    /// Where sound goes now, if it goes anywhere.
    fn target(&self) -> Option<SocketAddr> {
        self.session.remote?;
        if self.session.direction.sends() { self.latch.target() } else { None }
    }

    fn hear(&mut self, now: Duration, far: &mut [i16], events: &mut Vec<LegEvent>) {
        let listens = self.company.is_some() || self.tape.is_some() || self.keys_heard.listens();
        self.inbound.frame(now, listens, self.keys_heard.is_down(), far);
        self.keys_heard.tick(now, far, events);
        if let Some(company) = &mut self.company {
            company.hear(now, far);
        }
    }

    /// 20 ms for the far party: a key, else a prompt, else what the company says, else silence.
    fn say(&mut self, far: &[i16], near: &mut [i16], sink: &mut impl Sink, events: &mut Vec<LegEvent>) {
        let target = self.target();
        let mut key = KeyFrame::Sound;
        if target.is_some() && !self.keys_sent.is_idle() {
            key = self.keys_sent.next(&self.session, near, || self.outbound.event_begins());
        }
        let spoke = match key {
            KeyFrame::Sound => self.speak(near, events),
            KeyFrame::Tone | KeyFrame::Event(_) => true,
        };
        if let Some(tape) = &mut self.tape {
            tape.write(far, near);
        }
        match (target, key, self.session.dtmf) {
            (Some(to), KeyFrame::Event(event), Some((payload_type, _))) => {
                self.outbound.send_event(&event, payload_type, near.len(), to, sink);
            }
            (Some(to), ..) => self.outbound.send(near, spoke, to, sink),
            (None, ..) => self.outbound.pause(near.len()),
        }
    }

    /// A prompt, or else the company. False when there is nothing.
    fn speak(&mut self, near: &mut [i16], events: &mut Vec<LegEvent>) -> bool {
        if let Some(playing) = &mut self.playing {
            if !playing.next(near) {
                self.playing = None;
                events.push(LegEvent::PlayEnded { whole: true });
            }
            return true;
        }
        self.company.as_mut().is_some_and(|company| company.speak(near))
    }

    fn send_report(&mut self, now: Duration, bye: bool, sink: &mut impl Sink) {
        let mux = self.session.rtcp_mux;
        let latched = self.latch.target().filter(|_| self.session.remote.is_some());
        let target = if mux { latched } else { self.control.target(self.session.remote_rtcp, latched) };
        let Some(to) = target else { return };
        let mut datagram = [0; MAX_COMPOUND];
        let received = self.inbound.statistics().report();
        let length = self.control.write(now, self.outbound.sender(), received, bye, &mut datagram);
        let datagram = datagram.get(..length).unwrap_or_default();
        if mux {
            sink.muxed(to, datagram);
        } else {
            sink.rtcp(to, datagram);
        }
    }

    fn attach(&mut self, port: Option<LegPort>) {
        let at_port = port.and_then(|port| AtPort::new(port, self.rate()).ok());
        self.meet(at_port.map(|company| Box::new(company) as Box<dyn Company>));
    }

    fn meet(&mut self, mut company: Option<Box<dyn Company>>) {
        self.overrun += self.company.as_ref().map_or(0, |company| company.overrun());
        if let Some(company) = &mut company {
            company.set_rate(self.rate());
        }
        self.company = company;
    }

    fn stop_playing(&mut self, events: &mut Vec<LegEvent>) {
        if self.playing.take().is_some() {
            events.push(LegEvent::PlayEnded { whole: false });
        }
    }

    fn renew(&mut self, now: Duration, session: Session) {
        // A codec or cipher that cannot be had (no memory) leaves the session as it was.
        if let Some(keys) = &session.security {
            match Secured::renewed(self.secured.take(), keys) {
                Ok(secured) => self.secured = Some(secured),
                Err(Unchanged(secured)) => {
                    self.secured = secured;
                    return;
                }
            }
        }
        if self.outbound.renew(&session).is_err() {
            return;
        }
        if session.security.is_none() {
            self.secured = None;
        }
        if session.remote.is_some() && session.remote != self.session.remote {
            self.control.forget_source();
        }
        self.latch.announce(session.remote);
        self.inbound.renew(&session);
        self.keys_heard.renew(&session, self.rate());
        if session.direction.receives() != self.session.direction.receives() {
            self.inbound.forget();
            self.watch.restart(now);
        }
        let rate = session.codec.rate();
        if rate != self.rate() {
            if let Some(company) = &mut self.company {
                company.set_rate(rate);
            }
            if let Some(playing) = &mut self.playing {
                playing.set_rate(rate);
            }
        }
        self.session = session;
    }
}
