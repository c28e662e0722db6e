//! A dispatch rule: which calls it is for, where it sends them, and which of two goes first.

use crate::number::among;
use crate::terms::says_nothing;
use crate::verdict::{Shown, list};
use crate::{Facts, MediaTerms};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Where a rule sends a call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Destination {
    /// Everybody into one room.
    Direct {
        room_name: String,
        #[serde(default)]
        pin: String,
    },
    /// A room for each caller: `<prefix>_<from>[_<random>]`.
    Individual {
        room_prefix: String,
        #[serde(default)]
        pin: String,
        #[serde(default)]
        no_randomness: bool,
    },
    /// A room for each number called: `<prefix>_<to>[_<random>]`.
    Callee {
        room_prefix: String,
        #[serde(default)]
        pin: String,
        #[serde(default)]
        randomize: bool,
    },
    /// No room: the agent in this process, with this dialogue (empty: the configured one).
    Agent {
        #[serde(default)]
        dialogue: String,
    },
}

impl Destination {
    /// Empty: none is wanted.
    #[must_use]
    pub fn pin(&self) -> &str {
        match self {
            Self::Direct { pin, .. } | Self::Individual { pin, .. } | Self::Callee { pin, .. } => pin,
            Self::Agent { .. } => "",
        }
    }

    /// Room name, prefix or dialogue: the last tie-break but the id.
    fn label(&self) -> &str {
        match self {
            Self::Direct { room_name, .. } => room_name,
            Self::Individual { room_prefix, .. } | Self::Callee { room_prefix, .. } => room_prefix,
            Self::Agent { dialogue } => dialogue,
        }
    }
}

impl fmt::Debug for Destination {
    /// Without the PIN: rules are logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pin = if self.pin().is_empty() { "" } else { ", with a PIN" };
        match self {
            Self::Direct { room_name, .. } => write!(f, "Direct({room_name:?}{pin})"),
            Self::Individual { room_prefix, no_randomness, .. } => {
                write!(f, "Individual({room_prefix:?}, no_randomness: {no_randomness}{pin})")
            }
            Self::Callee { room_prefix, randomize, .. } => {
                write!(f, "Callee({room_prefix:?}, randomize: {randomize}{pin})")
            }
            Self::Agent { dialogue } => write!(f, "Agent({dialogue:?})"),
        }
    }
}

/// A dispatch rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DispatchRule {
    /// `SDR_…`; given when it is added.
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub name: String,
    /// Trunks that it serves; empty: all.
    #[serde(default)]
    pub trunk_ids: Vec<String>,
    /// Callers that it is for; empty: any.
    #[serde(default)]
    pub inbound_numbers: Vec<String>,
    /// Called numbers that it is for; empty: any.
    #[serde(default)]
    pub numbers: Vec<String>,
    pub destination: Destination,
    #[serde(default)]
    pub hide_phone_number: bool,
    #[serde(default)]
    pub metadata: String,
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Kept, and without effect: presets are LiveKit Cloud's.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub room_preset: String,
    /// livekit's `RoomConfiguration` in its JSON, for a room that the call opens: agents, timeouts.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub room_config: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub media: MediaTerms,
    /// As a trunk's.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub krisp_enabled: bool,
}

/// Does a rule take a call?
pub(crate) enum RuleMatch {
    /// Yes; `asks`: once its PIN was typed.
    Yes { asks: bool },
    /// No: the PIN that was typed is not its own.
    WrongPin,
    /// No, and why.
    No(String),
}

impl DispatchRule {
    /// For every call, without any more to it.
    #[must_use]
    pub fn to(destination: Destination) -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            trunk_ids: Vec::new(),
            inbound_numbers: Vec::new(),
            numbers: Vec::new(),
            destination,
            hide_phone_number: false,
            metadata: String::new(),
            attributes: BTreeMap::new(),
            room_preset: String::new(),
            room_config: None,
            media: MediaTerms::default(),
            krisp_enabled: false,
        }
    }

    /// Can it be? Whether its trunks exist is for whoever keeps them to say.
    ///
    /// # Errors
    /// A sentence for the person who adds it.
    pub fn check(&self) -> Result<(), String> {
        if let Destination::Direct { room_name, .. } = &self.destination
            && room_name.trim().is_empty()
        {
            return Err("destination: a direct rule needs a room_name".into());
        }
        let pin = self.destination.pin();
        if pin.len() > MAX_PIN || !pin.bytes().all(|b| b.is_ascii_digit() || b == b'*') {
            return Err(format!(
                "pin: expected at most {MAX_PIN} keys, 0-9 and *, because it is typed and ended by #"
            ));
        }
        for (key, entries) in [
            ("trunk_ids", &self.trunk_ids),
            ("inbound_numbers", &self.inbound_numbers),
            ("numbers", &self.numbers),
        ] {
            if entries.iter().any(|entry| entry.trim().is_empty()) {
                return Err(format!("{key}: an entry must not be empty"));
            }
        }
        Ok(())
    }

    /// livekit's order, smallest first: with a PIN before open, direct before individual before callee
    /// (before our agent), with inbound_numbers before without, with numbers before without; then the
    /// room name, then the id.
    pub(crate) fn priority(&self) -> (u32, &str, &str) {
        let kind = match self.destination {
            Destination::Direct { .. } => 0,
            Destination::Individual { .. } => 1,
            Destination::Callee { .. } => 2,
            Destination::Agent { .. } => 3,
        };
        let open = if self.destination.pin().is_empty() { 100 } else { 0 };
        let any_caller = if self.inbound_numbers.is_empty() { 1000 } else { 0 };
        let any_number = if self.numbers.is_empty() { 1000 } else { 0 };
        (kind + open + any_caller + any_number, self.destination.label(), &self.id)
    }

    /// Does it take this call, whatever its trunks?
    pub(crate) fn takes(&self, facts: &Facts<'_>) -> RuleMatch {
        if !self.inbound_numbers.is_empty() && !among(facts.from, &self.inbound_numbers) {
            return RuleMatch::No(format!(
                "caller {} is not among its inbound_numbers ({})",
                Shown(facts.from),
                list(&self.inbound_numbers)
            ));
        }
        if !self.numbers.is_empty() && !among(facts.to, &self.numbers) {
            return RuleMatch::No(format!(
                "{} is not among its numbers ({})",
                Shown(facts.to),
                list(&self.numbers)
            ));
        }
        match (self.destination.pin(), facts.pin) {
            ("", _) => RuleMatch::Yes { asks: false },
            (_, None) => RuleMatch::Yes { asks: true },
            (_, Some("")) => RuleMatch::No("wants a PIN and the caller has none".into()),
            (own, Some(typed)) if same_pin(own, typed) => RuleMatch::Yes { asks: false },
            _ => RuleMatch::WrongPin,
        }
    }
}

/// Longest PIN that is collected.
const MAX_PIN: usize = 16;

/// Takes as long for a wrong PIN as for the right one, wherever it first differs.
fn same_pin(own: &str, typed: &str) -> bool {
    let (own, typed) = (own.as_bytes(), typed.as_bytes());
    let mut difference = own.len() ^ typed.len();
    for i in 0..own.len().max(typed.len()).max(MAX_PIN) {
        let a = own.get(i).copied().unwrap_or(0);
        let b = typed.get(i).copied().unwrap_or(0);
        difference |= usize::from(std::hint::black_box(a ^ b));
    }
    difference == 0
}
