//! A telephone in the terminal: the endpoint and the media engine once more, as the one who calls.
//!
//! [`line`] drives endpoint, sockets and engine for any number of calls and says what happens; [`conversation`]
//! is one call with somebody at either end, who hears and speaks through the [`handset`]; [`sound`] and
//! [`sound_card`] are where its sound comes from and goes to. The load generator stands on [`line`], too. Knows
//! nothing of trunks, rules or the calls of a server.

pub mod conversation;
pub mod ears;
pub mod handset;
pub mod line;
pub mod sound;
pub mod sound_card;

use std::path::PathBuf;

/// Why a call cannot be placed; a sentence each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhoneError {
    #[error(transparent)]
    Bind(#[from] crate::transport::BindError),
    #[error(transparent)]
    Media(#[from] trunkline_media::engine::EngineError),
    #[error("{0}")]
    Address(String),
    #[error("the call cannot be placed: {0}")]
    Refused(#[from] trunkline_sip::CommandError),
    #[error("no randomness from the kernel: {0}")]
    Random(getrandom::Error),
    #[error("{path}: {why}", path = path.display())]
    Wave { path: PathBuf, why: String },
    #[error("{0}")]
    SoundCard(String),
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}
