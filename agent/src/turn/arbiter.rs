//! The arbiter: inputs are methods, what follows is drained with [`Arbiter::poll`].

use super::utterance::{Hearing, Utterance};
use super::{Meaning, Output, Time, Timing};
use crate::provider::Generation;
use std::collections::VecDeque;

/// Whose turn it is.
#[derive(Debug)]
pub struct Arbiter {
    timing: Timing,
    last: Generation,
    agent: Option<Reply>,
    caller: Option<Utterance>,
    /// Both are silent since then.
    silent_since: Time,
    held_since: Option<Time>,
    closed: bool,
    outputs: VecDeque<Output>,
}

/// What the agent is saying.
#[derive(Debug)]
struct Reply {
    generation: Generation,
    barge_in: bool,
    paused: Option<Time>,
}

impl Arbiter {
    /// Nobody speaks yet.
    #[must_use]
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            last: Generation(0),
            agent: None,
            caller: None,
            silent_since: Time::ZERO,
            held_since: None,
            closed: false,
            outputs: VecDeque::with_capacity(16),
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The reply that is being spoken or prepared.
    #[must_use]
    pub fn speaking(&self) -> Option<Generation> {
        self.agent.as_ref().map(|reply| reply.generation)
    }

    /// Is the dialogue over?
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Is the caller saying something, as far as is known?
    #[must_use]
    pub fn caller_speaks(&self) -> bool {
        self.caller.is_some()
    }

    /// The agent has something to say: under this generation. What it said before is cancelled.
    pub fn speak(&mut self, barge_in: bool) -> Generation {
        self.cancel(false);
        let generation = self.next_generation();
        let paused = self.held_since;
        if paused.is_some() {
            self.outputs.push_back(Output::Pause(generation));
        }
        if !barge_in {
            self.forget();
        }
        self.agent = Some(Reply { generation, barge_in, paused });
        generation
    }

    /// All of a reply has been played.
    pub fn played(&mut self, now: Time, generation: Generation) {
        if self.speaking() == Some(generation) {
            self.agent = None;
            self.silent_since = now;
        }
    }

    /// The caller's voice, at least every 20 ms.
    pub fn voice(&mut self, now: Time, on: bool) {
        let deaf = self.agent.as_ref().is_some_and(|reply| !reply.barge_in);
        if self.closed || self.held_since.is_some() || deaf {
            return;
        }
        match &mut self.caller {
            None if on => {
                let generation = self.next_generation();
                self.caller = Some(Utterance::new(generation, now));
                self.outputs.push_back(Output::Hear(generation));
            }
            None => {}
            Some(utterance) => utterance.set_voice(now, on),
        }
        self.go_on_hearing(now);
    }

    /// Recognition says what the piece seems to be, or, `last`, what it was. Then [`Self::judge`] it.
    pub fn heard(
        &mut self,
        now: Time,
        generation: Generation,
        text: &str,
        confidence: Option<f32>,
        last: bool,
    ) {
        let Some(utterance) = self.caller.as_mut().filter(|u| u.generation == generation) else { return };
        if utterance.hearing == Hearing::Off {
            return;
        }
        if last {
            utterance.add(text);
            utterance.confidence = confidence;
        } else {
            utterance.partial.clear();
            utterance.partial.push_str(text.trim());
        }
        self.go_on_hearing(now);
    }

    /// What the caller has said so far in this turn, as results and as what the last piece seems to be.
    #[must_use]
    pub fn heard_so_far(&self) -> Option<(&str, &str)> {
        self.caller.as_ref().map(|u| (u.text.as_str(), u.partial.as_str()))
    }

    /// That judgement.
    pub fn judge(&mut self, now: Time, meaning: Meaning) {
        if let Some(utterance) = &mut self.caller {
            utterance.meaning = meaning;
        }
        self.interrupt_if_words(now);
    }

    /// Recognition has failed: what was heard so far of this utterance is all.
    pub fn hearing_failed(&mut self, generation: Generation) {
        if self.caller.as_ref().is_some_and(|u| u.generation == generation) {
            self.caller = None;
            self.resume(false);
        }
    }

    /// The caller pressed a key that means something: nobody speaks any more.
    pub fn key(&mut self, now: Time) {
        self.silent_since = now;
        self.forget();
        self.cancel(false);
    }

    /// The caller is on hold, or back. Meanwhile no time passes here.
    pub fn hold(&mut self, now: Time, on: bool) {
        match (on, self.held_since) {
            (true, None) => {
                self.held_since = Some(now);
                self.forget();
                self.pause(now);
            }
            (false, Some(since)) => {
                self.held_since = None;
                self.silent_since += now.saturating_sub(since);
                self.resume(false);
            }
            _ => {}
        }
    }

    /// The dialogue is over (or, with `false`, is not): the caller is not heard.
    pub fn close(&mut self, now: Time, closed: bool) {
        self.closed = closed;
        self.silent_since = now;
        self.forget();
    }

    /// Time passes; wanted every 20 ms.
    pub fn tick(&mut self, now: Time) {
        if self.closed || self.held_since.is_some() {
            return;
        }
        if self.caller.is_some() {
            self.pause_if_talked_over(now);
            self.interrupt_if_words(now);
            self.ask_for_result(now);
            self.resume_if_noise(now);
            self.end_turn(now);
        } else if self.agent.is_none() && now.saturating_sub(self.silent_since) >= self.timing.no_input {
            self.silent_since = now;
            self.outputs.push_back(Output::NoInput);
        }
    }

