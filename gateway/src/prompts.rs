//! What callers are told by the gateway itself: files of the house (`prompts`), else a voice where there is one,
//! else tones.
//!
//! The voice takes a second to speak all of it, so a thread does that at the start; until it is through,
//! and on a machine without a voice, the tones stand in: everybody knows a ring and a failure.

use crate::wav;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use trunkline_media::event::Prompt;

/// What can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptName {
    EnterPin,
    WrongPin,
    LastWrongPin,
    NoAgent,
    /// The PIN was right.
    RoomJoin,
    /// One period of the ringing tone.
    Ringback,
}

impl PromptName {
    const ALL: [Self; 6] =
        [Self::EnterPin, Self::WrongPin, Self::LastWrongPin, Self::NoAgent, Self::RoomJoin, Self::Ringback];

    /// Its key under `prompts`.
    fn key(self) -> &'static str {
        match self {
            Self::EnterPin => "enter_pin",
            Self::WrongPin => "wrong_pin",
            Self::LastWrongPin => "last_wrong_pin",
            Self::NoAgent => "no_agent",
            Self::RoomJoin => "room_join",
            Self::Ringback => "ringback",
        }
    }

    /// What a voice says; `None`: a tone by nature.
    fn text(self) -> Option<&'static str> {
        match self {
            Self::EnterPin => Some("Please enter your PIN, and then press pound."),
            Self::WrongPin => Some("That PIN is wrong. Please try again, and then press pound."),
            Self::LastWrongPin => Some("That PIN is wrong. Goodbye."),
            Self::NoAgent => {
                Some("I am sorry, nobody can take your call at the moment. Please call again later.")
            }
            Self::RoomJoin | Self::Ringback => None,
        }
    }

    /// Tones as (Hz or 0, milliseconds).
    fn tones(self) -> &'static [(f32, u32)] {
        match self {
            Self::EnterPin => &[(1000.0, 200), (0.0, 100), (1000.0, 200)],
            Self::WrongPin => &[(400.0, 400), (0.0, 200), (1000.0, 200), (0.0, 100), (1000.0, 200)],
            Self::LastWrongPin | Self::NoAgent => &[(950.0, 330), (1400.0, 330), (1800.0, 330)],
            Self::RoomJoin => &[(660.0, 120), (880.0, 200)],
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

/// A file that cannot be a prompt.
#[derive(Debug, thiserror::Error)]
#[error("prompts.{key}: {path}: {why}")]
pub struct PromptError {
    key: String,
    path: String,
    why: String,
}

impl PromptShelf {
    /// Tones for everything.
    pub fn new() -> Self {
        Self {
            spoken: Arc::new(std::array::from_fn(|_| OnceLock::new())),
            tones: Arc::new(PromptName::ALL.map(|name| Arc::new(tone(name.tones())))),
        }
    }

    /// The house's own files (WAV, 16 bit, mono or stereo, any usual rate) in place of words and tones.
    ///
    /// # Errors
    /// The file that cannot be read, by its key.
    pub fn with_files(files: &BTreeMap<String, PathBuf>) -> Result<Self, PromptError> {
        let shelf = Self::new();
        for (name, place) in PromptName::ALL.into_iter().zip(shelf.spoken.iter()) {
            let Some(path) = files.get(name.key()) else { continue };
            let fault =
                |why: String| PromptError { key: name.key().into(), path: path.display().to_string(), why };
            let samples = wav::read(path, RATE).map_err(fault)?;
            if samples.len() > LONGEST {
                return Err(fault(format!("expected at most {} s of sound", LONGEST / RATE as usize)));
            }
            let _ = place.set(Arc::new(Prompt { rate: RATE, samples }));
        }
        Ok(shelf)
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
/// Two minutes: every prompt is kept in memory.
const LONGEST: usize = 120 * RATE as usize;

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
    fn a_file_of_the_house_goes_before_the_voice_and_a_file_that_is_none_is_told_by_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("enter.wav");
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(&path, spec).unwrap();
        (0..16_000).for_each(|_| file.write_sample(500_i16).unwrap());
        file.finalize().unwrap();
        let files = |path: &std::path::Path| BTreeMap::from([("enter_pin".to_owned(), path.to_path_buf())]);
        let shelf = PromptShelf::with_files(&files(&path)).unwrap();
        shelf.speak(|_| Some(vec![1]));
        let said = shelf.get(PromptName::EnterPin);
        assert!(
            (7_900..=8_000).contains(&said.samples.len()),
            "a second at 8,000 Hz: {}",
            said.samples.len()
        );
        let missing =
            PromptShelf::with_files(&files(&folder.path().join("none.wav"))).unwrap_err().to_string();
        assert!(missing.starts_with("prompts.enter_pin: ") && missing.contains("none.wav"), "{missing}");
    }

    #[test]
    fn with_a_voice_the_words_are_played_but_ringing_stays_a_tone() {
        let shelf = PromptShelf::new();
        shelf.speak(|text| Some(vec![1; text.len()]));
        assert!(shelf.get(PromptName::WrongPin).samples.iter().all(|s| *s == 1));
        assert_eq!(shelf.get(PromptName::Ringback).samples.len(), 8 * 5000);
    }
}
