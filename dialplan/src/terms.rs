//! On which terms a trunk or rule takes a call, beyond who may call and where it goes: headers and attributes,
//! media. Kept as livekit's API has them; who places and answers calls acts upon them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which headers become `sip.h.…` attributes by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncludeHeaders {
    #[default]
    None,
    /// `X-…`
    XHeaders,
    All,
}

/// How headers and attributes of a participant turn into each other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderMapping {
    /// Sent with our 200, or with our INVITE.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Header → attribute.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers_to_attributes: BTreeMap<String, String>,
    /// Attribute → header.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes_to_headers: BTreeMap<String, String>,
    pub include_headers: IncludeHeaders,
}

/// SRTP on the SIP leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    #[default]
    Disable,
    Allow,
    Require,
}

/// A codec by its name in SDP and its clock rate in Hz; 0: any.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodecName {
    pub name: String,
    pub rate: u32,
}

/// Media of a trunk or rule.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaTerms {
    /// `None`: nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    pub only_listed_codecs: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codecs: Vec<CodecName>,
    /// Milliseconds; 0: the configured one.
    pub media_timeout_ms: u64,
}

impl MediaTerms {
    /// Is it SRTP or nothing?
    #[must_use]
    pub fn requires_encryption(&self) -> bool {
        self.encryption == Some(Encryption::Require)
    }
}

/// For fields that are left out of the store when they say nothing.
pub(crate) fn says_nothing<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
