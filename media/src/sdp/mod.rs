//! Offer and answer (RFC 3264) over one audio stream; `sdp-types` reads and writes the lines.
//!
//! `stream` turns the peer's description into facts about its streams, `payload_types` remembers which
//! number means what for the life of the call, `crypto` and `encrypting` agree on the keys of SRTP, `describe` writes our side, and
//! `offer_answer` is the machine that puts them together. Pure: no socket, no clock, no randomness.

mod crypto;
mod describe;
mod encrypting;
#[cfg(test)]
mod encryption_tests;
mod offer_answer;
mod payload_types;
mod stream;
#[cfg(test)]
mod tests;

pub use crypto::Encryption;
pub use offer_answer::OfferAnswer;

use crate::session::Codec;
use std::net::IpAddr;

/// What we can do, in order of preference.
#[derive(Debug, Clone)]
pub struct Preferences {
    /// Codecs, best first.
    pub codecs: Vec<Codec>,
    /// Offer and accept telephone-event.
    pub dtmf: bool,
    /// Offer and accept comfort noise.
    pub comfort_noise: bool,
}

/// Why a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// Not SDP.
    #[error("malformed SDP: {0}")]
    Malformed(String),
    /// No audio stream that we can take.
    #[error("no audio stream over RTP")]
    NoAudio,
    /// Audio, but nothing in common.
    #[error("no codec in common: the peer offers {offered}; we have {ours}")]
    NoCodec {
        /// Theirs.
        offered: String,
        /// Ours.
        ours: String,
    },
    /// Encrypted where that is not allowed, or in a way that is not served (DTLS).
    #[error("the peer requires an encrypted profile ({0}) that is not served")]
    Profile(String),
    /// Encrypted, but not so that both can; or in the clear where that is not allowed.
    #[error("no encryption in common: {0}")]
    Encryption(String),
    /// `c=` with a host name or a multicast group: RTP goes to one IP address.
    #[error("c= must hold a unicast IP address, not {0}")]
    Address(String),
    /// IPv4 here and IPv6 there, or the other way round.
    #[error("the peer's media address {theirs} cannot be reached from {ours}: another IP family")]
    Family {
        /// Theirs.
        theirs: IpAddr,
        /// Ours.
        ours: IpAddr,
    },
    /// An answer without an offer, or an offer of theirs while ours is open (491 for the SIP layer).
    #[error("the offer/answer exchange is out of order")]
    State,
}

impl SdpError {
    /// SIP status for an INVITE with this fault.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::State => 491,
            _ => 488,
        }
    }
}
