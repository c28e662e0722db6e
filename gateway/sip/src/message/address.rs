//! `From`, `To`, `Contact`, `Route`: a display name, a URI in brackets or bare, parameters.

use super::text::{Params, find_outside, quote_end, unquoted};
use super::uri::{Uri, UriError};
use std::borrow::Cow;

/// One address of a header; borrows its text, parses its URI only when asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name as written, quotes included; empty when there is none.
    pub display_raw: &'a str,
    /// The URI without its brackets.
    pub uri_raw: &'a str,
    /// Parameters of the header (behind the brackets; RFC 3261 §20.10 for the bare form).
    pub params: Params<'a>,
}

/// What is wrong with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// A `<` without its `>`, or text behind it.
    #[error("unbalanced angle brackets")]
    Brackets,
    /// A quote that does not end.
    #[error("unterminated quoted string")]
    Quote,
    /// No URI at all.
    #[error("no URI")]
    Empty,
    /// A display name that is neither quoted nor tokens, or white space inside the bare form.
    #[error("malformed display name")]
    Display,
    /// A `?` in the bare form: whose it is cannot be told, so brackets are required (RFC 3261 §20.10).
    #[error("a URI with headers must stand in angle brackets")]
    Unbracketed,
    /// The URI itself.
    #[error(transparent)]
    Uri(#[from] UriError),
}

impl<'a> NameAddr<'a> {
    /// Parses one address.
    ///
    /// # Errors
    /// [`AddressError`] says what is wrong.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        let text = text.trim_ascii();
        let Some(open) = bracket(text)? else { return Self::bare(text) };
        let display_raw = text.get(..open).unwrap_or("").trim_ascii_end();
        let rest = text.get(open + 1..).unwrap_or("");
        let close = memchr::memchr(b'>', rest.as_bytes()).ok_or(AddressError::Brackets)?;
        let uri_raw = rest.get(..close).unwrap_or("");
        if uri_raw.is_empty() {
            return Err(AddressError::Empty);
        }
        let tail = rest.get(close + 1..).unwrap_or("").trim_ascii();
        if !tail.is_empty() && !tail.starts_with(';') {
            return Err(AddressError::Brackets);
        }
        Ok(Self { display_raw, uri_raw, params: Params::new(tail) })
    }

    fn bare(text: &'a str) -> Result<Self, AddressError> {
        let (uri_raw, params) = match find_outside(text, b';') {
            Some(n) => (text.get(..n).unwrap_or("").trim_ascii(), text.get(n..).unwrap_or("")),
            None => (text, ""),
        };
        if uri_raw.is_empty() {
            return Err(AddressError::Empty);
        }
        if uri_raw.bytes().any(|b| b == b' ' || b == b'\t' || b == b'>') {
            return Err(AddressError::Display);
        }
        if uri_raw.contains('?') {
            return Err(AddressError::Unbracketed);
        }
        Ok(Self { display_raw: "", uri_raw, params: Params::new(params) })
    }

    /// The URI.
    ///
    /// # Errors
    /// [`UriError`].
    pub fn uri(&self) -> Result<Uri<'a>, UriError> {
        Uri::parse(self.uri_raw)
    }

    /// The display name without quotes and escapes.
    #[must_use]
    pub fn display(&self) -> Cow<'a, str> {
        unquoted(self.display_raw)
    }

    /// The `tag` parameter; an empty one counts as none.
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.params.get("tag").filter(|t| !t.is_empty())
    }
}

/// Where the `<` of the URI stands: outside a quoted display name.
fn bracket(text: &str) -> Result<Option<usize>, AddressError> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'<', b'"', rest)) {
        let found = at + found;
        if bytes.get(found) == Some(&b'<') {
            return Ok(Some(found));
        }
        at = quote_end(bytes, found).ok_or(AddressError::Quote)?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_quoted_or_not_and_none() {
        for (text, display, uri, tag) in [
            ("\"J. \\\"R\\\" <x>\" <sip:a@b;x=1>;tag=9", "J. \"R\" <x>", "sip:a@b;x=1", Some("9")),
            ("Bob Smith <sip:b@c>", "Bob Smith", "sip:b@c", None),
            ("sip:c@d;tag=7", "", "sip:c@d", Some("7")),
            ("<tel:+1>", "", "tel:+1", None),
        ] {
            let address = NameAddr::parse(text).unwrap();
            assert_eq!((address.display().as_ref(), address.uri_raw, address.tag()), (display, uri, tag));
        }
    }

    #[test]
    fn unbalanced_quotes_and_brackets_are_refused() {
        assert_eq!(NameAddr::parse("\"Mr. J. User <sip:a@b>"), Err(AddressError::Quote));
        assert_eq!(NameAddr::parse("<sip:a@b"), Err(AddressError::Brackets));
        assert_eq!(NameAddr::parse("Bell, Alexander sip:a@b"), Err(AddressError::Display));
        assert_eq!(NameAddr::parse("sip:a@b?Route=x"), Err(AddressError::Unbracketed));
    }
}
