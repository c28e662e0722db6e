//! Keys, both ways: heard in events and in the sound, sent as events or as tones.

use super::InbandDtmf;
use crate::dtmf::rfc4733::{EventPacket, Receiver, Sender};
use crate::dtmf::{Key, inband::Detector};
use crate::event::{DtmfHow, LegEvent};
use crate::session::Session;
use crate::tone::Tone;
use std::collections::VecDeque;
use std::time::Duration;

/// The same key the other way within this time is the same press: sound waits in the jitter buffer, events do not.
const SAME_PRESS: Duration = Duration::from_millis(400);

/// Keys that come.
pub(super) struct KeysHeard {
    how: InbandDtmf,
    events: Receiver,
    clock: u32,
    detector: Option<Detector>,
    last: Option<(char, DtmfHow, Duration)>,
}

impl KeysHeard {
    pub(super) fn new(how: InbandDtmf, session: &Session) -> Self {
        let clock = session.dtmf_clock;
        let detector = listens(how, session).then(|| Detector::new(session.codec.rate()));
        Self { how, events: Receiver::new(clock), clock, detector, last: None }
    }

    /// The session changed; `rate` was that of the sound before.
    pub(super) fn renew(&mut self, session: &Session, rate: u32) {
        if session.dtmf_clock != self.clock {
            self.clock = session.dtmf_clock;
            self.events = Receiver::new(self.clock);
        }
        if !listens(self.how, session) {
            self.detector = None;
        } else if self.detector.is_none() || rate != session.codec.rate() {
            self.detector = Some(Detector::new(session.codec.rate()));
        }
    }

    /// Is the sound listened to?
    pub(super) fn listens(&self) -> bool {
        self.detector.is_some()
    }

    /// Is the peer sending a key instead of sound?
    pub(super) fn is_down(&self) -> bool {
        self.events.is_down()
    }

    /// A packet of telephone-event.
    pub(super) fn packet(
        &mut self,
        now: Duration,
        timestamp: u32,
        payload: &[u8],
        events: &mut Vec<LegEvent>,
    ) {
        if let Some(key) = self.events.receive(now, timestamp, payload) {
            self.tell(now, key, DtmfHow::Rfc4733, events);
        }
    }

    /// 20 ms of the far party's sound.
    pub(super) fn tick(&mut self, now: Duration, far: &[i16], events: &mut Vec<LegEvent>) {
        if let Some(key) = self.events.poll(now) {
            self.tell(now, key, DtmfHow::Rfc4733, events);
        }
        if let Some(key) = self.detector.as_mut().and_then(|detector| detector.hear(far)) {
            self.tell(now, key, DtmfHow::Inband, events);
        }
    }

    fn tell(&mut self, now: Duration, key: Key, how: DtmfHow, events: &mut Vec<LegEvent>) {
        if let Some((digit, other, at)) = self.last
            && digit == key.digit
            && other != how
            && now.saturating_sub(at) < SAME_PRESS
        {
            self.last = None;
            return;
        }
        self.last = Some((key.digit, how, now));
        events.push(LegEvent::Dtmf { digit: key.digit, length: key.length, how });
    }
}

fn listens(how: InbandDtmf, session: &Session) -> bool {
    match how {
        InbandDtmf::Always => true,
        InbandDtmf::Fallback => session.dtmf.is_none(),
        InbandDtmf::Never => false,
    }
}

/// Keys that wait to be sent; more are dropped.
const WAITING: usize = 64;
/// Frames between two keys: 60 ms, where most want 40 to 50.
const GAP_FRAMES: u8 = 3;

/// Keys that go.
#[derive(Debug, Default)]
pub(super) struct KeysSent {
    waiting: VecDeque<(char, Duration, Option<DtmfHow>)>,
    sending: Sending,
}

#[derive(Debug, Default)]
enum Sending {
    #[default]
    Nothing,
    Gap(u8),
    Events(Sender),
    Tones(Tone),
}

/// What of the keys goes out in this frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyFrame {
    /// Nothing: the sound does.
    Sound,
    /// The sound, which is a tone now.
    Tone,
    /// This packet instead of the sound.
    Event(EventPacket),
}

impl KeysSent {
    pub(super) fn press(&mut self, digit: char, length: Duration, how: Option<DtmfHow>) {
        if self.waiting.len() < WAITING {
            self.waiting.push_back((digit, length, how));
        }
    }

    /// Is there anything to do?
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && matches!(self.sending, Sending::Nothing)
    }

    /// The next 20 ms; a tone is written into `near`. `begins` gives the timestamp at which a key goes down.
    pub(super) fn next(
        &mut self,
        session: &Session,
        near: &mut [i16],
        begins: impl FnOnce() -> u32,
    ) -> KeyFrame {
        if matches!(self.sending, Sending::Nothing) {
            self.begin(session, begins);
        }
        let frame = match &mut self.sending {
            Sending::Nothing => return KeyFrame::Sound,
            Sending::Gap(0) => {
                self.sending = Sending::Nothing;
                return KeyFrame::Sound;
            }
            Sending::Gap(left) => {
                *left -= 1;
                return KeyFrame::Sound;
            }
            Sending::Events(sender) => sender.packet().map(KeyFrame::Event),
            Sending::Tones(tone) => (tone.fill(near) > 0).then_some(KeyFrame::Tone),
        };
        frame.unwrap_or_else(|| {
            self.sending = Sending::Gap(GAP_FRAMES - 1);
            KeyFrame::Sound
        })
    }

    fn begin(&mut self, session: &Session, begins: impl FnOnce() -> u32) {
        let Some((digit, length, how)) = self.waiting.pop_front() else { return };
        if matches!(digit, 'w' | 'W') {
            // A pause among the keys, as dial strings have it.
            self.sending = Sending::Gap((length.as_millis() / 20).min(255) as u8);
            return;
        }
        let sending = if session.dtmf.is_some() && how != Some(DtmfHow::Inband) {
            Sender::new(digit, length, session.dtmf_clock, begins()).map(Sending::Events)
        } else {
            Tone::key(digit, length, session.codec.rate()).map(Sending::Tones)
        };
        // What is no key is nothing to send.
        self.sending = sending.unwrap_or_default();
    }
}
