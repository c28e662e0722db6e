//! What a leg is told when it begins.

use crate::port::LegPort;
use crate::session::Session;
use std::time::Duration;

/// How one leg runs.
#[derive(Debug)]
pub struct LegConfig {
    /// What was negotiated.
    pub session: Session,
    /// Whom it talks with at first.
    pub company: Option<LegPort>,
    /// No packet at all within this time from the start: `MediaTimeout`.
    pub timeout_initial: Duration,
    /// No packet for this long later.
    pub timeout: Duration,
    /// Listen for keys in the sound (when telephone-event was not negotiated, or always).
    pub inband_dtmf: InbandDtmf,
    /// Accept a first packet from another address than SDP said (NAT).
    pub symmetric: bool,
}

/// When keys are listened for in the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InbandDtmf {
    /// When the peer cannot send telephone-event.
    #[default]
    Fallback,
    /// Always; a key that comes both ways counts once.
    Always,
    /// Never.
    Never,
}

/// Chance and wall clock, handed in, so that a leg can be replayed.
#[derive(Debug, Clone, Copy)]
pub struct Seed {
    /// SSRC, first sequence number and timestamp, CNAME, and the unevenness of RTCP (RFC 3550 §6.2, §8.1).
    pub random: [u64; 2],
    /// Time since 1970 at the moment that `now` counts from, for the NTP time of sender reports.
    pub wall: Duration,
}
