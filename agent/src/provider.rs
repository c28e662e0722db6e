//! What a provider of speech or thought looks like: streams, cancellation, generations.
//!
//! All of them are polled and never block: the agent's thread gives sound or text in and asks what has
//! come out. An engine in process does its work on a thread of its own, a networked one in a task; both
//! sit behind a bounded queue. Everything that belongs to a turn carries its generation, so that what
//! arrives late of a cancelled turn falls away.

use std::sync::Arc;
use std::time::Duration;

/// A turn's number; grows. What carries an older one is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(pub u64);

/// What goes wrong with a provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// Could not be reached or opened. Retrying may help.
    #[error("{provider}: unavailable: {why}")]
    Unavailable {
        /// Its name.
        provider: &'static str,
        /// Why.
        why: String,
    },
    /// Refused what it was given. Retrying does not help.
    #[error("{provider}: refused: {why}")]
    Refused {
        /// Its name.
        provider: &'static str,
        /// Why.
        why: String,
    },
    /// Did not answer in time.
    #[error("{provider}: no answer within {after:?}")]
    TimedOut {
        /// Its name.
        provider: &'static str,
        /// The bound.
        after: Duration,
    },
}

impl ProviderError {
    /// Is the same request worth another try?
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

/// What speech recognition says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SttEvent {
    /// What it seems to be so far.
    Partial { generation: Generation, text: String },
    /// What was said. `confidence` 0..=1 where known.
    Final { generation: Generation, text: String, confidence: Option<f32> },
    /// It failed.
    Failed { generation: Generation, error: ProviderError },
}

/// A stream of speech recognition for one call.
pub trait Stt: Send {
    /// The rate it wants, in Hz: 8,000 or 16,000.
    fn rate(&self) -> u32;
    /// Speech begins: what follows belongs to this generation.
    fn start(&mut self, generation: Generation);
    /// 20 ms, or a pre-roll of more. Never blocks; a full queue loses sound and says so in `Failed`.
    fn push(&mut self, samples: &[i16]);
    /// Speech ended: a `Final` is wanted, at once.
    fn finish(&mut self);
    /// Forget the utterance.
    fn cancel(&mut self);
    /// What has come out.
    fn poll(&mut self) -> Option<SttEvent>;
}

/// What the language side says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum LlmEvent {
    /// A piece of the reply's text.
    Text { generation: Generation, text: String },
    /// A tool is wanted: its name and its arguments as JSON.
    Tool { generation: Generation, id: String, name: String, arguments: String },
    /// The reply is whole.
    Done { generation: Generation },
    /// It failed.
    Failed { generation: Generation, error: ProviderError },
}

/// One entry of the conversation so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatItem {
    /// `system`, `user`, `assistant`, `tool`.
    pub role: &'static str,
    /// What was said; for the assistant only what was really played.
    pub text: String,
}

/// A stream of replies for one call.
pub trait Llm: Send {
    /// Begins a reply to the conversation so far.
    fn reply(&mut self, generation: Generation, context: &[ChatItem]);
    /// Stop.
    fn cancel(&mut self, generation: Generation);
    /// What has come out.
    fn poll(&mut self) -> Option<LlmEvent>;
}

/// What speech synthesis says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TtsEvent {
    /// Sound at the rate that [`Tts::rate`] states; shared, for many calls may say the same.
    Audio { generation: Generation, samples: Arc<[i16]> },
    /// All of the text has been spoken.
    Done { generation: Generation },
    /// It failed.
    Failed { generation: Generation, error: ProviderError },
}

/// A stream of speech synthesis for one call.
pub trait Tts: Send {
    /// Rate of what it gives, in Hz.
    fn rate(&self) -> u32;
    /// Speak this after what was given before for the same generation.
    fn say(&mut self, generation: Generation, text: &str);
    /// No more text for this generation: `Done` is wanted after its last sound.
    fn finish(&mut self, generation: Generation);
    /// Stop.
    fn cancel(&mut self, generation: Generation);
    /// What has come out.
    fn poll(&mut self) -> Option<TtsEvent>;
}

/// Voice activity.
pub trait Vad: Send {
    /// Samples it wants at a time.
    fn window(&self) -> usize;
    /// The rate it wants, in Hz.
    fn rate(&self) -> u32;
    /// Probability of speech in one window, 0..=1.
    fn probability(&mut self, window: &[i16]) -> f32;
    /// A new call.
    fn reset(&mut self);
}

/// What a speech-to-speech model says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SpeechEvent {
    /// It hears the caller begin to speak.
    CallerSpeaks,
    /// Its reply begins.
    Started { generation: Generation },
    /// Sound of the reply.
    Audio { generation: Generation, samples: Vec<i16> },
    /// The reply is whole.
    Done { generation: Generation },
    /// What somebody said, as text.
    Transcript { caller: bool, text: String },
    /// A tool is wanted.
    Tool { generation: Generation, id: String, name: String, arguments: String },
    /// It failed.
    Failed { error: ProviderError },
}

/// A model that hears and speaks by itself.
pub trait SpeechToSpeech: Send {
    /// Rate of both directions, in Hz.
    fn rate(&self) -> u32;
    /// What the caller says.
    fn push(&mut self, samples: &[i16]);
    /// The caller heard the reply only up to here: cut it there and forget the rest.
    fn truncate(&mut self, generation: Generation, played: Duration);
    /// What has come out.
    fn poll(&mut self) -> Option<SpeechEvent>;
}
