//! Why bytes are no SIP message, and what may still be answered.

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// Nothing but line ends: a keep-alive (RFC 5626 §3.5.1), no error of anybody.
    #[error("keep-alive")]
    KeepAlive,
    /// No start line that could be SIP.
    #[error("malformed start line")]
    StartLine,
    /// `SIP/x.y` with another number.
    #[error("unsupported SIP version")]
    Version,
    /// The request URI is missing, bracketed, or has white space.
    #[error("malformed Request-URI")]
    RequestUri,
    /// Status out of 100..=699.
    #[error("status code out of range")]
    Status,
    /// The blank line never came.
    #[error("the header section does not end")]
    NoEnd,
    /// A line that is neither header nor continuation.
    #[error("malformed header line")]
    Header,
    /// More headers than anyone needs.
    #[error("too many headers")]
    TooManyHeaders,
    /// A header that must be there is missing.
    #[error("missing {0}")]
    Missing(&'static str),
    /// A header that must be there once is there twice with different values.
    #[error("more than one {0}")]
    Twice(&'static str),
    /// A header whose value cannot be read.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// Fewer bytes than Content-Length says.
    #[error("body shorter than Content-Length")]
    ShortBody,
    /// Larger than the limits of this stack.
    #[error("message too large")]
    TooLarge,
    /// CSeq names another method than the start line.
    #[error("CSeq method does not match the request")]
    CSeqMethod,
}

/// The refusal of a parser, with its line (1 is the start line; 0 where no line is to blame).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {wrong}")]
pub struct ParseError {
    /// What.
    pub wrong: Wrong,
    /// Where.
    pub line: u32,
}

impl ParseError {
    pub(crate) fn new(wrong: Wrong, line: u32) -> Self {
        Self { wrong, line }
    }

    /// The status that a request with this fault deserves; `None` where nothing is to be answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.wrong {
            Wrong::KeepAlive | Wrong::Status => None,
            Wrong::Version => Some(505),
            Wrong::TooLarge | Wrong::TooManyHeaders => Some(513),
            _ => Some(400),
        }
    }
}
