//! The caller's sound: is it a voice? A cheap gate by loudness stands before the network, so that an idle
//! call costs next to nothing.

use crate::provider::Vad;
use std::time::Duration;
use trunkline_media::resample::{RateError, Resampler};

/// Samples of 20 ms at the highest rate.
pub(super) const LONGEST_FRAME: usize = 320;
/// Windows that are kept: the newest, and those that warm the network up when the gate opens.
const KEPT: usize = 4;
/// Probability from which a window is voice, and below which it is not.
const ON: f32 = 0.5;
const OFF: f32 = 0.35;
/// Windows in a row that switch voice on and off.
const TO_SWITCH: u8 = 2;

/// Tells voice from other sound, frame by frame.
pub(super) struct Ear {
    vad: Box<dyn Vad>,
    resampler: Resampler,
    gate: Gate,
    /// The newest samples at the network's rate.
    line: Vec<i16>,
    window: usize,
    /// Samples at the end of `line` that no window has covered yet.
    pending: usize,
    /// The network has not heard what came last.
    asleep: bool,
    /// What the network says: right, but late by up to 300 ms at the end of speech.
    voice: bool,
    in_a_row: u8,
    /// Mean square of the loudest moment, slowly forgotten.
    peak: f32,
    /// Frames since there was more than an echo of it.
    quiet: u8,
}

/// Frames of quiet that end a voice: shorter ones are the closures of p, t and k.
const QUIET: u8 = 3;
/// Quiet is 30 dB below the loudest moment, or what the gate takes for background.
const ECHO: f32 = 0.001;

impl std::fmt::Debug for Ear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ear").field("voice", &self.voice).finish_non_exhaustive()
    }
}

impl Ear {
    pub(super) fn new(mut vad: Box<dyn Vad>, rate: u32) -> Result<Self, RateError> {
        let resampler = Resampler::new(rate, vad.rate())?;
        vad.reset();
        let window = vad.window().max(1);
        let line = vec![0; (KEPT * window).max(2 * LONGEST_FRAME)];
        Ok(Self {
            vad,
            resampler,
            gate: Gate::default(),
            line,
            window,
            pending: 0,
            asleep: true,
            voice: false,
            in_a_row: 0,
            peak: 0.0,
            quiet: QUIET,
        })
    }

    /// 20 ms more. Is the caller's voice on? What has no more than the mean square `echo` may be the agent's
    /// own voice, and is nobody's.
    pub(super) fn listen(&mut self, frame: &[i16], echo: f32) -> bool {
        let mut scratch = [0i16; 2 * LONGEST_FRAME];
        let n = self.resampler.process(frame, &mut scratch);
        let kept = self.line.len() - n;
        self.line.copy_within(n.., 0);
        if let (Some(end), Some(new)) = (self.line.get_mut(kept..), scratch.get(..n)) {
            end.copy_from_slice(new);
        }
        self.pending += n;
        let power = power(frame);
        let own = power <= echo;
        let open = (self.gate.is_open(power) && !own) || self.voice;
        self.peak = power.max(self.peak * 0.995);
        let loud = !own && power > self.gate.threshold().max(self.peak * ECHO);
        self.quiet = if loud { 0 } else { self.quiet.saturating_add(1) };
        while self.pending >= self.window {
            let from = self.line.len() - self.pending;
            self.pending -= self.window;
            if open {
                self.judge(from);
            } else {
                self.asleep = true;
                self.in_a_row = 0;
            }
        }
        self.voice && self.quiet < QUIET
    }

    /// How long ago the sound ended that is not voice any more.
    pub(super) fn silent_for(&self) -> Duration {
        Duration::from_millis(20 * u64::from(self.quiet.min(QUIET)))
    }

    /// The window that begins at `from`. After a sleep the network first hears the two before it.
    fn judge(&mut self, from: usize) {
        if self.asleep {
            self.asleep = false;
            self.vad.reset();
            for before in [2, 1] {
                let earlier = from.checked_sub(before * self.window);
                if let Some(window) = earlier.and_then(|at| self.line.get(at..at + self.window)) {
                    self.vad.probability(window);
                }
            }
        }
        let Some(window) = self.line.get(from..from + self.window) else { return };
        let probability = self.vad.probability(window);
        let switches = if self.voice { probability < OFF } else { probability >= ON };
        self.in_a_row = if switches { self.in_a_row + 1 } else { 0 };
        if self.in_a_row == TO_SWITCH {
            self.voice = !self.voice;
            self.in_a_row = 0;
        }
    }
}

/// Opens for what is louder than the background, which it learns.
#[derive(Debug)]
struct Gate {
    /// Mean square of the background.
    floor: f32,
    frames_left: u8,
}

/// The background is followed down at once and up by a factor of 1.5 a second.
const RISE: f32 = 1.008;
/// Sound must be four times (6 dB above) the background …
const MARGIN: f32 = 4.0;
/// … but −58 dBFS is always too soft, and −36 dBFS never.
const SOFTEST: f32 = 41.0 * 41.0;
const LOUDEST: f32 = 520.0 * 520.0;
/// Frames for which it stays open: the network is to hear pauses, too.
const OPEN_FOR: u8 = 15;

