//! The thread on which agent sessions live, 20 ms by 20 ms.

use crate::dialogue::Dialogue;
use std::sync::Arc;
use std::time::Duration;
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
}

/// What a session says of itself. Texts of callers are told here and nowhere else: they go to the
/// timeline, never to a log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AgentEvent {
    /// Somebody said something. `caller` says who; for the agent `text` is what was really played.
    Transcript { caller: bool, text: String, confidence: Option<f32>, interrupted: bool },
    /// listening, thinking, speaking.
    State(&'static str),
    /// The caller talked over the agent, which stopped after this much of its sentence.
    Interrupted { played: Duration },
    /// It was noise: the agent went on.
    FalseInterruption,
    /// A decision with its reason: an intent matched, a menu key, a slot filled, a time-out.
    Decision { what: String, why: String },
    /// From the end of the caller's speech to the first sound of the answer.
    Latency { end_of_turn: Duration, first_sound: Duration },
    /// Something of the pipeline failed; what the caller heard about it.
    Failed { what: String, spoken: bool },
    /// The dialogue is over: hang up now (its last words have been played).
    HangUp { reason: String },
    /// The caller is to be sent there (its words have been played).
    Transfer { to: String },
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

/// The agent thread, as the signalling sees it.
#[derive(Debug)]
pub struct AgentHost {}

/// Events of all sessions; bounded.
#[derive(Debug)]
pub struct Events {}

#[allow(clippy::todo, unused_variables, clippy::missing_errors_doc)]
impl Events {
    /// The next one.
    pub fn try_next(&mut self) -> Option<(SessionId, AgentEvent)> {
        todo!()
    }
}

#[allow(clippy::todo, unused_variables, clippy::missing_errors_doc)]
impl AgentHost {
    /// Opens the speech engines and starts the thread. A missing engine is no error here: `engine_fault`
    /// tells it, and `open` refuses.
    pub fn start(sessions: usize, wake: Wake) -> Result<(Self, Events), HostError> {
        todo!()
    }
    /// What is missing for an agent to talk, as a sentence with the Debian package; `None` when all is there.
    #[must_use]
    pub fn engine_fault(&self) -> Option<String> {
        todo!()
    }
    /// Renders what a dialogue always says (its greeting) ahead of the first call.
    pub fn prepare(&self, dialogue: &Arc<Dialogue>) {
        todo!()
    }
    /// A session begins: the greeting is heard at once.
    pub fn open(&self, id: SessionId, config: SessionConfig, port: AudioPort) -> Result<(), HostError> {
        todo!()
    }
    /// Tells a session something.
    pub fn input(&self, id: SessionId, input: AgentInput) {
        todo!()
    }
    /// The call is over.
    pub fn close(&self, id: SessionId) {
        todo!()
    }
    /// Sessions at this moment.
    #[must_use]
    pub fn count(&self) -> usize {
        todo!()
    }
    /// Speaks a text into a buffer (mono, 8,000 Hz), for prompts; `None` without a voice.
    #[must_use]
    pub fn render(&self, text: &str) -> Option<Vec<i16>> {
        todo!()
    }
}
