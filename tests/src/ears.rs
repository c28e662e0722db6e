//! What was heard: tones by Goertzel, speech by Whisper in another process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One channel of a 16-bit WAV file, and its rate. Channel 0 is left.
#[must_use]
pub fn channel(path: &Path, channel: usize) -> (Vec<i16>, u32) {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let u16_at = |n: usize| u16::from_le_bytes([bytes[n], bytes[n + 1]]);
    let u32_at = |n: usize| u32::from_le_bytes([bytes[n], bytes[n + 1], bytes[n + 2], bytes[n + 3]]);
    assert_eq!(&bytes[..4], b"RIFF", "{} is no WAV file", path.display());
    let (mut at, mut channels, mut rate) = (12, 1, 8000);
    while at + 8 <= bytes.len() {
        let size = u32_at(at + 4) as usize;
        match &bytes[at..at + 4] {
            b"fmt " => {
                channels = usize::from(u16_at(at + 10)).max(1);
                rate = u32_at(at + 12);
            }
            b"data" => {
                let end = (at + 8 + size).min(bytes.len());
                let samples = bytes[at + 8..end]
                    .chunks_exact(2 * channels)
                    .map(|f| {
                        i16::from_le_bytes([
                            f[2 * channel.min(channels - 1)],
                            f[2 * channel.min(channels - 1) + 1],
                        ])
                    })
                    .collect();
                return (samples, rate);
            }
            _ => {}
        }
        at += 8 + size + size % 2;
    }
    panic!("{} has no data", path.display());
}

/// The share of a piece of sound's energy that lies at one frequency: 1.0 is a pure tone.
#[must_use]
pub fn share_at(samples: &[i16], rate: u32, hertz: f64) -> f64 {
    let energy: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    if energy < 1.0 {
        return 0.0;
    }
    let coefficient = 2.0 * (2.0 * std::f64::consts::PI * hertz / f64::from(rate)).cos();
    let (mut s1, mut s2) = (0.0, 0.0);
    for sample in samples {
        let s0 = f64::from(*sample) + coefficient * s1 - s2;
        (s2, s1) = (s1, s0);
    }
    let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    2.0 * power / (energy * samples.len() as f64)
}

/// The highest share of energy at one frequency that any half second of a channel had; silence before and
/// after does not count against it.
#[must_use]
pub fn tone_heard(path: &Path, side: usize, hertz: f64) -> f64 {
    let (samples, rate) = channel(path, side);
    let window = rate as usize / 2;
    samples
        .chunks_exact(window)
        .filter(|w| rms(w) > 100.0)
        .map(|w| share_at(w, rate, hertz))
        .fold(0.0, f64::max)
}

/// Root mean square of a piece of sound, full scale 32,768.
#[must_use]
pub fn rms(samples: &[i16]) -> f64 {
    let energy: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    (energy / samples.len().max(1) as f64).sqrt()
}

/// What Whisper understands of one channel, in lower case without punctuation.
#[must_use]
pub fn transcribe(path: &Path, channel: usize) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer/transcribe.py");
    let output = Command::new(python())
        .args([script.as_os_str(), path.as_os_str(), channel.to_string().as_ref()])
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let heard: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    plain(heard["text"].as_str().unwrap_or_default())
}

/// Lower case, letters and digits and single spaces only.
#[must_use]
pub fn plain(text: &str) -> String {
    let kept: String =
        text.to_lowercase().chars().map(|c| if c.is_alphanumeric() || c == '\'' { c } else { ' ' }).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Speaks sentences with pauses into an 8 kHz WAV, with a voice that the agent does not use.
/// Each entry is seconds of silence before the sentence, and the sentence.
#[must_use]
pub fn speak(folder: &Path, script: &[(f64, &str)], tail: f64) -> PathBuf {
    let out = folder.join("caller.wav");
    let mut parts: Vec<PathBuf> = Vec::new();
    for (n, (pause, text)) in script.iter().enumerate() {
        let (silence, speech, even) = (
            folder.join(format!("{n}-a.wav")),
            folder.join(format!("{n}-b.wav")),
            folder.join(format!("{n}-c.wav")),
        );
        run(
            "sox",
            &["-n", "-r", "8000", "-c", "1", "-b", "16", &text_of(&silence), "trim", "0", &pause.to_string()],
        );
        run("flite", &["-voice", "rms", "-t", text, "-o", &text_of(&speech)]);
        run("sox", &[&text_of(&speech), "-r", "8000", "-c", "1", "-b", "16", &text_of(&even), "norm", "-6"]);
        parts.extend([silence, even]);
    }
    let last = folder.join("tail.wav");
    run("sox", &["-n", "-r", "8000", "-c", "1", "-b", "16", &text_of(&last), "trim", "0", &tail.to_string()]);
    parts.push(last);
    let mut arguments: Vec<String> = parts.iter().map(|p| text_of(p)).collect();
    arguments.push(text_of(&out));
    run("sox", &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    out
}

/// A WAV file with one tone.
#[must_use]
pub fn tone(folder: &Path, hertz: u32, seconds: u32) -> PathBuf {
    let out = folder.join(format!("tone-{hertz}.wav"));
    run(
        "sox",
        &[
            "-n",
            "-r",
            "8000",
            "-c",
            "1",
            "-b",
            "16",
            &text_of(&out),
            "synth",
            &seconds.to_string(),
            "sine",
            &hertz.to_string(),
            "vol",
            "0.3",
        ],
    );
    out
}

fn text_of(path: &Path) -> String {
    path.display().to_string()
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The Python that has Whisper and LiveKit's SDK: `TRUNKLINE_TEST_PYTHON`.
pub(crate) fn python() -> String {
    std::env::var("TRUNKLINE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}
