//! Messages out: one buffer, written once, and no value may smuggle a line end in.

use super::{HeaderName, Message, Method, phrase};
use bytes::{BufMut, Bytes, BytesMut};
use memchr::{memchr2, memchr3};
use std::fmt::{self, Write};

/// A value that cannot stand in a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} holds a line end or NUL and cannot be sent")]
pub struct BuildError {
    /// The header, or "start line".
    pub place: String,
}

/// Writes a message. The first fault is kept and comes out of [`Builder::build`], so that calls chain.
#[derive(Debug)]
pub struct Builder {
    out: BytesMut,
    fault: Option<BuildError>,
}

impl Builder {
    /// Begins a request.
    #[must_use]
    pub fn request(method: Method<'_>, uri: &str) -> Self {
        let mut builder = Self { out: BytesMut::with_capacity(1024), fault: None };
        builder.piece("start line", method.as_str());
        builder.out.put_u8(b' ');
        builder.piece("start line", uri);
        builder.out.put_slice(b" SIP/2.0\r\n");
        builder
    }

    /// Begins a response with a reason phrase; `""` takes the usual one.
    #[must_use]
    pub fn response(status: u16, reason: &str) -> Self {
        let mut builder = Self { out: BytesMut::with_capacity(1024), fault: None };
        let _ = write!(builder.out, "SIP/2.0 {status} ");
        builder.piece("start line", if reason.is_empty() { phrase(status) } else { reason });
        builder.out.put_slice(b"\r\n");
        builder
    }

    /// A response to a request: Via, From, To (with `to_tag` where it has none), Call-ID and CSeq are
    /// copied (RFC 3261 §8.2.6.2), Record-Route too where a dialog may be made (§12.1.1).
    ///
    /// The topmost Via is replaced by `top_via` when `received` or `rport` were added to it (RFC 3581).
    #[must_use]
    pub fn response_to(
        request: &Message,
        status: u16,
        reason: &str,
        to_tag: &str,
        top_via: Option<&str>,
    ) -> Self {
        let mut builder = Self::response(status, reason);
        let mut first = true;
        for via in request.list(HeaderName::Via) {
            let value = if first { top_via.unwrap_or(via) } else { via };
            first = false;
            builder = builder.copied(HeaderName::Via, value, "");
        }
        if (101..300).contains(&status) && request.method() == Some(Method::Invite) {
            for route in request.headers(HeaderName::RecordRoute) {
                builder = builder.copied(HeaderName::RecordRoute, route, "");
            }
        }
        if let Some(from) = request.header(HeaderName::From) {
            builder = builder.copied(HeaderName::From, from, "");
        }
        if let Some(to) = request.header(HeaderName::To) {
            let tagged = request.to().ok().and_then(|t| t.tag()).is_some();
            let tag = if tagged || status == 100 { "" } else { to_tag };
            builder = builder.copied(HeaderName::To, to, tag);
        }
        for name in [HeaderName::CallId, HeaderName::CSeq] {
            if let Some(value) = request.header(name) {
                builder = builder.copied(name, value, "");
            }
        }
        builder
    }

    /// What came in a request goes back to its sender as it stood, but on one line. NUL may stand in a
    /// quoted pair (RFC 4475 §3.1.1.2) and is the sender's own. `tag` is ours, or empty.
    fn copied(mut self, name: HeaderName, value: &str, tag: &str) -> Self {
        self.out.put_slice(name.as_str().as_bytes());
        self.out.put_slice(b": ");
        if memchr2(b'\r', b'\n', value.as_bytes()).is_some() {
            unfold(&mut self.out, value);
        } else {
            self.out.put_slice(value.as_bytes());
        }
        if !tag.is_empty() {
            self.out.put_slice(b";tag=");
            self.out.put_slice(tag.as_bytes());
        }
        self.out.put_slice(b"\r\n");
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl fmt::Display) -> Self {
        self.line(name.as_str(), value);
        self
    }

    /// Adds a header by its text. The name must be a token.
    #[must_use]
    pub fn named(mut self, name: &str, value: impl fmt::Display) -> Self {
        if super::text::is_token(name) {
            self.line(name, value);
        } else {
            self.fail(name);
        }
        self
    }

    fn line(&mut self, name: &str, value: impl fmt::Display) {
        self.out.put_slice(name.as_bytes());
        self.out.put_slice(b": ");
        let from = self.out.len();
        let _ = write!(self.out, "{value}");
        if self.out.get(from..).is_some_and(is_forbidden) {
            self.out.truncate(from);
            self.fail(name);
        }
        self.out.put_slice(b"\r\n");
    }

    /// Ends a message without a body.
    ///
    /// # Errors
    /// The first value that held CR, LF or NUL.
    pub fn build(self) -> Result<Bytes, BuildError> {
        self.body("", &[])
    }

    /// Ends a message with a body; an empty one has no Content-Type.
    ///
    /// # Errors
    /// The first value that held CR, LF or NUL.
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Result<Bytes, BuildError> {
        if !body.is_empty() && !content_type.is_empty() {
            self = self.header(HeaderName::ContentType, content_type);
        }
        self = self.header(HeaderName::ContentLength, body.len());
        self.out.put_slice(b"\r\n");
        self.out.put_slice(body);
        match self.fault {
            None => Ok(self.out.freeze()),
            Some(fault) => Err(fault),
        }
    }

    fn piece(&mut self, place: &str, text: &str) {
        if is_forbidden(text.as_bytes()) {
            self.fail(place);
        } else {
            self.out.put_slice(text.as_bytes());
        }
    }

    fn fail(&mut self, place: &str) {
        if self.fault.is_none() {
            self.fault = Some(BuildError { place: place.to_owned() });
        }
    }
}

fn is_forbidden(value: &[u8]) -> bool {
    memchr3(b'\r', b'\n', 0, value).is_some()
}

/// A value that came folded goes out on one line; a bare CR inside it is no better than a fold.
fn unfold(out: &mut BytesMut, value: &str) {
    let lines = value.split(['\r', '\n']).map(str::trim_ascii).filter(|l| !l.is_empty());
    for (n, line) in lines.enumerate() {
        if n > 0 {
            out.put_u8(b' ');
        }
        out.put_slice(line.as_bytes());
    }
}
