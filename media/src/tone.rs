//! Tones that the gateway makes itself: keys, call progress, the beep of a wrong PIN.

use crate::dtmf;
use std::time::Duration;

/// Peak of a single tone: −9 dBm0, what a telephone sends.
const LOUD: f64 = 8_000.0;
/// Peak of each tone of call progress, which people hold to their ears for long.
const SOFT: f64 = 4_000.0;
/// A tone swells and fades over so many ms, so that it does not click.
const EDGE_MS: usize = 3;

/// Whose call progress tones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Country {
    /// 440 and 480 Hz, 2 s of 6; busy 480 and 620 Hz (North America).
    #[default]
    America,
    /// 425 Hz, 1 s of 5; busy 425 Hz (ETSI TR 101 041; most of Europe).
    Europe,
}

/// One or two tones, on and off. Its phase goes on from one [`Tone::fill`] to the next.
#[derive(Debug, Clone)]
pub struct Tone {
    one: Oscillator,
    two: Oscillator,
    /// Samples on, samples off.
    on: usize,
    off: usize,
    /// Sample of the current on-and-off.
    at: usize,
    /// Times that are left; `None`: for ever.
    left: Option<u32>,
    edge: usize,
}

impl Tone {
    /// The two tones of a key, for so long. `None` if it is no key.
    #[must_use]
    pub fn key(digit: char, length: Duration, rate: u32) -> Option<Self> {
        let (row, column) = dtmf::tones(digit)?;
        let millis = length.as_millis().min(60_000) as u32;
        Some(Self::new([row.into(), column.into()], LOUD, (millis, 0), Some(1), rate))
    }

    /// It rings at the other end. For ever.
    #[must_use]
    pub fn ringback(country: Country, rate: u32) -> Self {
        match country {
            Country::America => Self::new([440.0, 480.0], SOFT, (2_000, 4_000), None, rate),
            Country::Europe => Self::new([425.0, 0.0], SOFT, (1_000, 4_000), None, rate),
        }
    }

    /// The other end is busy. For ever.
    #[must_use]
    pub fn busy(country: Country, rate: u32) -> Self {
        match country {
            Country::America => Self::new([480.0, 620.0], SOFT, (500, 500), None, rate),
            Country::Europe => Self::new([425.0, 0.0], SOFT, (500, 500), None, rate),
        }
    }

    /// Ready: one high beep of 200 ms.
    #[must_use]
    pub fn beep(rate: u32) -> Self {
        Self::new([1_000.0, 0.0], LOUD, (200, 0), Some(1), rate)
    }

    /// Wrong: three low beeps within 750 ms.
    #[must_use]
    pub fn wrong(rate: u32) -> Self {
        Self::new([400.0, 0.0], LOUD, (150, 150), Some(3), rate)
    }

    fn new(hertz: [f64; 2], loud: f64, (on, off): (u32, u32), times: Option<u32>, rate: u32) -> Self {
        let per_ms = rate as usize / 1_000;
        let [one, two] = hertz.map(|hertz| Oscillator::new(hertz, loud, rate));
        Self {
            one,
            two,
            on: on as usize * per_ms,
            off: off as usize * per_ms,
            at: 0,
            left: times,
            edge: EDGE_MS * per_ms,
        }
    }

    /// Fills `out` and says how much of it the tone lasted; the rest is silence.
    pub fn fill(&mut self, out: &mut [i16]) -> usize {
        let mut lasted = 0;
        for sample in out {
            *sample = match self.next() {
                Some(sample) => {
                    lasted += 1;
                    sample
                }
                None => 0,
            };
        }
        lasted
    }

    /// All of it, as a prompt's samples; a tone that lasts for ever gives one round of on and off.
    #[must_use]
    pub fn samples(mut self) -> Vec<i16> {
        let rounds = self.left.unwrap_or(1) as usize;
        let mut samples = vec![0; (self.on + self.off) * rounds];
        let lasted = self.fill(&mut samples);
        samples.truncate(lasted);
        samples
    }

    /// Is it over?
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left == Some(0)
    }

    fn next(&mut self) -> Option<i16> {
        if self.is_over() {
            return None;
        }
        let at = self.at;
        self.at += 1;
        if self.at >= self.on + self.off {
            self.at = 0;
            self.left = self.left.map(|left| left.saturating_sub(1));
        }
        if at >= self.on {
            return Some(0);
        }
        let from_edge = at.min(self.on - 1 - at) + 1;
        let swell = (from_edge as f64 / self.edge.max(1) as f64).min(1.0);
        Some(((self.one.next() + self.two.next()) * swell) as i16)
    }
}

/// A sine by recurrence: one multiplication a sample.
#[derive(Debug, Clone)]
struct Oscillator {
    twice_cosine: f64,
    before: f64,
    last: f64,
}

impl Oscillator {
    /// Silent at 0 Hz.
    fn new(hertz: f64, peak: f64, rate: u32) -> Self {
        let turn = std::f64::consts::TAU * hertz / f64::from(rate.max(1));
        Self { twice_cosine: 2.0 * turn.cos(), before: -peak * turn.sin(), last: 0.0 }
    }

    fn next(&mut self) -> f64 {
        let next = self.twice_cosine * self.last - self.before;
        self.before = self.last;
        self.last = next;
        self.before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::{KEYS, inband::Detector};

    #[test]
    fn our_own_keys_are_heard_by_our_own_ears() {
        for rate in [8_000, 16_000] {
            let mut detector = Detector::new(rate);
            let mut heard = String::new();
            let mut frame = vec![0; rate as usize / 50];
            for key in KEYS {
                let mut tone = Tone::key(key, Duration::from_millis(100), rate).unwrap();
                for _ in 0..8 {
                    tone.fill(&mut frame);
                    heard.extend(detector.hear(&frame).map(|key| key.digit));
                }
                assert!(tone.is_over());
            }
            assert_eq!(heard, KEYS.iter().collect::<String>());
        }
        assert!(Tone::key('x', Duration::from_millis(100), 8_000).is_none());
    }

    #[test]
    fn a_tone_is_the_same_in_frames_as_in_one_piece() {
        let whole = Tone::wrong(8_000).samples();
        let mut tone = Tone::wrong(8_000);
        let mut pieces = vec![0; whole.len()];
        for frame in pieces.chunks_mut(160) {
            tone.fill(frame);
        }
        assert_eq!(whole, pieces);
        assert_eq!(whole.len(), 7_200);
    }

    #[test]
    fn ringback_is_on_and_off_for_ever_and_never_too_loud() {
        let mut tone = Tone::ringback(Country::America, 8_000);
        let mut second = [0; 8_000];
        let mut sounding = vec![];
        for _ in 0..12 {
            assert_eq!(tone.fill(&mut second), 8_000);
            sounding.push(second.iter().any(|s| *s != 0));
            assert!(second.iter().all(|s| s.unsigned_abs() <= 8_000));
        }
        let round = [true, true, false, false, false, false];
        assert_eq!(sounding, [round, round].concat());
    }
}
