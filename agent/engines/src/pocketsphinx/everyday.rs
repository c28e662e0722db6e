//! Everyday words with their probabilities, out of the language model that comes with the library: two
//! thousand words are nine tenths of what is said on a telephone, and cost a sixtieth of its 72,000.

use super::api::Api;
use super::{ENGINE, MODEL_PACKAGE};
use crate::error::EngineError;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// How many are kept.
const KEPT: usize = 2_000;
/// The library's own choice.
const LOG_BASE: f64 = 1.0001;
/// `NGRAM_AUTO`: the file says what it is.
const ANY_FORMAT: i32 = 0;

/// Reads the model (27 MB, about 60 ms), keeps its likeliest words and lets go of it.
pub(super) fn words(api: &Api, model: &Path) -> Result<Vec<(String, f64)>, EngineError> {
    let unreadable = || EngineError::Model {
        engine: ENGINE,
        path: model.display().to_string(),
        package: MODEL_PACKAGE,
        why: "it is no language model".to_owned(),
    };
    let path = CString::new(model.as_os_str().as_bytes()).map_err(|_| unreadable())?;
    let mut words = Vec::new();
    // SAFETY: both objects are made here and freed once, here; the words are copied before that; the ids
    // asked for are below the count that the model states.
    unsafe {
        let logarithm = (api.init_logmath)(LOG_BASE, 0, 0);
        let ngrams = (api.read_ngrams)(std::ptr::null_mut(), path.as_ptr(), ANY_FORMAT, logarithm);
        if ngrams.is_null() {
            (api.free_logmath)(logarithm);
            return Err(unreadable());
        }
        let count = (api.count_ngrams)(ngrams);
        let count = if count.is_null() { 0 } else { i32::try_from(*count).unwrap_or(0) };
        for id in 0..count {
            let word = (api.word_of)(ngrams, id);
            if !word.is_null()
                && let Ok(word) = CStr::from_ptr(word).to_str()
                && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'\'')
            {
                let mut used = 0;
                let score = (api.score_of)(ngrams, id, std::ptr::null(), 0, &raw mut used);
                words.push((word.to_owned(), (api.exp)(logarithm, score)));
            }
        }
        (api.free_ngrams)(ngrams);
        (api.free_logmath)(logarithm);
    }
    words.sort_by(|a, b| b.1.total_cmp(&a.1));
    words.truncate(KEPT);
    Ok(words)
}
