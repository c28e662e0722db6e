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
mod reason;
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
use std::borrow::Cow;

/// Largest message. UDP cannot carry more; a stream must not hold more memory than that for one.
pub const LARGEST: usize = 65_535;
/// Most headers of a message. Carriers send 30 to 40; a flood of empty ones costs its sender more than us.
pub const MOST_HEADERS: usize = 256;
/// Headers that cost no allocation.
const INLINE: usize = 32;

/// Where one header stands.
#[derive(Debug, Clone, Copy)]
struct Entry {
    name: HeaderName,
    folded: bool,
    name_at: u32,
    name_len: u16,
    value_at: u32,
    value_len: u32,
}

const NO_ENTRY: Entry =
    Entry { name: HeaderName::Other, folded: false, name_at: 0, name_len: 0, value_at: 0, value_len: 0 };

/// The start line, as offsets.
#[derive(Debug, Clone, Copy)]
enum Start {
    Request { method_len: u32, uri_at: u32, uri_len: u32 },
    Response { status: u16, reason_at: u32, reason_len: u32 },
}

/// A parsed message. Cheap to clone but for its table of 32 entries; the bytes are shared.
#[derive(Debug, Clone)]
pub struct Message {
    buffer: Bytes,
    start: Start,
    inline: [Entry; INLINE],
    count: usize,
    spill: Vec<Entry>,
    body_at: usize,
    body_len: usize,
}

impl Message {
    /// Parses a datagram, or one message that a [`Framer`] cut out of a stream.
    ///
    /// Without Content-Length the body is the rest (RFC 3261 §18.3); what is behind it is ignored.
    ///
    /// # Errors
    /// [`ParseError`]; what can still be answered is what [`Message::parse_leniently`] gives.
    pub fn parse(buffer: Bytes) -> Result<Self, ParseError> {
        match Self::parse_leniently(buffer) {
            (Some(message), None) => Ok(message),
            (_, Some(error)) => Err(error),
            (None, None) => Err(ParseError::new(Wrong::StartLine, 1)),
        }
    }

    /// Parses as far as it goes: with a fault, the message (if its start line could be read at all) holds
    /// the headers that were legible, so that the fault can be answered.
    #[must_use]
    pub fn parse_leniently(buffer: Bytes) -> (Option<Self>, Option<ParseError>) {
        let skip = buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        if skip == buffer.len() {
            return (None, Some(ParseError::new(Wrong::KeepAlive, 0)));
        }
        if buffer.len() > LARGEST {
            return (None, Some(ParseError::new(Wrong::TooLarge, 0)));
        }
        let buffer = if skip > 0 { buffer.slice(skip..) } else { buffer };
        let (line, next) = line_at(&buffer, 0);
        let (start, mut fault) = match start_line(&buffer, line) {
            Ok(start) => (start, None),
            Err((Some(start), wrong)) => (start, Some(ParseError::new(wrong, 1))),
            Err((None, wrong)) => return (None, Some(ParseError::new(wrong, 1))),
        };
        let mut message = Self {
            buffer,
            start,
            inline: [NO_ENTRY; INLINE],
            count: 0,
            spill: Vec::new(),
            body_at: 0,
            body_len: 0,
        };
        let headers = message.read_headers(next);
        fault = fault.or(headers.err());
        if fault.is_none() {
            fault = message.read_length().err();
        }
        (Some(message), fault)
    }

    fn read_headers(&mut self, mut at: usize) -> Result<(), ParseError> {
        let buffer = self.buffer.clone();
        let mut number = 1;
        loop {
            number += 1;
            if at >= buffer.len() {
                return Err(ParseError::new(Wrong::NoEnd, number));
            }
            let (mut end, mut next) = line_at(&buffer, at);
            if end == at {
                self.body_at = next;
                self.body_len = buffer.len().saturating_sub(next);
                return Ok(());
            }
            let mut folded = false;
            while matches!(buffer.get(next), Some(b' ' | b'\t')) {
                folded = true;
                number += 1;
                (end, next) = line_at(&buffer, next);
            }
            let entry = entry(&buffer, at, end, folded).ok_or(ParseError::new(Wrong::Header, number))?;
            if !self.push(entry) {
                return Err(ParseError::new(Wrong::TooManyHeaders, number));
            }
            at = next;
        }
    }

