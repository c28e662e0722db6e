//! One call, 20 ms by 20 ms: what is heard becomes words, words become an answer, the answer becomes sound.
//!
//! A session does no more than carry: whose turn it is the arbiter says ([`crate::turn`]), what is said the
//! conversation ([`crate::dialogue`]). It knows no clock: time is what [`Session::tick`] is told.

mod ear;
mod echo;
mod playout;
mod reply;

#[cfg(test)]
mod fakes;
#[cfg(test)]
mod noise_tests;
#[cfg(test)]
mod tests;

use crate::dialogue::{Conversation, Dialogue};
use crate::event::AgentEvent;
use crate::provider::{Generation, Stt, SttEvent, Tts, Vad};
use crate::turn::{Arbiter, Meaning, Output, Time, Timing};
use ear::{Ear, LONGEST_FRAME, PreRoll};
use echo::Echo;
use playout::Playout;
use reply::Reply;
use std::collections::VecDeque;
use std::sync::Arc;
use trunkline_media::port::AudioPort;
use trunkline_media::resample::{RateError, Resampler};

/// A text and its sound at the voice's rate, rendered ahead.
pub type Kept = (String, Arc<[i16]>);

/// What a session is made of.
pub struct Setup {
    /// What it says and does.
    pub dialogue: Arc<Dialogue>,
    /// What the dialogue may speak of.
    pub facts: Vec<(String, String)>,
    /// The caller.
    pub port: AudioPort,
    /// Voice activity.
    pub vad: Box<dyn Vad>,
    /// Recognition.
    pub stt: Box<dyn Stt>,
    /// Synthesis.
    pub tts: Box<dyn Tts>,
    /// What is said often, as sound.
    pub kept: Arc<[Kept]>,
    /// The time at which the session begins: seconds since 1970, UTC.
    pub unix: u64,
}

/// Frames that are heard in one tick at most; more of a backlog is heard in the next ones.
const CATCH_UP: usize = 10;
/// Without a frame for so long the caller's voice is taken to be off.
const LOST: Time = Time::from_millis(100);
/// Events that may wait to be fetched.
const EVENTS: usize = 256;
/// Failures of recognition in a row that end the call.
const FAILURES: u32 = 3;

/// One call.
pub struct Session {
    conversation: Conversation,
    failure: String,
    arbiter: Arbiter,
    ear: Ear,
    echo: Echo,
    pre_roll: PreRoll,
    port: AudioPort,
    stt: Box<dyn Stt>,
    /// On while recognition listens.
    hearing: Option<Resampler>,
    tts: Box<dyn Tts>,
    playout: Playout,
    reply: Option<Reply>,
    kept: Arc<[Kept]>,
    events: VecDeque<AgentEvent>,
    state: &'static str,
    unix: u64,
    now: Time,
    last_frame: Time,
    failures: u32,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("state", &self.state).field("now", &self.now).finish_non_exhaustive()
    }
}

impl Session {
    /// A session that has not begun to speak.
    ///
    /// # Errors
    /// The leg and the providers have no rates in common.
    pub fn new(setup: Setup) -> Result<Self, RateError> {
        let Setup { dialogue, facts, port, vad, stt, tts, kept, unix } = setup;
        Resampler::new(port.rate, stt.rate())?;
        let timing = Timing { no_input: dialogue.no_input_after(), ..Timing::default() };
        Ok(Self {
            failure: dialogue.failure().to_owned(),
            conversation: Conversation::new(dialogue, facts),
            arbiter: Arbiter::new(timing),
            ear: Ear::new(vad, port.rate)?,
            echo: Echo::default(),
            pre_roll: PreRoll::new(port.rate),
            playout: Playout::new(tts.rate(), port.rate)?,
            port,
            stt,
            hearing: None,
            tts,
            reply: None,
            kept,
            events: VecDeque::with_capacity(16),
            state: "",
            unix,
            now: Time::ZERO,
            last_frame: Time::ZERO,
            failures: 0,
        })
    }

    /// Greets: what is kept of the greeting is in the ring when this returns.
    pub fn begin(&mut self, now: Time) {
        self.clock(now);
        let greeting = self.conversation.begin();
        self.answer(greeting, None);
        self.speak();
    }

    /// 20 ms have passed.
    pub fn tick(&mut self, now: Time) {
        self.clock(now);
        self.listen();
        self.recognise();
        self.arbiter.tick(now);
        self.obey();
        self.speak();
        self.echo.played(self.playout.take_power());
    }

    /// The caller pressed a key.
    pub fn key(&mut self, now: Time, key: char) {
        self.clock(now);
        if self.arbiter.is_closed() || !self.conversation.takes_key(key) {
            self.tell(AgentEvent::Decision {
                what: "key ignored".to_owned(),
                why: "it means nothing here".to_owned(),
            });
            return;
        }
        self.arbiter.key(now);
        self.obey();
        if let Some(answer) = self.conversation.key(key) {
            self.answer(answer, None);
            self.speak();
        }
    }

    /// The caller is on hold, or back.
    pub fn hold(&mut self, now: Time, on: bool) {
        self.clock(now);
        self.arbiter.hold(now, on);
        self.obey();
    }

    /// Nobody took the transferred call: the caller is still here.
    pub fn transfer_failed(&mut self, now: Time) {
        self.clock(now);
        self.arbiter.close(now, false);
        let answer = self.conversation.transfer_failed();
        self.answer(answer, None);
        self.speak();
    }