impl Default for Gate {
    fn default() -> Self {
        Self { floor: SOFTEST / MARGIN, frames_left: 0 }
    }
}

impl Gate {
    fn threshold(&self) -> f32 {
        (self.floor * MARGIN).clamp(SOFTEST, LOUDEST)
    }

    fn is_open(&mut self, power: f32) -> bool {
        let loud = power > self.threshold();
        self.floor = power.min(self.floor * RISE).max(1.0);
        self.frames_left = if loud { OPEN_FOR } else { self.frames_left.saturating_sub(1) };
        self.frames_left > 0
    }
}

/// Mean square.
pub(super) fn power(frame: &[i16]) -> f32 {
    let sum: i64 = frame.iter().map(|s| i64::from(i32::from(*s) * i32::from(*s))).sum();
    sum as f32 / frame.len().max(1) as f32
}

/// The sound of the last moments, for a recogniser that is started when the voice has begun already.
#[derive(Debug)]
pub(super) struct PreRoll {
    ring: Vec<i16>,
    at: usize,
    held: usize,
}

impl PreRoll {
    /// 400 ms: 300 before the voice, and what it took to notice it.
    pub(super) fn new(rate: u32) -> Self {
        Self { ring: vec![0; rate as usize * 2 / 5], at: 0, held: 0 }
    }

    pub(super) fn push(&mut self, frame: &[i16]) {
        for sample in frame {
            if let Some(place) = self.ring.get_mut(self.at) {
                *place = *sample;
            }
            self.at = (self.at + 1) % self.ring.len().max(1);
        }
        self.held = (self.held + frame.len()).min(self.ring.len());
    }

    /// The oldest part and the newest part.
    pub(super) fn parts(&self) -> [&[i16]; 2] {
        let from = (self.at + self.ring.len() - self.held) % self.ring.len().max(1);
        let (older, newer) = if from + self.held <= self.ring.len() {
            (self.ring.get(from..from + self.held), None)
        } else {
            (self.ring.get(from..), self.ring.get(..self.at))
        };
        [older.unwrap_or_default(), newer.unwrap_or_default()]
    }

    pub(super) fn clear(&mut self) {
        self.held = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Takes what is loud for speech, and counts its windows.
    struct Loudness(Arc<AtomicUsize>);

    impl Vad for Loudness {
        fn window(&self) -> usize {
            256
        }
        fn rate(&self) -> u32 {
            8_000
        }
        fn probability(&mut self, window: &[i16]) -> f32 {
            assert_eq!(window.len(), 256);
            self.0.fetch_add(1, Ordering::Relaxed);
            f32::from(u8::from(window.iter().filter(|s| s.abs() > 1_000).count() > 64))
        }
        fn reset(&mut self) {}
    }

    fn ear(rate: u32) -> (Ear, Arc<AtomicUsize>) {
        let windows = Arc::new(AtomicUsize::new(0));
        (Ear::new(Box::new(Loudness(Arc::clone(&windows))), rate).unwrap(), windows)
    }

    /// Frames until the ear says `voice`.
    fn frames_until(ear: &mut Ear, frame: &[i16], voice: bool) -> usize {
        (1..100).find(|_| ear.listen(frame, 0.0) == voice).unwrap()
    }

    #[test]
    fn silence_and_the_hiss_of_a_line_never_reach_the_network() {
        let (mut ear, windows) = ear(8_000);
        for n in 0..500 {
            let hiss: Vec<i16> = (0..160).map(|i| if (i * 7 + n) % 3 == 0 { 8 } else { -8 }).collect();
            assert!(!ear.listen(&hiss, 0.0));
        }
        assert_eq!(windows.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_background_that_stays_is_learned() {
        let (mut ear, windows) = ear(8_000);
        for _ in 0..1_000 {
            ear.listen(&[200; 160], 0.0);
        }
        let learned = windows.load(Ordering::Relaxed);
        for _ in 0..500 {
            ear.listen(&[200; 160], 0.0);
        }
        assert_eq!(windows.load(Ordering::Relaxed), learned, "the gate is shut");
        assert!(frames_until(&mut ear, &[5_000; 160], true) <= 4, "speech above it opens it");
    }

    #[test]
    fn voice_is_noticed_within_100_ms_at_either_rate() {
        for rate in [8_000, 16_000] {
            let (mut ear, _) = ear(rate);
            let (loud, quiet) = (vec![5_000; rate as usize / 50], vec![0; rate as usize / 50]);
            assert!(frames_until(&mut ear, &loud, true) <= 5);
            assert!(frames_until(&mut ear, &quiet, false) <= 5);
        }
    }

    #[test]
    fn a_pre_roll_holds_the_newest_sound_in_order() {
        let mut roll = PreRoll::new(50);
        let all = |roll: &PreRoll| roll.parts().concat();
        roll.push(&[1, 2, 3]);
        assert_eq!(all(&roll), [1, 2, 3]);
        roll.push(&(4..=25).collect::<Vec<_>>());
        assert_eq!(all(&roll), (6..=25).collect::<Vec<_>>());
        roll.clear();
        roll.push(&[9]);
        assert_eq!(all(&roll), [9]);
    }
}