    fn push(&mut self, entry: Entry) -> bool {
        if let Some(slot) = self.inline.get_mut(self.count) {
            *slot = entry;
        } else if self.count < MOST_HEADERS {
            self.spill.push(entry);
        } else {
            return false;
        }
        self.count += 1;
        true
    }

    fn read_length(&mut self) -> Result<(), ParseError> {
        let Some(text) = self.header(HeaderName::ContentLength) else { return Ok(()) };
        let length: usize =
            text.trim().parse().map_err(|_| ParseError::new(Wrong::Malformed("Content-Length"), 0))?;
        if length > self.body_len {
            return Err(ParseError::new(Wrong::ShortBody, 0));
        }
        self.body_len = length;
        Ok(())
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.inline.iter().take(self.count.min(INLINE)).chain(self.spill.iter())
    }

    fn slice(&self, at: u32, len: u32) -> &[u8] {
        self.buffer.get(at as usize..(at + len) as usize).unwrap_or(&[])
    }

    fn text(&self, at: u32, len: u32) -> Option<&str> {
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

    /// The first value of a header that is not folded (as nearly all are); `None` if it is missing, no
    /// UTF-8, or folded: [`Message::header_unfolded`] takes those.
    #[must_use]
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers(name).next()
    }

    /// All values of a known header in order, one for each line. A folded line is given with its line
    /// ends: every typed accessor treats them as white space.
    pub fn headers(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.entries().filter(move |e| e.name == name).filter_map(|e| self.text(e.value_at, e.value_len))
    }

