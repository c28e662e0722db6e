//! How much of what callers say is understood: `cargo run -p trunkline-agent --example understood -- FOLDER`.
//!
//! The folder holds speech as bare samples (mono, 8,000 Hz, 16 bits), each file named `INTENT__anything_SPEAKER.raw` (`none` for what
//! means nothing to the front desk). Each goes through µ-law, once as it is and once with white noise 20 dB
//! below it, into the recogniser and from there into the front desk.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example that prints its figures")]

use std::collections::BTreeMap;
use std::sync::Arc;
use trunkline_agent::dialogue::{Conversation, Dialogue};
use trunkline_agent::local::Engines;
use trunkline_agent::provider::{Generation, Stt, SttEvent};
use trunkline_media::codec::{Decoder, Encoder};
use trunkline_media::session::Codec;

const FRAME: usize = 160;
/// White noise 20 dB below speech.
const NOISE: f64 = 0.1;

fn samples(file: &std::path::Path) -> Vec<i16> {
    let bytes = std::fs::read(file).unwrap();
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// A telephone's way: noise, µ-law, and silence around it.
fn telephone(sound: &[i16], noise: f64) -> Vec<i16> {
    let loud = sound.iter().filter(|s| s.unsigned_abs() > 300).map(|s| f64::from(*s).powi(2));
    let (count, sum) = loud.fold((1.0, 0.0), |(n, sum), power| (n + 1.0, sum + power));
    // Uniform noise of the amplitude a has an effective value of a / √3.
    let amplitude = (sum / count).sqrt() * noise * 3f64.sqrt();
    let mut random = 1u64;
    let (mut encoder, mut decoder) = (Encoder::new(Codec::Pcmu).unwrap(), Decoder::new(Codec::Pcmu).unwrap());
    let (mut payload, mut frame, mut out) = ([0; FRAME], [0; FRAME], Vec::new());
    let whole = [&[0; 2_400], sound, &[0; 3_200]].concat();
    for piece in whole.chunks_exact(FRAME) {
        let noisy: Vec<i16> = piece
            .iter()
            .map(|sample| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let unit = (random >> 40) as f64 / f64::from(1 << 23) - 1.0;
                (f64::from(*sample) + unit * amplitude) as i16
            })
            .collect();
        let bytes = encoder.encode(&noisy, &mut payload).unwrap();
        let n = decoder.decode(&payload[..bytes], &mut frame).unwrap();
        out.extend_from_slice(&frame[..n]);
    }
    out
}

fn transcribe(stt: &mut dyn Stt, turn: u64, sound: &[i16]) -> (String, f32) {
    stt.start(Generation(turn));
    sound.chunks(FRAME).for_each(|frame| stt.push(frame));
    stt.finish();
    loop {
        match stt.poll() {
            Some(SttEvent::Final { text, confidence, .. }) => return (text, confidence.unwrap_or(0.0)),
            Some(SttEvent::Partial { .. }) | None => std::thread::yield_now(),
            Some(other) => return (format!("{other:?}"), 0.0),
        }
    }
}

/// What the front desk makes of it: the intent, or what it asks back.
fn meaning(dialogue: &Arc<Dialogue>, text: &str, confidence: f32) -> String {
    let mut talk = Conversation::new(Arc::clone(dialogue), Vec::new());
    talk.begin();
    let answer = talk.heard_as(text, Some(confidence));
    answer.decisions.first().map_or_else(String::new, |(what, _)| what.clone())
}

#[derive(Default)]
struct Tally {
    right: u32,
    asked: u32,
    wrong: u32,
    all: u32,
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let (engines, fault) = Engines::open();
    assert_eq!(fault, None);
    let dialogue = Arc::new(Dialogue::example());
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for (noise, kind) in [(0.0, "clean"), (NOISE, "noise")] {
        for file in &files {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let (intent, which) = name.split_once("__").unwrap();
            let speaker = which.split_once('_').map_or(which, |(_, speaker)| speaker);
            let sound = samples(file);
            // Each with ears of its own: nobody knows the line of a first sentence.
            let mut stt = engines.stt(dialogue.phrases()).unwrap();
            let (text, confidence) = transcribe(&mut *stt, 1, &telephone(&sound, noise));
            let meant = meaning(&dialogue, &text, confidence);
            let (right, asked) = if intent == "none" {
                (meant == "no match", meant.starts_with("guess"))
            } else {
                (meant == format!("intent {intent}") || meant == intent, meant == format!("guess {intent}"))
            };
            let wrong = !right && !asked && (intent == "none" || meant != "no match");
            let class = if intent == "none" { "none" } else { speaker };
            for key in [
                format!("{kind} {class}"),
                format!("{kind} {}", if intent == "none" { "nonsense" } else { "ALL" }),
            ] {
                let tally = tallies.entry(key).or_default();
                tally.right += u32::from(right);
                tally.asked += u32::from(asked);
                tally.wrong += u32::from(wrong);
                tally.all += 1;
            }
            let sign = if right {
                '+'
            } else if asked {
                '?'
            } else if wrong {
                '!'
            } else {
                '-'
            };
            println!("{sign} {kind} {name}: {text:?} {confidence:.2} -> {meant}");
        }
    }
    println!("{:40} {:>6} {:>6} {:>6} {:>6}", "", "right", "asked", "wrong", "of");
    for (key, Tally { right, asked, wrong, all }) in tallies {
        println!("{key:40} {right:>6} {asked:>6} {wrong:>6} {all:>6}");
    }
}
