//! Our forward pass against what onnxruntime said of the same samples (`weights/extract.py` made both).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use trunkline_engines::silero::{Silero, WINDOW};

fn vector() -> Vec<i16> {
    let bytes = include_bytes!("data/vad_vector.s16");
    bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}

fn expected() -> Vec<f32> {
    include_str!("data/vad_expected.txt").lines().map(|line| line.parse().unwrap()).collect()
}

fn furthest_off(vad: &mut Silero) -> f32 {
    vector()
        .chunks_exact(WINDOW)
        .zip(expected())
        .map(|(window, expected)| (vad.probability(window) - expected).abs())
        .fold(0.0, f32::max)
}

#[test]
fn says_what_onnxruntime_says_window_by_window() {
    let off = furthest_off(&mut Silero::new());
    assert!(off < 2e-5, "off by {off}");
}

#[test]
fn after_a_reset_the_call_before_is_forgotten() {
    let mut vad = Silero::new();
    for window in vector().chunks_exact(WINDOW) {
        vad.probability(window);
    }
    vad.reset();
    let off = furthest_off(&mut vad);
    assert!(off < 2e-5, "off by {off}");
}

#[test]
fn silence_is_not_speech() {
    let mut vad = Silero::new();
    for _ in 0..100 {
        assert!(vad.probability(&[0; WINDOW]) < 0.2);
    }
}
