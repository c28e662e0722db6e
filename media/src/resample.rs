//! 8,000 Hz to 16,000 Hz and back, as a stream, in blocks of any length.
//!
//! One half-band filter in two phases: of every pair of samples at the high rate one stands where a sample
//! of the low rate stands, the other halfway between two. The filter passes 3.4 kHz unharmed and keeps
//! what lies above 4.6 kHz some 70 dB down. It delays by 2 ms, and it never allocates after it is made.

/// Taps of the halfway phase; even, symmetrical.
const TAPS: usize = 32;
/// Samples worked on at a time.
const BLOCK: usize = 160;
/// Taps are fixed-point numbers of 14 bits: two of them can be summed over 32 bits with no overflow.
const ONE: f64 = 16_384.0;
/// Shape of the Kaiser window: about 70 dB.
const BETA: f64 = 6.8;

/// Why there is no such resampler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot resample {from} Hz to {to} Hz: both must be 8000 or 16000")]
pub struct RateError {
    /// Samples a second that come in.
    pub from: u32,
    /// Samples a second that were to go out.
    pub to: u32,
}

/// A stream from one rate to another; the same rate passes through.
#[derive(Debug, Clone)]
pub enum Resampler {
    /// Both rates are the same.
    Same,
    /// 8,000 to 16,000.
    Up(Upsampler),
    /// 16,000 to 8,000.
    Down(Downsampler),
}

impl Resampler {
    /// A stream with silence before it.
    ///
    /// # Errors
    /// [`RateError`] for any rate but 8,000 and 16,000.
    pub fn new(from: u32, to: u32) -> Result<Self, RateError> {
        match (from, to) {
            (8_000, 16_000) => Ok(Self::Up(Upsampler::new())),
            (16_000, 8_000) => Ok(Self::Down(Downsampler::new())),
            (8_000, 8_000) | (16_000, 16_000) => Ok(Self::Same),
            _ => Err(RateError { from, to }),
        }
    }

    /// Resamples all of `input` into the front of `out` and says how many samples came out: as many as
    /// went in, twice, or half as many (an odd one is kept for the next block). `out` must have that room;
    /// what does not fit is lost.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        match self {
            Self::Same => {
                let n = input.len().min(out.len());
                for (to, from) in out.iter_mut().zip(input) {
                    *to = *from;
                }
                n
            }
            Self::Up(up) => up.process(input, out),
            Self::Down(down) => down.process(input, out),
        }
    }
}

/// Twice as many samples.
#[derive(Debug, Clone)]
pub struct Upsampler {
    filter: Halfway,
}

impl Default for Upsampler {
    fn default() -> Self {
        Self::new()
    }
}

impl Upsampler {
    /// A stream with silence before it.
    #[must_use]
    pub fn new() -> Self {
        Self { filter: Halfway::new() }
    }

    /// Writes `2 * input.len()` samples to `out`; see [`Resampler::process`].
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        let n = (input.len() * 2).min(out.len());
        let mut pairs = out.chunks_exact_mut(2);
        for block in input.chunks(BLOCK) {
            self.filter.run(block, |at, halfway| {
                // `at` holds the newest 32 samples; its middle pair surrounds the halfway point.
                if let Some([even, odd]) = pairs.next() {
                    *even = at[TAPS / 2 - 1];
                    *odd = halfway;
                }
            });
        }
        n
    }
}

/// Half as many samples.
#[derive(Debug, Clone)]
pub struct Downsampler {
    filter: Halfway,
    /// The samples that stand on the low rate's grid, delayed as the filter delays.
    grid: [i16; TAPS / 2],
    head: usize,
    odd: Option<i16>,
}

impl Default for Downsampler {
    fn default() -> Self {
        Self::new()
    }
}

impl Downsampler {
    /// A stream with silence before it.
    #[must_use]
    pub fn new() -> Self {
        Self { filter: Halfway::new(), grid: [0; TAPS / 2], head: 0, odd: None }
    }

    /// Writes half as many samples to `out`; see [`Resampler::process`].
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        let mut halfway = [0i16; BLOCK];
        let mut grid = [0i16; BLOCK];
        let mut written = 0;
        let mut rest = input.iter().copied();
        loop {
            let mut n = 0;
            while n < BLOCK {
                let Some(first) = self.odd.take().or_else(|| rest.next()) else { break };
                let Some(second) = rest.next() else {
                    self.odd = Some(first);
                    break;
                };
                grid[n] = first;
                halfway[n] = second;
                n += 1;
            }
            if n == 0 {
                return written;
            }
            let mut i = 0;
            let (delay, head) = (&mut self.grid, &mut self.head);
            self.filter.run(&halfway[..n], |_, filtered| {
                delay[*head] = grid[i];
                *head = (*head + 1) % delay.len();
                // The filter is centred 15 samples back, which is the oldest of the 16 that are kept.
                let centre = delay[*head];
                if let Some(to) = out.get_mut(written) {
                    *to = ((i32::from(centre) + i32::from(filtered)) / 2) as i16;
                    written += 1;
                }
                i += 1;
            });
        }
    }
}

/// The halfway phase of the filter: what the sound was between the 16th and the 17th newest sample.
#[derive(Debug, Clone)]
struct Halfway {
    taps: [i16; TAPS],
    line: [i16; TAPS - 1 + BLOCK],
}

