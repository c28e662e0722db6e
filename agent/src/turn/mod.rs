//! Whose turn it is: one arbiter for voice activity, words, keys, and the agent's own speech.
//!
//! The model is pause-then-decide: a caller's voice over the agent's *pauses* the agent; words make it an
//! interruption (the reply is cancelled and never heard again), no words make it noise (the agent goes on
//! where it stopped). Pure: time is what it is told, all it does is told by [`Output`].

mod arbiter;
mod utterance;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use arbiter::Arbiter;

use crate::provider::Generation;
use std::time::Duration;

/// Time since the session began.
pub type Time = Duration;

/// The lengths of silence and speech by which turns are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Voice over the agent's voice for so long pauses it.
    pub barge_in: Duration,
    /// After so much silence recognition is asked for its result; the caller may still go on.
    pub finish: Duration,
    /// The same, when what was heard so far can mean one thing only.
    pub finish_sure: Duration,
    /// After so much silence the caller's turn is over.
    pub end: Duration,
    /// The same, when what was heard can mean one thing only.
    pub end_sure: Duration,
    /// A result comes within this time, or what was heard so far is taken.
    pub final_within: Duration,
    /// A paused agent goes on when so much silence has brought no words.
    pub noise: Duration,
    /// A paused agent goes on when a voice, or music, has brought no words for so long.
    pub babble: Duration,
    /// A voice of this length was speech, even if no word was recognised: the caller is asked again, and
    /// the agent interrupted.
    pub speech: Duration,
    /// A voice of this length was a word, if one was recognised that means nothing here. Shorter ones are
    /// what a recogniser makes of a cough.
    pub word: Duration,
    /// A caller who speaks for so long without a pause is answered all the same.
    pub longest: Duration,
    /// A silent caller is spoken to after this time.
    pub no_input: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            barge_in: ms(200),
            finish: ms(240),
            finish_sure: ms(120),
            end: ms(600),
            end_sure: ms(260),
            final_within: ms(1_000),
            noise: ms(1_000),
            babble: ms(3_000),
            speech: ms(600),
            word: ms(300),
            longest: ms(20_000),
            no_input: ms(8_000),
        }
    }
}

/// What the caller's words mean to the dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Meaning {
    /// Nothing that it knows.
    #[default]
    Unclear,
    /// Something; more words may change what.
    Clear,
    /// Something that no further word can change.
    Sure,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Recognition starts, with the sound from just before.
    Hear(Generation),
    /// Recognition is to give its result.
    Finish(Generation),
    /// Recognition is to forget this.
    Forget(Generation),
    /// The agent holds its tongue; its words are kept.
    Pause(Generation),
    /// It goes on where it stopped.
    Resume(Generation),
    /// Its words are dropped for good.
    Cancel {
        /// The reply.
        generation: Generation,
        /// The caller talked over it (and did not press a key).
        by_voice: bool,
    },
    /// The pause was for nothing.
    FalseInterruption,
    /// The caller's turn is over. An empty text: there was speech without a known word.
    Commit {
        /// What was said.
        text: String,
        /// 0..=1 where known.
        confidence: Option<f32>,
        /// When the caller's voice ended.
        ended: Time,
    },
    /// The caller has said nothing for long.
    NoInput,
}
