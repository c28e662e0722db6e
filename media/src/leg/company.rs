//! The company at the other end of a port: rings, and the resampling where its rate is another than the leg's.

use super::FRAME;
use crate::company::Company;
use crate::port::LegPort;
use crate::resample::{RateError, Resampler};
use std::time::Duration;

/// The leg's end of a conversation inside the process.
#[derive(Debug)]
pub(super) struct AtPort {
    port: LegPort,
    hears: Resampler,
    speaks: Resampler,
    leg_rate: u32,
    /// Frames that it did not take in time.
    overrun: u64,
}

impl AtPort {
    pub(super) fn new(port: LegPort, rate: u32) -> Result<Self, RateError> {
        let hears = Resampler::new(rate, port.rate)?;
        let speaks = Resampler::new(port.rate, rate)?;
        Ok(Self { port, hears, speaks, leg_rate: rate, overrun: 0 })
    }
}

impl Company for AtPort {
    fn set_rate(&mut self, rate: u32) {
        if rate == self.leg_rate {
            return;
        }
        self.leg_rate = rate;
        if let (Ok(hears), Ok(speaks)) =
            (Resampler::new(rate, self.port.rate), Resampler::new(self.port.rate, rate))
        {
            self.hears = hears;
            self.speaks = speaks;
        }
    }

    fn overrun(&self) -> u64 {
        self.overrun
    }

    /// Hands over 20 ms of the far party, or all of it is lost and counted.
    fn hear(&mut self, _now: Duration, far: &[i16]) {
        let mut buffer = [0; FRAME];
        let sound = match &mut self.hears {
            Resampler::Same => far,
            other => {
                let written = other.process(far, &mut buffer);
                buffer.get(..written).unwrap_or_default()
            }
        };
        if self.port.heard.push_entire_slice(sound).is_err() {
            self.overrun += 1;
        }
    }

    /// Takes up to 20 ms for the far party into the front of `near`; false when there is nothing at all.
    fn speak(&mut self, near: &mut [i16]) -> bool {
        match &mut self.speaks {
            Resampler::Same => !self.port.spoken.pop_partial_slice(near).0.is_empty(),
            other => {
                let mut buffer = [0; FRAME];
                let wanted = (self.port.rate / 50) as usize;
                let Some(buffer) = buffer.get_mut(..wanted) else { return false };
                let spoken = self.port.spoken.pop_partial_slice(buffer).0;
                other.process(spoken, near);
                !spoken.is_empty()
            }
        }
    }
}
