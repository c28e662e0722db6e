//! Small pieces of RFC 3261 §25: separators that quotes and angle brackets hide, parameters, tokens,
//! escapes, and text that is safe to show.

use std::borrow::Cow;
use std::fmt;

/// Finds `wanted` outside quoted strings and angle brackets. What never ends hides all that follows.
pub(crate) fn find_outside(text: &str, wanted: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        let found = at + memchr::memchr3(wanted, b'"', b'<', bytes.get(at..)?)?;
        match bytes.get(found) {
            Some(b) if *b == wanted => return Some(found),
            Some(b'"') => at = quote_end(bytes, found)?,
            _ => at = found + memchr::memchr(b'>', bytes.get(found..)?)? + 1,
        }
    }
}

/// Where the quoted string that opens at `open` is over.
pub(super) fn quote_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(found) == Some(&b'"') {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

/// Cuts at the first `at`, an ASCII character, which goes.
pub(super) fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let n = memchr::memchr(at, text.as_bytes())?;
    Some((text.get(..n)?, text.get(n + 1..)?))
}

/// Splits at `separator`, which never stands inside quotes or angle brackets; parts are trimmed.
#[derive(Debug, Clone)]
pub struct Split<'a> {
    rest: Option<&'a str>,
    separator: u8,
}

impl<'a> Split<'a> {
    /// A list such as `a, "b, c", <sip:d,e>`.
    #[must_use]
    pub fn new(text: &'a str, separator: u8) -> Self {
        Self { rest: Some(text), separator }
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        match find_outside(rest, self.separator) {
            Some(n) => {
                self.rest = rest.get(n + 1..);
                rest.get(..n).map(str::trim_ascii)
            }
            None => {
                self.rest = None;
                Some(rest.trim_ascii())
            }
        }
    }
}

/// Parameters: `;name=value;flag` without the first semicolon, or separated by commas in challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Params<'a> {
    text: &'a str,
}

impl<'a> Params<'a> {
    /// Parameters in `text`, which may begin with semicolons.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        let text = text.trim_ascii();
        Self { text: text.trim_start_matches(';') }
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// Names and values in order; a flag has the value `""`. Quotes are kept.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        Split::new(self.text, b';').filter(|p| !p.is_empty()).map(|p| match cut(p, b'=') {
            Some((n, v)) => (n.trim_ascii(), v.trim_ascii()),
            None => (p, ""),
        })
    }

    /// The value of a parameter (`Some("")` for a flag), its name in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }
}

/// Is every byte a token character (RFC 3261 §25.1)?
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

pub(crate) fn is_token_byte(b: u8) -> bool {
    class(b) & TOKEN != 0
}

/// May these bytes stand in a URI, escaped or not? No white space, controls, brackets, quotes. It looks at
/// all of them without leaving early, so that the compiler can take many at a time.
pub(super) fn are_uri_bytes(text: &str) -> bool {
    text.bytes()
        .fold(true, |sound, b| sound & (b > b' ') & (b != 0x7f) & (b != b'<') & (b != b'>') & (b != b'"'))
}

/// May this byte stand in a host name? The underscore is not in the grammar, and is in the wild.
pub(super) fn is_host_byte(b: u8) -> bool {
    class(b) & HOST != 0
}

const TOKEN: u8 = 1;
const HOST: u8 = 2;

/// One look-up a byte; worked out when the program is compiled.
static CLASSES: [u8; 256] = classes();

fn class(b: u8) -> u8 {
    CLASSES.get(usize::from(b)).copied().unwrap_or(0)
}

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs in the compiler, below 256"
)]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let b = n as u8;
        if b.is_ascii_alphanumeric()
            || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
        {
            table[n] |= TOKEN;
        }
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_') {
            table[n] |= HOST;
        }
        n += 1;
    }
    table
}

/// Takes the quotes and backslashes off a quoted string; other text is returned as it is.
#[must_use]
pub fn unquoted(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A value as a quoted string, quotes and backslashes escaped.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// Undoes `%41` escapes; what is no escape stays as it is, so that nothing is lost.
#[must_use]
pub fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut n = 0;
    while let Some(b) = bytes.get(n) {
        let pair = bytes.get(n + 1..n + 3).and_then(|p| std::str::from_utf8(p).ok());
        match (b, pair.and_then(|p| u8::from_str_radix(p, 16).ok())) {
            (b'%', Some(value)) => {
                out.push(value);
                n += 3;
            }
            _ => {
                out.push(*b);
                n += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// Shows hostile text harmlessly: control characters and what is not ASCII become escapes, so that a
/// header can neither forge a log line nor colour a terminal (the class of FreeSWITCH ES2021-02).
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                write!(f, "{}", c.escape_default())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_inside_quotes_or_brackets_does_not_split_a_list() {
        let list: Vec<&str> = Split::new(r#""a, \"b" <sip:x,y@h>, <sip:z>"#, b',').collect();
        assert_eq!(list, [r#""a, \"b" <sip:x,y@h>"#, "<sip:z>"]);
    }

    #[test]
    fn parameters_are_found_in_any_case_and_flags_are_empty() {
        let params = Params::new(";Tag=abc ; lr;x = \"a;b\"");
        assert_eq!(params.get("tag"), Some("abc"));
        assert_eq!(params.get("LR"), Some(""));
        assert_eq!(params.get("x"), Some("\"a;b\""));
        assert_eq!(params.get("y"), None);
    }

    #[test]
    fn shown_text_holds_no_control_characters() {
        assert_eq!(Escaped("a\r\nb\x1b[31m").to_string(), "a\\r\\nb\\u{1b}[31m");
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(unescaped("%41%zz%4"), "A%zz%4");
    }
}
