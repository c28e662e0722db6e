//! Messages in a stream (RFC 3261 §18.3: Content-Length is required there) and the keep-alives between
//! them (RFC 5626 §3.5.1: CR LF CR LF asks, CR LF answers).

use super::error::{ParseError, Wrong};
use super::{HeaderName, LARGEST};
use bytes::{Buf, Bytes, BytesMut};

/// What a stream held.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed {
    /// One whole message, ready for [`super::Message::parse`].
    Message(Bytes),
    /// The peer asks whether we live; it is owed CR LF.
    Ping,
    /// The peer answers our own ping.
    Pong,
}

/// Cuts a stream into messages.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
}

impl Framer {
    /// The buffer to read into.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Is a message half read? (A peer that leaves one so for long holds memory and is cut.)
    #[must_use]
    pub fn is_partial(&self) -> bool {
        // A lone CR LF is a pong that only the next bytes can tell from half a ping.
        !self.buffer.is_empty() && self.buffer.as_ref() != b"\r\n"
    }

    /// The next thing in the stream; `None` when more bytes are needed.
    ///
    /// # Errors
    /// A stream that has lost its framing cannot be mended; the connection must be closed.
    pub fn frame(&mut self) -> Result<Option<Framed>, ParseError> {
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.buffer.advance(4);
            return Ok(Some(Framed::Ping));
        }
        if self.buffer.starts_with(b"\r\n") && self.buffer.get(2).is_some_and(|b| *b != b'\r') {
            self.buffer.advance(2);
            return Ok(Some(Framed::Pong));
        }
        if self.buffer.len() == 2 && self.buffer.starts_with(b"\r\n") {
            // Either a pong or half a ping; the next bytes tell, and nobody waits for an answer to a pong.
            return Ok(None);
        }
        let Some(head) = head_end(&self.buffer) else {
            if self.buffer.len() > LARGEST {
                return Err(ParseError::new(Wrong::TooLarge, 0));
            }
            return Ok(None);
        };
        let length = content_length(self.buffer.get(..head).unwrap_or(&[]))?;
        let whole = head.saturating_add(length);
        if whole > LARGEST {
            return Err(ParseError::new(Wrong::TooLarge, 0));
        }
        if self.buffer.len() < whole {
            return Ok(None);
        }
        Ok(Some(Framed::Message(self.buffer.split_to(whole).freeze())))
    }
}

/// Where the body begins.
fn head_end(buffer: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(n) = memchr::memchr(b'\n', buffer.get(at..)?) {
        let next = at + n + 1;
        match buffer.get(next..) {
            Some([b'\n', ..]) => return Some(next + 1),
            Some([b'\r', b'\n', ..]) => return Some(next + 2),
            _ => at = next,
        }
    }
    None
}

fn content_length(head: &[u8]) -> Result<usize, ParseError> {
    let mut found = None;
    for line in head.split(|b| *b == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let name = line.get(..colon).unwrap_or(&[]).trim_ascii();
        if HeaderName::recognise(name) != HeaderName::ContentLength {
            continue;
        }
        let value = line.get(colon + 1..).unwrap_or(&[]).trim_ascii();
        let value = std::str::from_utf8(value).ok().and_then(|v| v.parse::<usize>().ok());
        let value = value.ok_or(ParseError::new(Wrong::Malformed("Content-Length"), 0))?;
        if found.is_some_and(|f| f != value) {
            return Err(ParseError::new(Wrong::Twice("Content-Length"), 0));
        }
        found = Some(value);
    }
    found.ok_or(ParseError::new(Wrong::Missing("Content-Length"), 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc";

    #[test]
    fn a_message_that_arrives_byte_by_byte_is_framed_once() {
        let mut framer = Framer::default();
        let mut seen = Vec::new();
        for b in OPTIONS.iter().chain(OPTIONS) {
            framer.buffer().extend_from_slice(&[*b]);
            while let Some(framed) = framer.frame().unwrap() {
                seen.push(framed);
            }
        }
        assert_eq!(
            seen,
            [Framed::Message(Bytes::from_static(OPTIONS)), Framed::Message(Bytes::from_static(OPTIONS))]
        );
        assert!(!framer.is_partial());
    }

    #[test]
    fn a_double_line_end_is_a_ping_even_before_a_message() {
        let mut framer = Framer::default();
        framer.buffer().extend_from_slice(b"\r\n\r\n");
        framer.buffer().extend_from_slice(OPTIONS);
        assert_eq!(framer.frame().unwrap(), Some(Framed::Ping));
        assert!(matches!(framer.frame().unwrap(), Some(Framed::Message(_))));
    }

    #[test]
    fn a_pong_with_nothing_behind_it_is_no_half_message() {
        let mut framer = Framer::default();
        framer.buffer().extend_from_slice(b"\r\n");
        assert_eq!(framer.frame().unwrap(), None);
        assert!(!framer.is_partial());
        framer.buffer().extend_from_slice(OPTIONS);
        assert_eq!(framer.frame().unwrap(), Some(Framed::Pong));
    }

    #[test]
    fn a_stream_without_content_length_is_broken() {
        let mut framer = Framer::default();
        framer.buffer().extend_from_slice(b"OPTIONS sip:a SIP/2.0\r\n\r\n");
        assert_eq!(framer.frame().unwrap_err().wrong, Wrong::Missing("Content-Length"));
    }

    #[test]
    fn a_head_that_never_ends_is_cut_off() {
        let mut framer = Framer::default();
        framer.buffer().extend_from_slice(&vec![b'a'; LARGEST + 1]);
        assert_eq!(framer.frame().unwrap_err().wrong, Wrong::TooLarge);
    }
}
