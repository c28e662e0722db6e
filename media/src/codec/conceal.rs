//! Making up what was lost, for codecs that carry no concealment of their own.
//!
//! In the spirit of G.711 Appendix I: while packets come the last 45 ms of sound are kept; when one is
//! missing the newest pitch period of them is repeated, with its seam smoothed, at full level for 10 ms
//! and fading to nothing by 60 ms; and the first sound after it is blended in over a few milliseconds.

/// Longest pitch period that is looked for: 15 ms, a voice of 66 Hz.
const LONGEST_MS: usize = 15;
/// Shortest: 2.5 ms (halves of a millisecond), a voice of 400 Hz.
const SHORTEST_HALF_MS: usize = 5;
/// How much newest sound two periods are compared over.
const WINDOW_MS: usize = 20;
/// Full level for so long, then a straight fade.
const FULL_MS: usize = 10;
/// Silence from here on.
const SILENT_MS: usize = 60;
/// The seam back into real sound.
const SEAM_MS: usize = 4;

/// What is kept of the sound, and how far a gap has come.
pub(super) struct Concealer {
    per_ms: usize,
    /// The newest sound, oldest first.
    history: Box<[i16]>,
    /// One pitch period, smoothed at its ends; valid while `missing > 0`.
    period: Box<[i16]>,
    /// Samples of `period` in use.
    length: usize,
    /// Where in the period the next sample is.
    phase: usize,
    /// Samples made up since sound was last heard.
    missing: usize,
}

impl Concealer {
    /// For sound of `rate` samples a second.
    pub(super) fn new(rate: u32) -> Self {
        let per_ms = rate as usize / 1_000;
        Self {
            per_ms,
            history: vec![0; per_ms * (LONGEST_MS * 2 + WINDOW_MS)].into_boxed_slice(),
            period: vec![0; per_ms * LONGEST_MS].into_boxed_slice(),
            length: 1,
            phase: 0,
            missing: 0,
        }
    }

    /// Real sound: blends its start with what was made up before it, and keeps its end.
    pub(super) fn heard(&mut self, sound: &mut [i16]) {
        if self.missing > 0 {
            // The longer the gap, the less its made-up end is to be trusted, and the softer the seam.
            let seam = (self.per_ms * SEAM_MS).min(sound.len());
            for (i, sample) in sound.iter_mut().take(seam).enumerate() {
                let made_up = i64::from(self.next_made_up());
                let real = i64::from(*sample);
                *sample = ((made_up * (seam - i) as i64 + real * i as i64) / seam as i64) as i16;
            }
            self.missing = 0;
        }
        self.keep(sound);
    }

    /// Makes up `out`.
    pub(super) fn conceal(&mut self, out: &mut [i16]) {
        if self.missing == 0 {
            self.begin();
        }
        for sample in out.iter_mut() {
            *sample = self.next_made_up();
        }
        self.keep(out);
    }

    fn keep(&mut self, sound: &[i16]) {
        let kept = self.history.len();
        if let Some(newest) = sound.len().checked_sub(kept) {
            self.history.copy_from_slice(sound.get(newest..).unwrap_or_default());
        } else {
            self.history.copy_within(sound.len().., 0);
            if let Some(end) = self.history.get_mut(kept - sound.len()..) {
                end.copy_from_slice(sound);
            }
        }
    }

    /// Takes the newest pitch period out of the history, its end smoothed into the period before.
    fn begin(&mut self) {
        let length = self.pitch();
        let end = self.history.len();
        self.length = length;
        self.phase = 0;
        let (period, history) = (&mut self.period, &self.history);
        if let (Some(to), Some(from)) = (period.get_mut(..length), history.get(end - length..)) {
            to.copy_from_slice(from);
        }
        // The repetition jumps from the period's end to its start: over the last quarter let it become the
        // sound that came right before that start.
        let seam = length / 4;
        for i in 0..seam {
            let at = length - seam + i;
            let before = history.get(end - length - seam + i).copied().unwrap_or(0);
            if let Some(sample) = period.get_mut(at) {
                let mixed = i64::from(*sample) * (seam - i) as i64 + i64::from(before) * i as i64;
                *sample = (mixed / seam as i64) as i16;
            }
        }
    }

    /// The lag at which the newest sound is most like the sound before it.
    fn pitch(&self) -> usize {
        let end = self.history.len();
        let window = self.per_ms * WINDOW_MS;
        let shortest = self.per_ms * SHORTEST_HALF_MS / 2;
        let longest = self.per_ms * LONGEST_MS;
        let newest = self.history.get(end - window..).unwrap_or_default();
        // Every second lag over every second sample first, then the neighbours in full: a sixth of the work.
        let likeness = |lag: usize, step: usize| -> f64 {
            let earlier = self.history.get(end - window - lag..end - lag).unwrap_or_default();
            let (mut cross, mut energy) = (0i64, 1i64);
            for (a, b) in newest.iter().zip(earlier).step_by(step) {
                cross += i64::from(*a) * i64::from(*b);
                energy += i64::from(*b) * i64::from(*b);
            }
            cross as f64 / (energy as f64).sqrt()
        };
        let best = |lags: &mut dyn Iterator<Item = usize>, step: usize| {
            let mut found = (longest, f64::MIN);
            for lag in lags {
                let alike = likeness(lag, step);
                if alike > found.1 {
                    found = (lag, alike);
                }
            }
            found.0
        };
        let coarse = best(&mut (shortest..=longest).step_by(2), 2);
        best(&mut (coarse.saturating_sub(1).max(shortest)..=(coarse + 1).min(longest)), 1)
    }

    fn next_made_up(&mut self) -> i16 {
        let sample = self.period.get(self.phase).copied().unwrap_or(0);
        self.phase += 1;
        if self.phase >= self.length {
            self.phase = 0;
        }
        let (full, silent) = (self.per_ms * FULL_MS, self.per_ms * SILENT_MS);
        let level = match self.missing {
            early if early < full => return self.count(sample),
            late if late >= silent => 0,
            fading => (silent - fading) as i64,
        };
        self.count((i64::from(sample) * level / (silent - full) as i64) as i16)
    }

    fn count(&mut self, sample: i16) -> i16 {
        self.missing = self.missing.saturating_add(1);
        sample
    }
}
