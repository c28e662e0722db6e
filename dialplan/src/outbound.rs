//! An outbound trunk: through whom calls go out.

use crate::terms::says_nothing;
use crate::{HeaderMapping, MediaTerms};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How its address is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrunkTransport {
    /// UDP, or what the address says.
    #[default]
    Auto,
    Udp,
    Tcp,
    Tls,
}

/// An outbound trunk, with livekit's meaning of each field. Stored as it stands.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundTrunk {
    /// `ST_…`; given when it is added.
    pub id: String,
    pub name: String,
    pub metadata: String,
    /// Host, `host:port`, no URI.
    pub address: String,
    pub transport: TrunkTransport,
    /// ISO 3166 code of where its calls go; kept, and without effect: there is one region.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub destination_country: String,
    /// Numbers that may stand in From; one of them is taken where a call names none.
    pub numbers: Vec<String>,
    pub auth_username: String,
    pub auth_password: String,
    /// Host of From; empty: our own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from_host: String,
    #[serde(skip_serializing_if = "says_nothing")]
    pub mapping: HeaderMapping,
    #[serde(skip_serializing_if = "says_nothing")]
    pub media: MediaTerms,
}

impl fmt::Debug for OutboundTrunk {
    /// Without the password: trunks are logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundTrunk")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("address", &self.address)
            .field("transport", &self.transport)
            .field("numbers", &self.numbers)
            .field("auth_username", &self.auth_username)
            .field("auth_password", if self.auth_password.is_empty() { &"" } else { &"…" })
            .finish_non_exhaustive()
    }
}

impl OutboundTrunk {
    /// Can it be? In the words of livekit's API, whose clients look for them.
    ///
    /// # Errors
    /// A sentence for the person who adds it.
    pub fn check(&self) -> Result<(), String> {
        if self.numbers.is_empty() {
            return Err("no trunk numbers specified".into());
        }
        if self.address.is_empty() {
            return Err("no outbound address specified".into());
        }
        is_host(&self.address, "trunk address")?;
        is_host(&self.from_host, "from_host")
    }
}

/// A host, with a port or without: no URI, no parameters. Empty passes.
///
/// # Errors
/// A sentence that begins with the field's name.
pub fn is_host(value: &str, field: &str) -> Result<(), String> {
    if value.contains("transport=") {
        return Err(format!("{field} should not contain transport parameter"));
    }
    if value.contains(['@', ';']) || value.starts_with("sip:") || value.starts_with("sips:") {
        return Err(format!("{field} should be a hostname or IP, not SIP URI"));
    }
    if value.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c)) {
        return Err(format!("{field} should be a hostname or IP, and has a character that is in neither"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_no_uri() {
        for good in ["", "sip.example.com", "10.0.0.1:5060", "[::1]:5061"] {
            assert_eq!(is_host(good, "trunk address"), Ok(()), "{good}");
        }
        for bad in ["sip:x", "a@b", "x;transport=tcp", "x;y", "a b", "a\r\nb", "<a>"] {
            assert!(is_host(bad, "trunk address").is_err(), "{bad}");
        }
    }

    #[test]
    fn an_outbound_trunk_is_shown_without_its_password_and_kept_with_it() {
        let trunk = OutboundTrunk {
            auth_username: "office".into(),
            auth_password: "hush".into(),
            address: "a".into(),
            numbers: vec!["+1".into()],
            ..OutboundTrunk::default()
        };
        assert!(!format!("{trunk:?}").contains("hush"));
        let kept: OutboundTrunk = serde_json::from_str(&serde_json::to_string(&trunk).unwrap()).unwrap();
        assert_eq!((kept.check(), kept), (Ok(()), trunk));
    }
}
