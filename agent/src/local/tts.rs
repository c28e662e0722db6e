//! flite behind the `Tts` trait: one worker thread speaks for all calls, sentence by sentence.
//!
//! A call has at most [`AHEAD`] sentences with the worker, the others wait with the call. So the worker
//! serves calls in turn, a cancelled reply costs at most one sentence of work, and no queue can overflow.

use super::cache::Cache;
use crate::provider::{Generation, ProviderError, Tts, TtsEvent};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use trunkline_engines::flite::Flite;
use trunkline_engines::text;

/// Sentences of one call that are with the worker at a time.
const AHEAD: usize = 2;
/// Sentences that the worker's queue holds. A call whose sentence does not fit offers it again when it
/// is next polled.
const QUEUE: usize = 256;
/// Sentences of one call that may wait.
const WAITING: usize = 256;
/// Samples that the cache holds: four minutes, 4 MB.
const CACHED: usize = 8_000 * 240;
const PROVIDER: &str = "flite";

/// A sentence as sound, of this turn.
type Spoken = (Generation, Result<Arc<[i16]>, ProviderError>);

struct Job {
    generation: Generation,
    sentence: String,
    /// What is older than this is not wanted any more.
    wanted_from: Arc<AtomicU64>,
    reply: SyncSender<Spoken>,
}

/// The process's voice: the worker's queue, and the cache.
#[derive(Debug)]
pub(super) struct Speaker {
    jobs: SyncSender<Job>,
    mouth: Mouth,
}

#[derive(Debug, Clone)]
struct Mouth {
    flite: Flite,
    cache: Arc<Mutex<Cache>>,
}

impl Mouth {
    fn speak(&self, sentence: &str) -> Result<Arc<[i16]>, ProviderError> {
        if let Some(sound) = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(sentence) {
            return Ok(sound);
        }
        let sound: Arc<[i16]> = self
            .flite
            .speak(sentence)
            .map_err(|error| ProviderError::Refused { provider: PROVIDER, why: error.to_string() })?
            .into();
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).put(sentence, &sound);
        Ok(sound)
    }
}

impl Speaker {
    /// Starts the worker; it ends when the last call and this are gone.
    pub(super) fn start(flite: Flite) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(QUEUE);
        let mouth = Mouth { flite, cache: Arc::new(Mutex::new(Cache::new(CACHED))) };
        let worker = mouth.clone();
        std::thread::Builder::new().name("voice".to_owned()).spawn(move || {
            while let Ok(job) = queue.recv() {
                let wanted = || job.generation.0 >= job.wanted_from.load(Ordering::Acquire);
                if wanted() {
                    let spoken = worker.speak(&job.sentence);
                    // The channel holds every sentence that a call can have here; a call that is gone
                    // needs none.
                    let _gone = job.reply.try_send((job.generation, spoken));
                }
            }
        })?;
        Ok(Self { jobs, mouth })
    }

    /// The whole text as one sound.
    pub(super) fn render(&self, text: &str) -> Option<Vec<i16>> {
        let mut sound = Vec::new();
        for sentence in text::sentences(text) {
            match self.mouth.speak(sentence) {
                Ok(samples) => sound.extend_from_slice(&samples),
                Err(error) => {
                    tracing::warn!(%error, "a sentence could not be spoken");
                    return None;
                }
            }
        }
        Some(sound)
    }
}

/// One call's voice. Sound comes a sentence at a time.
#[derive(Debug)]
pub struct LocalTts {
    speaker: Arc<Speaker>,
    wanted_from: Arc<AtomicU64>,
    reply: SyncSender<Spoken>,
    spoken: Receiver<Spoken>,
    /// What is being said; `None` before the first word and after `Done`.
    generation: Option<Generation>,
    waiting: VecDeque<String>,
    with_worker: usize,
    finished: bool,
    failure: Option<TtsEvent>,
}

