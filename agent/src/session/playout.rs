//! What the agent says, on its way to the caller: three frames ahead in the ring, the rest here, where it
//! can be held or dropped.

use super::ear::{LONGEST_FRAME, power};
use crate::provider::Generation;
use rtrb::Producer;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use trunkline_media::resample::{RateError, Resampler};

/// Frames that lie in the ring: what a barge-in cannot take back.
const AHEAD: usize = 3;
/// Softer than this is silence; a voice's first silence is left out, for it only delays.
const SILENCE: u16 = 60;

/// A piece of sound: of one call, or of many that say the same.
type Sound = Arc<[i16]>;

/// How far a reply was heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Heard {
    pub time: Duration,
    /// Of the whole, 0..=1; `None` while the whole is not known.
    pub share: Option<f64>,
}

/// One reply at a time.
#[derive(Debug)]
pub(super) struct Playout {
    from_rate: u32,
    to_rate: u32,
    resampler: Resampler,
    generation: Option<Generation>,
    paused: Option<Generation>,
    pieces: VecDeque<Sound>,
    at: usize,
    complete: bool,
    /// Samples at the voice's rate: all that came, and those that went into the ring.
    came: usize,
    went: usize,
    /// Mean square of the loudest frame that went into the ring lately.
    power: f32,
}

impl Playout {
    /// From the voice's rate to the leg's.
    pub(super) fn new(from_rate: u32, to_rate: u32) -> Result<Self, RateError> {
        let resampler = Resampler::new(from_rate, to_rate)?;
        let pieces = VecDeque::with_capacity(8);
        Ok(Self {
            from_rate,
            to_rate,
            resampler,
            generation: None,
            paused: None,
            pieces,
            at: 0,
            complete: false,
            came: 0,
            went: 0,
            power: 0.0,
        })
    }

    /// A reply begins; what was there before is dropped.
    pub(super) fn begin(&mut self, generation: Generation) {
        self.stop();
        self.generation = Some(generation);
    }

    pub(super) fn stop(&mut self) {
        self.generation = None;
        self.pieces.clear();
        (self.at, self.came, self.went, self.complete) = (0, 0, 0, false);
    }

    pub(super) fn add(&mut self, generation: Generation, sound: Sound) {
        if self.generation != Some(generation) {
            return;
        }
        if self.came == 0 {
            let lead = sound.iter().position(|s| s.unsigned_abs() > SILENCE).unwrap_or(0);
            // 20 ms of it stay: a soft consonant ("th") is below the threshold, and Whisper misses it, too.
            self.at = lead.saturating_sub(self.from_rate as usize / 50);
            self.went = self.at;
        }
        self.came += sound.len();
        self.pieces.push_back(sound);
    }

    /// Nothing more comes.
    pub(super) fn complete(&mut self, generation: Generation) {
        self.complete |= self.generation == Some(generation);
    }

    pub(super) fn pause(&mut self, generation: Generation) {
        self.paused = Some(generation);
    }

    pub(super) fn resume(&mut self, generation: Generation) {
        if self.paused == Some(generation) {
            self.paused = None;
        }
    }

    /// Nothing to say at this moment, though more is to come.
    pub(super) fn is_starved(&self) -> bool {
        self.generation.is_some() && self.pieces.is_empty() && !self.complete
    }

    /// Keeps the ring filled. `true`: something went into it.
    pub(super) fn fill(&mut self, speak: &mut Producer<i16>) -> bool {
        if self.generation.is_none() || self.paused == self.generation {
            return false;
        }
        let frame = self.to_rate as usize / 50;
        let mut wrote = false;
        while in_ring(speak) < AHEAD * frame && speak.slots() >= frame && !self.pieces.is_empty() {
            let mut source = [0i16; LONGEST_FRAME];
            self.take(&mut source);
            let mut out = [0i16; 2 * LONGEST_FRAME];
            let n = self
                .resampler
                .process(source.get(..self.from_rate as usize / 50).unwrap_or(&source), &mut out);
            let Ok(chunk) = speak.write_chunk_uninit(n) else { break };
            self.power = self.power.max(power(out.get(..n).unwrap_or_default()));
            chunk.fill_from_iter(out);
            wrote = true;
        }
        wrote
    }

    /// How loud it was since the last time it was asked: a mean square.
    pub(super) fn take_power(&mut self) -> f32 {
        std::mem::take(&mut self.power)
    }

    /// The next 20 ms; silence where the pieces end.
    fn take(&mut self, frame: &mut [i16]) {
        let mut rest = frame.iter_mut().take(self.from_rate as usize / 50);
        while let Some(piece) = self.pieces.front() {
            let left = piece.get(self.at..).unwrap_or_default();
            let mut taken = 0;
            // In this order: a place is only used up when there is a sample for it.
            for (sample, to) in left.iter().zip(rest.by_ref()) {
                *to = *sample;
                taken += 1;
            }
            self.went += taken;
            if taken < left.len() {
                self.at += taken;
                return;
            }
            self.pieces.pop_front();
            self.at = 0;
        }
    }

