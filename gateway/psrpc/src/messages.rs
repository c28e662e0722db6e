//! The messages of the two services, by their field numbers. What LiveKit's public API has, too, is taken from
//! `livekit-protocol`; these are only spoken between its servers.

use livekit_protocol::{
    ProviderInfo, RoomConfiguration, SipCallInfo, SipMediaConfig, SipNamedDest, SipRequestDest,
    SipTransferInfo,
};
use std::collections::HashMap;

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Span {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Span {
    /// As time; `None` where it is zero or negative, which means that nothing was said.
    #[must_use]
    pub fn time(self) -> Option<std::time::Duration> {
        let seconds = u64::try_from(self.seconds).ok()?;
        let span = std::time::Duration::new(seconds, u32::try_from(self.nanos).unwrap_or(0).min(999_999_999));
        (!span.is_zero()).then_some(span)
    }
}

/// A party or an address of a call.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SipUri {
    #[prost(string, tag = "1")]
    pub user: String,
    #[prost(string, tag = "2")]
    pub host: String,
    #[prost(string, tag = "3")]
    pub ip: String,
    #[prost(uint32, tag = "4")]
    pub port: u32,
    /// 0 unknown, 1 UDP, 2 TCP, 3 TLS.
    #[prost(int32, tag = "5")]
    pub transport: i32,
}

/// The facts of an inbound call.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SipCall {
    /// `SCL_…`
    #[prost(string, tag = "1")]
    pub lk_call_id: String,
    /// A bare address: the server refuses one with a port.
    #[prost(string, tag = "2")]
    pub source_ip: String,
    /// The Request-URI.
    #[prost(message, optional, tag = "3")]
    pub address: Option<SipUri>,
    #[prost(message, optional, tag = "4")]
    pub from: Option<SipUri>,
    #[prost(message, optional, tag = "5")]
    pub to: Option<SipUri>,
    #[prost(message, repeated, tag = "6")]
    pub via: Vec<SipUri>,
    #[prost(string, tag = "7")]
    pub sip_call_id: String,
    #[prost(string, tag = "8")]
    pub project_id: String,
}

/// May this call come in, and with whose password? Servers still read the fields beside `call`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetSipTrunkAuthenticationRequest {
    #[prost(string, tag = "2")]
    pub from: String,
    #[prost(string, tag = "3")]
    pub to: String,
    #[prost(string, tag = "4")]
    pub src_address: String,
    #[prost(string, tag = "5")]
    pub to_host: String,
    #[prost(string, tag = "6")]
    pub sip_call_id: String,
    #[prost(string, tag = "7")]
    pub from_host: String,
    #[prost(message, optional, tag = "8")]
    pub call: Option<SipCall>,
}

/// The answer to it.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct GetSipTrunkAuthenticationResponse {
    #[prost(string, tag = "1")]
    pub username: String,
    #[prost(string, tag = "2")]
    pub password: String,
    #[prost(bool, tag = "3")]
    pub drop: bool,
    #[prost(string, tag = "4")]
    pub sip_trunk_id: String,
    #[prost(string, tag = "5")]
    pub project_id: String,
    #[prost(message, optional, tag = "6")]
    pub provider_info: Option<ProviderInfo>,
    /// 0 none, 1 quota, 2 no trunk.
    #[prost(int32, tag = "7")]
    pub error_code: i32,
    #[prost(map = "string, string", tag = "8")]
    pub feature_flags: HashMap<String, String>,
    #[prost(string, tag = "9")]
    pub realm: String,
}

impl std::fmt::Debug for GetSipTrunkAuthenticationResponse {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GetSipTrunkAuthenticationResponse")
            .field("sip_trunk_id", &self.sip_trunk_id)
            .field("drop", &self.drop)
            .field("error_code", &self.error_code)
            .finish_non_exhaustive()
    }
}

/// Where does this call go?
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct EvaluateSipDispatchRulesRequest {
    #[prost(string, tag = "1")]
    pub sip_participant_id: String,
    #[prost(string, tag = "2")]
    pub calling_number: String,
    #[prost(string, tag = "3")]
    pub called_number: String,
    #[prost(string, tag = "4")]
    pub src_address: String,
    #[prost(string, tag = "5")]
    pub pin: String,
    #[prost(bool, tag = "6")]
    pub no_pin: bool,
    #[prost(string, tag = "7")]
    pub called_host: String,
    #[prost(string, tag = "8")]
    pub sip_call_id: String,
    #[prost(map = "string, string", tag = "9")]
    pub extra_attributes: HashMap<String, String>,
    #[prost(string, tag = "10")]
    pub sip_trunk_id: String,
    #[prost(string, tag = "11")]
    pub calling_host: String,
    #[prost(message, optional, tag = "12")]
    pub call: Option<SipCall>,
}

