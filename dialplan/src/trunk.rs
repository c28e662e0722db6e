//! An inbound trunk: who may call through it, and which numbers it serves.

use crate::address::{Allowed, allowed, is_address_mask};
use crate::number::among;
use crate::terms::says_nothing;
use crate::verdict::{Shown, list};
use crate::{Facts, HeaderMapping, MediaTerms};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An inbound trunk, with livekit/sip's meaning of each field (reference §1.3). Stored as it stands.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trunk {
    /// `ST_…`; given when it is added.
    pub id: String,
    pub name: String,
    /// Numbers called through it; empty: any.
    pub numbers: Vec<String>,
    /// IP addresses, CIDR blocks or From hosts that may call; empty: any.
    pub allowed_addresses: Vec<String>,
    /// Numbers that may call; empty: any.
    pub allowed_numbers: Vec<String>,
    /// Digest; both or neither.
    pub auth_username: String,
    pub auth_password: String,
    /// Realm of the challenge; empty: `trunkline`.
    pub auth_realm: String,
    pub metadata: String,
    /// Calls at a time; 0: no limit of its own.
    pub max_calls: u32,
    /// New calls a second; 0: no limit of its own.
    pub calls_per_second: u32,
    #[serde(skip_serializing_if = "says_nothing")]
    pub mapping: HeaderMapping,
    #[serde(skip_serializing_if = "says_nothing")]
    pub media: MediaTerms,
    /// Longest wait for somebody in the room, in milliseconds; 0: `limits.ringing`.
    #[serde(skip_serializing_if = "says_nothing")]
    pub ringing_timeout_ms: u64,
    /// Longest call, in milliseconds; 0: `limits.call_duration`.
    #[serde(skip_serializing_if = "says_nothing")]
    pub max_call_duration_ms: u64,
    /// Kept, and without effect: the noise canceller is not in LiveKit's open server either.
    #[serde(skip_serializing_if = "says_nothing")]
    pub krisp_enabled: bool,
}

impl fmt::Debug for Trunk {
    /// Without the password: trunks are logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trunk")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("numbers", &self.numbers)
            .field("allowed_addresses", &self.allowed_addresses)
            .field("allowed_numbers", &self.allowed_numbers)
            .field("auth_username", &self.auth_username)
            .field("auth_password", if self.auth_password.is_empty() { &"" } else { &"…" })
            .field("max_calls", &self.max_calls)
            .field("calls_per_second", &self.calls_per_second)
            .finish_non_exhaustive()
    }
}

/// How well a trunk takes a call.
pub(crate) enum TrunkMatch {
    /// The number called is among its numbers.
    Specific(String),
    /// It has no numbers, so it serves any.
    Default(String),
    /// It does not, and why.
    No(String),
}

impl Trunk {
    /// Does it ask for credentials?
    #[must_use]
    pub fn wants_credentials(&self) -> bool {
        !self.auth_username.is_empty() && !self.auth_password.is_empty()
    }

    /// Can it be? The sentence says what is wrong and what to do. An open trunk (no numbers, no
    /// addresses, no credentials) is refused as livekit does: it would take anybody's calls.
    ///
    /// # Errors
    /// A sentence for the person who adds it.
    pub fn check(&self) -> Result<(), String> {
        if self.auth_username.is_empty() != self.auth_password.is_empty() {
            return Err("auth_username and auth_password go together: give both or neither".into());
        }
        if let Some(bad) = self.allowed_addresses.iter().find(|entry| !is_address_mask(entry)) {
            return Err(format!(
                "allowed_addresses: expected an IP address, a block such as 10.0.0.0/8 or a host name, found \"{}\"",
                Shown(bad)
            ));
        }
        for (key, numbers) in [("numbers", &self.numbers), ("allowed_numbers", &self.allowed_numbers)] {
            if numbers.iter().any(|number| number.trim().is_empty()) {
                return Err(format!("{key}: a number must not be empty"));
            }
        }
        if self.numbers.is_empty() && self.allowed_addresses.is_empty() && !self.wants_credentials() {
            return Err(
                "a trunk needs numbers, allowed_addresses or auth_username with auth_password, else it \
                        would take anybody's calls; allowed_addresses 0.0.0.0/0 and ::/0 say so on purpose"
                    .into(),
            );
        }
        Ok(())
    }

    /// Does it take this call? Caller first, then address, then the number called: livekit's order.
    pub(crate) fn takes(&self, facts: &Facts<'_>) -> TrunkMatch {
        if !self.allowed_numbers.is_empty() && !among(facts.from, &self.allowed_numbers) {
            return TrunkMatch::No(format!(
                "caller {} is not among its allowed_numbers ({})",
                Shown(facts.from),
                list(&self.allowed_numbers)
            ));
        }
        let address = allowed(facts.source, facts.from_host, &self.allowed_addresses);
        if !address.yes() {
            let source = facts.source.map_or_else(|| "unknown".into(), |ip| ip.to_string());
            return TrunkMatch::No(format!(
                "neither source {source} nor From host {} is among its allowed_addresses ({})",
                Shown(facts.from_host),
                list(&self.allowed_addresses)
            ));
        }
        let note = match address {
            Allowed::AnyoneNoneReadable => {
                "; none of its allowed_addresses can be read, so any address may call"
            }
            Allowed::SourceUnknown => "; the source address is unknown and passes",
            Allowed::Anyone | Allowed::Listed | Allowed::NotListed => "",
        };
        if self.numbers.is_empty() {
            TrunkMatch::Default(format!("serves any number{note}"))
        } else if among(facts.to, &self.numbers) {
            TrunkMatch::Specific(format!("{} is among its numbers{note}", Shown(facts.to)))
        } else {
            TrunkMatch::No(format!("{} is not among its numbers ({})", Shown(facts.to), list(&self.numbers)))
        }
    }
}
