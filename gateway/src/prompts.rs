//! What callers are told by the gateway itself, in a voice where there is one, else in tones.
//!
//! The voice takes a second to speak all of it, so a thread does that at the start; until it is through,
//! and on a machine without a voice, the tones stand in: everybody knows a ring and a failure.

use std::sync::{Arc, OnceLock};
use trunkline_media::event::Prompt;

/// What can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptName {
    EnterPin,
    WrongPin,
    LastWrongPin,
    NoAgent,
    /// One period of the ringing tone.
    Ringback,
}

impl PromptName {
    const ALL: [Self; 5] =
        [Self::EnterPin, Self::WrongPin, Self::LastWrongPin, Self::NoAgent, Self::Ringback];

    /// What a voice says; `None`: a tone by nature.
    fn text(self) -> Option<&'static str> {
        match self {
            Self::EnterPin => Some("Please enter your PIN, and then press pound."),
            Self::WrongPin => Some("That PIN is wrong. Please try again, and then press pound."),
            Self::LastWrongPin => Some("That PIN is wrong. Goodbye."),
            Self::NoAgent => {
                Some("I am sorry, nobody can take your call at the moment. Please call again later.")
            }
            Self::Ringback => None,
        }
    }

    /// Tones as (Hz or 0, milliseconds).
    fn tones(self) -> &'static [(f32, u32)] {
        match self {
            Self::EnterPin => &[(1000.0, 200), (0.0, 100), (1000.0, 200)],
            Self::WrongPin => &[(400.0, 400), (0.0, 200), (1000.0, 200), (0.0, 100), (1000.0, 200)],
            Self::LastWrongPin | Self::NoAgent => &[(950.0, 330), (1400.0, 330), (1800.0, 330)],
            Self::Ringback => &[(425.0, 1000), (0.0, 4000)],
        }
    }
}

/// All prompts; cheap to clone.
#[derive(Debug, Clone)]
pub struct PromptShelf {
    spoken: Arc<[OnceLock<Arc<Prompt>>; PromptName::ALL.len()]>,
    tones: Arc<[Arc<Prompt>; PromptName::ALL.len()]>,
}

impl PromptShelf {
    /// Tones for everything.
    pub fn new() -> Self {
        Self {
            spoken: Arc::new(std::array::from_fn(|_| OnceLock::new())),
            tones: Arc::new(PromptName::ALL.map(|name| Arc::new(tone(name.tones())))),
        }
    }

    /// Puts what the voice says in place of the tones; takes as long as the voice takes.
    pub fn speak(&self, voice: impl Fn(&str) -> Option<Vec<i16>>) {
        for (name, place) in PromptName::ALL.into_iter().zip(self.spoken.iter()) {
            if let Some(samples) = name.text().and_then(&voice) {
                // Filled once; a second voice changes nothing.
                let _ = place.set(Arc::new(Prompt { rate: RATE, samples }));
            }
        }
    }

    /// What to play.
    pub fn get(&self, name: PromptName) -> Arc<Prompt> {
        let index = PromptName::ALL.iter().position(|n| *n == name).unwrap_or_default();
        let spoken = self.spoken.get(index).and_then(OnceLock::get);
        let any = spoken.or_else(|| self.tones.get(index)).cloned();
        any.unwrap_or_else(|| Arc::new(Prompt { rate: RATE, samples: Vec::new() }))
    }
}

/// The rate of every prompt, in Hz.
const RATE: u32 = 8_000;

fn tone(parts: &[(f32, u32)]) -> Prompt {
    const LOUDNESS: f32 = 8_000.0;
    let mut samples = Vec::new();
    for (hertz, milliseconds) in parts {
        let count = RATE / 1000 * milliseconds;
        samples.extend((0..count).map(|n| {
            let phase = std::f32::consts::TAU * hertz * n as f32 / RATE as f32;
            (phase.sin() * LOUDNESS) as i16
        }));
    }
    Prompt { rate: RATE, samples }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_voice_there_are_tones() {
        let shelf = PromptShelf::new();
        shelf.speak(|_| None);
        assert_eq!(shelf.get(PromptName::EnterPin).samples.len(), 8 * 500);
    }

    #[test]
    fn with_a_voice_the_words_are_played_but_ringing_stays_a_tone() {
        let shelf = PromptShelf::new();
        shelf.speak(|text| Some(vec![1; text.len()]));
        assert!(shelf.get(PromptName::WrongPin).samples.iter().all(|s| *s == 1));
        assert_eq!(shelf.get(PromptName::Ringback).samples.len(), 8 * 5000);
    }
}
