//! Trunks, dispatch rules, numbers, limits: who may call, and where a call goes. Pure functions over
//! plain data: no sockets, no store, no clock. Input: the facts of a call. Output: a verdict that
//! explains itself, trunk by trunk and rule by rule.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// An inbound trunk, with livekit/sip's meaning of each field (reference §1.3). Stored as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
}

/// Where a rule sends a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// A dispatch rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    pub attributes: std::collections::BTreeMap<String, String>,
}

/// What is known of a call.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// User part of From.
    pub from: &'a str,
    /// Host of From.
    pub from_host: &'a str,
    /// User part of the Request-URI (else of To).
    pub to: &'a str,
    /// Source address as seen on the wire; `None`: unknown (matches).
    pub source: Option<IpAddr>,
    /// What the caller typed; `None`: nothing yet.
    pub pin: Option<&'a str>,
}

/// All that decides.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub trunks: Vec<Trunk>,
    pub rules: Vec<DispatchRule>,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Credentials are wanted first: the trunk's.
    Challenge { trunk: String, realm: String, username: String, password: String },
    /// A PIN is wanted: answer, ask, evaluate again.
    AskPin { trunk: Option<String> },
    /// Into a room.
    Room {
        trunk: Option<String>,
        rule: String,
        room: String,
        identity: String,
        name: String,
        attributes: Vec<(String, String)>,
    },
    /// To the agent.
    Agent { trunk: Option<String>, rule: Option<String>, dialogue: String },
    /// Refused: SIP status and a sentence for the log.
    Reject { status: u16, reason: String },
}

/// Why a trunk or rule took a call or did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// `trunk` or `rule`.
    pub kind: &'static str,
    pub id: String,
    pub name: String,
    /// Did it take the call?
    pub chosen: bool,
    /// `+15550100 is not among its numbers (+15550199)`
    pub why: String,
}

/// The verdict with the reasons of every trunk and rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    pub verdict: Verdict,
    pub reasons: Vec<Reason>,
}

/// Decides. `authenticated` is the id of the trunk whose credentials were right; `random` makes room
/// names unique (handed in: this crate has no randomness).
#[must_use]
#[allow(clippy::todo, unused_variables)]
pub fn evaluate(plan: &Plan, facts: &Facts<'_>, authenticated: Option<&str>, random: &str) -> Evaluation {
    todo!()
}
