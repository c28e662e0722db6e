//! What a caller may put into a slot, by voice or by keys.

use super::Phrase;
use super::phrase::{find, words};

/// What a slot takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Takes {
    /// Any words.
    Text,
    /// One of these; as spoken, and as words.
    Choice(Vec<(String, Vec<String>)>),
    /// Digits: this many, or until the caller is done or presses `#`.
    Number(Option<u8>),
    /// `yes` or `no`.
    YesNo,
}

/// A value, and whether no other could be meant (then nobody waits for more words).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub text: String,
    pub sure: bool,
}

pub(super) const YES: [&str; 6] = ["yes", "yeah", "yes please", "sure", "correct", "that's right"];
pub(super) const NO: [&str; 5] = ["no", "nope", "no thanks", "wrong", "not really"];
pub(super) const DIGITS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const TEENS: [&str; 10] = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

impl Takes {
    /// What of the caller's words belongs into the slot. Any of `strip` before the value is left out ("my name is").
    pub(super) fn value(&self, heard: &[String], strip: &[Phrase]) -> Option<Value> {
        match self {
            Self::Text => {
                let from = strip
                    .iter()
                    .filter_map(|s| find(heard, &s.words))
                    .filter(|f| f.sure)
                    .map(|f| f.end)
                    .max();
                let text =
                    heard.iter().skip(from.unwrap_or(0)).take(12).cloned().collect::<Vec<_>>().join(" ");
                (!text.is_empty()).then_some(Value { text, sure: false })
            }
            Self::Choice(choices) => choices
                .iter()
                .filter_map(|(spoken, words)| Some((find(heard, words)?, spoken)))
                .max_by_key(|(fit, _)| *fit)
                .map(|(fit, spoken)| Value { text: spoken.clone(), sure: fit.sure }),
            Self::Number(wanted) => {
                let text = number(heard);
                let enough = wanted.map_or(!text.is_empty(), |n| text.len() == usize::from(n));
                enough.then_some(Value { text, sure: wanted.is_some() })
            }
            Self::YesNo => {
                let any = |phrases: &[&str]| phrases.iter().any(|p| find(heard, &words(p)).is_some());
                let text = if any(&NO) { "no" } else { any(&YES).then_some("yes")? };
                Some(Value { text: text.to_owned(), sure: true })
            }
        }
    }

    /// Words that may fill it, for the recogniser.
    pub(super) fn phrases(&self) -> Vec<String> {
        let all = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
        match self {
            Self::Text => Vec::new(),
            Self::Choice(choices) => choices.iter().map(|(spoken, _)| spoken.clone()).collect(),
            Self::Number(_) => {
                [&DIGITS[..], &TEENS[..], &TENS[..], &["oh"]].into_iter().flat_map(all).collect()
            }
            Self::YesNo => [&YES[..], &NO[..]].into_iter().flat_map(all).collect(),
        }
    }
}

/// Is it yes or no, and not a word more?
pub(super) fn is_yes_or_no(heard: &[String]) -> bool {
    YES.iter().chain(&NO).any(|phrase| words(phrase) == heard)
}

/// The digits in what was said: "four two", "forty two", "4 2" are 42.
pub(super) fn number(heard: &[String]) -> String {
    let at = |list: &[&str], word: &str| list.iter().position(|w| *w == word);
    let mut out = String::new();
    let mut heard = heard.iter().peekable();
    while let Some(word) = heard.next() {
        if let Some(digit) = at(&DIGITS, word) {
            out.push_str(&digit.to_string());
        } else if word == "oh" {
            out.push('0');
        } else if let Some(teen) = at(&TEENS, word) {
            out.push_str(&(teen + 10).to_string());
        } else if let Some(tens) = at(&TENS, word) {
            let unit = heard.peek().and_then(|next| at(&DIGITS, next)).filter(|unit| *unit > 0);
            if unit.is_some() {
                heard.next();
            }
            out.push_str(&((tens + 2) * 10 + unit.unwrap_or(0)).to_string());
        } else if word.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(word);
        }
    }
    out
}

/// The key that a caller says instead of pressing it.
pub(super) fn spoken_key(heard: &[String]) -> Option<char> {
    match heard {
        [word] => number(std::slice::from_ref(word)).parse::<u8>().ok(),
        [press, word] if press == "press" || press == "number" => {
            number(std::slice::from_ref(word)).parse::<u8>().ok()
        }
        _ => None,
    }
    .filter(|digit| *digit < 10)
    .map(|digit| char::from(b'0' + digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_understood_as_people_say_them() {
        for (said, digits) in
            [("four two", "42"), ("it is forty two", "42"), ("oh one fifteen", "0115"), ("4 2", "42")]
        {
            assert_eq!(number(&words(said)), digits, "{said}");
        }
        assert_eq!(spoken_key(&words("Press two.")), Some('2'));
        assert_eq!(spoken_key(&words("two dogs")), None);
    }

    #[test]
    fn a_free_text_begins_behind_the_words_that_lead_to_it() {
        let strip = ["my name is", "i am"].map(|text| Phrase {
            words: words(text),
            spelled: text.to_owned(),
            slot: None,
        });
        assert_eq!(
            Takes::Text.value(&words("well my name is Anna Smith"), &strip).unwrap().text,
            "anna smith"
        );
        assert_eq!(Takes::Text.value(&words("Anna"), &strip).unwrap().text, "anna");
        assert_eq!(Takes::Text.value(&words("my name is"), &strip), None);
    }

    #[test]
    fn yes_and_no_are_told_apart() {
        let value = |said: &str| Takes::YesNo.value(&words(said), &[]).map(|v| v.text);
        assert_eq!(value("yeah sure"), Some("yes".to_owned()));
        assert_eq!(value("no thanks"), Some("no".to_owned()));
        assert_eq!(value("maybe"), None);
    }
}
