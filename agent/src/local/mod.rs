//! The engines in process behind the provider traits: no network, no account, no GPU.
//!
//! [`Engines`] is opened once. Voice and ears are worker threads with bounded queues that all calls
//! share; what a call holds ([`LocalTts`], [`LocalStt`], [`SileroVad`]) is small and never blocks. Must never know
//! turns or dialogues: it gets texts and sound.

mod cache;
mod ears;
mod stt;
mod tts;
mod vad;

pub use stt::LocalStt;
pub use tts::LocalTts;
pub use vad::SileroVad;

use crate::provider::{ProviderError, Stt, Tts, Vad};
use std::sync::Arc;
use trunkline_engines::flite::Flite;
use trunkline_engines::pocketsphinx::Sphinx;

/// The speech engines of the process.
#[derive(Debug)]
pub struct Engines {
    voice: Result<Arc<tts::Speaker>, String>,
    ears: Result<Arc<ears::Ears>, String>,
}

impl Engines {
    /// Opens what is there and says in a sentence what is not (with the Debian packages to install);
    /// `None` when all is there. What is missing is refused later, where it is asked for.
    #[must_use]
    pub fn open() -> (Self, Option<String>) {
        let voice = Flite::open()
            .map_err(|error| error.to_string())
            .and_then(|flite| {
                tts::Speaker::start(flite).map_err(|error| format!("cannot start its thread: {error}"))
            })
            .map(Arc::new);
        let ears = Sphinx::open()
            .map_err(|error| error.to_string())
            .and_then(|sphinx| {
                ears::Ears::start(sphinx).map_err(|error| format!("cannot start its thread: {error}"))
            })
            .map(Arc::new);
        let faults: Vec<&str> =
            [voice.as_ref().err(), ears.as_ref().err()].into_iter().flatten().map(String::as_str).collect();
        let fault = (!faults.is_empty()).then(|| faults.join("; "));
        (Self { voice, ears }, fault)
    }

    /// A voice for one call.
    ///
    /// # Errors
    /// There is no voice on this machine.
    pub fn tts(&self) -> Result<Box<dyn Tts>, ProviderError> {
        match &self.voice {
            Ok(speaker) => Ok(Box::new(LocalTts::new(Arc::clone(speaker)))),
            Err(why) => Err(ProviderError::Unavailable { provider: "flite", why: why.clone() }),
        }
    }

    /// Ears for one call, at 8,000 Hz. `phrases` are what the caller is expected to say: they and everyday
    /// words are what can be heard. A decoder is made ready at once, so ask before the caller speaks.
    ///
    /// # Errors
    /// There is no speech recognition on this machine.
    pub fn stt(&self, phrases: &[String]) -> Result<Box<dyn Stt>, ProviderError> {
        match &self.ears {
            Ok(ears) => Ok(Box::new(LocalStt::new(Arc::clone(ears), ears.ear(phrases)))),
            Err(why) => Err(ProviderError::Unavailable { provider: "pocketsphinx", why: why.clone() }),
        }
    }

    /// Voice activity for one call.
    #[must_use]
    pub fn vad(&self) -> Box<dyn Vad> {
        Box::new(SileroVad::default())
    }

    /// Speaks a text into a buffer (mono, 8,000 Hz), on the thread that asks: about 10 ms a second of
    /// speech. `None` without a voice. What it made is kept, so that a call that says it waits for nothing.
    #[must_use]
    pub fn render(&self, text: &str) -> Option<Vec<i16>> {
        self.voice.as_ref().ok()?.render(text)
    }
}
