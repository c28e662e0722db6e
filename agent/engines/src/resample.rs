//! Between 16,000 Hz, at which the engines work, and 8,000 Hz, at which telephones do.
//!
//! One half-band filter serves both ways: flat to 3,400 Hz, 70 dB down from 4,600 Hz, linear phase. Every
//! other coefficient of a half-band filter is nothing, so that it costs 12 products a sample.

/// Non-zero coefficients at each side of the middle one.
const SIDE: usize = 12;
/// Span of the filter at the high rate.
const SPAN: usize = 4 * SIDE - 1;
/// The middle one's place in the span.
const MIDDLE: usize = SPAN / 2;

/// The coefficients at distance 1, 3, 5, … from the middle; the middle one is 1/2, the others are nothing.
/// An ideal half-band low-pass, sin(πn/2)/(πn), under a Kaiser window with β = 6.5.
fn half_band() -> [f32; SIDE] {
    let bessel = |x: f64| {
        let mut term = 1.0;
        (1..25).fold(1.0, |sum, k| {
            term *= (x / (2.0 * f64::from(k))).powi(2);
            sum + term
        })
    };
    let mut taps: [f64; SIDE] = std::array::from_fn(|i| {
        let n = (2 * i + 1) as f64;
        let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
        let edge = n / (MIDDLE as f64 + 1.0);
        sign / (std::f64::consts::PI * n) * bessel(6.5 * (1.0 - edge * edge).sqrt()) / bessel(6.5)
    });
    // The window took a little of the sum: silence at one phase and not at the other would be a tone.
    let sum: f64 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap *= 0.25 / sum);
    taps.map(|tap| tap as f32)
}

fn to_i16(x: f32) -> i16 {
    x.round().clamp(-32_768.0, 32_767.0) as i16
}

/// 16,000 Hz to 8,000 Hz, piece by piece. Late by 24 samples of what comes in (1.5 ms).
#[derive(Debug, Clone)]
pub struct Halver {
    taps: [f32; SIDE],
    held: Vec<f32>,
}

impl Default for Halver {
    fn default() -> Self {
        Self { taps: half_band(), held: vec![0.0; SPAN] }
    }
}

impl Halver {
    /// Appends to `to` what these samples make.
    pub fn push(&mut self, samples: &[i16], to: &mut Vec<i16>) {
        self.held.extend(samples.iter().map(|s| f32::from(*s)));
        let mut at = 0;
        while at + SPAN <= self.held.len() {
            let span = &self.held[at..at + SPAN];
            let sum: f32 = self
                .taps
                .iter()
                .enumerate()
                .map(|(i, tap)| tap * (span[MIDDLE - 1 - 2 * i] + span[MIDDLE + 1 + 2 * i]))
                .sum();
            to.push(to_i16(sum + 0.5 * span[MIDDLE]));
            at += 2;
        }
        self.held.drain(..at);
    }

    /// A whole sound at once, its end included and in step with the original: half as many samples.
    #[must_use]
    pub fn whole(samples: &[i16]) -> Vec<i16> {
        let mut halver = Self::default();
        let mut out = Vec::with_capacity(samples.len() / 2 + SPAN);
        halver.push(samples, &mut out);
        halver.push(&[0; SPAN], &mut out);
        let late = MIDDLE.div_ceil(2);
        out.drain(..late);
        out.truncate(samples.len().div_ceil(2));
        out
    }
}

/// 8,000 Hz to 16,000 Hz, piece by piece. Late by 12 samples of what comes in (1.5 ms).
#[derive(Debug, Clone)]
pub struct Doubler {
    taps: [f32; SIDE],
    held: Vec<f32>,
}

impl Default for Doubler {
    fn default() -> Self {
        Self { taps: half_band(), held: vec![0.0; 2 * SIDE - 1] }
    }
}

impl Doubler {
    /// Appends to `to` twice as many samples.
    pub fn push(&mut self, samples: &[i16], to: &mut Vec<i16>) {
        self.held.extend(samples.iter().map(|s| f32::from(*s)));
        let mut at = 0;
        while at + 2 * SIDE <= self.held.len() {
            let span = &self.held[at..at + 2 * SIDE];
            let between: f32 = self
                .taps
                .iter()
                .enumerate()
                .map(|(i, tap)| tap * (span[SIDE - 1 - i] + span[SIDE + i]))
                .sum();
            to.push(to_i16(span[SIDE - 1]));
            to.push(to_i16(2.0 * between));
            at += 1;
        }
        self.held.drain(..at);
    }

    /// Forgets what it holds.
    pub fn reset(&mut self) {
        self.held.clear();
        self.held.resize(2 * SIDE - 1, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: f64, count: usize) -> Vec<i16> {
        (0..count).map(|n| (10_000.0 * (std::f64::consts::TAU * hz * n as f64 / rate).sin()) as i16).collect()
    }

    fn level(samples: &[i16]) -> f64 {
        let inner = &samples[60..samples.len() - 60];
        (inner.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / inner.len() as f64).sqrt()
    }

    #[test]
    fn speech_passes_at_its_level_in_both_directions() {
        for hz in [300.0, 1_000.0, 2_500.0, 3_300.0] {
            let down = Halver::whole(&tone(hz, 16_000.0, 3_200));
            assert_eq!(down.len(), 1_600);
            assert!((level(&down) / 7_071.0 - 1.0).abs() < 0.02, "{hz} Hz down: {}", level(&down));
            let mut up = Vec::new();
            Doubler::default().push(&tone(hz, 8_000.0, 1_600), &mut up);
            assert_eq!(up.len(), 3_200);
            assert!((level(&up) / 7_071.0 - 1.0).abs() < 0.02, "{hz} Hz up: {}", level(&up));
        }
    }

    #[test]
    fn what_a_telephone_cannot_carry_does_not_fold_back_into_speech() {
        for hz in [4_700.0, 5_500.0, 7_000.0] {
            let folded = level(&Halver::whole(&tone(hz, 16_000.0, 3_200)));
            assert!(folded < 7.0, "{hz} Hz leaves {folded}");
        }
    }

    #[test]
    fn pieces_make_the_same_sound_as_the_whole() {
        let sound = tone(700.0, 16_000.0, 1_000);
        let (mut once, mut pieces) = (Vec::new(), Vec::new());
        Halver::default().push(&sound, &mut once);
        let mut halver = Halver::default();
        sound.chunks(37).for_each(|piece| halver.push(piece, &mut pieces));
        assert_eq!(once, pieces);
    }

    #[test]
    fn a_whole_sound_stays_in_step() {
        let down = Halver::whole(&tone(500.0, 16_000.0, 3_200));
        let same = tone(500.0, 8_000.0, 1_600);
        let off = down[60..1_540].iter().zip(&same[60..1_540]).map(|(a, b)| (a - b).abs()).max();
        assert!(off.is_some_and(|off| off < 200), "{off:?}");
    }
}