    /// What is to be told next.
    pub fn poll(&mut self) -> Option<AgentEvent> {
        self.events.pop_front()
    }

    /// What could not be told comes first the next time.
    pub fn put_back(&mut self, event: AgentEvent) {
        self.events.push_front(event);
    }

    fn clock(&mut self, now: Time) {
        self.now = now;
        self.conversation.set_clock(self.unix + now.as_secs());
    }

    fn listen(&mut self) {
        let frame = (self.port.rate as usize / 50).min(LONGEST_FRAME);
        let waiting = (self.port.hear.slots() / frame).min(CATCH_UP);
        if waiting > 0 {
            self.last_frame = self.now;
        } else if self.now.saturating_sub(self.last_frame) >= LOST {
            // A leg writes silence, too. One that writes nothing has nobody at its other end at the moment.
            self.arbiter.voice(self.now, false);
        }
        for left in (0..waiting).rev() {
            let mut samples = [0i16; LONGEST_FRAME];
            let Some(samples) = samples.get_mut(..frame) else { return };
            let Ok(chunk) = self.port.hear.read_chunk(frame) else { return };
            for (to, sample) in samples.iter_mut().zip(chunk) {
                *to = sample;
            }
            // The leg's clock is the caller's: a frame that waited was spoken earlier.
            let at = self.now.saturating_sub(Time::from_millis(20 * left as u64));
            let voice = self.ear.listen(samples, self.echo.loudest());
            self.pre_roll.push(samples);
            let begun = self.hearing.is_some();
            let at = if voice { at } else { at.saturating_sub(self.ear.silent_for()) };
            self.arbiter.voice(at, voice);
            if begun {
                push(&mut *self.stt, self.hearing.as_mut(), samples);
            }
            self.obey();
        }
    }

    fn recognise(&mut self) {
        while let Some(event) = self.stt.poll() {
            match event {
                SttEvent::Partial { generation, text } => self.words(generation, &text, None, false),
                SttEvent::Final { generation, text, confidence } => {
                    self.failures = 0;
                    self.words(generation, &text, confidence, true);
                }
                SttEvent::Failed { generation, error } => {
                    self.arbiter.hearing_failed(generation);
                    self.hearing = None;
                    self.cannot_hear(error.to_string());
                }
            }
            self.obey();
        }
    }

    fn words(&mut self, generation: Generation, text: &str, confidence: Option<f32>, last: bool) {
        self.arbiter.heard(self.now, generation, text, confidence, last);
        if let Some((text, partial)) = self.arbiter.heard_so_far() {
            let whole = [text, partial].join(" ");
            let meaning = match (self.conversation.is_sure(&whole), self.conversation.understands(&whole)) {
                (true, _) => Meaning::Sure,
                (false, true) => Meaning::Clear,
                (false, false) => Meaning::Unclear,
            };
            self.arbiter.judge(self.now, meaning);
        }
    }

    /// Does what the arbiter wants.
    fn obey(&mut self) {
        while let Some(output) = self.arbiter.poll() {
            match output {
                Output::Hear(generation) => {
                    self.stt.start(generation);
                    self.hearing = Resampler::new(self.port.rate, self.stt.rate()).ok();
                    for part in self.pre_roll.parts() {
                        push(&mut *self.stt, self.hearing.as_mut(), part);
                    }
                }
                Output::Finish(_) => {
                    self.stt.finish();
                    self.hearing = None;
                    // What comes from here on belongs to another piece.
                    self.pre_roll.clear();
                }
                Output::Forget(_) => {
                    self.stt.cancel();
                    self.hearing = None;
                }
                Output::Pause(generation) => self.playout.pause(generation),
                Output::Resume(generation) => self.playout.resume(generation),
                Output::Cancel { generation, by_voice } => self.cancelled(generation, by_voice),
                Output::FalseInterruption => self.tell(AgentEvent::FalseInterruption),
                Output::Commit { text, confidence, ended } => self.commit(text, confidence, ended),
                Output::NoInput => {
                    let answer = self.conversation.no_input();
                    self.answer(answer, None);
                }
            }
        }
    }

    /// The caller's turn is over.
    fn commit(&mut self, text: String, confidence: Option<f32>, ended: Time) {
        self.become_(THINKING);
        let answer = self.conversation.heard_as(&text, confidence);
        if !text.is_empty() {
            self.tell(AgentEvent::Transcript { caller: true, text, confidence, interrupted: false });
        }
        self.answer(answer, Some(ended));
    }

    /// The last event of a call is never left out; others are when nobody fetches them.
    fn tell(&mut self, event: AgentEvent) {
        let must = matches!(event, AgentEvent::HangUp { .. } | AgentEvent::Transfer { .. });
        if must || self.events.len() < EVENTS {
            self.events.push_back(event);
        }
    }

    fn become_(&mut self, state: &'static str) {
        if self.state != state {
            self.state = state;
            self.tell(AgentEvent::State(state));
        }
    }
}

const LISTENING: &str = "listening";
const THINKING: &str = "thinking";
const SPEAKING: &str = "speaking";

/// Gives sound to recognition, at the rate it wants.
fn push(stt: &mut dyn Stt, resampler: Option<&mut Resampler>, samples: &[i16]) {
    let Some(resampler) = resampler else { return };
    for part in samples.chunks(LONGEST_FRAME) {
        let mut out = [0i16; 2 * LONGEST_FRAME];
        let n = resampler.process(part, &mut out);
        stt.push(out.get(..n).unwrap_or_default());
    }
}
