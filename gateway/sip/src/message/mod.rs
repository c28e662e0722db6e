//! A SIP message: one buffer, and a table of where things stand in it.
//!
//! [`Message::parse`] frames: it finds the lines, recognises the header names and the end of the body,
//! and allocates nothing (a message of more than 32 headers spills to the heap). What stands *in* a header
//! is read when somebody asks, by a typed accessor that borrows. Unknown methods, headers, URI schemes
//! are data.
//!
//! Whose duty a refusal is (RFC 4475 shows the cases):
//! - here: no SIP at all, a version that is not 2.0, headers that never end, a body that is cut off;
//! - [`Message::check`]: a request that can be framed but not served: mandatory headers missing, doubled
//!   or malformed, numbers out of range, CSeq of another method (400);
//! - the endpoint: methods (405, 501), extensions (420), content (415), schemes (416), dialogs (481).

mod address;
mod build;
mod check;
mod error;
mod frame;
mod method;
mod multipart;
mod name;
mod read;
mod reason;
mod table;
pub mod text;
mod typed;
mod uri;
mod via;

pub use address::{AddressError, NameAddr};
pub use build::{BuildError, Builder};
pub use error::{ParseError, Wrong};
pub use frame::{Framed, Framer};
pub use method::Method;
pub use multipart::{Part, parts};
pub use name::HeaderName;
pub use reason::phrase;
pub use text::{Escaped, Params, Split};
pub use typed::{CSeq, RAck, Refresher, SessionExpires};
pub use uri::{Scheme, Uri, UriError};
pub use via::{Via, ViaError};

use bytes::Bytes;
use read::Start;
use std::borrow::Cow;
use table::{Entry, Table};

/// Largest message. UDP cannot carry more; a stream must not hold more memory than that for one.
pub const LARGEST: usize = 65_535;
/// Most headers of a message. Carriers send 30 to 40; a flood of empty ones costs its sender more than us.
pub const MOST_HEADERS: usize = 250;
/// A parsed message. Cheap to clone but for its table of 32 entries; the bytes are shared.
#[derive(Debug, Clone)]
pub struct Message {
    buffer: Bytes,
    start: Start,
    table: Table,
    body_at: usize,
    body_len: usize,
}

impl Message {
    fn slice(&self, at: u16, len: u16) -> &[u8] {
        let at = usize::from(at);
        self.buffer.get(at..at + usize::from(len)).unwrap_or(&[])
    }

    fn text(&self, at: u16, len: u16) -> Option<&str> {
        std::str::from_utf8(self.slice(at, len)).ok()
    }

    /// The whole message as it arrived.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.buffer
    }

    /// Is it a request?
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> Option<Method<'_>> {
        match self.start {
            Start::Request { method_len, .. } => self.text(0, method_len).map(Method::recognise),
            Start::Response { .. } => None,
        }
    }

    /// The request URI as written; `""` for a response or where it is no UTF-8.
    #[must_use]
    pub fn request_uri_raw(&self) -> &str {
        match self.start {
            Start::Request { uri_at, uri_len, .. } => self.text(uri_at, uri_len).unwrap_or(""),
            Start::Response { .. } => "",
        }
    }

    /// The request URI.
    ///
    /// # Errors
    /// [`UriError`].
    pub fn request_uri(&self) -> Result<Uri<'_>, UriError> {
        Uri::parse(self.request_uri_raw())
    }

    /// The status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Response { status, .. } => Some(status),
            Start::Request { .. } => None,
        }
    }

    /// The reason phrase of a response.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self.start {
            Start::Response { reason_at, reason_len, .. } => self.text(reason_at, reason_len).unwrap_or(""),
            Start::Request { .. } => "",
        }
    }

    /// The value of a header, of the first one if there are several; `None` if it is missing or no UTF-8. A
    /// folded value comes with its line ends, see [`Message::headers`].
    #[must_use]
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.table.first(name).and_then(|e| self.text(e.value_at, e.value_len))
    }

    /// All values of a known header in order, one for each line. A folded line is given with its line
    /// ends: every typed accessor treats them as white space.
    pub fn headers(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.table.all(name).filter_map(|e| self.text(e.value_at, e.value_len))
    }

    /// The first value of a header, with folds turned into one space (RFC 3261 §7.3.1).
    #[must_use]
    pub fn header_unfolded(&self, name: HeaderName) -> Option<Cow<'_, str>> {
        self.table.first(name).and_then(|e| self.unfolded(e))
    }

    /// The first value of a header by its text, in any case: for headers that the stack does not know.
    #[must_use]
    pub fn header_named(&self, name: &str) -> Option<Cow<'_, str>> {
        let known = HeaderName::recognise(name.as_bytes());
        let found = if known == HeaderName::Other {
            self.table
                .iter()
                .find(|e| self.slice(e.name_at, e.name_len).eq_ignore_ascii_case(name.as_bytes()))
        } else {
            self.table.first(known)
        };
        self.unfolded(found?)
    }

    /// Every header in order: name as written, value unfolded. Values that are no UTF-8 are shown with
    /// replacement characters.
    pub fn all_headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.table.iter().map(|e| {
            let name = self.text(e.name_at, e.name_len).unwrap_or("");
            let value = self
                .unfolded(e)
                .unwrap_or_else(|| String::from_utf8_lossy(self.slice(e.value_at, e.value_len)));
            (name, value)
        })
    }

    /// How many lines a header has.
    #[must_use]
    pub fn count(&self, name: HeaderName) -> usize {
        self.table.all(name).count()
    }

    /// Values of a header that is a list, over all its lines: `Supported: a, b` and `Supported: c`.
    pub fn list(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.headers(name).flat_map(|v| Split::new(v, b',')).filter(|v| !v.is_empty())
    }

    /// Does a list of tokens hold this one, in any case?
    #[must_use]
    pub fn lists(&self, name: HeaderName, token: &str) -> bool {
        self.list(name).any(|t| t.eq_ignore_ascii_case(token))
    }

    /// Start line and headers, with the blank line that ends them.
    pub(crate) fn head(&self) -> &[u8] {
        self.buffer.get(..self.body_at).unwrap_or(&[])
    }

    /// The body; empty when there is none.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.buffer
            .slice(self.body_at.min(self.buffer.len())..(self.body_at + self.body_len).min(self.buffer.len()))
    }

    fn unfolded(&self, entry: &Entry) -> Option<Cow<'_, str>> {
        let text = self.text(entry.value_at, entry.value_len)?;
        if !entry.folded {
            return Some(Cow::Borrowed(text));
        }
        Some(Cow::Owned(text.lines().map(str::trim).collect::<Vec<_>>().join(" ")))
    }
}

#[cfg(test)]
mod tests;
