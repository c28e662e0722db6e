//! The PIN desk: keys in, a PIN out. Pure; the digits never leave it but as the PIN that is tried.

/// As livekit/sip: more keys than this are no PIN.
const LONGEST: usize = 16;

/// What a key led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More keys are awaited.
    More,
    /// `#` was pressed: this is the PIN (empty: the caller has none), or it grew too long to be one.
    Typed(String),
}

/// What a wrong PIN leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Ask again; so many tries are left.
    Again(u32),
    /// That was the last try.
    Enough,
}

/// The PIN that is being typed, and the tries that are left.
pub(super) struct PinDesk {
    digits: String,
    tries: u32,
}

impl PinDesk {
    pub fn new(tries: u32) -> Self {
        Self { digits: String::new(), tries: tries.max(1) }
    }

    /// A key: digits are kept, `*` clears what was typed, `#` ends it.
    pub fn key(&mut self, digit: char) -> Step {
        match digit {
            '#' => Step::Typed(std::mem::take(&mut self.digits)),
            '*' => {
                self.digits.clear();
                Step::More
            }
            _ => {
                self.digits.push(digit);
                if self.digits.len() > LONGEST {
                    return Step::Typed(std::mem::take(&mut self.digits));
                }
                Step::More
            }
        }
    }

    /// Nothing was pressed for a while: what was typed so far counts, as if `#` had followed.
    pub fn silence(&mut self) -> Option<String> {
        (!self.digits.is_empty()).then(|| std::mem::take(&mut self.digits))
    }

    /// The PIN opened nothing, or none was typed in time.
    pub fn wrong(&mut self) -> Wrong {
        self.digits.clear();
        self.tries -= 1;
        if self.tries == 0 { Wrong::Enough } else { Wrong::Again(self.tries) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_in(desk: &mut PinDesk, keys: &str) -> Step {
        keys.chars().map(|key| desk.key(key)).last().unwrap_or(Step::More)
    }

    #[test]
    fn the_pin_is_what_was_typed_before_the_pound_key() {
        assert_eq!(type_in(&mut PinDesk::new(3), "4711#"), Step::Typed("4711".into()));
    }

    #[test]
    fn the_pound_key_alone_says_that_there_is_no_pin() {
        assert_eq!(type_in(&mut PinDesk::new(3), "#"), Step::Typed(String::new()));
    }

    #[test]
    fn the_star_key_begins_anew() {
        assert_eq!(type_in(&mut PinDesk::new(3), "99*12#"), Step::Typed("12".into()));
    }

    #[test]
    fn a_pin_that_never_ends_is_tried_rather_than_kept() {
        assert_eq!(type_in(&mut PinDesk::new(3), &"1".repeat(17)), Step::Typed("1".repeat(17)));
    }

    #[test]
    fn a_caller_who_forgets_the_pound_key_is_understood_after_a_while() {
        let mut desk = PinDesk::new(3);
        type_in(&mut desk, "12");
        assert_eq!(desk.silence(), Some("12".into()));
        assert_eq!(desk.silence(), None);
    }

    #[test]
    fn three_tries_are_three() {
        let mut desk = PinDesk::new(3);
        assert_eq!(desk.wrong(), Wrong::Again(2));
        assert_eq!(desk.wrong(), Wrong::Again(1));
        assert_eq!(desk.wrong(), Wrong::Enough);
    }
}
