//! The worker threads that listen: each has a decoder and hears one utterance at a time.
//!
//! Workers are started as they are needed, up to [`WORKERS_A_CORE`] a core. A decoder knows one dialogue's
//! vocabulary; a worker that gets an utterance of another one makes another decoder (about 20 ms), and
//! keeps the last few.

use super::stt::{Next, Utterance};
use crate::provider::ProviderError;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use trunkline_engines::EngineError;
use trunkline_engines::pocketsphinx::{Channel, Decoder, Heard, Sphinx, Vocabulary};
use trunkline_engines::resample::Doubler;

const PROVIDER: &str = "pocketsphinx";
/// Callers that may speak at the same time and be heard while they do. Each costs a few MB.
const WORKERS_A_CORE: usize = 4;
/// Utterances that wait for a worker.
const QUEUE: usize = 256;
/// Decoders that a worker keeps, for as many dialogues.
const DECODERS: usize = 3;
/// What goes on for longer, in samples at 8,000 Hz (30 s), is no sentence: it is told as far as it came.
const LONGEST: usize = 30 * 8_000;
/// Of a caller's first sentence so much is listened to, 600 ms, before it is known what the line sounds like.
const FIRST: usize = 8_000 * 6 / 10;
/// Vocabularies that are remembered for the next call.
const VOCABULARIES: usize = 16;

/// What one dialogue's calls listen with. Made of its phrases when a worker first needs it.
#[derive(Debug, Clone)]
pub(super) struct Ear(Arc<Expected>);

#[derive(Debug)]
struct Expected {
    phrases: Vec<String>,
    vocabulary: OnceLock<Result<Vocabulary, String>>,
}

impl Expected {
    fn vocabulary(&self, sphinx: &Sphinx) -> Result<&Vocabulary, ProviderError> {
        self.vocabulary
            .get_or_init(|| {
                let vocabulary = sphinx.vocabulary(&self.phrases).map_err(|error| error.to_string())?;
                if !vocabulary.unknown().is_empty() {
                    let words = vocabulary.unknown().join(", ").escape_debug().to_string();
                    tracing::warn!(%words, "words of the dialogue that the pronunciation dictionary does not have, so that they cannot be heard");
                }
                Ok(vocabulary)
            })
            .as_ref()
            .map_err(|why| ProviderError::Unavailable { provider: PROVIDER, why: why.clone() })
    }
}

enum Job {
    /// A call with this dialogue has begun: be ready.
    Prepare(Ear),
    Hear(Ear, Arc<Utterance>),
}

/// The process's ears.
#[derive(Debug)]
pub(super) struct Ears {
    sphinx: Sphinx,
    jobs: SyncSender<Job>,
    queue: Arc<Mutex<Receiver<Job>>>,
    /// Jobs that wait or are being done.
    load: Arc<AtomicUsize>,
    workers: AtomicUsize,
    most: usize,
    known: Mutex<VecDeque<Ear>>,
}

impl Ears {
    /// Starts the first worker. They end when the last call and this are gone.
    pub(super) fn start(sphinx: Sphinx) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let this = Self {
            sphinx,
            jobs,
            queue: Arc::new(Mutex::new(queue)),
            load: Arc::default(),
            workers: AtomicUsize::new(0),
            most: cores * WORKERS_A_CORE,
            known: Mutex::default(),
        };
        this.one_more()?;
        Ok(this)
    }

    fn one_more(&self) -> std::io::Result<()> {
        let worker = Worker {
            sphinx: self.sphinx.clone(),
            decoders: VecDeque::new(),
            sound: Vec::new(),
            doubled: Vec::new(),
        };
        let (queue, load) = (Arc::clone(&self.queue), Arc::clone(&self.load));
        let name = format!("ears-{}", self.workers.fetch_add(1, Ordering::AcqRel));
        std::thread::Builder::new().name(name).spawn(move || worker.run(&queue, &load))?;
        Ok(())
    }

    /// What calls with these phrases listen with.
    pub(super) fn ear(&self, phrases: &[String]) -> Ear {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ear) = known.iter().find(|ear| ear.0.phrases == phrases) {
            return ear.clone();
        }
        let expected = Expected { phrases: phrases.to_vec(), vocabulary: OnceLock::new() };
        let ear = Ear(Arc::new(expected));
        known.push_back(ear.clone());
        if known.len() > VOCABULARIES {
            known.pop_front();
        }
        // When the queue is full the first utterance waits for it.
        let _later = self.send(Job::Prepare(ear.clone()));
        ear
    }

    /// Hands an utterance to a worker.
    pub(super) fn listen(&self, ear: &Ear, utterance: &Arc<Utterance>) -> Result<(), ProviderError> {
        let unavailable = |why: String| ProviderError::Unavailable { provider: PROVIDER, why };
        let workers = self.workers.load(Ordering::Acquire);
        if self.load.load(Ordering::Acquire) >= workers && workers < self.most {
            self.one_more().map_err(|error| unavailable(format!("cannot start a thread: {error}")))?;
        }
        self.send(Job::Hear(ear.clone(), Arc::clone(utterance))).map_err(|error| {
            unavailable(match error {
                TrySendError::Full(_) => format!("{QUEUE} callers wait to be heard"),
                TrySendError::Disconnected(_) => "its threads have ended".to_owned(),
            })
        })
    }

    fn send(&self, job: Job) -> Result<(), TrySendError<Job>> {
        self.load.fetch_add(1, Ordering::AcqRel);
        let sent = self.jobs.try_send(job);
        if sent.is_err() {
            self.load.fetch_sub(1, Ordering::AcqRel);
        }
        sent
    }
}

