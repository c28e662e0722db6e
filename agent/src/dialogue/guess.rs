//! What might have been meant when no phrase fits: one that sounds like what was heard, or one that a
//! telling word belongs to.

use super::sound::{distance, sounds_of};
use super::{Dialogue, Intent};

/// A guess.
#[derive(Debug)]
pub(super) struct Guess<'a> {
    /// Its place in the dialogue.
    pub at: usize,
    pub intent: &'a Intent,
    /// What led to it, as the file spells it.
    pub phrase: &'a str,
    /// So near that nobody needs to ask.
    pub near: bool,
    apart: f32,
}

/// Sounds that differ in less than this share are the same, badly heard …
const NEAR: f32 = 0.13;
/// … if there are so many of them; of fewer each counts more.
const MANY_SOUNDS: usize = 7;
/// In more than this share they mean something else; of few sounds, in more than that.
const FAR: f32 = 0.3;
const FAR_OF_FEW: f32 = 0.2;
/// A word of which more than this share differs is another word.
const OTHER_WORD: f32 = 0.4;
/// What a telling word alone is worth.
const TELLING: f32 = 0.25;
/// A phrase of fewer sounds is found in anything.
const SOUNDS: usize = 5;
/// So many words more or less than the phrase has may be what was heard of it.
const SPREAD: usize = 2;

/// Words of an utterance in which something is looked for.
const LONGEST: usize = 12;

/// Words that stand everywhere and tell nothing of what is wanted.
const LITTLE: [&str; 58] = [
    "a",
    "about",
    "am",
    "an",
    "and",
    "are",
    "at",
    "be",
    "been",
    "can",
    "could",
    "did",
    "do",
    "does",
    "for",
    "find",
    "from",
    "get",
    "good",
    "have",
    "leave",
    "here",
    "how",
    "i",
    "in",
    "is",
    "it",
    "like",
    "make",
    "me",
    "more",
    "my",
    "of",
    "on",
    "one",
    "please",
    "say",
    "something",
    "tell",
    "that",
    "the",
    "there",
    "this",
    "to",
    "want",
    "was",
    "what",
    "whats",
    "thats",
    "all",
    "you",
    "when",
    "where",
    "who",
    "will",
    "with",
    "would",
    "your",
];

/// The likeliest intent that can be asked about.
pub(super) fn guess<'a>(dialogue: &'a Dialogue, heard: &[String]) -> Option<Guess<'a>> {
    // Something sounds like anything in a long story.
    if heard.len() > LONGEST {
        return None;
    }
    let all = dialogue.intents.iter().enumerate().filter(|(_, intent)| intent.about.is_some());
    let guesses = all.flat_map(|(at, intent)| {
        intent.phrases.iter().filter(|phrase| phrase.slot.is_none()).map(move |phrase| {
            let told = phrase.words.iter().any(|word| heard.contains(word) && tells(dialogue, at, word));
            let many = sounds_of(&phrase.words).len() >= MANY_SOUNDS;
            let apart = nearest(heard, &phrase.words);
            let apart = if apart < if many { FAR } else { FAR_OF_FEW } { apart } else { f32::INFINITY };
            let apart = if told { apart.min(TELLING) } else { apart };
            // What cannot be taken back is asked about, however well it was heard.
            let harmless = !intent.reply.sends_away();
            let near = harmless && many && phrase.words.len() > 1 && apart < NEAR;
            Guess { at, intent, phrase: &phrase.spelled, near, apart }
        })
    });
    guesses
        .filter(|guess| guess.apart.is_finite())
        .reduce(|best, next| if next.apart < best.apart { next } else { best })
}

/// The words of one intent only say what is wanted.
fn tells(dialogue: &Dialogue, intent: usize, word: &String) -> bool {
    let elsewhere = || {
        let others = dialogue.intents.iter().enumerate().filter(|(at, _)| *at != intent);
        others.flat_map(|(_, other)| &other.phrases).any(|phrase| phrase.words.contains(word))
    };
    word.len() > 3 && !LITTLE.contains(&word.as_str()) && !elsewhere()
}

/// How far the phrase is from the run of heard words that sounds most like it.
fn nearest(heard: &[String], phrase: &[String]) -> f32 {
    let wanted = sounds_of(phrase);
    if wanted.len() < SOUNDS || !phrase.iter().any(|word| sounds_in(heard, word)) {
        return f32::INFINITY;
    }
    let lengths = phrase.len().saturating_sub(SPREAD).max(1)..=phrase.len() + SPREAD;
    let runs = lengths.flat_map(|length| heard.windows(length));
    runs.map(|run| distance(&sounds_of(run), &wanted)).fold(f32::INFINITY, f32::min)
}

/// Does one of the heard words, or two of them together, sound like this word, and does it tell anything?
fn sounds_in(heard: &[String], word: &String) -> bool {
    let wanted = sounds_of(std::slice::from_ref(word));
    let near = |run: &[String]| distance(&sounds_of(run), &wanted) <= OTHER_WORD;
    word.len() > 2
        && !LITTLE.contains(&word.as_str())
        && (heard.windows(1).any(near) || heard.windows(2).any(near))
}
