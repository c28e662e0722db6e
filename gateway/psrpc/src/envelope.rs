//! What every message on the bus is wrapped in, and the names of its channels.

use prost::Message;
use std::collections::HashMap;

const TYPE: &str = "type.googleapis.com/internal.";

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Wrapped {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
    #[prost(string, tag = "3")]
    pub channel: String,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Request {
    #[prost(string, tag = "1")]
    pub request_id: String,
    #[prost(string, tag = "2")]
    pub client_id: String,
    /// Nanoseconds since 1970, as is `expiry`.
    #[prost(int64, tag = "3")]
    pub sent_at: i64,
    #[prost(int64, tag = "4")]
    pub expiry: i64,
    #[prost(bool, tag = "5")]
    pub multi: bool,
    #[prost(message, optional, tag = "6")]
    pub request: Option<Any>,
    #[prost(map = "string, string", tag = "7")]
    pub metadata: HashMap<String, String>,
    #[prost(bytes = "vec", tag = "8")]
    pub raw_request: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClaimRequest {
    #[prost(string, tag = "1")]
    pub request_id: String,
    #[prost(string, tag = "2")]
    pub server_id: String,
    #[prost(float, tag = "3")]
    pub affinity: f32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClaimResponse {
    #[prost(string, tag = "1")]
    pub request_id: String,
    #[prost(string, tag = "2")]
    pub server_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Response {
    #[prost(string, tag = "1")]
    pub request_id: String,
    #[prost(string, tag = "2")]
    pub server_id: String,
    #[prost(int64, tag = "3")]
    pub sent_at: i64,
    #[prost(message, optional, tag = "4")]
    pub response: Option<Any>,
    #[prost(string, tag = "5")]
    pub error: String,
    #[prost(string, tag = "6")]
    pub code: String,
    #[prost(bytes = "vec", tag = "7")]
    pub raw_response: Vec<u8>,
    #[prost(message, repeated, tag = "8")]
    pub error_details: Vec<Any>,
}

/// Any of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Envelope {
    Request(Request),
    ClaimRequest(ClaimRequest),
    ClaimResponse(ClaimResponse),
    Response(Response),
}

impl Envelope {
    /// The bytes of a Redis payload.
    pub(crate) fn pack(&self) -> Vec<u8> {
        let (name, value) = match self {
            Self::Request(m) => ("Request", m.encode_to_vec()),
            Self::ClaimRequest(m) => ("ClaimRequest", m.encode_to_vec()),
            Self::ClaimResponse(m) => ("ClaimResponse", m.encode_to_vec()),
            Self::Response(m) => ("Response", m.encode_to_vec()),
        };
        Wrapped { type_url: format!("{TYPE}{name}"), value, channel: String::new() }.encode_to_vec()
    }

    /// Reads one; a sentence when it is none of these.
    pub(crate) fn unpack(bytes: &[u8]) -> Result<Self, String> {
        let wrapped = Wrapped::decode(bytes).map_err(|error| error.to_string())?;
        let value = wrapped.value.as_slice();
        let read = match wrapped.type_url.strip_prefix(TYPE) {
            Some("Request") => Request::decode(value).map(Self::Request),
            Some("ClaimRequest") => ClaimRequest::decode(value).map(Self::ClaimRequest),
            Some("ClaimResponse") => ClaimResponse::decode(value).map(Self::ClaimResponse),
            Some("Response") => Response::decode(value).map(Self::Response),
            _ => {
                return Err(format!(
                    "unknown type {:?}",
                    wrapped.type_url.chars().take(80).collect::<String>()
                ));
            }
        };
        read.map_err(|error| error.to_string())
    }
}

/// `Service|Method[|topic]|SUFFIX`: an empty topic is left out with its bar.
pub(crate) fn channel(parts: &[&str]) -> String {
    let named: Vec<String> =
        parts.iter().filter(|part| !part.is_empty()).map(|part| sanitized(part)).collect();
    named.join("|")
}

/// Letters, digits and `_` stay; every other character becomes its code point.
fn sanitized(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for c in part.chars() {
        match c {
            '0'..='9' | 'A'..='Z' | 'a'..='z' | '_' => text.push(c),
            c if (c as u32) < 0x1_0000 => text.push_str(&format!("u+{:04x}", c as u32)),
            c => text.push_str(&format!("U+{:08x}", c as u32)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_have_the_names_that_livekit_server_listens_to() {
        assert_eq!(
            channel(&["SIPInternal", "CreateSIPParticipant", "", "REQ"]),
            "SIPInternal|CreateSIPParticipant|REQ"
        );
        assert_eq!(channel(&["SIPInternal", "T", "SCL_a-b", "REQ"]), "SIPInternal|T|SCL_au+002db|REQ");
        assert_eq!(channel(&["A", "\u{1f600}"]), "A|U+0001f600");
    }

    #[test]
    fn what_is_packed_is_unpacked_as_it_was() {
        let request = Envelope::Request(Request {
            request_id: "REQ_1".into(),
            expiry: 5,
            raw_request: vec![1, 2],
            ..Request::default()
        });
        assert_eq!(Envelope::unpack(&request.pack()), Ok(request));
    }

    #[test]
    fn garbage_is_told_and_not_taken() {
        assert!(Envelope::unpack(&[0xff, 0xff]).is_err());
        assert!(Envelope::unpack(&[]).unwrap_err().contains("unknown type"));
        let other = Wrapped { type_url: format!("{TYPE}Stream"), ..Wrapped::default() };
        assert!(Envelope::unpack(&other.encode_to_vec()).unwrap_err().contains("Stream"));
    }
}
