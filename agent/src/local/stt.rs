//! pocketsphinx behind the `Stt` trait: an utterance goes to one of a few worker threads, each with a
//! decoder of its own, and is decoded while the caller speaks.
//!
//! An [`Utterance`] is all that the agent's thread and a worker share: sound one way, text the other, both
//! bounded, under a lock that is held for a copy. When more callers speak than there are workers the sound
//! waits in the utterance; decoding is some ten times faster than speech, so it is soon caught up with.

use super::ears::{Ear, Ears};
use crate::provider::{Generation, ProviderError, Stt, SttEvent};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use trunkline_engines::pocketsphinx::{Channel, Heard};

/// The rate at which it is given sound: what a telephone carries.
const RATE: u32 = 8_000;
/// Sound that may wait for a worker: 15 s.
const LONGEST_WAIT: usize = 15 * RATE as usize;
/// A worker is woken for this much sound, 100 ms: five times fewer wake-ups than frames.
const WORTH_WAKING: usize = RATE as usize / 10;
const PROVIDER: &str = "pocketsphinx";

/// What a caller says between two silences, on its way from the call to a worker.
#[derive(Debug, Default)]
pub(super) struct Utterance {
    state: Mutex<State>,
    sound_came: Condvar,
    /// There is something for `poll`; spares it the lock.
    news: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    sound: Vec<i16>,
    finished: bool,
    cancelled: bool,
    /// What the line sounds like, if that is known; what the worker learnt of it comes back.
    channel: Option<Channel>,
    partial: Option<String>,
    outcome: Option<Result<Heard, ProviderError>>,
}

/// What a worker is to do next with an utterance.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Decode what was put into the buffer.
    More,
    /// Decode that, then say what it was.
    Last,
    /// Nobody wants to know any more.
    Forget,
}

impl Utterance {
    fn new(channel: Option<Channel>) -> Self {
        Self { state: Mutex::new(State { channel, ..State::default() }), ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is sound worth decoding, or so many samples, and moves it into `sound`.
    pub(super) fn next(&self, sound: &mut Vec<i16>, at_least: usize) -> Next {
        sound.clear();
        let mut state = self.lock();
        loop {
            if state.cancelled {
                return Next::Forget;
            }
            if state.finished || state.sound.len() >= WORTH_WAKING.max(at_least) {
                std::mem::swap(&mut state.sound, sound);
                return if state.finished { Next::Last } else { Next::More };
            }
            state = self.sound_came.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn channel(&self) -> Option<Channel> {
        self.lock().channel
    }

    pub(super) fn learnt(&self, channel: Channel) {
        self.lock().channel = Some(channel);
    }

    /// What it seems to be so far. A newer one takes an older one's place.
    pub(super) fn seems(&self, text: String) {
        self.lock().partial = Some(text);
        self.news.store(true, Ordering::Release);
    }

    /// What it was.
    pub(super) fn was(&self, outcome: Result<Heard, ProviderError>) {
        self.lock().outcome = Some(outcome);
        self.news.store(true, Ordering::Release);
    }

    fn push(&self, samples: &[i16]) -> Result<(), ProviderError> {
        let mut state = self.lock();
        if state.finished || state.outcome.is_some() {
            return Ok(());
        }
        if state.sound.len() + samples.len() > LONGEST_WAIT {
            let why = format!("{} s of speech wait for a decoder", LONGEST_WAIT / RATE as usize);
            return Err(ProviderError::Unavailable { provider: PROVIDER, why });
        }
        state.sound.extend_from_slice(samples);
        if state.sound.len() >= WORTH_WAKING {
            self.sound_came.notify_one();
        }
        Ok(())
    }

    fn finish(&self) {
        self.lock().finished = true;
        self.sound_came.notify_one();
    }

    fn cancel(&self) {
        self.lock().cancelled = true;
        self.sound_came.notify_one();
    }
}

/// One call's ears.
#[derive(Debug)]
pub struct LocalStt {
    ears: Arc<Ears>,
    ear: Ear,
    channel: Option<Channel>,
    generation: Generation,
    utterance: Option<Arc<Utterance>>,
    failure: Option<ProviderError>,
}

impl LocalStt {
    pub(super) fn new(ears: Arc<Ears>, ear: Ear) -> Self {
        Self { ears, ear, channel: None, generation: Generation::default(), utterance: None, failure: None }
    }

    fn fail(&mut self, error: ProviderError) {
        self.cancel();
        self.failure = Some(error);
    }
}

impl Stt for LocalStt {
    fn rate(&self) -> u32 {
        RATE
    }

    fn start(&mut self, generation: Generation) {
        self.cancel();
        self.generation = generation;
        let utterance = Arc::new(Utterance::new(self.channel));
        match self.ears.listen(&self.ear, &utterance) {
            Ok(()) => self.utterance = Some(utterance),
            Err(error) => self.failure = Some(error),
        }
    }

    fn push(&mut self, samples: &[i16]) {
        if let Some(utterance) = &self.utterance
            && let Err(error) = utterance.push(samples)
        {
            self.fail(error);
        }
    }

    fn finish(&mut self) {
        if let Some(utterance) = &self.utterance {
            utterance.finish();
        }
    }

    fn cancel(&mut self) {
        self.failure = None;
        if let Some(utterance) = self.utterance.take() {
            utterance.cancel();
        }
    }

    fn poll(&mut self) -> Option<SttEvent> {
        let generation = self.generation;
        if let Some(error) = self.failure.take() {
            return Some(SttEvent::Failed { generation, error });
        }
        let utterance = self.utterance.as_ref()?;
        if !utterance.news.swap(false, Ordering::AcqRel) {
            return None;
        }
        let mut state = utterance.lock();
        let Some(outcome) = state.outcome.take() else {
            let text = state.partial.take()?;
            return Some(SttEvent::Partial { generation, text });
        };
        self.channel = state.channel;
        drop(state);
        self.utterance = None;
        Some(match outcome {
            Ok(heard) => SttEvent::Final { generation, text: heard.text, confidence: Some(heard.confidence) },
            Err(error) => SttEvent::Failed { generation, error },
        })
    }
}

impl Drop for LocalStt {
    fn drop(&mut self) {
        self.cancel();
    }
}