impl std::fmt::Debug for EvaluateSipDispatchRulesRequest {
    /// Without the PIN.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvaluateSipDispatchRulesRequest")
            .field("sip_trunk_id", &self.sip_trunk_id)
            .finish_non_exhaustive()
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DispatchResult {
    Accept,
    RequestPin,
    Reject,
    Drop,
}

/// The answer to it.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct EvaluateSipDispatchRulesResponse {
    #[prost(string, tag = "1")]
    pub room_name: String,
    #[prost(string, tag = "2")]
    pub participant_identity: String,
    #[prost(bool, tag = "3")]
    pub request_pin: bool,
    #[prost(string, tag = "4")]
    pub token: String,
    #[prost(string, tag = "5")]
    pub ws_url: String,
    #[prost(int32, tag = "6")]
    pub result: i32,
    #[prost(string, tag = "7")]
    pub participant_name: String,
    #[prost(string, tag = "8")]
    pub participant_metadata: String,
    #[prost(string, tag = "9")]
    pub sip_trunk_id: String,
    #[prost(string, tag = "10")]
    pub sip_dispatch_rule_id: String,
    #[prost(map = "string, string", tag = "11")]
    pub participant_attributes: HashMap<String, String>,
    #[prost(string, tag = "12")]
    pub project_id: String,
    #[prost(map = "string, string", tag = "13")]
    pub headers: HashMap<String, String>,
    #[prost(map = "string, string", tag = "14")]
    pub headers_to_attributes: HashMap<String, String>,
    #[prost(int32, repeated, tag = "15")]
    pub enabled_features: Vec<i32>,
    #[prost(message, optional, tag = "16")]
    pub ringing_timeout: Option<Span>,
    #[prost(message, optional, tag = "17")]
    pub max_call_duration: Option<Span>,
    #[prost(map = "string, string", tag = "18")]
    pub attributes_to_headers: HashMap<String, String>,
    /// 0 none, 1 X-headers, 2 all.
    #[prost(int32, tag = "19")]
    pub include_headers: i32,
    #[prost(string, tag = "20")]
    pub room_preset: String,
    #[prost(message, optional, tag = "21")]
    pub room_config: Option<RoomConfiguration>,
    #[prost(int32, tag = "22")]
    pub media_encryption: i32,
    #[prost(map = "string, string", tag = "23")]
    pub feature_flags: HashMap<String, String>,
    #[prost(message, optional, tag = "24")]
    pub media: Option<SipMediaConfig>,
}

impl std::fmt::Debug for EvaluateSipDispatchRulesResponse {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvaluateSipDispatchRulesResponse")
            .field("room_name", &self.room_name)
            .field("sip_dispatch_rule_id", &self.sip_dispatch_rule_id)
            .field("result", &self.verdict())
            .finish_non_exhaustive()
    }
}

impl EvaluateSipDispatchRulesResponse {
    /// What it comes to; older servers said it by a flag and an empty room.
    #[must_use]
    pub fn verdict(&self) -> DispatchResult {
        match self.result {
            1 => DispatchResult::Accept,
            2 => DispatchResult::RequestPin,
            3 => DispatchResult::Reject,
            4 => DispatchResult::Drop,
            _ if self.request_pin => DispatchResult::RequestPin,
            _ if self.room_name.is_empty() => DispatchResult::Drop,
            _ => DispatchResult::Accept,
        }
    }
}

/// A call came on.
#[derive(Clone, PartialEq, prost::Message)]
pub struct UpdateSipCallStateRequest {
    #[prost(message, optional, tag = "1")]
    pub call_info: Option<SipCallInfo>,
    #[prost(message, optional, tag = "2")]
    pub transfer_info: Option<SipTransferInfo>,
}

/// A call is over.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RecordCallContextRequest {
    #[prost(message, optional, tag = "1")]
    pub call_info: Option<SipCallInfo>,
}

/// Nothing.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Empty {}