    fn pause_if_talked_over(&mut self, now: Time) {
        let talked_over =
            self.caller.as_ref().is_some_and(|u| !u.noise && u.voiced(now) >= self.timing.barge_in);
        if talked_over {
            self.pause(now);
        }
    }

    fn interrupt_if_words(&mut self, now: Time) {
        let words = self.caller.as_ref().is_some_and(|u| {
            // A result counts at once; what only seems to be a word needs as much voice as a pause does.
            u.claims_the_turn(now, &self.timing)
                && (u.hearing == Hearing::Off || u.voiced(now) >= self.timing.barge_in)
        });
        if words {
            if let Some(utterance) = &mut self.caller {
                utterance.noise = false;
            }
            self.cancel(true);
        }
    }

    fn ask_for_result(&mut self, now: Time) {
        let Some(utterance) = &mut self.caller else { return };
        match utterance.hearing {
            Hearing::On => {
                let wait = if utterance.meaning == Meaning::Sure {
                    self.timing.finish_sure
                } else {
                    self.timing.finish
                };
                if utterance.silence(now) < wait && utterance.voiced(now) < self.timing.longest {
                    return;
                }
                let short = self.agent.is_some() && utterance.voiced(now) < self.timing.barge_in;
                if short && !utterance.has_words() {
                    self.forget();
                    self.resume(false);
                } else {
                    utterance.hearing = Hearing::Finishing(now);
                    self.outputs.push_back(Output::Finish(utterance.generation));
                }
            }
            Hearing::Finishing(since) if now.saturating_sub(since) >= self.timing.final_within => {
                let partial = std::mem::take(&mut utterance.partial);
                utterance.add(&partial);
                self.go_on_hearing(now);
            }
            Hearing::Finishing(_) | Hearing::Off => {}
        }
    }

    fn resume_if_noise(&mut self, now: Time) {
        let Some(paused) = self.agent.as_ref().and_then(|reply| reply.paused) else { return };
        let Some(utterance) = &mut self.caller else { return };
        if utterance.claims_the_turn(now, &self.timing) {
            return;
        }
        let resulted = utterance.hearing == Hearing::Off && !utterance.voice;
        let babble = utterance.voice && now.saturating_sub(paused) >= self.timing.babble;
        if resulted || babble || utterance.silence(now) >= self.timing.noise {
            utterance.noise = true;
            self.resume(true);
        }
    }

    fn end_turn(&mut self, now: Time) {
        let Some(utterance) = &mut self.caller else { return };
        let endless = utterance.voiced(now) >= self.timing.longest;
        if utterance.hearing != Hearing::Off || (utterance.voice && !endless) {
            return;
        }
        // The agent still speaks: there was no word that would have stopped it.
        let meant = self.agent.is_none() && !utterance.noise;
        if !meant || !utterance.wants_an_answer(now, &self.timing) {
            self.caller = None;
            return;
        }
        let wait = if utterance.meaning == Meaning::Sure { self.timing.end_sure } else { self.timing.end };
        if utterance.silence(now) >= wait || endless {
            let (confidence, ended) = (utterance.confidence, utterance.ended(now));
            let text = std::mem::take(&mut utterance.text);
            self.caller = None;
            self.silent_since = now;
            self.outputs.push_back(Output::Commit { text, confidence, ended });
        }
    }

    /// The caller went on while the result of the piece before was awaited, and it is there now.
    fn go_on_hearing(&mut self, now: Time) {
        let longest = self.timing.longest;
        let goes_on = self
            .caller
            .as_ref()
            .is_some_and(|u| u.voice && u.hearing == Hearing::Off && u.voiced(now) < longest);
        if goes_on {
            let generation = self.next_generation();
            if let Some(utterance) = &mut self.caller {
                utterance.next_piece(generation);
            }
            self.outputs.push_back(Output::Hear(generation));
        }
    }

    fn next_generation(&mut self) -> Generation {
        self.last.0 += 1;
        self.last
    }

    fn pause(&mut self, now: Time) {
        if let Some(reply) = self.agent.as_mut().filter(|reply| reply.paused.is_none()) {
            reply.paused = Some(now);
            self.outputs.push_back(Output::Pause(reply.generation));
        }
    }

    fn resume(&mut self, noise: bool) {
        if self.held_since.is_none()
            && let Some(reply) = self.agent.as_mut().filter(|reply| reply.paused.is_some())
        {
            reply.paused = None;
            self.outputs.push_back(Output::Resume(reply.generation));
            if noise {
                self.outputs.push_back(Output::FalseInterruption);
            }
        }
    }

    fn cancel(&mut self, by_voice: bool) {
        if let Some(Reply { generation, .. }) = self.agent.take() {
            self.outputs.push_back(Output::Cancel { generation, by_voice });
        }
    }

    fn forget(&mut self) {
        if let Some(utterance) = self.caller.take()
            && utterance.hearing != Hearing::Off
        {
            self.outputs.push_back(Output::Forget(utterance.generation));
        }
    }
}