    /// The first value of a header, with folds turned into one space (RFC 3261 §7.3.1).
    #[must_use]
    pub fn header_unfolded(&self, name: HeaderName) -> Option<Cow<'_, str>> {
        self.entries().find(|e| e.name == name).and_then(|e| self.unfolded(e))
    }

    /// The first value of a header by its text, in any case: for headers that the stack does not know.
    #[must_use]
    pub fn header_named(&self, name: &str) -> Option<Cow<'_, str>> {
        let known = HeaderName::recognise(name.as_bytes());
        let found = self.entries().find(|e| {
            if known == HeaderName::Other {
                self.slice(e.name_at, u32::from(e.name_len)).eq_ignore_ascii_case(name.as_bytes())
            } else {
                e.name == known
            }
        })?;
        self.unfolded(found)
    }

    /// Every header in order: name as written, value unfolded. Values that are no UTF-8 are shown with
    /// replacement characters.
    pub fn all_headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.entries().map(|e| {
            let name = self.text(e.name_at, u32::from(e.name_len)).unwrap_or("");
            let value = self
                .unfolded(e)
                .unwrap_or_else(|| String::from_utf8_lossy(self.slice(e.value_at, e.value_len)));
            (name, value)
        })
    }

    /// How many lines a header has.
    #[must_use]
    pub fn count(&self, name: HeaderName) -> usize {
        self.entries().filter(|e| e.name == name).count()
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

/// The end of the line that begins at `at` (without CR LF), and where the next one begins. A bare LF
/// ends a line too: some devices send it, and the meaning is certain.
fn line_at(buffer: &[u8], at: usize) -> (usize, usize) {
    let rest = buffer.get(at..).unwrap_or(&[]);
    match memchr::memchr(b'\n', rest) {
        Some(n) => {
            let end = if n > 0 && rest.get(n - 1) == Some(&b'\r') { at + n - 1 } else { at + n };
            (end, at + n + 1)
        }
        None => (buffer.len(), buffer.len()),
    }
}

fn entry(buffer: &[u8], at: usize, end: usize, folded: bool) -> Option<Entry> {
    let line = buffer.get(at..end)?;
    let colon = memchr::memchr(b':', line)?;
    // White space before the colon is legal in RFC 3261 (HCOLON) and seen on the wire.
    let mut name_len = colon;
    while name_len > 0 && matches!(line.get(name_len - 1), Some(b' ' | b'\t')) {
        name_len -= 1;
    }
    let name = line.get(..name_len)?;
    if name.is_empty() || !name.iter().all(|b| text::is_token_byte(*b)) {
        return None;
    }
    let mut from = colon + 1;
    while matches!(line.get(from), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        from += 1;
    }
    let mut to = line.len();
    while to > from && matches!(line.get(to - 1), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        to -= 1;
    }
    Some(Entry {
        name: HeaderName::recognise(name),
        folded,
        name_at: u32::try_from(at).ok()?,
        name_len: u16::try_from(name_len).ok()?,
        value_at: u32::try_from(at + from).ok()?,
        value_len: u32::try_from(to - from).ok()?,
    })
}

/// Reads the start line; with a fault, a start that can be answered comes along where there is one.
fn start_line(buffer: &[u8], end: usize) -> Result<Start, (Option<Start>, Wrong)> {
    let line = buffer.get(..end).unwrap_or(&[]);
    if line.get(..4).is_some_and(|p| p.eq_ignore_ascii_case(b"SIP/")) {
        return status_line(line);
    }
    let first = memchr::memchr(b' ', line).ok_or((None, Wrong::StartLine))?;
    let last = memchr::memrchr(b' ', line).ok_or((None, Wrong::StartLine))?;
    let method = line.get(..first).unwrap_or(&[]);
    if method.is_empty() || !method.iter().all(|b| text::is_token_byte(*b)) {
        return Err((None, Wrong::StartLine));
    }
    let number = |n: usize| u32::try_from(n).unwrap_or(0);
    let version = line.get(last + 1..).unwrap_or(&[]);
    // Trailing white space (trws) leaves an empty version: the URI still ends where SIP/2.0 begins.
    let request = |uri_end: usize| Start::Request {
        method_len: number(first),
        uri_at: number(first + 1),
        uri_len: number(uri_end.saturating_sub(first + 1)),
    };
    if !version.get(..4).is_some_and(|p| p.eq_ignore_ascii_case(b"SIP/")) {
        return Err((Some(request(last)).filter(|_| has_version(line)), Wrong::StartLine));
    }
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Err((Some(request(last)), Wrong::Version));
    }
    let uri = line.get(first + 1..last).unwrap_or(&[]);
    let broken = uri.is_empty() || uri.iter().any(|b| matches!(b, b' ' | b'\t' | b'<' | b'>' | 0));
    if broken { Err((Some(request(last)), Wrong::RequestUri)) } else { Ok(request(last)) }
}

fn has_version(line: &[u8]) -> bool {
    line.windows(7).any(|w| w.eq_ignore_ascii_case(b"SIP/2.0"))
}

fn status_line(line: &[u8]) -> Result<Start, (Option<Start>, Wrong)> {
    if !line.get(..8).is_some_and(|p| p.eq_ignore_ascii_case(b"SIP/2.0 ")) {
        return Err((None, Wrong::Version));
    }
    let rest = line.get(8..).unwrap_or(&[]);
    let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let digits = rest.get(..end).unwrap_or(&[]);
    let status = match digits {
        [a @ b'1'..=b'6', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
        }
        _ => return Err((None, Wrong::Status)),
    };
    let reason_at = (8 + end + 1).min(line.len());
    Ok(Start::Response {
        status,
        reason_at: u32::try_from(reason_at).unwrap_or(0),
        reason_len: u32::try_from(line.len() - reason_at).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests;
