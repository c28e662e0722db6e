//! Text out of speech: pocketsphinx, as Debian's `libpocketsphinx3` and `pocketsphinx-en-us` ship it.
//!
//! [`Sphinx`] holds what is shared (functions, dictionary, everyday words), a [`Vocabulary`] is what a
//! dialogue expects to hear, a [`Decoder`] listens with one vocabulary to one caller at a time.

mod api;
mod channel;
mod decoder;
mod everyday;
mod vocabulary;

pub use channel::Channel;
pub use decoder::{Decoder, Heard};
pub use vocabulary::Vocabulary;

use crate::error::EngineError;
use crate::pronunciation::Pronunciations;
use api::Api;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const ENGINE: &str = "pocketsphinx";
const LIBRARY_PACKAGE: &str = "libpocketsphinx3";
const MODEL_PACKAGE: &str = "pocketsphinx-en-us";
/// Where distributions put it, most likely first.
const FOLDERS: [&str; 3] = [
    "/usr/share/pocketsphinx/model/en-us",
    "/usr/local/share/pocketsphinx/model/en-us",
    "/usr/share/pocketsphinx/en-us",
];
/// What the acoustic model consists of. The library ends the process over some of these, so it is not
/// asked before all are known to be there.
const ACOUSTIC: [&str; 7] =
    ["feat.params", "mdef", "means", "noisedict", "sendump", "transition_matrices", "variances"];

/// The library and its English model.
#[derive(Clone)]
pub struct Sphinx {
    api: Api,
    acoustic: PathBuf,
    pronunciations: Arc<Pronunciations>,
    everyday: Arc<[(String, f64)]>,
}

impl std::fmt::Debug for Sphinx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sphinx").field("acoustic", &self.acoustic).finish_non_exhaustive()
    }
}

impl Sphinx {
    /// Loads the library and looks for the model in the usual folders.
    ///
    /// # Errors
    /// The library or the model is missing; the error names the Debian package.
    pub fn open() -> Result<Self, EngineError> {
        let folder = FOLDERS.iter().map(Path::new).find(|folder| folder.is_dir());
        Self::open_model(folder.unwrap_or(Path::new(FOLDERS[0])))
    }

    /// Loads the library, with the model in this folder (`en-us/`, `cmudict-en-us.dict`, `en-us.lm.bin`).
    ///
    /// # Errors
    /// As [`Sphinx::open`].
    pub fn open_model(folder: &Path) -> Result<Self, EngineError> {
        let api = Api::open()?;
        let acoustic = folder.join("en-us");
        let language = folder.join("en-us.lm.bin");
        for file in ACOUSTIC.iter().map(|name| acoustic.join(name)).chain([language.clone()]) {
            std::fs::File::open(&file).map_err(|error| EngineError::Model {
                engine: ENGINE,
                path: file.display().to_string(),
                package: MODEL_PACKAGE,
                why: error.to_string(),
            })?;
        }
        let pronunciations = Pronunciations::read(&folder.join("cmudict-en-us.dict"), MODEL_PACKAGE)?;
        let everyday = everyday::words(&api, &language)?;
        Ok(Self { api, acoustic, pronunciations: Arc::new(pronunciations), everyday: everyday.into() })
    }

    /// What a dialogue expects to hear, over everyday words.
    ///
    /// # Errors
    /// The model of it could not be written to the temporary folder, where the library reads it.
    pub fn vocabulary(&self, phrases: &[String]) -> Result<Vocabulary, EngineError> {
        Vocabulary::new(phrases, &self.everyday, &self.pronunciations)
    }

    /// A decoder that listens with a vocabulary. Takes some 100 ms: make it on a worker's thread.
    ///
    /// # Errors
    /// The library refuses; it does not say why.
    pub fn decoder(&self, vocabulary: &Vocabulary) -> Result<Decoder, EngineError> {
        Decoder::new(self.api, &self.acoustic, vocabulary)
    }
}