/// Place a call and put it into a room.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct InternalCreateSipParticipantRequest {
    #[prost(string, tag = "2")]
    pub address: String,
    #[prost(string, tag = "3")]
    pub number: String,
    #[prost(string, tag = "4")]
    pub call_to: String,
    #[prost(string, tag = "5")]
    pub username: String,
    #[prost(string, tag = "6")]
    pub password: String,
    #[prost(string, tag = "7")]
    pub room_name: String,
    #[prost(string, tag = "8")]
    pub participant_identity: String,
    #[prost(string, tag = "9")]
    pub token: String,
    #[prost(string, tag = "10")]
    pub ws_url: String,
    #[prost(string, tag = "11")]
    pub dtmf: String,
    #[prost(bool, tag = "12")]
    pub play_dialtone: bool,
    #[prost(string, tag = "13")]
    pub sip_call_id: String,
    #[prost(string, tag = "14")]
    pub participant_name: String,
    #[prost(string, tag = "15")]
    pub participant_metadata: String,
    /// 0 auto, 1 UDP, 2 TCP, 3 TLS.
    #[prost(int32, tag = "16")]
    pub transport: i32,
    #[prost(map = "string, string", tag = "17")]
    pub participant_attributes: HashMap<String, String>,
    #[prost(string, tag = "18")]
    pub project_id: String,
    #[prost(string, tag = "19")]
    pub sip_trunk_id: String,
    /// Host of From.
    #[prost(string, tag = "20")]
    pub hostname: String,
    #[prost(map = "string, string", tag = "21")]
    pub headers: HashMap<String, String>,
    #[prost(map = "string, string", tag = "22")]
    pub headers_to_attributes: HashMap<String, String>,
    #[prost(message, optional, tag = "23")]
    pub ringing_timeout: Option<Span>,
    #[prost(message, optional, tag = "24")]
    pub max_call_duration: Option<Span>,
    #[prost(int32, repeated, tag = "25")]
    pub enabled_features: Vec<i32>,
    #[prost(map = "string, string", tag = "26")]
    pub attributes_to_headers: HashMap<String, String>,
    #[prost(int32, tag = "27")]
    pub include_headers: i32,
    #[prost(int32, tag = "28")]
    pub media_encryption: i32,
    #[prost(bool, tag = "29")]
    pub wait_until_answered: bool,
    #[prost(string, optional, tag = "31")]
    pub display_name: Option<String>,
    #[prost(map = "string, string", tag = "33")]
    pub feature_flags: HashMap<String, String>,
    #[prost(message, optional, tag = "34")]
    pub media: Option<SipMediaConfig>,
    #[prost(message, optional, tag = "35")]
    pub sip_request_uri: Option<SipRequestDest>,
    #[prost(message, optional, tag = "36")]
    pub sip_from_header: Option<SipNamedDest>,
    #[prost(message, optional, tag = "37")]
    pub sip_to_header: Option<SipNamedDest>,
    #[prost(string, tag = "39")]
    pub to_user_override: String,
}

impl std::fmt::Debug for InternalCreateSipParticipantRequest {
    /// Without password and token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InternalCreateSipParticipantRequest")
            .field("sip_call_id", &self.sip_call_id)
            .field("address", &self.address)
            .field("call_to", &self.call_to)
            .field("room_name", &self.room_name)
            .finish_non_exhaustive()
    }
}

/// It is placed, or answered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct InternalCreateSipParticipantResponse {
    #[prost(string, tag = "1")]
    pub participant_id: String,
    #[prost(string, tag = "2")]
    pub participant_identity: String,
    #[prost(string, tag = "3")]
    pub sip_call_id: String,
}

/// Send the caller elsewhere.
#[derive(Clone, PartialEq, prost::Message)]
pub struct InternalTransferSipParticipantRequest {
    #[prost(string, tag = "1")]
    pub sip_call_id: String,
    #[prost(string, tag = "2")]
    pub transfer_to: String,
    #[prost(bool, tag = "3")]
    pub play_dialtone: bool,
    #[prost(map = "string, string", tag = "4")]
    pub headers: HashMap<String, String>,
    #[prost(message, optional, tag = "5")]
    pub ringing_timeout: Option<Span>,
    #[prost(map = "string, string", tag = "6")]
    pub feature_flags: HashMap<String, String>,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct InternalTransferSipParticipantResponse {
    #[prost(string, tag = "1")]
    pub transfer_id: String,
    #[prost(int32, tag = "2")]
    pub status: i32,
    #[prost(int32, tag = "3")]
    pub reason: i32,
}
