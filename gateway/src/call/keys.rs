//! A key that a phone sends in two ways at once (telephone-event and INFO, or tones beside either) is one
//! key: the second way is not listened to while the first is fresh.

use trunkline_sip::Time;

/// How a key came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// RFC 4733 telephone-event.
    Event,
    /// As a tone.
    Tone,
    /// SIP INFO.
    Info,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "RFC 4733",
            Self::Tone => "in-band",
            Self::Info => "INFO",
        }
    }
}

/// The ways report one press at different moments: an event at its end, a tone when it is sure, INFO when
/// the phone gets to it.
const SAME_PRESS: Time = Time::from_millis(700);

/// The last key of a call.
#[derive(Debug, Default)]
pub(super) struct Keys {
    last: Option<(char, Way, Time)>,
}

impl Keys {
    /// Is this a press of its own?
    pub fn is_new(&mut self, now: Time, digit: char, way: Way) -> bool {
        let echo =
            self.last.is_some_and(|(d, w, at)| d == digit && w != way && now.saturating_sub(at) < SAME_PRESS);
        if echo {
            return false;
        }
        self.last = Some((digit, way, now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_comes_two_ways_at_once_counts_once() {
        let mut keys = Keys::default();
        assert!(keys.is_new(Time::from_millis(0), '5', Way::Event));
        assert!(!keys.is_new(Time::from_millis(300), '5', Way::Info));
    }

    #[test]
    fn a_key_pressed_twice_the_same_way_counts_twice() {
        let mut keys = Keys::default();
        assert!(keys.is_new(Time::from_millis(0), '5', Way::Event));
        assert!(keys.is_new(Time::from_millis(200), '5', Way::Event));
    }

    #[test]
    fn the_other_way_is_heard_again_later() {
        let mut keys = Keys::default();
        assert!(keys.is_new(Time::from_millis(0), '5', Way::Event));
        assert!(keys.is_new(Time::from_millis(900), '5', Way::Info));
    }
}