impl Halfway {
    fn new() -> Self {
        Self { taps: taps(), line: [0; TAPS - 1 + BLOCK] }
    }

    /// For each sample of `block` (at most `BLOCK`): the newest 32, and the value halfway.
    fn run(&mut self, block: &[i16], mut each: impl FnMut(&[i16; TAPS], i16)) {
        let n = block.len();
        self.line[TAPS - 1..TAPS - 1 + n].copy_from_slice(block);
        for window in self.line[..TAPS - 1 + n].windows(TAPS) {
            let Some(window) = window.first_chunk::<TAPS>() else { continue };
            let mut sum = 0i32;
            for (tap, sample) in self.taps.iter().zip(window) {
                sum += i32::from(*tap) * i32::from(*sample);
            }
            let halfway = (sum + ONE as i32 / 2) >> 14;
            each(window, halfway.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16);
        }
        self.line.copy_within(n..n + TAPS - 1, 0);
    }
}

/// A Kaiser-windowed sinc of half the band, taken at its halfway points, scaled to a sum of exactly one.
fn taps() -> [i16; TAPS] {
    let mut exact = [0f64; TAPS];
    let half = TAPS as f64 / 2.0;
    for (i, tap) in exact.iter_mut().enumerate() {
        let distance = i as f64 - half + 0.5;
        let angle = std::f64::consts::PI * distance;
        let window = bessel(BETA * (1.0 - (distance / half).powi(2)).max(0.0).sqrt()) / bessel(BETA);
        *tap = angle.sin() / angle * window;
    }
    let sum: f64 = exact.iter().sum();
    exact.map(|tap| (tap / sum * ONE).round() as i16)
}

/// The modified Bessel function of order zero, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate: f64, hertz: f64, n: usize) -> Vec<i16> {
        (0..n).map(|i| ((i as f64 * hertz * std::f64::consts::TAU / rate).sin() * 10_000.0) as i16).collect()
    }

    /// Level in dB of what `hertz` is of `sound`, against a sine of 10,000.
    fn level(sound: &[i16], rate: f64, hertz: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (i, s) in sound.iter().enumerate() {
            let angle = i as f64 * hertz * std::f64::consts::TAU / rate;
            re += f64::from(*s) * angle.cos();
            im += f64::from(*s) * angle.sin();
        }
        20.0 * ((re * re + im * im).sqrt() * 2.0 / sound.len() as f64 / 10_000.0).max(1e-6).log10()
    }

    fn run(from: u32, to: u32, input: &[i16], block: usize) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to).unwrap();
        let mut out = Vec::new();
        let mut buffer = vec![0; block * 2 + 2];
        for part in input.chunks(block) {
            let n = resampler.process(part, &mut buffer);
            out.extend_from_slice(&buffer[..n]);
        }
        out
    }

    #[test]
    fn speech_frequencies_keep_their_level_both_ways() {
        for hertz in [100.0, 400.0, 1_000.0, 2_000.0, 3_000.0, 3_400.0] {
            let up = run(8_000, 16_000, &sine(8_000.0, hertz, 8_000), 160);
            let there = level(&up[1_600..], 16_000.0, hertz);
            assert!(there.abs() < 0.3, "{hertz} Hz up: {there} dB");
            let down = run(16_000, 8_000, &sine(16_000.0, hertz, 16_000), 320);
            let back = level(&down[800..], 8_000.0, hertz);
            assert!(back.abs() < 0.3, "{hertz} Hz down: {back} dB");
        }
    }

    #[test]
    fn images_and_aliases_are_kept_out() {
        for hertz in [1_000.0, 2_000.0, 3_000.0, 3_400.0] {
            let up = run(8_000, 16_000, &sine(8_000.0, hertz, 8_000), 160);
            let image = level(&up[1_600..], 16_000.0, 8_000.0 - hertz);
            assert!(image < -55.0, "image of {hertz} Hz: {image} dB");
            let down = run(16_000, 8_000, &sine(16_000.0, 8_000.0 - hertz, 16_000), 320);
            let alias = level(&down[800..], 8_000.0, hertz);
            assert!(alias < -55.0, "alias at {hertz} Hz: {alias} dB");
        }
    }

    #[test]
    fn the_length_of_the_blocks_does_not_change_the_sound() {
        let sound = sine(16_000.0, 700.0, 5_000);
        let whole = run(16_000, 8_000, &sound, 320);
        for block in [1, 7, 161, 2_000] {
            assert_eq!(run(16_000, 8_000, &sound, block), whole, "blocks of {block}");
            assert_eq!(
                run(8_000, 16_000, &sound, block),
                run(8_000, 16_000, &sound, 160),
                "blocks of {block}"
            );
        }
        assert_eq!(whole.len(), 2_500);
    }

    #[test]
    fn full_scale_does_not_wrap() {
        let square: Vec<i16> =
            (0..4_000).map(|i| if i / 10 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        for (i, pair) in run(8_000, 16_000, &square, 160).windows(3).enumerate().skip(100) {
            let [a, _, c] = [pair[0], pair[1], pair[2]];
            assert!(
                pair[1] >= a.min(c) / 2 || a.signum() != c.signum() || pair[1].signum() == a.signum(),
                "at {i}"
            );
        }
    }

    #[test]
    fn other_rates_are_refused() {
        assert_eq!(Resampler::new(44_100, 8_000).unwrap_err(), RateError { from: 44_100, to: 8_000 });
    }
}
