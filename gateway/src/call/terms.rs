//! On which terms a call is in a LiveKit room: what trunk and rule said beyond the room's name.

use std::collections::{BTreeMap, HashMap};
use trunkline_dialplan::{DispatchRule, IncludeHeaders, Trunk};
use trunkline_media::sdp::Encryption;
use trunkline_psrpc::{EvaluateSipDispatchRulesResponse, InternalCreateSipParticipantRequest, Span};
use trunkline_sip::{Extra, Time};

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    pub metadata: String,
    /// Headers of our 200.
    pub headers: Vec<Extra>,
    pub headers_to_attributes: Vec<(String, String)>,
    pub attributes_to_headers: Vec<(String, String)>,
    pub include: IncludeHeaders,
    pub ringing: Option<Time>,
    pub longest: Option<Time>,
    pub room_config: Option<livekit_protocol::RoomConfiguration>,
    /// A token that the server signed, and where it is good; else we sign one.
    pub token: Option<String>,
    pub url: Option<String>,
    /// Ids of trunk and rule, for what the configuration says of them.
    pub ids: Vec<String>,
}

/// Headers that carriers put their own ids into; always attributes (inventory of livekit/sip §1.7).
const CARRIERS: [(&str, &str); 10] = [
    ("X-Twilio-AccountSid", "sip.twilio.accountSid"),
    ("X-Twilio-CallSid", "sip.twilio.callSid"),
    ("X-call_leg_id", "sip.telnyx.callLegID"),
    ("X-call_session_id", "sip.telnyx.callSessionID"),
    ("X-Amzn-ConnectContactId", "sip.amazon.contactId"),
    ("X-Amzn-ConnectInitialContactId", "sip.amazon.initialContactId"),
    ("X-Amzn-SourceAccount", "sip.amazon.sourceAccount"),
    ("X-Amzn-SourceArn", "sip.amazon.sourceArn"),
    ("X-Amzn-TargetArn", "sip.amazon.targetArn"),
    ("X-Lk-Test-Id", "lktest.id"),
];
/// A header is no file.
const LONGEST_VALUE: usize = 1_024;

impl Terms {
    /// As livekit-server said them of a call that came in.
    pub(super) fn of_rules(rules: &EvaluateSipDispatchRulesResponse) -> Self {
        Self {
            metadata: rules.participant_metadata.clone(),
            headers: sorted(&rules.headers),
            headers_to_attributes: sorted(&rules.headers_to_attributes),
            attributes_to_headers: sorted(&rules.attributes_to_headers),
            include: include(rules.include_headers),
            ringing: rules.ringing_timeout.and_then(Span::time),
            longest: rules.max_call_duration.and_then(Span::time),
            room_config: rules.room_config.clone(),
            token: set(&rules.token),
            url: set(&rules.ws_url),
            ids: vec![rules.sip_dispatch_rule_id.clone(), rules.sip_trunk_id.clone()],
        }
    }

    /// As the request for a call says them; its headers are the INVITE's.
    pub(super) fn of_order(order: &InternalCreateSipParticipantRequest) -> Self {
        Self {
            metadata: order.participant_metadata.clone(),
            headers: Vec::new(),
            headers_to_attributes: sorted(&order.headers_to_attributes),
            attributes_to_headers: sorted(&order.attributes_to_headers),
            include: include(order.include_headers),
            ringing: order.ringing_timeout.and_then(Span::time),
            longest: order.max_call_duration.and_then(Span::time),
            room_config: None,
            token: set(&order.token),
            url: set(&order.ws_url),
            ids: vec![order.sip_trunk_id.clone()],
        }
    }

    /// As our own store says them.
    pub(super) fn of_ours(trunk: Option<&Trunk>, rule: &DispatchRule) -> Self {
        let milliseconds = |ms: u64| (ms > 0).then(|| Time::from_millis(ms));
        let pairs = |map: &BTreeMap<String, String>| map.clone().into_iter().collect();
        let room_config = rule.room_config.clone().and_then(|json| {
            // It was read when it was stored; a store of a later version may hold what we do not know.
            serde_json::from_value(json)
                .inspect_err(|error| tracing::warn!(rule = %rule.id, "its room_config is left out: {error}"))
                .ok()
        });
        let ids = [Some(&rule.id), trunk.map(|trunk| &trunk.id)].into_iter().flatten().cloned().collect();
        let terms = Self { metadata: rule.metadata.clone(), room_config, ids, ..Self::default() };
        let Some(trunk) = trunk else { return terms };
        Self {
            headers: pairs(&trunk.mapping.headers),
            headers_to_attributes: pairs(&trunk.mapping.headers_to_attributes),
            attributes_to_headers: pairs(&trunk.mapping.attributes_to_headers),
            include: trunk.mapping.include_headers,
            ringing: milliseconds(trunk.ringing_timeout_ms),
            longest: milliseconds(trunk.max_call_duration_ms),
            ..terms
        }
    }

    /// Attributes that headers make; their names are in small letters (`headers_of`).
    pub(super) fn attributes_of(&self, headers: &[(String, String)]) -> Vec<(String, String)> {
        let mut found = carriers(headers);
        for (header, attribute) in &self.headers_to_attributes {
            if let Some(value) = header_of(headers, header) {
                found.insert(attribute.clone(), short(value));
            }
        }
        let included = |name: &str| match self.include {
            IncludeHeaders::None => false,
            IncludeHeaders::XHeaders => name.starts_with("x-"),
            IncludeHeaders::All => true,
        };
        for (name, value) in headers.iter().filter(|(name, _)| included(name)) {
            found.insert(format!("sip.h.{name}"), short(value));
        }
        found.into_iter().collect()
    }

    /// Headers that the attributes make: on the 200, on the BYE.
    pub(super) fn headers_of(&self, attributes: &BTreeMap<String, String>) -> Vec<Extra> {
        let value = |attribute: &String| attributes.get(attribute).filter(|value| !value.is_empty());
        self.attributes_to_headers
            .iter()
            .filter_map(|(attribute, header)| Some((header.clone(), value(attribute)?.clone())))
            .filter(|(header, value)| !header.contains(char::is_control) && !value.contains(char::is_control))
            .collect()
    }
}

/// `SIPHeaderOptions`.
fn include(number: i32) -> IncludeHeaders {
    match number {
        1 => IncludeHeaders::XHeaders,
        2 => IncludeHeaders::All,
        _ => IncludeHeaders::None,
    }
}

fn sorted(map: &HashMap<String, String>) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = map.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    pairs.sort();
    pairs
}

/// In protobuf an empty text is one that was not set.
fn set(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// What carriers say of a call, whatever the trunk maps.
pub(super) fn carriers(headers: &[(String, String)]) -> BTreeMap<String, String> {
    let named = |(header, attribute): &(&str, &str)| {
        Some(((*attribute).to_owned(), short(header_of(headers, header)?)))
    };
    CARRIERS.iter().filter_map(named).collect()
}

fn header_of<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn short(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).take(LONGEST_VALUE).collect()
}

/// `SIPMediaEncryption` of a call: the newer field first. A number that is not known is taken for the strictest.
pub(super) fn encryption(media: Option<i32>, older: i32) -> Encryption {
    match media.unwrap_or(older) {
        0 => Encryption::Disable,
        1 => Encryption::Allow,
        _ => Encryption::Require,
    }
}
