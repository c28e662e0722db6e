//! Requests and answers as Twirp sends them: a protobuf, or the same as JSON with names in either spelling.

use crate::Fault;
use crate::shape::{Shape, shaped};
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/protobuf";

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    Json,
    Protobuf,
}

impl Spelling {
    /// By its `Content-Type`, whatever parameters that has.
    pub(crate) fn of(content_type: &str) -> Option<Self> {
        match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            JSON => Some(Self::Json),
            PROTOBUF => Some(Self::Protobuf),
            _ => None,
        }
    }

    pub(crate) fn read<Q: Message + Default + DeserializeOwned>(self, body: &[u8]) -> Result<Q, Fault> {
        match self {
            Self::Protobuf => {
                Q::decode(body).map_err(|_| Fault::malformed("the protobuf request could not be decoded"))
            }
            Self::Json => {
                let mut json = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
                without_nulls(&mut json);
                serde_json::from_value(json).map_err(|error| unreadable(&error))
            }
        }
    }

    pub(crate) fn write<A: Message + Serialize>(self, answer: &A, shape: &Shape) -> Result<Response, Fault> {
        let (kind, body) = match self {
            Self::Protobuf => (PROTOBUF, Bytes::from(answer.encode_to_vec())),
            Self::Json => {
                let json = serde_json::to_value(answer)
                    .map_err(|error| Fault::internal(format!("the answer cannot be written: {error}")))?;
                (JSON, Bytes::from(shaped(shape, &json).to_string()))
            }
        };
        Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
    }
}

/// What is wrong, but not the text: it may hold a password.
fn unreadable(error: &serde_json::Error) -> Fault {
    use serde_json::error::Category;
    Fault::malformed(match error.classify() {
        Category::Data => "the json request could not be decoded: a value is of the wrong type".to_owned(),
        _ => format!("the json request could not be decoded: no JSON at column {}", error.column()),
    })
}

/// In protobuf's JSON a null is a field that is not set.
fn without_nulls(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use livekit_protocol::CreateSipInboundTrunkRequest;

    #[test]
    fn json_is_taken_in_either_spelling_with_nulls_and_with_fields_of_a_later_version() {
        for body in [
            r#"{"trunk": {"auth_username": "u", "ringing_timeout": "1.5s", "media": null, "metadata": null}}"#,
            r#"{"trunk": {"authUsername": "u", "ringingTimeout": "1.5s", "ofNextYear": {"a": [1]}}}"#,
        ] {
            let read: CreateSipInboundTrunkRequest = Spelling::Json.read(body.as_bytes()).unwrap();
            let trunk = read.trunk.unwrap();
            assert_eq!((trunk.auth_username.as_str(), trunk.metadata.as_str()), ("u", ""));
            assert_eq!(trunk.ringing_timeout.map(|span| (span.seconds, span.nanos)), Some((1, 500_000_000)));
        }
    }

    #[test]
    fn what_cannot_be_read_is_malformed_and_not_repeated() {
        let cases: [&[u8]; 3] = [b"{secret", br#"{"trunk": {"name": 3}}"#, b"\xff"];
        for body in cases {
            let fault = Spelling::Json.read::<CreateSipInboundTrunkRequest>(body).unwrap_err();
            assert_eq!(fault.code, "malformed");
            assert!(!fault.msg.contains("secret"), "{fault}");
        }
        let fault = Spelling::Protobuf.read::<CreateSipInboundTrunkRequest>(b"\xff\xff").unwrap_err();
        assert_eq!(fault.code, "malformed");
    }

    #[test]
    fn the_spelling_is_told_by_the_content_type() {
        assert_eq!(Spelling::of("application/json; charset=utf-8"), Some(Spelling::Json));
        assert_eq!(Spelling::of("Application/Protobuf"), Some(Spelling::Protobuf));
        assert_eq!(Spelling::of("text/plain"), None);
    }
}
