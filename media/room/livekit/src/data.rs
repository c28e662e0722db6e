//! Data packets of a room: keys (SipDTMF) and calls of room methods (RPC), as protobuf over a data channel.

use livekit_protocol::data_packet::Value;
use livekit_protocol::{DataPacket, RpcAck, RpcError, RpcResponse, SipDtmf, rpc_response};
use prost::Message;

/// The longest that LiveKit's SDKs send without streams is 15 kB; more is no packet of ours.
const LONGEST: usize = 64 << 10;
/// Keys by their codes (RFC 4733 §3.2).
const KEYS: &[u8; 16] = b"0123456789*#ABCD";

/// What came that concerns a telephone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Key { from: String, digit: char },
    Rpc { from: String, id: String, method: String, payload: String },
}

/// Reads a packet; `None`: nothing of ours, or nothing at all.
pub(crate) fn read(bytes: &[u8]) -> Option<Said> {
    if bytes.len() > LONGEST {
        return None;
    }
    let packet = DataPacket::decode(bytes).ok()?;
    let from = packet.participant_identity;
    match packet.value? {
        Value::SipDtmf(dtmf) => Some(Said::Key { from, digit: digit(&dtmf)? }),
        Value::RpcRequest(call) => {
            Some(Said::Rpc { from, id: call.id, method: call.method, payload: call.payload })
        }
        _ => None,
    }
}

/// The digit where it is one, else the code: the SDKs fill both, and people only one.
fn digit(dtmf: &SipDtmf) -> Option<char> {
    let mut letters = dtmf.digit.chars();
    let named = letters.next().filter(|_| letters.next().is_none()).map(|c| c.to_ascii_uppercase());
    if let Some(named) = named.filter(|c| KEYS.iter().any(|key| char::from(*key) == *c)) {
        return Some(named);
    }
    if !dtmf.digit.is_empty() {
        return None;
    }
    KEYS.get(dtmf.code as usize).copied().map(char::from)
}

/// A key, to everybody. Letters go out small, as livekit/sip sends them.
pub(crate) fn key(digit: char) -> Option<Vec<u8>> {
    let upper = digit.to_ascii_uppercase();
    let code = KEYS.iter().position(|k| char::from(*k) == upper)?;
    let dtmf = SipDtmf { code: code as u32, digit: digit.to_ascii_lowercase().to_string() };
    Some(packet(Value::SipDtmf(dtmf), Vec::new()))
}

/// "Your call has come": without it the caller gives up after seconds.
pub(crate) fn acknowledge(id: &str, to: &str) -> Vec<u8> {
    packet(Value::RpcAck(RpcAck { request_id: id.to_owned() }), vec![to.to_owned()])
}

/// The result of a call.
pub(crate) fn answer(id: &str, to: &str, answer: Result<String, (u32, String)>) -> Vec<u8> {
    let value = match answer {
        Ok(payload) => rpc_response::Value::Payload(payload),
        Err((code, message)) => rpc_response::Value::Error(RpcError { code, message, data: String::new() }),
    };
    let response = RpcResponse { request_id: id.to_owned(), value: Some(value) };
    packet(Value::RpcResponse(response), vec![to.to_owned()])
}

fn packet(value: Value, to: Vec<String>) -> Vec<u8> {
    DataPacket { value: Some(value), destination_identities: to, ..DataPacket::default() }.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_comes_through_as_itself() {
        for digit in "0123456789*#ABCD".chars() {
            let read = read(&key(digit).unwrap());
            assert_eq!(read, Some(Said::Key { from: String::new(), digit }));
        }
        assert_eq!(key('x'), None);
    }

    #[test]
    fn a_key_with_only_a_code_counts_and_one_that_is_none_does_not() {
        let of = |code, digit: &str| {
            let dtmf = SipDtmf { code, digit: digit.into() };
            read(&packet(Value::SipDtmf(dtmf), Vec::new()))
        };
        assert_eq!(of(11, ""), Some(Said::Key { from: String::new(), digit: '#' }));
        assert_eq!(of(16, ""), None);
        assert_eq!(of(1, "12"), None);
        assert_eq!(of(1, "\u{130}"), None);
    }

    #[test]
    fn garbage_is_nothing() {
        assert_eq!(read(&[0xff; 40]), None);
        assert_eq!(read(&[]), None);
        assert_eq!(read(&vec![0; LONGEST + 1]), None);
    }
}
