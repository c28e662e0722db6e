//! How words are pronounced: CMU's dictionary, as Debian's `pocketsphinx-en-us` ships it.

use crate::error::EngineError;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The dictionary's text; words are looked up by the set, in one pass over its 130,000 lines (about 5 ms).
pub struct Pronunciations {
    text: String,
}

impl std::fmt::Debug for Pronunciations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pronunciations").field("bytes", &self.text.len()).finish()
    }
}

impl Pronunciations {
    /// Reads it.
    ///
    /// # Errors
    /// The file is missing or not text; the error names the Debian package.
    pub fn read(path: &Path, package: &'static str) -> Result<Self, EngineError> {
        let text = std::fs::read_to_string(path).map_err(|error| EngineError::Model {
            engine: "pocketsphinx",
            path: path.display().to_string(),
            package,
            why: error.to_string(),
        })?;
        Ok(Self { text })
    }

    #[cfg(test)]
    fn from_text(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    /// The pronunciations of these words, each a string of phones. A word that is not in it is not in the
    /// answer.
    #[must_use]
    pub fn of<'w>(&self, words: impl IntoIterator<Item = &'w str>) -> HashMap<String, Vec<String>> {
        let wanted: HashSet<&str> = words.into_iter().collect();
        let mut found: HashMap<String, Vec<String>> = HashMap::new();
        for line in self.text.lines() {
            let Some((entry, phones)) = line.split_once(char::is_whitespace) else { continue };
            // `either(2)` is another way to say `either`.
            let word = entry.split_once('(').map_or(entry, |(word, _)| word);
            if wanted.contains(word) {
                found.entry(word.to_owned()).or_default().push(phones.trim().to_owned());
            }
        }
        found
    }
}

/// The words of a phrase as the dictionary spells them: lower case, apostrophes kept, figures as words.
#[must_use]
pub fn words_of(phrase: &str) -> Vec<String> {
    let mut out = Vec::new();
    for piece in crate::text::plain(phrase).split(|c: char| !(c.is_ascii_alphanumeric() || c == '\'')) {
        let word = piece.trim_matches('\'').to_ascii_lowercase();
        if word.bytes().any(|b| b.is_ascii_digit()) {
            out.extend(word.bytes().filter_map(figure).map(str::to_owned));
        } else if !word.is_empty() {
            out.push(word);
        }
    }
    out
}

fn figure(digit: u8) -> Option<&'static str> {
    Some(match digit {
        b'0' => "zero",
        b'1' => "one",
        b'2' => "two",
        b'3' => "three",
        b'4' => "four",
        b'5' => "five",
        b'6' => "six",
        b'7' => "seven",
        b'8' => "eight",
        b'9' => "nine",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_becomes_the_words_of_the_dictionary() {
        assert_eq!(words_of("What's your name, Zoë?"), ["what's", "your", "name", "zoe"]);
        assert_eq!(words_of("press 12 'now'"), ["press", "one", "two", "now"]);
        assert!(words_of(" — ?! ").is_empty());
    }

    #[test]
    fn a_word_has_every_pronunciation_that_the_dictionary_gives_it() {
        let dictionary = Pronunciations::from_text("either IY DH ER\neither(2) AY DH ER\nno N OW\n");
        let found = dictionary.of(["either", "xyzzy"]);
        assert_eq!(found["either"], ["IY DH ER", "AY DH ER"]);
        assert_eq!(found.len(), 1);
    }
}
