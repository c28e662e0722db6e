//! An error as psrpc carries it: a sentence, a code, and the SIP status behind it.

use crate::envelope::Any;
use livekit_protocol::SipStatus;
use prost::Message;

const SIP_STATUS: &str = "type.googleapis.com/livekit.SIPStatus";

/// psrpc's codes, as far as they are used here; others are kept as they came.
pub mod code {
    pub const CANCELED: &str = "canceled";
    pub const MALFORMED_REQUEST: &str = "malformed_request";
    pub const MALFORMED_RESULT: &str = "malformed_result";
    pub const DEADLINE_EXCEEDED: &str = "deadline_exceeded";
    pub const UNAVAILABLE: &str = "unavailable";
    pub const UNKNOWN: &str = "unknown";
    pub const INVALID_ARGUMENT: &str = "invalid_argument";
    pub const NOT_FOUND: &str = "not_found";
    pub const ALREADY_EXISTS: &str = "already_exists";
    pub const PERMISSION_DENIED: &str = "permission_denied";
    pub const RESOURCE_EXHAUSTED: &str = "resource_exhausted";
    pub const FAILED_PRECONDITION: &str = "failed_precondition";
    pub const INTERNAL: &str = "internal";
    pub const UNAUTHENTICATED: &str = "unauthenticated";
}

/// Why a call over the bus failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct PsrpcError {
    pub code: String,
    pub message: String,
    /// SIP status and its name, where a SIP peer said no.
    pub sip: Option<(i32, String)>,
}

impl PsrpcError {
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), sip: None }
    }

    /// The same, with the status that a SIP peer gave.
    #[must_use]
    pub fn with_sip(mut self, status: u16, name: &str) -> Self {
        self.sip = Some((status.into(), name.to_owned()));
        self
    }

    pub(crate) fn details(&self) -> Vec<Any> {
        let status = self.sip.as_ref().map(|(code, status)| {
            let status = SipStatus { code: *code, status: status.clone() };
            Any { type_url: SIP_STATUS.to_owned(), value: status.encode_to_vec() }
        });
        status.into_iter().collect()
    }

    pub(crate) fn from_wire(code: String, message: String, details: &[Any]) -> Self {
        let sip = details
            .iter()
            .find(|any| any.type_url == SIP_STATUS)
            .and_then(|any| SipStatus::decode(any.value.as_slice()).ok())
            .map(|status| (status.code, status.status));
        Self { code, message, sip }
    }

    /// Nobody is there who could answer.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self.code.as_str(), code::UNAVAILABLE | code::DEADLINE_EXCEEDED | code::CANCELED)
    }
}
