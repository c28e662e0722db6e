//! A refusal as Twirp has it: a code that gives the HTTP status, a sentence, and what else is known of it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeMap;
use trunkline_psrpc::PsrpcError;

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{msg} ({code})")]
pub struct Fault {
    pub code: &'static str,
    pub msg: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<&'static str, String>,
}

/// Codes and their statuses (Twirp's specification, errors).
const STATUSES: [(&str, StatusCode); 16] = [
    ("canceled", StatusCode::REQUEST_TIMEOUT),
    ("invalid_argument", StatusCode::BAD_REQUEST),
    ("malformed", StatusCode::BAD_REQUEST),
    ("deadline_exceeded", StatusCode::REQUEST_TIMEOUT),
    ("not_found", StatusCode::NOT_FOUND),
    ("bad_route", StatusCode::NOT_FOUND),
    ("already_exists", StatusCode::CONFLICT),
    ("permission_denied", StatusCode::FORBIDDEN),
    ("unauthenticated", StatusCode::UNAUTHORIZED),
    ("resource_exhausted", StatusCode::TOO_MANY_REQUESTS),
    ("failed_precondition", StatusCode::PRECONDITION_FAILED),
    ("aborted", StatusCode::CONFLICT),
    ("out_of_range", StatusCode::BAD_REQUEST),
    ("unimplemented", StatusCode::NOT_IMPLEMENTED),
    ("internal", StatusCode::INTERNAL_SERVER_ERROR),
    ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
];

impl Fault {
    fn new(code: &'static str, msg: impl Into<String>) -> Self {
        Self { code, msg: msg.into(), meta: BTreeMap::new() }
    }

    /// The request cannot be.
    #[must_use]
    pub fn invalid(msg: impl Into<String>) -> Self {
        Self::new("invalid_argument", msg)
    }

    /// What it is about is not there.
    #[must_use]
    pub fn not_found(msg: impl Into<String>) -> Self {
        Self::new("not_found", msg)
    }

    /// livekit-server's words for it.
    pub(crate) fn no_such_trunk() -> Self {
        Self::not_found("requested sip trunk does not exist")
    }

    /// Something of ours failed.
    #[must_use]
    pub fn internal(msg: impl Into<String>) -> Self {
        Self::new("internal", msg)
    }

    /// It cannot be done now.
    #[must_use]
    pub fn unavailable(msg: impl Into<String>) -> Self {
        Self::new("unavailable", msg)
    }

    pub(crate) fn precondition(msg: impl Into<String>) -> Self {
        Self::new("failed_precondition", msg)
    }

    pub(crate) fn malformed(msg: impl Into<String>) -> Self {
        Self::new("malformed", msg)
    }

    pub(crate) fn unauthenticated(msg: impl Into<String>) -> Self {
        Self::new("unauthenticated", msg)
    }

    /// No method is there, or it is not spoken to like that.
    pub(crate) fn bad_route(msg: impl Into<String>, method: &str, path: &str) -> Self {
        let mut fault = Self::new("bad_route", msg);
        fault.meta.insert("twirp_invalid_route", format!("{method} {path}"));
        fault
    }

    pub(crate) fn status(&self) -> StatusCode {
        let known = STATUSES.iter().find(|(code, _)| *code == self.code);
        known.map_or(StatusCode::INTERNAL_SERVER_ERROR, |(_, status)| *status)
    }
}

/// psrpc's codes are Twirp's, but for a few.
impl From<PsrpcError> for Fault {
    fn from(error: PsrpcError) -> Self {
        let code = match error.code.as_str() {
            "malformed_request" | "malformed_result" => "malformed",
            "upstream_server_error" => "internal",
            "upstream_client_error" => "invalid_argument",
            "data_loss" => "dataloss",
            other => STATUSES.iter().find(|(code, _)| *code == other).map_or("unknown", |(code, _)| *code),
        };
        let mut fault = Self::new(code, error.message);
        if let Some((status, name)) = error.sip {
            fault.meta.insert("sip_status_code", status.to_string());
            fault.meta.insert("sip_status", name);
        }
        fault
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.status(), Json(self)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_line_comes_out_as_livekits_clients_read_it() {
        let busy = PsrpcError::new("resource_exhausted", "INVITE failed: sip status: 486: Busy Here")
            .with_sip(486, "Busy Here");
        let fault = Fault::from(busy);
        assert_eq!((fault.code, fault.status().as_u16()), ("resource_exhausted", 429));
        assert_eq!(fault.meta["sip_status_code"], "486");
        assert_eq!(fault.meta["sip_status"], "Busy Here");
    }

    #[test]
    fn a_code_that_twirp_does_not_know_is_unknown_and_a_fault_of_the_server() {
        let fault = Fault::from(PsrpcError::new("not_acceptable", "x"));
        assert_eq!((fault.code, fault.status().as_u16()), ("unknown", 500));
    }
}
