//! Keys out of the sound: Goertzel filters at the eight frequencies of ITU-T Q.23, over 20 ms every 10 ms.
//!
//! A window may be a key when one row and one column stand out of their groups. Then their true frequencies
//! are measured (by how their phase moves from the first half of the window to the second), and it is one when
//! both are near enough to the nominal ones, carry nearly all of the energy, are about equally loud, and have no
//! strong second harmonic. Speech passes one or other of these often, all of them for three windows in a row
//! hardly ever. A key needs 40 ms (ITU-T Q.24) and is told at its end.

use super::{COLUMNS, Key, LAYOUT, ROWS};
use std::time::Duration;

/// Samples of a window at 16,000 Hz.
const MOST: usize = 320;
/// Windows that make a key, and windows without it that end it.
const SURE: u16 = 3;
const SURE_PURE: u16 = 2;
const GONE: u8 = 2;
/// Mean square below which nobody listens: −42 dBm0.
const QUIET: f32 = 20_000.0;
/// The two tones carry so much of the energy: in two of its windows at least, and in those at its edges.
const PURE: f32 = 0.86;
const PURE_AT_EDGES: f32 = 0.5;
/// A tone may be off by 2.5 %; ITU-T Q.24 wants 1.5 % taken and 3.5 % refused.
const OFF: f32 = 0.025;
/// Power by which a tone stands above the others of its group: 8 dB.
const ABOVE: f32 = 6.3;
/// Power by which one tone may be louder than the other: 9 dB, either way.
const TWIST: f32 = 8.0;
/// Power of a second harmonic against its tone: −6 dB.
const HARMONIC: f32 = 0.25;
/// How far the windows are apart.
const HOP: Duration = Duration::from_millis(10);

/// Listens to the sound of one direction.
#[derive(Debug, Clone)]
pub struct Detector {
    window: [f32; MOST],
    /// Samples of the window that are filled, of `length`.
    filled: usize,
    length: usize,
    rate: f32,
    rows: [f32; 4],
    columns: [f32; 4],
    candidate: Option<Candidate>,
}

/// A key in the newest windows.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    key: char,
    /// Windows with it, holes counted in.
    windows: u16,
    /// Those of them that are nothing but the key.
    pure: u16,
    /// Windows without it since.
    holes: u8,
}

impl Candidate {
    fn is_sure(&self) -> bool {
        self.windows >= SURE && self.pure >= SURE_PURE
    }
}

