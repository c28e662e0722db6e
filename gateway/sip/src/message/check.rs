//! What a message that could be framed must hold before anything is made of it (RFC 3261 §8.1.1).

use super::error::{ParseError, Wrong};
use super::{HeaderName, Message};

/// Headers that stand once; a second one makes the request ambiguous (RFC 4475 §3.3.8).
const ONCE: [HeaderName; 7] = [
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::MaxForwards,
    HeaderName::ContentLength,
    HeaderName::ContentType,
];

impl Message {
    /// Checks a request, or what a response has in common with one.
    ///
    /// # Errors
    /// The first fault: a request deserves 400 with its text as the reason, a response is dropped.
    pub fn check(&self) -> Result<(), ParseError> {
        let fault = |wrong| Err(ParseError::new(wrong, 0));
        for name in ONCE {
            if self.count(name) > 1 {
                return fault(Wrong::Twice(name.as_str()));
            }
        }
        if self.count(HeaderName::Via) == 0 {
            return fault(Wrong::Missing("Via"));
        }
        // Each of them is copied into the response: one that cannot be read would lead it astray.
        let legible = self.headers(HeaderName::Via).count() == self.count(HeaderName::Via);
        if !legible || self.via().is_err() || self.vias().any(|v| v.is_err()) {
            return fault(Wrong::Malformed("Via"));
        }
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
            if self.count(name) == 0 {
                return fault(Wrong::Missing(name.as_str()));
            }
        }
        if self.call_id().is_none_or(|id| !id.bytes().all(is_visible)) {
            return fault(Wrong::Malformed("Call-ID"));
        }
        if self.is_request() && self.request_uri().is_err() {
            return fault(Wrong::RequestUri);
        }
        let Some(cseq) = self.cseq() else { return fault(Wrong::Malformed("CSeq")) };
        if self.is_request() && Some(cseq.method) != self.method() {
            return fault(Wrong::CSeqMethod);
        }
        self.check_addresses()?;
        if self.header(HeaderName::MaxForwards).is_some() && self.max_forwards().is_none_or(|n| n > 255) {
            return fault(Wrong::Malformed("Max-Forwards"));
        }
        Ok(())
    }

    fn check_addresses(&self) -> Result<(), ParseError> {
        let malformed = |name| ParseError::new(Wrong::Malformed(name), 0);
        let from = self.from().map_err(|_| malformed("From"))?;
        let to = self.to().map_err(|_| malformed("To"))?;
        for (name, address) in [("From", from), ("To", to)] {
            // A bare display name of several words must be tokens (RFC 3261 §25.1); a quote that never
            // ends has been refused above.
            let display = address.display_raw;
            let words = !display.starts_with('"');
            if words && display.split_ascii_whitespace().any(|w| !w.bytes().all(display_byte)) {
                return Err(malformed(name));
            }
            // A tag goes into every request of a dialog: one that could not be sent would make a call that cannot be ended.
            if address.tag().is_some_and(|tag| !tag.bytes().all(is_visible)) {
                return Err(malformed(name));
            }
            address.uri().map_err(|_| malformed(name))?;
        }
        // What a dialog or a binding is made of; of a refusal nothing is made.
        if self.status().is_none_or(|status| status < 300) {
            for (name, address) in self
                .contacts()
                .map(|c| ("Contact", c))
                .chain(self.record_routes().map(|r| ("Record-Route", r)))
            {
                address.and_then(|a| Ok(a.uri()?)).map_err(|_| malformed(name))?;
            }
        }
        if let Some(expires) = self.header(HeaderName::Expires)
            && expires.trim_ascii().parse::<u32>().is_err()
        {
            return Err(malformed("Expires"));
        }
        Ok(())
    }
}

/// Neither white space nor a control character.
fn is_visible(b: u8) -> bool {
    b > b' ' && b != 0x7f
}

/// Tokens, and what phones put into display names all the same: anything that is not ASCII.
fn display_byte(b: u8) -> bool {
    super::text::is_token_byte(b) || b >= 0x80
}
