//! Silero behind the `Vad` trait.

use crate::provider::Vad;
use trunkline_engines::silero::{self, Silero};

/// Voice activity by Silero's network, at 8,000 Hz: 16 µs a window of 32 ms.
#[derive(Debug, Default)]
pub struct SileroVad(Silero);

impl Vad for SileroVad {
    fn window(&self) -> usize {
        silero::WINDOW
    }

    fn rate(&self) -> u32 {
        silero::RATE
    }

    fn probability(&mut self, window: &[i16]) -> f32 {
        self.0.probability(window)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}
