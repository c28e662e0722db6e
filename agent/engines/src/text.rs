//! Text before it is spoken: cut into sentences, and reduced to what an English voice can read.

/// A word longer than this is cut: letter-to-sound rules work on a word at a time and in its square.
const LONGEST_WORD: usize = 48;

/// ASCII that sounds like the text: letters without their marks, typographic punctuation as typed. What no
/// English voice can say becomes a space.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = 0;
    for c in text.chars() {
        let piece: &str = match c {
            ' '..='~' => {
                out.push(c);
                ""
            }
            '‘' | '’' | 'ʼ' => "'",
            '“' | '”' | '«' | '»' => "\"",
            '–' | '—' | '…' => ", ",
            '€' => " euros ",
            '£' => " pounds ",
            '°' => " degrees ",
            'À'..='Å' | 'à'..='å' => "a",
            'Ç' | 'ç' => "c",
            'È'..='Ë' | 'è'..='ë' => "e",
            'Ì'..='Ï' | 'ì'..='ï' => "i",
            'Ñ' | 'ñ' => "n",
            'Ò'..='Ö' | 'Ø' | 'ò'..='ö' | 'ø' => "o",
            'Ù'..='Ü' | 'ù'..='ü' => "u",
            'Ý' | 'ý' | 'ÿ' => "y",
            'ß' => "ss",
            'Æ' | 'æ' => "ae",
            'Œ' | 'œ' => "oe",
            _ => " ",
        };
        out.push_str(piece);
        word = if out.ends_with(|c: char| c.is_ascii_alphanumeric()) { word + 1 } else { 0 };
        if word == LONGEST_WORD {
            out.push(' ');
            word = 0;
        }
    }
    out
}

/// A piece longer than this is cut at a comma, or else at a space: nobody waits for a paragraph.
const LONGEST_SENTENCE: usize = 220;

/// The sentences of a text, in order, without the space around them; none is empty. A full stop inside a
/// number, an abbreviation of one letter or a few common ones do not end a sentence.
#[must_use]
pub fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut end = sentence_end(rest);
        if end > LONGEST_SENTENCE {
            end = shorter_end(rest, end);
        }
        let (sentence, after) = rest.split_at(end);
        let sentence = sentence.trim_end();
        if !sentence.is_empty() {
            out.push(sentence);
        }
        rest = after.trim_start();
    }
    out
}

fn sentence_end(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        if c == '\n' {
            return end;
        }
        if !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let ends = match chars.peek() {
            None => true,
            Some((_, next)) => next.is_whitespace(),
        };
        if ends && !(c == '.' && is_abbreviation(&text[..at])) {
            return end;
        }
    }
    text.len()
}

fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace()).next().unwrap_or("");
    let one_letter = word.chars().count() == 1 && word.chars().all(char::is_uppercase) && word != "I";
    one_letter || ["Mr", "Mrs", "Ms", "Dr", "St", "No", "vs", "e.g", "i.e"].contains(&word)
}

fn shorter_end(text: &str, end: usize) -> usize {
    let limit = (0..=LONGEST_SENTENCE.min(end)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(end);
    let head = &text[..limit];
    let comma = head.rfind([',', ';', ':']).map(|at| at + 1).filter(|at| *at > 40);
    comma.or_else(|| head.rfind(char::is_whitespace)).filter(|at| *at > 0).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_spoken_sentence_by_sentence() {
        assert_eq!(
            sentences(" Good morning, Dr. Smith! It costs 3.50 a month.\nWhich do you want?  "),
            ["Good morning, Dr. Smith!", "It costs 3.50 a month.", "Which do you want?"]
        );
        assert!(sentences(" \n ").is_empty());
    }

    #[test]
    fn a_paragraph_without_a_full_stop_is_cut_at_a_comma() {
        let text = "this goes on and on and on and on and on, and then ".repeat(9);
        let pieces = sentences(&text);
        assert!(pieces.len() > 1);
        assert!(pieces.iter().all(|piece| piece.len() <= LONGEST_SENTENCE));
        assert!(pieces[0].ends_with(','));
    }

    #[test]
    fn what_the_voice_cannot_read_is_reduced_to_what_it_can() {
        assert_eq!(plain("Café – “naïve” 日本 ☎"), "Cafe ,  \"naive\"     ");
        assert!(plain(&"a".repeat(500)).split(' ').all(|word| word.len() <= LONGEST_WORD));
    }

    proptest::proptest! {
        #[test]
        fn sentences_lose_no_word(text in "[a-z .,!?\n]{0,600}") {
            let whole: Vec<&str> = text.split_whitespace().collect();
            let pieces = sentences(&text);
            let cut: Vec<&str> = pieces.iter().flat_map(|s| s.split_whitespace()).collect();
            proptest::prop_assert_eq!(whole.concat(), cut.concat());
        }

        #[test]
        fn any_text_at_all_becomes_printable(text in "\\PC{0,300}") {
            proptest::prop_assert!(plain(&text).bytes().all(|b| (b' '..=b'~').contains(&b)));
        }
    }
}
