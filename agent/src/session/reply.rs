//! The agent's side of a session: from an answer to sound, to its end, or to where it was cut off.

use super::playout::heard_text;
use super::{FAILURES, LISTENING, SPEAKING, Session};
use crate::dialogue::{After, Answer};
use crate::event::AgentEvent;
use crate::provider::{Generation, ProviderError, TtsEvent};
use crate::turn::Time;
use std::sync::Arc;
use std::time::Duration;

/// A voice says something within this time, or it has failed.
const VOICE_WITHIN: Duration = Duration::from_secs(3);

/// What is being said.
#[derive(Debug)]
pub(super) struct Reply {
    generation: Generation,
    answer: Answer,
    /// When the caller's words ended that it answers, and when it was known that they had.
    asked: Option<(Time, Time)>,
    sounded: bool,
    /// The voice has failed once already.
    again: bool,
    starved_since: Time,
}

impl Session {
    /// Says what was decided, and begins to say the words.
    pub(super) fn answer(&mut self, mut answer: Answer, ended: Option<Time>) {
        for (what, why) in std::mem::take(&mut answer.decisions) {
            self.tell(AgentEvent::Decision { what, why });
        }
        let asked = ended.map(|ended| (ended, self.now));
        self.begin_reply(answer, asked, false);
    }

    fn begin_reply(&mut self, answer: Answer, asked: Option<(Time, Time)>, again: bool) {
        let generation = self.arbiter.speak(answer.barge_in);
        self.obey();
        self.playout.begin(generation);
        let kept = self.kept.iter().find(|(text, _)| *text == answer.text);
        if let Some((_, sound)) = kept {
            self.playout.add(generation, Arc::clone(sound));
            self.playout.complete(generation);
        } else if answer.text.is_empty() {
            self.playout.complete(generation);
        } else {
            self.tts.say(generation, &answer.text);
            self.tts.finish(generation);
        }
        let starved_since = self.now;
        self.reply = Some(Reply { generation, answer, asked, sounded: false, again, starved_since });
    }

    /// Moves sound from the voice to the caller, and notices when all has been said.
    pub(super) fn speak(&mut self) {
        while let Some(event) = self.tts.poll() {
            match event {
                TtsEvent::Audio { generation, samples } => self.playout.add(generation, samples),
                TtsEvent::Done { generation } => self.playout.complete(generation),
                TtsEvent::Failed { generation, error } => self.voice_failed(generation, &error),
            }
        }
        let sounds = self.playout.fill(&mut self.port.speak);
        let starved = self.playout.is_starved();
        let Some(reply) = &mut self.reply else { return };
        if !starved {
            reply.starved_since = self.now;
        } else if self.now.saturating_sub(reply.starved_since) >= VOICE_WITHIN {
            let generation = reply.generation;
            self.voice_failed(
                generation,
                &ProviderError::TimedOut { provider: "voice", after: VOICE_WITHIN },
            );
            return;
        }
        if sounds && !reply.sounded {
            reply.sounded = true;
            if let Some((ended, known)) = reply.asked {
                let end_of_turn = known.saturating_sub(ended);
                let first_sound = self.now.saturating_sub(ended);
                self.tell(AgentEvent::Latency { end_of_turn, first_sound });
            }
            self.become_(SPEAKING);
        }
        if self.playout.is_over(&self.port.speak) {
            self.said();
        }
    }

    /// All of a reply has been heard: now what was to come after it.
    fn said(&mut self) {
        let Some(Reply { generation, answer, .. }) = self.reply.take() else { return };
        self.playout.stop();
        self.arbiter.played(self.now, generation);
        if !answer.text.is_empty() {
            self.tell_said(answer.text, false);
        }
        match answer.after {
            After::Listen => self.become_(LISTENING),
            After::HangUp { reason } => {
                self.arbiter.close(self.now, true);
                self.obey();
                self.tell(AgentEvent::HangUp { reason });
            }
            After::Transfer { to } => {
                self.arbiter.close(self.now, true);
                self.obey();
                self.tell(AgentEvent::Transfer { to });
            }
        }
    }

    /// A reply ends where the caller cut it off: no more of it counts as said.
    pub(super) fn cancelled(&mut self, generation: Generation, by_voice: bool) {
        self.tts.cancel(generation);
        let Some(reply) = self.reply.take_if(|reply| reply.generation == generation) else { return };
        let heard = self.playout.heard(&self.port.speak);
        self.playout.stop();
        let text = if reply.sounded { heard_text(&reply.answer.text, heard) } else { "" };
        if !text.is_empty() {
            self.tell_said(text.to_owned(), true);
        }
        if by_voice {
            self.tell(AgentEvent::Interrupted { played: heard.time });
        }
        self.become_(LISTENING);
    }

    fn tell_said(&mut self, text: String, interrupted: bool) {
        self.tell(AgentEvent::Transcript { caller: false, text, confidence: None, interrupted });
    }

    /// The voice is asked once more; then what is kept as sound must do.
    fn voice_failed(&mut self, generation: Generation, error: &ProviderError) {
        let Some(reply) = self.reply.take_if(|reply| reply.generation == generation) else { return };
        self.tts.cancel(generation);
        if error.is_retryable() && !reply.again && !reply.sounded {
            self.begin_reply(reply.answer, reply.asked, true);
            return;
        }
        let kept =
            self.kept.iter().find(|(text, _)| *text == self.failure).map(|(_, sound)| Arc::clone(sound));
        self.tell(AgentEvent::Failed { what: error.to_string(), spoken: kept.is_some() });
        if let Some(sound) = kept {
            self.playout.add(generation, sound);
        }
        self.playout.complete(generation);
        self.reply = Some(Reply { again: true, ..reply });
    }

    /// Recognition has failed: the caller is told, and after some times in a row the call ends.
    pub(super) fn cannot_hear(&mut self, what: String) {
        if self.reply.is_some() {
            // Whoever is listening to an answer is not told that a noise could not be understood.
            self.tell(AgentEvent::Failed { what, spoken: false });
            return;
        }
        self.failures += 1;
        self.tell(AgentEvent::Failed { what, spoken: true });
        let after = if self.failures >= FAILURES {
            After::HangUp { reason: "the agent cannot hear".to_owned() }
        } else {
            After::Listen
        };
        let text = self.failure.clone();
        self.answer(Answer { text, after, barge_in: true, decisions: Vec::new() }, None);
    }
}
