//! A prompt that a leg plays by itself.

use super::FRAME;
use crate::event::Prompt;
use crate::resample::{RateError, Resampler};
use std::sync::Arc;

/// How far it is.
#[derive(Debug)]
pub(super) struct Playing {
    prompt: Arc<Prompt>,
    at: usize,
    resampler: Resampler,
}

impl Playing {
    pub(super) fn new(prompt: Arc<Prompt>, rate: u32) -> Result<Self, RateError> {
        let resampler = Resampler::new(prompt.rate, rate)?;
        Ok(Self { prompt, at: 0, resampler })
    }

    /// The leg's rate changed.
    pub(super) fn set_rate(&mut self, rate: u32) {
        if let Ok(resampler) = Resampler::new(self.prompt.rate, rate) {
            self.resampler = resampler;
        }
    }

    /// The next 20 ms into the front of `near`; false when that was the end.
    pub(super) fn next(&mut self, near: &mut [i16]) -> bool {
        let frame = ((self.prompt.rate / 50) as usize).min(FRAME);
        let rest = self.prompt.samples.get(self.at..).unwrap_or_default();
        let now = rest.get(..frame).unwrap_or(rest);
        self.resampler.process(now, near);
        self.at += now.len();
        self.at < self.prompt.samples.len()
    }
}
