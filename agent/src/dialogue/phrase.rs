//! Phrases against what was heard: word by word, without case and punctuation.

/// A text as words: lower case, without punctuation and apostrophes.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '’'))
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect())
        .filter(|word: &String| !word.is_empty())
        .collect()
}

/// A text as a recogniser's dictionary spells it: lower case, apostrophes kept, no other punctuation.
pub(super) fn spelled(text: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || c == '\'' { c } else { ' ' };
    let text: String = text.replace('’', "'").chars().map(kept).flat_map(char::to_lowercase).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How well a phrase fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fit {
    /// Its words stand side by side.
    pub sure: bool,
    /// Words of the phrase: the longer says more.
    pub words: usize,
    /// Index behind its last word.
    pub end: usize,
}

/// At most this many foreign words between two words of a phrase ("when *exactly* do you open").
const GAP: usize = 2;

/// Where `phrase` stands in `heard`: side by side, or else in order with small gaps.
pub(super) fn find(heard: &[String], phrase: &[String]) -> Option<Fit> {
    if phrase.is_empty() {
        return None;
    }
    let words = phrase.len();
    if let Some(at) = heard.windows(words).rposition(|window| window == phrase) {
        return Some(Fit { sure: true, words, end: at + words });
    }
    // Two words far apart fit by accident too often.
    if words < 3 {
        return None;
    }
    (0..heard.len()).find_map(|from| with_gaps(heard, phrase, from))
}

/// Words of an utterance up to which one of them says what is meant.
const SHORT: usize = 5;

/// A single word anywhere in a long utterance is too little ("hello" in what a recogniser makes of a
/// sentence that it does not understand); as the last word it is not ("… that was all, goodbye").
pub(super) fn says_enough(heard: &[String], fit: Fit) -> bool {
    fit.words > 1 || heard.len() <= SHORT || fit.end == heard.len()
}

fn with_gaps(heard: &[String], phrase: &[String], from: usize) -> Option<Fit> {
    let mut at = from;
    for (n, word) in phrase.iter().enumerate() {
        let reach = if n == 0 { 1 } else { GAP + 1 };
        at += heard.iter().skip(at).take(reach).position(|heard| heard == word)? + 1;
    }
    Some(Fit { sure: false, words: phrase.len(), end: at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(heard: &str, phrase: &str) -> Option<bool> {
        find(&words(heard), &words(phrase)).map(|fit| fit.sure)
    }

    #[test]
    fn words_side_by_side_are_sure_and_words_in_order_are_not() {
        assert_eq!(fit("What's your OPENING hours, please?", "opening hours"), Some(true));
        assert_eq!(fit("when exactly do you open", "when do you open"), Some(false));
        assert_eq!(fit("open when do you", "when do you open"), None);
        assert_eq!(fit("hours of opening", "opening hours"), None);
        assert_eq!(fit("", "hours"), None);
    }

    #[test]
    fn apostrophes_do_not_matter() {
        assert_eq!(fit("whats the time", "what's the time"), Some(true));
    }
}
