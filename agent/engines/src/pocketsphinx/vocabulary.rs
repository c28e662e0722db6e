//! What can be heard: words with their pronunciations, and which are likely after which.

use super::ENGINE;
use crate::error::EngineError;
use crate::language_model::{self, BEGIN, END};
use crate::pronunciation::{Pronunciations, words_of};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use tempfile::NamedTempFile;

/// How people begin to say what they want.
const OPENINGS: [&str; 24] = [
    "could you tell me",
    "can you tell me",
    "could you",
    "can you",
    "can i",
    "could i",
    "please",
    "i would like to",
    "i'd like to",
    "i want to",
    "i need to",
    "i have a question",
    "do you have",
    "do you know",
    "is there",
    "are there",
    "hello",
    "hi",
    "good morning",
    "excuse me",
    "sorry",
    "okay",
    "my name is",
    "thank you",
];
/// How they end it.
const ENDINGS: [&str; 7] =
    ["please", "thank you", "yes please", "no thank you", "no thanks", "that's all", "that is all"];

/// A dialogue's vocabulary, ready for decoders.
#[derive(Debug)]
pub struct Vocabulary {
    /// `word` or `word(2)`, and its phones.
    pub(super) words: Vec<(CString, CString)>,
    pub(super) model: ModelFile,
    unknown: Vec<String>,
}

impl Vocabulary {
    pub(super) fn new(
        phrases: &[String],
        everyday: &[(String, f64)],
        dictionary: &Pronunciations,
    ) -> Result<Self, EngineError> {
        let phrases: Vec<Vec<String>> = phrases.iter().map(|phrase| words_of(phrase)).collect();
        let wanted: BTreeSet<&str> = phrases.iter().flatten().map(String::as_str).collect();
        let everyday_words = everyday.iter().map(|(word, _)| word.as_str());
        let manners = OPENINGS.iter().chain(&ENDINGS).flat_map(|phrase| phrase.split(' '));
        let known = dictionary.of(wanted.iter().copied().chain(everyday_words).chain(manners));
        let unknown: Vec<String> =
            wanted.iter().filter(|word| !known.contains_key(**word)).map(|word| (*word).to_owned()).collect();
        let phrases = lines(phrases, |word| known.contains_key(word));
        let background: Vec<_> =
            everyday.iter().filter(|(word, _)| known.contains_key(word)).cloned().collect();
        let mut words = Vec::new();
        for (word, pronunciations) in &known {
            for (n, phones) in pronunciations.iter().enumerate() {
                let entry = if n == 0 { word.clone() } else { format!("{word}({})", n + 1) };
                if let (Ok(entry), Ok(phones)) = (CString::new(entry), CString::new(phones.as_str())) {
                    words.push((entry, phones));
                }
            }
        }
        // `word(2)` may only follow `word`.
        words.sort();
        let model = ModelFile::write(&language_model::arpa(&phrases, &background))?;
        Ok(Self { words, model, unknown })
    }

    /// Words of the phrases that the dictionary does not know, so that they are never heard.
    #[must_use]
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

/// What is said, as the language model counts it: the dialogue's phrases, whole, and what people put before
/// and after them.
fn lines(phrases: Vec<Vec<String>>, known: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let (begin, end) = (|| vec![BEGIN.to_owned()], || vec![END.to_owned()]);
    let mut lines = Vec::new();
    for mut phrase in phrases {
        phrase.retain(|word| known(word));
        if !phrase.is_empty() {
            lines.push([begin(), phrase, end()].concat());
        }
    }
    lines.extend(OPENINGS.iter().map(|phrase| [begin(), words_of(phrase)].concat()));
    lines.extend(ENDINGS.iter().map(|phrase| [words_of(phrase), end()].concat()));
    lines
}

/// A language model where the library can read it: it takes a path and nothing else. Its name is random: in a
/// container every process has the same number, and what one that was killed left behind must be in nobody's way.
#[derive(Debug)]
pub(super) struct ModelFile(NamedTempFile);

impl ModelFile {
    fn write(text: &str) -> Result<Self, EngineError> {
        let folder = std::env::temp_dir();
        let failed = |error: std::io::Error| EngineError::Scratch {
            engine: ENGINE,
            path: folder.join("trunkline-*.lm").display().to_string(),
            why: error.to_string(),
        };
        let named = tempfile::Builder::new().prefix("trunkline-").suffix(".lm").tempfile_in(&folder);
        let mut file = named.map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        Ok(Self(file))
    }

    pub(super) fn path(&self) -> Option<CString> {
        CString::new(self.0.path().as_os_str().as_bytes()).ok()
    }
}

#[cfg(test)]
mod model_files {
    use super::*;

    #[test]
    fn what_a_process_that_was_killed_left_behind_is_in_nobodys_way() {
        // In a container every process has the same number.
        let names = (0..64).map(|n| format!("trunkline-{}-{n}.lm", std::process::id()));
        let left: Vec<std::path::PathBuf> = names.map(|name| std::env::temp_dir().join(name)).collect();
        left.iter().for_each(|path| drop(std::fs::write(path, "left behind")));
        let written = ModelFile::write("a model");
        left.iter().for_each(|path| drop(std::fs::remove_file(path)));
        let path = written.unwrap().path().unwrap();
        assert!(!path.to_string_lossy().is_empty());
    }
}
