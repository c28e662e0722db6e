//! What a telephone without hands says: WAV files and keys, each when the far party has finished speaking.
//! Pure but for the reading of files.

use super::PhoneError;
use std::path::Path;
use trunkline_sip::Time;

/// Rate of everything that is said here, in Hz.
pub const RATE: u32 = 16_000;
/// The far party has finished when it was quiet for this long after it had spoken.
const FINISHED: Time = Time::from_millis(1200);
/// A far party that says nothing at all is spoken to after this long.
const PATIENCE: Time = Time::from_secs(6);
/// Mean square of a frame that counts as speech: -42 dBFS.
const LOUD: i64 = 260 * 260;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Speak this, mono at [`RATE`].
    Say(Vec<i16>),
    /// Press these keys.
    Press(String),
}

/// What is to be said and pressed, in order.
#[derive(Debug)]
pub struct Script {
    steps: std::collections::VecDeque<Step>,
    /// Begin without waiting for the far party, each time.
    at_once: bool,
    /// Hang up when the far party was quiet for this long after the last step.
    patience: Time,
    spoken: bool,
    quiet_since: Time,
    waits_since: Time,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Cue {
    Wait,
    Do(Step),
    HangUp,
}

impl Script {
    pub fn new(steps: Vec<Step>, at_once: bool, patience: Time) -> Self {
        Self {
            steps: steps.into(),
            at_once,
            patience,
            spoken: false,
            quiet_since: Time::ZERO,
            waits_since: Time::ZERO,
        }
    }

    /// 20 ms of the far party. `speaking`: what we say is not through yet.
    pub fn hear(&mut self, now: Time, frame: &[i16], speaking: bool) -> Cue {
        if is_loud(frame) {
            self.spoken = true;
            self.quiet_since = now;
        }
        if speaking {
            self.waits_since = now;
            self.spoken = false;
            return Cue::Wait;
        }
        let quiet = now.saturating_sub(self.quiet_since);
        let waited = now.saturating_sub(self.waits_since);
        let finished = self.spoken && quiet >= FINISHED;
        if self.steps.is_empty() {
            let over = quiet >= self.patience && waited >= self.patience;
            return if over { Cue::HangUp } else { Cue::Wait };
        }
        if !(finished || self.at_once || (!self.spoken && waited >= PATIENCE)) {
            return Cue::Wait;
        }
        self.spoken = false;
        self.waits_since = now;
        self.steps.pop_front().map_or(Cue::Wait, Cue::Do)
    }
}

fn is_loud(frame: &[i16]) -> bool {
    let energy: i64 = frame.iter().map(|s| i64::from(*s) * i64::from(*s)).sum();
    !frame.is_empty() && energy / i64::try_from(frame.len()).unwrap_or(1) > LOUD
}

/// Reads a WAV file as mono at [`RATE`].
///
/// # Errors
/// No WAV file of 16-bit samples at 8,000, 16,000 or 48,000 Hz.
pub fn read(path: &Path) -> Result<Vec<i16>, PhoneError> {
    crate::wav::read(path, RATE).map_err(|why| PhoneError::Wave { path: path.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD_FRAME: [i16; 160] = [3000; 160];
    const QUIET_FRAME: [i16; 160] = [0; 160];

    fn ms(n: u64) -> Time {
        Time::from_millis(n)
    }

    #[test]
    fn it_speaks_when_the_far_party_has_finished() {
        let mut script = Script::new(vec![Step::Press("1".into())], false, ms(3000));
        assert_eq!(script.hear(ms(0), &LOUD_FRAME, false), Cue::Wait);
        assert_eq!(script.hear(ms(1000), &QUIET_FRAME, false), Cue::Wait);
        assert_eq!(script.hear(ms(1300), &QUIET_FRAME, false), Cue::Do(Step::Press("1".into())));
    }

    #[test]
    fn a_far_party_that_says_nothing_is_spoken_to_after_a_while() {
        let mut script = Script::new(vec![Step::Press("1".into())], false, ms(3000));
        assert_eq!(script.hear(ms(5000), &QUIET_FRAME, false), Cue::Wait);
        assert_eq!(script.hear(ms(6000), &QUIET_FRAME, false), Cue::Do(Step::Press("1".into())));
    }

    #[test]
    fn after_the_last_step_it_waits_for_silence_and_hangs_up() {
        let mut script = Script::new(Vec::new(), false, ms(3000));
        assert_eq!(script.hear(ms(1000), &LOUD_FRAME, false), Cue::Wait);
        assert_eq!(script.hear(ms(3900), &QUIET_FRAME, false), Cue::Wait);
        assert_eq!(script.hear(ms(4100), &QUIET_FRAME, false), Cue::HangUp);
    }

    #[test]
    fn talking_over_the_far_party_needs_no_pause() {
        let mut script = Script::new(vec![Step::Press("1".into())], true, ms(3000));
        assert_eq!(script.hear(ms(0), &LOUD_FRAME, false), Cue::Do(Step::Press("1".into())));
    }
}
