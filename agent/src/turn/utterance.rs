//! What the caller is saying, as far as it is known: the voice, and the words in one or more pieces.

use super::{Meaning, Time, Timing};
use crate::provider::Generation;
use std::time::Duration;

/// Where recognition stands with the piece that is being said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    /// It listens.
    On,
    /// Its result is awaited since then.
    Finishing(Time),
    /// Its result is there.
    Off,
}

#[derive(Debug)]
pub(super) struct Utterance {
    /// Of the piece that is being recognised.
    pub generation: Generation,
    pub hearing: Hearing,
    pub voice: bool,
    /// When voice was last switched on or off.
    edge: Time,
    voiced: Duration,
    /// Results of the pieces so far.
    pub text: String,
    /// What the last piece seems to be.
    pub partial: String,
    pub confidence: Option<f32>,
    /// Of all that was heard.
    pub meaning: Meaning,
    /// It has been found to be noise: it pauses nobody any more.
    pub noise: bool,
}

impl Utterance {
    pub(super) fn new(generation: Generation, now: Time) -> Self {
        Self {
            generation,
            hearing: Hearing::On,
            voice: true,
            edge: now,
            voiced: Duration::ZERO,
            text: String::new(),
            partial: String::new(),
            confidence: None,
            meaning: Meaning::Unclear,
            noise: false,
        }
    }

    pub(super) fn set_voice(&mut self, now: Time, on: bool) {
        if self.voice && !on {
            self.voiced += now.saturating_sub(self.edge);
        }
        if self.voice != on {
            self.voice = on;
            self.edge = now;
        }
    }

    /// Voice in all, pauses left out: a pause between the first words does not begin the count anew.
    pub(super) fn voiced(&self, now: Time) -> Duration {
        self.voiced + if self.voice { now.saturating_sub(self.edge) } else { Duration::ZERO }
    }

    pub(super) fn silence(&self, now: Time) -> Duration {
        if self.voice { Duration::ZERO } else { now.saturating_sub(self.edge) }
    }

    /// When the voice ended.
    pub(super) fn ended(&self, now: Time) -> Time {
        if self.voice { now } else { self.edge }
    }

    pub(super) fn next_piece(&mut self, generation: Generation) {
        self.generation = generation;
        self.hearing = Hearing::On;
        self.meaning = Meaning::Unclear;
    }

    /// A result, or what is taken for one.
    pub(super) fn add(&mut self, text: &str) {
        let text = text.trim();
        if !self.text.is_empty() && !text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.partial.clear();
        self.hearing = Hearing::Off;
    }

    pub(super) fn has_words(&self) -> bool {
        !self.text.is_empty() || !self.partial.is_empty()
    }

    /// It claims the turn from an agent that speaks: by words, not by "uh-huh", nor by a cough that was
    /// taken for a word.
    pub(super) fn claims_the_turn(&self, now: Time, timing: &Timing) -> bool {
        let any = |says: fn(&str) -> bool| says(&self.text) || says(&self.partial);
        if self.meaning == Meaning::Unclear {
            any(tells) && self.voiced(now) >= timing.speech
        } else {
            any(claims)
        }
    }

    /// It wants an answer from an agent that is silent.
    pub(super) fn wants_an_answer(&self, now: Time, timing: &Timing) -> bool {
        let told = tells(&self.text) || tells(&self.partial);
        let word = (told && self.voiced(now) >= timing.word)
            || (self.has_words() && self.meaning != Meaning::Unclear);
        word || self.voiced(now) >= timing.speech
    }
}

/// Sounds of a listener: they interrupt nobody.
const BACKCHANNELS: [&str; 14] =
    ["uh", "huh", "uhuh", "um", "hm", "hmm", "mm", "mhm", "mmm", "ah", "aha", "oh", "er", "eh"];

/// What a recogniser makes of a cough, a door or a hiss. Alone they mean nothing to anybody.
const LITTLE: [&str; 40] = [
    "a", "add", "an", "and", "are", "as", "at", "be", "but", "by", "for", "had", "has", "have", "he", "her",
    "his", "i", "i'm", "if", "in", "is", "it", "it's", "of", "on", "or", "so", "than", "that", "the", "them",
    "then", "they", "this", "to", "was", "we", "with", "you",
];

/// Words, and not only the sounds of a listener.
fn claims(text: &str) -> bool {
    words(text).any(|word| !one_of(&BACKCHANNELS, word))
}

/// Words that are not little ones only.
fn tells(text: &str) -> bool {
    words(text).any(|word| !one_of(&BACKCHANNELS, word) && !one_of(&LITTLE, word))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '\'')).filter(|word| !word.is_empty())
}

fn one_of(list: &[&str], word: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(word))
}
