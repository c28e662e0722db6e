//! flite through the real library: `apt install libflite1`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use trunkline_engines::flite::{Flite, Voice};
use trunkline_engines::silero::{Silero, WINDOW};

fn open(voice: Voice) -> Flite {
    Flite::open_voice(voice).unwrap_or_else(|error| panic!("{error}"))
}

fn seconds(samples: &[i16]) -> f32 {
    samples.len() as f32 / 8_000.0
}

#[test]
fn every_voice_speaks_at_eight_thousand_hertz_what_the_ear_takes_for_speech() {
    for voice in [Voice::Slt, Voice::Rms, Voice::Awb, Voice::Kal] {
        let sound = open(voice).speak("Thank you for calling. Which department do you want?").unwrap();
        assert!((1.8..5.0).contains(&seconds(&sound)), "{voice:?}: {} s", seconds(&sound));
        let mut vad = Silero::new();
        let heard = sound.chunks_exact(WINDOW).filter(|w| vad.probability(w) > 0.5).count();
        let share = heard as f32 / (sound.len() / WINDOW) as f32;
        assert!(share > 0.5, "{voice:?}: {share} of the windows are speech");
    }
}

#[test]
fn a_text_without_a_word_makes_no_sound() {
    let flite = open(Voice::Slt);
    assert!(flite.speak("").unwrap().is_empty());
    assert!(flite.speak(" … — ☎ ").unwrap().is_empty());
}

#[test]
fn hostile_text_is_spoken_or_left_out_and_nothing_worse() {
    let flite = open(Voice::Kal);
    for text in [
        "%s%n\0%x",
        "<speak><audio src=\"/etc/passwd\"/></speak>",
        "日本語",
        "\u{202e}abc",
        "((((",
        "$1,000,000.00",
    ] {
        flite.speak(text).unwrap();
    }
    flite.speak(&"x".repeat(3_000)).unwrap();
    flite.speak(&"1".repeat(300)).unwrap();
}

/// The breath in a voice is random; its length and its level every 20 ms are not.
fn outline(samples: &[i16]) -> Vec<f32> {
    let level = |piece: &[i16]| (piece.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / 160.0).sqrt();
    samples.chunks(160).map(level).collect()
}

#[test]
fn two_threads_hear_what_one_would() {
    let flite = open(Voice::Slt);
    let texts = ["Please hold the line.", "Your number is five five five one two three."];
    let alone: Vec<_> = texts.iter().map(|text| flite.speak(text).unwrap()).collect();
    std::thread::scope(|scope| {
        for (text, alone) in texts.iter().zip(&alone) {
            let flite = &flite;
            scope.spawn(move || {
                for _ in 0..3 {
                    let again = flite.speak(text).unwrap();
                    assert_eq!(again.len(), alone.len(), "{text}");
                    let off =
                        outline(&again).iter().zip(outline(alone)).map(|(a, b)| (a - b).abs()).sum::<f32>();
                    assert!(
                        off < 0.2 * outline(alone).iter().sum::<f32>(),
                        "another sound for {text}: {off}"
                    );
                }
            });
        }
    });
}