impl Detector {
    /// For sound of 8,000 or 16,000 Hz.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        let rate = rate.clamp(1_000, 16_000);
        Self {
            window: [0.0; MOST],
            filled: 0,
            length: (rate as usize / 50).clamp(2, MOST),
            rate: rate as f32,
            rows: ROWS.map(|hertz| twice_cosine(hertz, rate as f32)),
            columns: COLUMNS.map(|hertz| twice_cosine(hertz, rate as f32)),
            candidate: None,
        }
    }

    /// The next sound, of any length (20 ms is usual); a key that ended in it.
    pub fn hear(&mut self, sound: &[i16]) -> Option<Key> {
        let mut told = None;
        for sample in sound {
            if let Some(place) = self.window.get_mut(self.filled) {
                *place = f32::from(*sample);
            }
            self.filled += 1;
            if self.filled >= self.length {
                let seen = self.judge();
                told = self.follow(seen).or(told);
                self.window.copy_within(self.length / 2..self.length, 0);
                self.filled = self.length / 2;
            }
        }
        told
    }

    /// Is a key down that will be told?
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.candidate.as_ref().is_some_and(Candidate::is_sure)
    }

    fn follow(&mut self, seen: Option<(char, f32)>) -> Option<Key> {
        match (&mut self.candidate, seen) {
            (Some(candidate), Some((key, purity))) if candidate.key == key => {
                candidate.windows = candidate.windows.saturating_add(1 + u16::from(candidate.holes));
                candidate.pure = candidate.pure.saturating_add(u16::from(purity >= PURE));
                candidate.holes = 0;
                None
            }
            (Some(candidate), None) if candidate.is_sure() && candidate.holes + 1 < GONE => {
                candidate.holes += 1;
                None
            }
            (_, seen) => {
                let next = seen.map(|(key, purity)| Candidate {
                    key,
                    windows: 1,
                    pure: (purity >= PURE).into(),
                    holes: 0,
                });
                let over = std::mem::replace(&mut self.candidate, next).filter(Candidate::is_sure)?;
                Some(Key { digit: over.key, length: HOP * u32::from(over.windows) })
            }
        }
    }

    /// The key in this window, and how much of its energy it is.
    fn judge(&self) -> Option<(char, f32)> {
        let window = self.window.get(..self.length)?;
        let energy: f32 = window.iter().map(|s| s * s).sum();
        if energy < QUIET * self.length as f32 {
            return None;
        }
        let row = strongest(window, &self.rows)?;
        let column = strongest(window, &self.columns)?;
        let (low, row_power) = self.measure(window, *ROWS.get(row)?)?;
        let (high, column_power) = self.measure(window, *COLUMNS.get(column)?)?;
        // The power of a pure tone in its filter is its energy times half the window.
        let purity = (row_power + column_power) / (energy * self.length as f32 / 2.0);
        let even = row_power <= TWIST * column_power && column_power <= TWIST * row_power;
        let harmonic =
            |hertz: f32, tone: f32| power(window, twice_cosine(2.0 * hertz, self.rate)) > HARMONIC * tone;
        if purity < PURE_AT_EDGES || !even || harmonic(low, row_power) || harmonic(high, column_power) {
            return None;
        }
        LAYOUT.get(row * 4 + column).map(|key| (*key, purity))
    }

    /// The true frequency of the tone near `hertz`, and its power there; `None` if it is too far off.
    fn measure(&self, window: &[f32], hertz: f32) -> Option<(f32, f32)> {
        let turn = std::f32::consts::TAU * hertz / self.rate;
        let (first, second) = window.split_at(window.len() / 2);
        let moved = phase(second, turn) - phase(first, turn) - turn * first.len() as f32;
        let moved = moved - (moved / std::f32::consts::TAU).round() * std::f32::consts::TAU;
        let off = moved / first.len() as f32 / std::f32::consts::TAU * self.rate;
        let found = hertz + off;
        (off.abs() <= OFF * hertz).then(|| (found, power(window, twice_cosine(found, self.rate))))
    }
}

/// The filter with the most power, if it stands out.
fn strongest(window: &[f32], filters: &[f32; 4]) -> Option<usize> {
    let powers = filters.map(|filter| power(window, filter));
    let (at, most) = powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    powers.iter().enumerate().all(|(other, power)| other == at || power * ABOVE <= most).then_some(at)
}

fn twice_cosine(hertz: f32, rate: f32) -> f32 {
    2.0 * (std::f32::consts::TAU * hertz / rate).cos()
}

/// The phase of a tone at the start of these samples, which turns by `turn` a sample.
fn phase(samples: &[f32], turn: f32) -> f32 {
    let (step_re, step_im) = (turn.cos(), turn.sin());
    let (mut re, mut im, mut sum_re, mut sum_im) = (1.0f32, 0.0f32, 0.0f32, 0.0f32);
    for sample in samples {
        sum_re += sample * re;
        sum_im -= sample * im;
        (re, im) = (re * step_re - im * step_im, re * step_im + im * step_re);
    }
    sum_im.atan2(sum_re)
}