    /// All of it has been said and has left the ring.
    pub(super) fn is_over(&self, speak: &Producer<i16>) -> bool {
        self.complete && self.pieces.is_empty() && self.paused != self.generation && in_ring(speak) == 0
    }

    /// How much of it the caller has heard.
    pub(super) fn heard(&self, speak: &Producer<i16>) -> Heard {
        let waiting = in_ring(speak) as u64 * u64::from(self.from_rate) / u64::from(self.to_rate.max(1));
        let heard = (self.went as u64).saturating_sub(waiting);
        let time = Duration::from_micros(heard * 1_000_000 / u64::from(self.from_rate.max(1)));
        let share = (self.complete && self.came > 0).then(|| (heard as f64 / self.came as f64).min(1.0));
        Heard { time, share }
    }
}

fn in_ring(speak: &Producer<i16>) -> usize {
    speak.buffer().capacity() - speak.slots()
}

/// The part of a text that was heard, to the end of a word. Without a share, by a usual pace of speech.
pub(super) fn heard_text(text: &str, heard: Heard) -> &str {
    const LETTERS_A_SECOND: f64 = 15.0;
    let letters = text.chars().count() as f64;
    let share = heard.share.unwrap_or_else(|| heard.time.as_secs_f64() * LETTERS_A_SECOND / letters.max(1.0));
    if share >= 1.0 {
        return text;
    }
    let end = text.char_indices().map(|(at, _)| at).nth((letters * share) as usize).unwrap_or(text.len());
    let part = text.get(..end).unwrap_or_default();
    part.rfind(' ').and_then(|space| part.get(..space)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_media::port::audio_port;

    const ONE: Generation = Generation(1);

    #[test]
    fn three_frames_lie_ahead_and_no_more() {
        let (mut port, mut leg) = audio_port(8_000, 10);
        let mut playout = Playout::new(8_000, 8_000).unwrap();
        playout.begin(ONE);
        playout.add(ONE, vec![500; 1_600].into());
        assert!(playout.fill(&mut port.speak));
        assert_eq!(leg.spoken.slots(), 480);
        assert!(!playout.fill(&mut port.speak));
        leg.spoken.read_chunk(160).unwrap().commit_all();
        playout.fill(&mut port.speak);
        assert_eq!(leg.spoken.slots(), 480);
        assert_eq!(playout.heard(&port.speak).time, Duration::from_millis(20));
    }

    #[test]
    fn what_is_said_last_is_filled_up_to_a_whole_frame_and_over_when_the_ring_is_empty() {
        let (mut port, mut leg) = audio_port(16_000, 10);
        let mut playout = Playout::new(8_000, 16_000).unwrap();
        playout.begin(ONE);
        playout.add(ONE, vec![500; 200].into());
        playout.complete(ONE);
        playout.fill(&mut port.speak);
        assert_eq!(leg.spoken.slots(), 640);
        assert!(!playout.is_over(&port.speak));
        leg.spoken.read_chunk(640).unwrap().commit_all();
        assert!(playout.is_over(&port.speak));
        assert_eq!(playout.heard(&port.speak).share, Some(1.0));
    }

    #[test]
    fn silence_before_the_first_word_is_left_out() {
        let (mut port, mut leg) = audio_port(8_000, 10);
        let mut playout = Playout::new(8_000, 8_000).unwrap();
        playout.begin(ONE);
        let mut sound = vec![0; 4_000];
        sound.resize(8_000, 900);
        playout.add(ONE, sound.into());
        playout.fill(&mut port.speak);
        let first: Vec<i16> = leg.spoken.read_chunk(320).unwrap().into_iter().collect();
        assert_eq!(first.iter().position(|s| *s != 0), Some(160));
    }

    #[test]
    fn sound_of_another_reply_falls_away() {
        let (mut port, _leg) = audio_port(8_000, 10);
        let mut playout = Playout::new(8_000, 8_000).unwrap();
        playout.begin(Generation(2));
        playout.add(ONE, vec![500; 1_600].into());
        assert!(!playout.fill(&mut port.speak));
    }

    #[test]
    fn a_text_is_cut_where_its_sound_was_cut() {
        let heard = |share| Heard { time: Duration::ZERO, share: Some(share) };
        assert_eq!(heard_text("We are open from nine to five.", heard(0.45)), "We are open");
        assert_eq!(heard_text("We are open.", heard(1.0)), "We are open.");
        assert_eq!(heard_text("We are open.", heard(0.0)), "");
        let unknown = Heard { time: Duration::from_secs(1), share: None };
        assert_eq!(heard_text("We are open from nine to five.", unknown), "We are open");
    }
}