struct Worker {
    sphinx: Sphinx,
    decoders: VecDeque<(Weak<Expected>, Decoder)>,
    sound: Vec<i16>,
    doubled: Vec<i16>,
}

impl Worker {
    fn run(mut self, queue: &Mutex<Receiver<Job>>, load: &AtomicUsize) {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            match job {
                Job::Prepare(ear) => {
                    if let Err(error) = self.decoder(&ear) {
                        tracing::warn!(%error, "this dialogue's callers will not be understood");
                    }
                }
                Job::Hear(ear, utterance) => self.hear(&ear, &utterance),
            }
            load.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn hear(&mut self, ear: &Ear, utterance: &Utterance) {
        let (mut sound, mut doubled) = (std::mem::take(&mut self.sound), std::mem::take(&mut self.doubled));
        let heard = match self.decoder(ear) {
            Ok(decoder) => transcribe(decoder, utterance, &mut sound, &mut doubled),
            Err(error) => Some(Err(error)),
        };
        if let Some(outcome) = heard {
            utterance.was(outcome);
        }
        (self.sound, self.doubled) = (sound, doubled);
    }

    /// The decoder for this dialogue; the one used longest ago makes room.
    fn decoder(&mut self, ear: &Ear) -> Result<&mut Decoder, ProviderError> {
        let mine = |of: &Weak<Expected>| std::ptr::eq(of.as_ptr(), Arc::as_ptr(&ear.0));
        let at = self.decoders.iter().position(|(of, _)| mine(of));
        let entry = if let Some(entry) = at.and_then(|at| self.decoders.remove(at)) {
            entry
        } else {
            let vocabulary = ear.0.vocabulary(&self.sphinx)?;
            let decoder = self.sphinx.decoder(vocabulary).map_err(|error| broken(&error))?;
            self.decoders.truncate(DECODERS - 1);
            (Arc::downgrade(&ear.0), decoder)
        };
        self.decoders.push_front(entry);
        match self.decoders.front_mut() {
            Some((_, decoder)) => Ok(decoder),
            None => Err(broken(&EngineError::Refused { engine: PROVIDER, what: "a decoder" })),
        }
    }
}

fn broken(error: &EngineError) -> ProviderError {
    ProviderError::Unavailable { provider: PROVIDER, why: error.to_string() }
}

/// Listens to an utterance to its end; `None` when nobody wants to know.
fn transcribe(
    decoder: &mut Decoder,
    utterance: &Utterance,
    sound: &mut Vec<i16>,
    doubled: &mut Vec<i16>,
) -> Option<Result<Heard, ProviderError>> {
    let known = utterance.channel();
    let mut next = utterance.next(sound, if known.is_some() { 0 } else { FIRST });
    if next == Next::Forget {
        return None;
    }
    if let Err(error) = decoder.start(&known.unwrap_or_else(|| Channel::of_line(sound))) {
        return Some(Err(broken(&error)));
    }
    let mut doubler = Doubler::default();
    let (mut said, mut told) = (String::new(), 0);
    loop {
        doubled.clear();
        doubler.push(sound, doubled);
        if let Err(error) = decoder.push(doubled) {
            decoder.abandon();
            return Some(Err(broken(&error)));
        }
        told += sound.len();
        if next == Next::Last || told > LONGEST {
            let heard = decoder.finish().map_err(|error| broken(&error));
            utterance.learnt(decoder.channel());
            return Some(heard);
        }
        let partial = decoder.partial();
        if partial != said && !partial.is_empty() {
            utterance.seems(partial.clone());
            said = partial;
        }
        next = utterance.next(sound, 0);
        if next == Next::Forget {
            decoder.abandon();
            return None;
        }
    }
}
