//! What two ends agreed on: the session that offer and answer lead to, and that a leg runs.

use crate::srtp::Security;
use std::net::SocketAddr;

/// The codecs of a SIP leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 µ-law, payload type 0.
    Pcmu,
    /// G.711 A-law, payload type 8.
    Pcma,
    /// G.722, payload type 9; its RTP clock is 8,000 Hz though it carries 16,000 (RFC 3551 §4.5.2).
    G722,
    /// Opus, RTP clock 48,000 Hz; coded and decoded here at 16,000.
    Opus,
}

impl Codec {
    /// Samples a second on our side: 8,000 or 16,000.
    #[must_use]
    pub fn rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
            Self::G722 | Self::Opus => 16_000,
        }
    }

    /// RTP clock rate.
    #[must_use]
    pub fn clock(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            _ => 8_000,
        }
    }

    /// As rtpmap and people write it: `PCMU`, `PCMA`, `G722`, `opus`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }
}

/// Which way sound goes, seen from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send only: we put the peer on hold (what it hears is our music), or it only listens.
    SendOnly,
    /// We receive only: the peer put us on hold, or gave no address to send to.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// From its two halves.
    #[must_use]
    pub fn from_parts(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Do we send?
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Do we receive?
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// A negotiated session of one audio stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Where RTP goes; `None` while the peer gave no address (0.0.0.0, port 0).
    pub remote: Option<SocketAddr>,
    /// Where RTCP goes; the same as `remote` with rtcp-mux.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTP and RTCP on one port (RFC 5761).
    pub rtcp_mux: bool,
    /// What we send.
    pub codec: Codec,
    /// Its payload type as the peer expects it.
    pub payload_type: u8,
    /// Everything that the peer may send, by the payload types of *our* description; our own codec first.
    pub receive: Vec<(u8, Codec)>,
    /// telephone-event, both ways: (what we send, what we receive).
    pub dtmf: Option<(u8, u8)>,
    /// Clock rate of telephone-event: 8,000, or 48,000 where the peer has it for Opus.
    pub dtmf_clock: u32,
    /// Comfort noise (RFC 3389), payload type 13, if both ends have it.
    pub comfort_noise: bool,
    /// Milliseconds a packet that we send: 20 unless the peer asked otherwise.
    pub ptime_ms: u8,
    /// Which way.
    pub direction: Direction,
    /// The keys of SRTP; `None`: in the clear.
    pub security: Option<Box<Security>>,
}
