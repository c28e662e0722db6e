//! Offer and answer (RFC 3264) over one audio stream; `sdp-types` reads and writes the lines.

use crate::session::{Codec, Direction, Session};
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

/// The offer/answer machine of one leg. Keeps the o= line and payload types steady over the call's life.
#[derive(Debug)]
pub struct OfferAnswer {}

/// Why a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// Not SDP.
    #[error("malformed SDP: {0}")]
    Malformed(String),
    /// No audio stream that we can take.
    #[error("no audio stream over RTP/AVP")]
    NoAudio,
    /// Audio, but nothing in common.
    #[error("no codec in common: the peer offers {offered}; we have {ours}")]
    NoCodec {
        /// Theirs.
        offered: String,
        /// Ours.
        ours: String,
    },
    /// SRTP only (not served yet).
    #[error("the peer requires an encrypted profile ({0}) that is not served")]
    Profile(String),
    /// An answer without an offer, or the like.
    #[error("no offer is open")]
    State,
}

impl SdpError {
    /// SIP status for an INVITE with this fault.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            _ => 488,
        }
    }
}

#[allow(clippy::todo, unused_variables, clippy::missing_errors_doc)]
impl OfferAnswer {
    /// For a leg whose RTP arrives at `ip`:`port`. `origin` makes the o= line unique.
    #[must_use]
    pub fn new(ip: IpAddr, port: u16, origin: u64, preferences: Preferences) -> Self {
        todo!()
    }
    /// Our offer, for an INVITE, a re-INVITE (hold: `Direction::SendOnly`), or a delayed offer.
    pub fn offer(&mut self, direction: Direction) -> String {
        todo!()
    }
    /// The answer to the peer's offer, and the session that stands then.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(String, Session), SdpError> {
        todo!()
    }
    /// The peer's answer to our offer.
    pub fn accept(&mut self, answer: &[u8]) -> Result<Session, SdpError> {
        todo!()
    }
    /// Our offer was refused: the session stays what it was.
    pub fn roll_back(&mut self) {
        todo!()
    }
    /// The session that stands.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        todo!()
    }
}
