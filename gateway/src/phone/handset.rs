//! The handset of a telephone: what the far party says is kept, what this end says goes to the leg, 20 ms by
//! 20 ms.

use super::sound::{self, Cue, Script, Step};
use super::sound_card::SoundCard;
use std::collections::VecDeque;
use trunkline_media::port::{AudioPort, LegPort, audio_port};
use trunkline_media::resample::Resampler;
use trunkline_sip::Time;

/// Frames of 20 ms that fit between the leg and us, each way.
const RING: usize = 10;
/// Frames that are kept ahead in the ring to the leg.
const AHEAD: usize = 3;
/// Sound of the far party that is kept for the transcript: ten minutes.
const MOST_HEARD: usize = 600;
/// -40 dBFS.
const AUDIBLE: u16 = 328;

/// Who talks at our end.
pub enum Mouth {
    Script(Script),
    Person(Box<SoundCard>),
}

/// What whoever talks wants beside talking.
pub(super) enum Wish {
    /// Nothing; it began to say something.
    Said,
    Press(String),
    HangUp,
}

/// Its rate is the leg's at the beginning: a leg whose codec changes later goes on at that rate towards us.
pub(super) struct Handset {
    mouth: Mouth,
    port: Option<AudioPort>,
    rate: u32,
    to_leg: VecDeque<i16>,
    down: Option<Resampler>,
    heard: Vec<i16>,
}

impl Handset {
    pub fn new(mouth: Mouth) -> Self {
        Self { mouth, port: None, rate: 8_000, to_leg: VecDeque::new(), down: None, heard: Vec::new() }
    }

    /// There is a call, at this rate in Hz: the leg's end of the ring.
    pub fn lift(&mut self, rate: u32) -> LegPort {
        let (ours, legs) = audio_port(rate, RING);
        self.port = Some(ours);
        self.rate = rate;
        self.down = Resampler::new(sound::RATE, rate).ok();
        legs
    }

    /// The leg is gone.
    pub fn lay_down(&mut self) {
        self.port = None;
    }

    pub fn is_lifted(&self) -> bool {
        self.port.is_some()
    }

    /// 20 ms. `pressing`: keys are on their way, and nothing new is begun meanwhile.
    pub fn tick(&mut self, now: Time, pressing: bool) -> Option<Wish> {
        let frame = self.hear()?;
        let speaking = pressing || !self.to_leg.is_empty();
        let wish = match &mut self.mouth {
            Mouth::Person(card) => {
                let said = converse(card, &frame, self.rate);
                self.say(&said);
                None
            }
            Mouth::Script(script) => match script.hear(now, &frame, speaking) {
                Cue::Wait => None,
                Cue::HangUp => Some(Wish::HangUp),
                Cue::Do(Step::Press(keys)) => Some(Wish::Press(keys)),
                Cue::Do(Step::Say(samples)) => {
                    self.say(&samples);
                    Some(Wish::Said)
                }
            },
        };
        self.speak();
        wish
    }

    fn hear(&mut self) -> Option<Vec<i16>> {
        let port = self.port.as_mut()?;
        let mut frame = Vec::with_capacity(self.rate as usize / 50);
        while let Ok(sample) = port.hear.pop() {
            frame.push(sample);
        }
        if self.heard.len() < MOST_HEARD * self.rate as usize {
            self.heard.extend_from_slice(&frame);
        }
        Some(frame)
    }

    /// Towards the leg, at its rate.
    fn say(&mut self, samples: &[i16]) {
        let Some(down) = &mut self.down else { return };
        let mut piece = [0; 960];
        for frame in samples.chunks(320) {
            let count = down.process(frame, &mut piece);
            self.to_leg.extend(piece.iter().take(count));
        }
    }

    fn speak(&mut self) {
        let Some(port) = &mut self.port else { return };
        let ahead = self.rate as usize / 50 * AHEAD;
        while port.speak.buffer().capacity() - port.speak.slots() < ahead {
            let Some(sample) = self.to_leg.pop_front() else { return };
            if port.speak.push(sample).is_err() {
                return;
            }
        }
    }

    /// What the far party said, mono at [`sound::RATE`], and when its first sound came after the answer.
    pub fn heard(&self) -> (Vec<i16>, Option<Time>) {
        let heard = crate::wav::at_rate(&self.heard, self.rate, sound::RATE).unwrap_or_default();
        // The leg writes 20 ms every 20 ms from the 200 on: a place in what was heard is a time.
        let loud = self.heard.iter().position(|s| s.unsigned_abs() > AUDIBLE);
        (heard, loud.map(|n| Time::from_secs_f64(n as f64 / f64::from(self.rate))))
    }
}

/// 20 ms with a person: what was heard goes to the loudspeaker, what the microphone has comes back.
fn converse(card: &mut SoundCard, frame: &[i16], rate: u32) -> Vec<i16> {
    for sample in crate::wav::at_rate(frame, rate, sound::RATE).unwrap_or_default() {
        // A full loudspeaker loses the newest.
        let _ = card.speak.push(sample);
    }
    let mut said = Vec::with_capacity(640);
    while let (true, Ok(sample)) = (said.len() < 640, card.hear.pop()) {
        said.push(sample);
    }
    said
}
