//! The thread on which agent sessions live, 20 ms by 20 ms.

mod thread;

pub use crate::event::AgentEvent;

use crate::dialogue::{Conversation, Dialogue};
use crate::local::Engines;
use crate::provider::ProviderError;
use crate::session::{Kept, Session, Setup};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};
use thread::{Command, Thread};
use trunkline_media::port::AudioPort;

/// A session, numbered by whoever opens it; not used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// What a session starts with.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// What it says and does.
    pub dialogue: Arc<Dialogue>,
    /// Facts that the dialogue may speak of: `caller`, `called`, `name`, …
    pub facts: Vec<(String, String)>,
}

/// What a session is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentInput {
    /// The caller pressed a key.
    Dtmf(char),
    /// The caller is on hold (timers stand still), or back.
    Hold(bool),
    /// A transfer that the session wanted has failed: the caller is still here, and is told.
    TransferFailed,
}

/// Called after an event was queued.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Why a session could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// No speech engine: say which package is missing. The call deserves 503.
    #[error("the agent has no voice or no ears: {0}")]
    NoEngine(String),
    /// The thread does not take commands.
    #[error("the agent thread does not keep up")]
    Busy,
    /// Too many at a time.
    #[error("{0} agent sessions are up, the limit")]
    Full(usize),
    /// It could not be started.
    #[error("cannot start the agent thread: {0}")]
    Thread(std::io::Error),
}

/// What a dialogue always says, as sound.
type Prepared = (Weak<Dialogue>, Arc<[Kept]>);

/// The agent thread, as the signalling sees it. It ends when this is dropped.
#[derive(Debug)]
pub struct AgentHost {
    engines: Arc<Engines>,
    fault: Option<String>,
    limit: usize,
    count: Arc<AtomicUsize>,
    commands: SyncSender<Command>,
    /// What dialogues always say, as sound; a dialogue that is gone makes room.
    prepared: Mutex<Vec<Prepared>>,
}

/// Events of all sessions; bounded.
#[derive(Debug)]
pub struct Events(Receiver<(SessionId, AgentEvent)>);

impl Events {
    /// The next one.
    pub fn try_next(&mut self) -> Option<(SessionId, AgentEvent)> {
        self.0.try_recv().ok()
    }
}

/// Commands that wait for the thread; it looks at them all every 20 ms at least.
const COMMANDS: usize = 4_096;
/// Events that wait for the signalling; a session keeps what does not fit.
const EVENTS: usize = 4_096;

/// Texts of a dialogue that are rendered ahead: what the voice keeps, holds about that much.
const REHEARSED: usize = 64;

impl AgentHost {
    /// Opens the speech engines and starts the thread. A missing engine is no error here: `engine_fault`
    /// tells it, and `open` refuses.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(sessions: usize, wake: Wake) -> Result<(Self, Events), HostError> {
        let (engines, fault) = Engines::open();
        let engines = Arc::new(engines);
        let (commands, queue) = sync_channel(COMMANDS);
        let (told, events) = sync_channel(EVENTS);
        let count = Arc::new(AtomicUsize::new(0));
        let thread = Thread::new(queue, told, wake, Arc::clone(&count));
        std::thread::Builder::new()
            .name("agents".to_owned())
            .spawn(move || thread.run())
            .map_err(HostError::Thread)?;
        let prepared = Mutex::default();
        Ok((Self { engines, fault, limit: sessions, count, commands, prepared }, Events(events)))
    }

    /// What is missing for an agent to talk, as a sentence with the Debian package; `None` when all is there.
    #[must_use]
    pub fn engine_fault(&self) -> Option<String> {
        self.fault.clone()
    }

    /// Renders what a dialogue always says ahead of the first call: its greeting on the thread that asks (some
    /// 100 ms), its other fixed texts on a thread that ends when it has done so. A dialogue that was not prepared is spoken all the same, a little later.
    pub fn prepare(&self, dialogue: &Arc<Dialogue>) {
        let greeting = Conversation::new(Arc::clone(dialogue), Vec::new()).begin().text;
        let texts = [greeting, dialogue.failure().to_owned()];
        let kept: Vec<Kept> = texts
            .into_iter()
            .filter_map(|text| Some((self.engines.render(&text)?, text)))
            .map(|(sound, text)| (text, sound.into()))
            .collect();
        // Ears that know this dialogue's phrases take a while to be made: now, not when the first caller speaks.
        let _ears = self.engines.stt(dialogue.phrases());
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.retain(|(of, _)| of.upgrade().is_some_and(|of| !Arc::ptr_eq(&of, dialogue)));
        prepared.push((Arc::downgrade(dialogue), kept.into()));
        let (engines, texts) = (Arc::clone(&self.engines), dialogue.fixed_texts());
        let spoken = std::thread::Builder::new().name("rehearsal".to_owned()).spawn(move || {
            for text in texts.iter().take(REHEARSED) {
                let _kept_by_the_voice = engines.render(text);
            }
        });
        if let Err(error) = spoken {
            tracing::warn!(%error, "no thread to rehearse on: first answers come some 50 ms later");
        }
    }

    /// A session begins: the greeting is heard at once.
    ///
    /// # Errors
    /// No engine, too many sessions, or a thread that does not keep up; the call deserves 503.
    pub fn open(&self, id: SessionId, config: SessionConfig, port: AudioPort) -> Result<(), HostError> {
        if let Some(fault) = &self.fault {
            return Err(HostError::NoEngine(fault.clone()));
        }
        let no_engine = |error: ProviderError| HostError::NoEngine(error.to_string());
        let SessionConfig { dialogue, facts } = config;
        let stt = self.engines.stt(dialogue.phrases()).map_err(no_engine)?;
        let tts = self.engines.tts().map_err(no_engine)?;
        let vad = self.engines.vad();
        let kept = self.kept(&dialogue);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let setup = Setup { dialogue, facts, port, vad, stt, tts, kept, unix };
        let session = Session::new(setup).map_err(|error| HostError::NoEngine(error.to_string()))?;
        self.count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < self.limit).then_some(n + 1))
            .map_err(|_| HostError::Full(self.limit))?;
        self.commands.try_send(Command::Open(id, Box::new(session))).map_err(|_| {
            self.count.fetch_sub(1, Ordering::AcqRel);
            HostError::Busy
        })
    }

    fn kept(&self, dialogue: &Arc<Dialogue>) -> Arc<[Kept]> {
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let of = prepared.iter().find(|(of, _)| std::ptr::eq(of.as_ptr(), Arc::as_ptr(dialogue)));
        of.map_or_else(|| Arc::from([]), |(_, kept)| Arc::clone(kept))
    }

    /// Tells a session something. What comes while its thread is 4,096 commands behind is lost.
    pub fn input(&self, id: SessionId, input: AgentInput) {
        if self.commands.try_send(Command::Input(id, input)).is_err() {
            tracing::warn!(session = id.0, "the agent thread does not keep up: an input is lost");
        }
    }

    /// The call is over. Waits for a thread that does not keep up: a session must not stay.
    pub fn close(&self, id: SessionId) {
        let _ended = self.commands.send(Command::Close(id));
    }

    /// Sessions at this moment.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Speaks a text into a buffer (mono, 8,000 Hz), for prompts; `None` without a voice.
    #[must_use]
    pub fn render(&self, text: &str) -> Option<Vec<i16>> {
        self.engines.render(text)
    }
}