/// |X|² at one frequency.
fn power(window: &[f32], twice_cosine: f32) -> f32 {
    let (mut one, mut two) = (0.0f32, 0.0f32);
    for sample in window {
        let next = sample + twice_cosine * one - two;
        two = one;
        one = next;
    }
    one * one + two * two - twice_cosine * one * two
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::{KEYS, tones};

    struct Line {
        rate: u32,
        sound: Vec<i16>,
    }

    impl Line {
        fn new(rate: u32) -> Self {
            Self { rate, sound: vec![0; rate as usize / 10 + 37] }
        }

        /// Tones of (Hz, amplitude) for so long, then 60 ms of nothing.
        fn play(mut self, tones: &[(f32, f32)], millis: u32) -> Self {
            let samples = self.rate * millis / 1_000;
            self.sound.extend((0..samples).map(|n| {
                let at = n as f32 / self.rate as f32;
                tones
                    .iter()
                    .map(|(hertz, loud)| loud * (std::f32::consts::TAU * hertz * at).sin())
                    .sum::<f32>() as i16
            }));
            self.sound.extend(vec![0; self.rate as usize * 60 / 1_000]);
            self
        }

        fn keys(&self) -> Vec<Key> {
            let mut detector = Detector::new(self.rate);
            self.sound.chunks(self.rate as usize / 50).filter_map(|frame| detector.hear(frame)).collect()
        }

        fn digits(&self) -> String {
            self.keys().iter().map(|key| key.digit).collect()
        }
    }

    #[test]
    fn every_key_of_40_ms_is_heard_loud_and_low_at_both_rates() {
        for rate in [8_000, 16_000] {
            for loud in [300.0, 3_000.0, 15_000.0] {
                let mut line = Line::new(rate);
                for key in KEYS {
                    let (row, column) = tones(key).unwrap();
                    line = line.play(&[(row, loud), (column, loud)], 40);
                    line.sound.extend([0; 23]);
                }
                assert_eq!(line.digits(), KEYS.iter().collect::<String>(), "{rate} Hz, {loud}");
            }
        }
    }

    #[test]
    fn the_length_of_a_key_is_right_within_20_ms() {
        for millis in [60, 100, 500, 3_000] {
            let keys = Line::new(8_000).play(&[(770.0, 4_000.0), (1_336.0, 4_000.0)], millis).keys();
            assert_eq!(keys.len(), 1, "{millis}");
            let off = keys[0].length.as_millis().abs_diff(u128::from(millis));
            assert!(off <= 20, "{millis} ms came as {:?}", keys[0].length);
        }
    }

    #[test]
    fn tones_that_are_off_by_one_and_a_half_percent_or_uneven_by_6_db_are_keys() {
        for off in [0.985, 1.015] {
            for (row, column) in [(2_000.0, 4_000.0), (4_000.0, 2_000.0)] {
                let mut line = Line::new(8_000);
                for key in KEYS {
                    let (low, high) = tones(key).unwrap();
                    line = line.play(&[(low * off, row), (high * off, column)], 80);
                }
                assert_eq!(line.digits(), KEYS.iter().collect::<String>(), "{off} {row} {column}");
            }
        }
    }

    #[test]
    fn short_or_single_or_uneven_tones_are_no_keys() {
        let (row, column) = tones('5').unwrap();
        let line = Line::new(8_000)
            .play(&[(row, 4_000.0), (column, 4_000.0)], 20)
            .play(&[(row, 4_000.0)], 200)
            .play(&[(column, 4_000.0)], 200)
            .play(&[(row, 8_000.0), (column, 1_000.0)], 200)
            .play(&[(350.0, 4_000.0), (440.0, 4_000.0)], 500)
            .play(&[(440.0, 4_000.0), (480.0, 4_000.0)], 500);
        assert_eq!(line.digits(), "");
    }

    #[test]
    fn voices_are_no_keys() {
        // Glottal pulses, duller by 6 dB an octave, through three formants that wander: every pitch and vowel that there is.
        let rate = 8_000.0f32;
        let mut detector = Detector::new(8_000);
        let (mut seed, mut phase, mut dull) = (1u32, 0.0f32, 0.0f32);
        let mut state = [[0.0f32; 2]; 3];
        let mut heard = vec![];
        for frame in 0..9_000u32 {
            let at = frame as f32 / 50.0;
            let pitch = 90.0 + 120.0 * (at * 1.7).sin().abs() + 60.0 * (at * 0.31).sin().abs();
            let formants = [
                (500.0 + 350.0 * (at * 2.3).sin(), 60.0),
                (1_500.0 + 700.0 * (at * 1.1).sin(), 80.0),
                (2_600.0 + 300.0 * (at * 0.7).sin(), 120.0),
            ];
            let sound: Vec<i16> = (0..160)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    phase += pitch / rate;
                    dull = dull * 0.92 + if phase >= 1.0 { 4_000.0 } else { 0.0 };
                    phase = phase.fract();
                    let mut sum = 0.0;
                    for ((hertz, width), past) in formants.iter().zip(&mut state) {
                        let r = (-std::f32::consts::PI * width / rate).exp();
                        let turn = 2.0 * r * (std::f32::consts::TAU * hertz / rate).cos();
                        let input = dull + (seed >> 24) as f32 * 0.2;
                        let y = input + turn * past[0] - r * r * past[1];
                        *past = [y, past[0]];
                        sum += y;
                    }
                    sum.clamp(-30_000.0, 30_000.0) as i16
                })
                .collect();
            heard.extend(detector.hear(&sound));
        }
        assert_eq!(heard, [], "in three minutes of it");
    }
}
