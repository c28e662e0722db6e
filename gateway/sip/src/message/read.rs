//! Framing: the lines of a message, the names of its headers, the end of its body.

use super::error::{ParseError, Wrong};
use super::table::{Entry, Table};
use super::{HeaderName, LARGEST, Message, text};
use bytes::Bytes;

/// The start line, as offsets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    Request { method_len: u16, uri_at: u16, uri_len: u16 },
    Response { status: u16, reason_at: u16, reason_len: u16 },
}

impl Message {
    /// Parses a datagram, or one message that a [`super::Framer`] cut out of a stream.
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
    pub fn parse_leniently(mut buffer: Bytes) -> (Option<Self>, Option<ParseError>) {
        let skip = buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        if skip == buffer.len() {
            return (None, Some(ParseError::new(Wrong::KeepAlive, 0)));
        }
        if buffer.len() > LARGEST {
            return (None, Some(ParseError::new(Wrong::TooLarge, 0)));
        }
        if skip > 0 {
            buffer = buffer.slice(skip..);
        }
        let Some((line, next)) = line_end(&buffer, 0) else {
            return (None, Some(ParseError::new(Wrong::StartLine, 1)));
        };
        let (start, mut fault) = match start_line(buffer.get(..line).unwrap_or(&[])) {
            Ok(start) => (start, None),
            Err((Some(start), wrong)) => (start, Some(ParseError::new(wrong, 1))),
            Err((None, wrong)) => return (None, Some(ParseError::new(wrong, 1))),
        };
        let mut message = Self { buffer, start, table: Table::new(), body_at: 0, body_len: 0 };
        match read_headers(&message.buffer, next, &mut message.table) {
            Ok(body_at) => {
                message.body_at = body_at;
                message.body_len = message.buffer.len() - body_at;
                fault = fault.or_else(|| message.read_length().err());
            }
            Err(error) => fault = fault.or(Some(error)),
        }
        (Some(message), fault)
    }

    fn read_length(&mut self) -> Result<(), ParseError> {
        let Some(entry) = self.table.first(HeaderName::ContentLength) else { return Ok(()) };
        let length: usize = self
            .text(entry.value_at, entry.value_len)
            .and_then(|text| text.trim_ascii().parse().ok())
            .ok_or(ParseError::new(Wrong::Malformed("Content-Length"), 0))?;
        if length > self.body_len {
            return Err(ParseError::new(Wrong::ShortBody, 0));
        }
        self.body_len = length;
        Ok(())
    }
}

/// Reads headers up to the blank line; where the body begins.
fn read_headers(buffer: &[u8], mut at: usize, table: &mut Table) -> Result<usize, ParseError> {
    let mut number = 1;
    loop {
        number += 1;
        match buffer.get(at..) {
            None | Some([]) => return Err(ParseError::new(Wrong::NoEnd, number)),
            Some([b'\n', ..]) => return Ok(at + 1),
            Some([b'\r', b'\n', ..]) => return Ok(at + 2),
            Some(_) => {}
        }
        let (entry, next) = entry(buffer, at, &mut number).ok_or(ParseError::new(Wrong::Header, number))?;
        if !table.push(entry) {
            return Err(ParseError::new(Wrong::TooManyHeaders, number));
        }
        at = next;
    }
}

/// The end of the line that goes on at `at` (without CR LF), and where the next one begins. A bare LF ends a
/// line too: some devices send it, and the meaning is certain. A bare CR does not: what one reader takes
/// for a line end and another does not is how a header is smuggled.
fn line_end(buffer: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = buffer.get(at..)?;
    let Some(n) = memchr::memchr2(b'\r', b'\n', rest) else { return Some((buffer.len(), buffer.len())) };
    match rest.get(n..) {
        Some([b'\r', b'\n', ..]) => Some((at + n, at + n + 2)),
        Some([b'\n', ..]) => Some((at + n, at + n + 1)),
        _ => None,
    }
}

/// The header that begins at `at`, with its folds, and where the next one begins.
fn entry(buffer: &[u8], at: usize, number: &mut u32) -> Option<(Entry, usize)> {
    let line = buffer.get(at..)?;
    let colon = line.iter().position(|b| *b == b':')?;
    // White space before the colon is legal in RFC 3261 (HCOLON) and seen on the wire.
    let name = line.get(..colon).map(without_blanks).filter(|n| !n.is_empty())?;
    let known = HeaderName::recognise(name);
    // A line without a colon of its own has taken one of a later line, and its end is no token.
    if known == HeaderName::Other && !name.iter().all(|b| text::is_token_byte(*b)) {
        return None;
    }
    let mut from = at + colon + 1;
    from += blanks(buffer.get(from..)?);
    let (mut to, mut next) = line_end(buffer, from)?;
    let mut folded = false;
    while matches!(buffer.get(next), Some(b' ' | b'\t')) {
        folded = true;
        *number += 1;
        (to, next) = line_end(buffer, next)?;
    }
    let value = buffer.get(from..to)?;
    let kept = value.trim_ascii_start();
    from += value.len() - kept.len();
    let entry = Entry {
        name: known,
        folded,
        name_at: u16::try_from(at).ok()?,
        name_len: u16::try_from(name.len()).ok()?,
        value_at: u16::try_from(from).ok()?,
        value_len: u16::try_from(kept.trim_ascii_end().len()).ok()?,
    };
    Some((entry, next))
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
}

fn without_blanks(mut name: &[u8]) -> &[u8] {
    while let [shorter @ .., b' ' | b'\t'] = name {
        name = shorter;
    }
    name
}

/// Reads the start line; with a fault, a start that can be answered comes along where there is one.
fn start_line(line: &[u8]) -> Result<Start, (Option<Start>, Wrong)> {
    if line.get(..4).is_some_and(|p| p.eq_ignore_ascii_case(b"SIP/")) {
        return status_line(line);
    }
    let first = memchr::memchr(b' ', line).ok_or((None, Wrong::StartLine))?;
    let last = memchr::memrchr(b' ', line).ok_or((None, Wrong::StartLine))?;
    let method = line.get(..first).unwrap_or(&[]);
    if method.is_empty() || !method.iter().all(|b| text::is_token_byte(*b)) {
        return Err((None, Wrong::StartLine));
    }
    let number = |n: usize| u16::try_from(n).unwrap_or(0);
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
        reason_at: u16::try_from(reason_at).unwrap_or(0),
        reason_len: u16::try_from(line.len() - reason_at).unwrap_or(0),
    })
}
