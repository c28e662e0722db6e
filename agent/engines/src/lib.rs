//! Speech engines in process: Silero VAD (own forward pass), flite (speech out), pocketsphinx (speech
//! in). The one crate that binds C libraries, found at run time. Must never know calls, turns or flows.

pub mod error;
pub mod flite;
mod language_model;
mod library;
pub mod pocketsphinx;
mod pronunciation;
pub mod resample;
pub mod silero;
pub mod text;

pub use error::EngineError;
