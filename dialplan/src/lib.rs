//! Trunks, dispatch rules, numbers, limits: who may call, and where a call goes. Pure functions over
//! plain data: no sockets, no store, no clock. Input: the facts of a call. Output: a verdict that
//! explains itself, trunk by trunk and rule by rule.
//!
//! It must never know: sockets, rooms, calls that are up, how a PIN is asked for, where trunks are kept.
//!
//! The path: [`Facts`] → [`evaluate`] → which trunk ([`Trunk`]: caller, source address, number called) →
//! its credentials → which rule ([`DispatchRule`]: PIN, numbers, priority) → [`Verdict`], with a
//! [`Reason`] for each trunk and rule. [`Limiter`] says whether there is room for one more call;
//! [`OutboundTrunk`] is through whom calls go out; [`import`] reads trunks and rules from the texts that livekit's users have.

mod address;
mod evaluate;
pub mod import;
mod limits;
mod number;
mod outbound;
mod rule;
mod terms;
mod trunk;
mod verdict;

pub use address::is_address_mask;
pub use evaluate::evaluate;
pub use limits::{Ceiling, Limiter, Refusal};
pub use number::{normalize_number, same_number};
pub use outbound::{OutboundTrunk, TrunkTransport, is_host};
pub use rule::{Destination, DispatchRule};
pub use terms::{CodecName, Encryption, HeaderMapping, IncludeHeaders, MediaTerms};
pub use trunk::Trunk;
pub use verdict::{Evaluation, Reason, Verdict};

use std::net::IpAddr;

/// What is known of a call.
#[derive(Clone)]
pub struct Facts<'a> {
    /// User part of From.
    pub from: &'a str,
    /// Host of From.
    pub from_host: &'a str,
    /// User part of the Request-URI (else of To).
    pub to: &'a str,
    /// Source address as seen on the wire; `None`: unknown (matches).
    pub source: Option<IpAddr>,
    /// What the caller typed; `None`: nothing yet; empty: "I have none" (`#` alone), which leaves out
    /// every rule with a PIN.
    pub pin: Option<&'a str>,
}

impl std::fmt::Debug for Facts<'_> {
    /// Without the PIN: facts are logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts")
            .field("from", &self.from)
            .field("from_host", &self.from_host)
            .field("to", &self.to)
            .field("source", &self.source)
            .field("pin", &self.pin.map(|_| "…"))
            .finish()
    }
}

/// What a call gets when no rule at all is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultRoute {
    /// The agent in this process, with the configured dialogue.
    #[default]
    Agent,
    /// 404.
    Reject,
}

/// All that decides.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub trunks: Vec<Trunk>,
    pub rules: Vec<DispatchRule>,
    /// Through whom calls go out; they decide nothing about calls that come in.
    pub outbound: Vec<OutboundTrunk>,
    /// For calls that nothing refused, when `rules` is empty.
    pub default: DefaultRoute,
}