impl LocalTts {
    pub(super) fn new(speaker: Arc<Speaker>) -> Self {
        // One sentence of a cancelled reply may still be on its way when those of the next one come.
        let (reply, spoken) = sync_channel(4 * AHEAD);
        Self {
            speaker,
            wanted_from: Arc::default(),
            reply,
            spoken,
            generation: None,
            waiting: VecDeque::new(),
            with_worker: 0,
            finished: false,
            failure: None,
        }
    }

    /// Whatever was said before is not wanted any more.
    fn begin(&mut self, generation: Generation) {
        if self.generation != Some(generation) {
            self.forget();
            self.wanted_from.store(generation.0, Ordering::Release);
            self.generation = Some(generation);
        }
    }

    /// What has been spoken and not fetched is stale, too: so the channel always has room.
    fn forget(&mut self) {
        while self.spoken.try_recv().is_ok() {}
        self.generation = None;
        self.waiting.clear();
        self.with_worker = 0;
        self.finished = false;
        self.failure = None;
    }

    fn fail(&mut self, generation: Generation, error: ProviderError) -> TtsEvent {
        self.forget();
        self.wanted_from.store(generation.0.saturating_add(1), Ordering::Release);
        TtsEvent::Failed { generation, error }
    }

    /// Hands sentences to the worker while it may have more.
    fn feed(&mut self, generation: Generation) -> Result<(), ProviderError> {
        while self.with_worker < AHEAD
            && let Some(sentence) = self.waiting.pop_front()
        {
            let job = Job {
                generation,
                sentence,
                wanted_from: Arc::clone(&self.wanted_from),
                reply: self.reply.clone(),
            };
            match self.speaker.jobs.try_send(job) {
                Ok(()) => self.with_worker += 1,
                Err(TrySendError::Full(job)) => {
                    self.waiting.push_front(job.sentence);
                    return Ok(());
                }
                Err(TrySendError::Disconnected(_)) => {
                    let why = "its thread has ended".to_owned();
                    return Err(ProviderError::Unavailable { provider: PROVIDER, why });
                }
            }
        }
        Ok(())
    }
}

impl Tts for LocalTts {
    fn rate(&self) -> u32 {
        Flite::RATE
    }

    fn say(&mut self, generation: Generation, text: &str) {
        if generation.0 < self.wanted_from.load(Ordering::Acquire) {
            return; // of a turn that was cancelled
        }
        self.begin(generation);
        for sentence in text::sentences(text) {
            if self.waiting.len() == WAITING {
                let why = format!("more than {WAITING} sentences wait to be spoken");
                let failed = self.fail(generation, ProviderError::Refused { provider: PROVIDER, why });
                self.failure = Some(failed);
                return;
            }
            self.waiting.push_back(sentence.to_owned());
        }
        if let Err(error) = self.feed(generation) {
            self.failure = Some(self.fail(generation, error));
        }
    }

    fn finish(&mut self, generation: Generation) {
        if generation.0 >= self.wanted_from.load(Ordering::Acquire) {
            self.begin(generation);
            self.finished = true;
        }
    }

    fn cancel(&mut self, generation: Generation) {
        if self.generation.is_none_or(|current| current <= generation) {
            self.forget();
        }
        self.wanted_from.fetch_max(generation.0.saturating_add(1), Ordering::AcqRel);
    }

    fn poll(&mut self) -> Option<TtsEvent> {
        if let Some(failure) = self.failure.take() {
            return Some(failure);
        }
        let generation = self.generation?;
        loop {
            match self.spoken.try_recv() {
                Ok((of, _)) if of != generation => {} // late of a cancelled turn
                Ok((_, Ok(samples))) => {
                    self.with_worker = self.with_worker.saturating_sub(1);
                    if let Err(error) = self.feed(generation) {
                        self.failure = Some(self.fail(generation, error));
                    }
                    return Some(TtsEvent::Audio { generation, samples });
                }
                Ok((_, Err(error))) => return Some(self.fail(generation, error)),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        if let Err(error) = self.feed(generation) {
            return Some(self.fail(generation, error));
        }
        if self.finished && self.with_worker == 0 && self.waiting.is_empty() {
            self.forget();
            return Some(TtsEvent::Done { generation });
        }
        None
    }
}
