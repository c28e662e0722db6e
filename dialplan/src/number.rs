//! Telephone numbers as carriers write them, made comparable the way livekit does it.

use std::borrow::Cow;

/// `(555) 010-0199` and `+5550100199` are the same number: when the text is only digits, spaces, dashes
/// and parentheses after an optional `+`, those are taken out and a `+` is put in front. Anything
/// else (`sales`, `alice.b`) stays as it stands.
#[must_use]
pub fn normalize_number(number: &str) -> Cow<'_, str> {
    let rest = number.strip_prefix('+').unwrap_or(number);
    let written_as_a_number = !rest.is_empty()
        && rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b' ' | b'(' | b')'));
    if !written_as_a_number {
        return Cow::Borrowed(number);
    }
    if number.starts_with('+') && rest.bytes().all(|b| b.is_ascii_digit()) {
        return Cow::Borrowed(number);
    }
    let mut plain = String::with_capacity(rest.len() + 1);
    plain.push('+');
    plain.extend(rest.chars().filter(char::is_ascii_digit));
    Cow::Owned(plain)
}

/// Do two texts name the same number?
#[must_use]
pub fn same_number(a: &str, b: &str) -> bool {
    a == b || normalize_number(a) == normalize_number(b)
}

/// Is `number` among `list`, however it is written?
pub(crate) fn among(number: &str, list: &[String]) -> bool {
    let number = normalize_number(number);
    list.iter().any(|entry| *entry == number || normalize_number(entry) == number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_normalised_as_livekit_does_it() {
        for (written, plain) in [
            ("+15550100", "+15550100"),
            ("15550100", "+15550100"),
            ("1 (555) 01-00", "+15550100"),
            ("+1 555 0100", "+15550100"),
            ("sales", "sales"),
            ("+1555x", "+1555x"),
            ("", ""),
            ("+", "+"),
            ("*98", "*98"),
            ("1001", "+1001"),
            ("++1", "++1"),
        ] {
            assert_eq!(normalize_number(written), plain, "{written:?}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,20}|\\+?[0-9 ()-]{1,20}") {
            let once = normalize_number(&text).into_owned();
            prop_assert_eq!(normalize_number(&once).into_owned(), once);
        }

        #[test]
        fn punctuation_never_makes_another_number(digits in "[0-9]{1,15}", seed in any::<u64>()) {
            let mut written = String::new();
            for (i, digit) in digits.chars().enumerate() {
                written.push_str(["", " ", "-", "(", ")"][usize::try_from((seed >> (i * 3)) % 5).unwrap()]);
                written.push(digit);
            }
            prop_assert!(same_number(&written, &digits));
        }
    }
}
