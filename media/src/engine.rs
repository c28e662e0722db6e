//! The media threads: each leg on one thread for its life, each 20 ms tick in four phases.

use crate::event::{LegCommand, LegEvent, LegId};
use crate::port::LegPort;
use crate::session::Session;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// Called after something was put into [`Events`]; cheap, from a media thread, never per packet.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// How the engine runs.
#[derive(Clone)]
pub struct EngineConfig {
    /// Media threads; 0: one a core.
    pub threads: usize,
    /// RTP takes the even ports of this range, RTCP the odd ones after them.
    pub ports: RangeInclusive<u16>,
    /// Wakes whoever drains [`Events`].
    pub wake: Wake,
}

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

/// Why a leg could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Every pair of ports is in use.
    #[error("no free RTP port in {first}-{last}: {used} legs are up; widen rtp_port or lower limits.calls")]
    NoPort { first: u16, last: u16, used: usize },
    /// A socket could not be opened.
    #[error("cannot open an RTP socket on {address}: {source}")]
    Socket { address: SocketAddr, source: std::io::Error },
    /// A thread could not be started.
    #[error("cannot start a media thread: {0}")]
    Thread(std::io::Error),
    /// The media thread has more work queued than it takes; the command is lost.
    #[error("the media thread does not keep up")]
    Busy,
}

/// A bound pair of ports that is not yet a leg; dropping it gives the ports back.
#[derive(Debug)]
pub struct Reservation {}

#[allow(clippy::todo)]
impl Reservation {
    /// The RTP port (RTCP is the next one).
    #[must_use]
    pub fn port(&self) -> u16 {
        todo!()
    }
}

/// The media threads, as the signalling sees them.
#[derive(Debug)]
pub struct Engine {}

/// Events of all legs, in order for each leg; bounded.
#[derive(Debug)]
pub struct Events {}

#[allow(clippy::todo, unused_variables, clippy::missing_errors_doc)]
impl Events {
    /// The next one.
    pub fn try_next(&mut self) -> Option<(LegId, LegEvent)> {
        todo!()
    }
}

#[allow(clippy::todo, unused_variables, clippy::missing_errors_doc)]
impl Engine {
    /// Starts the threads.
    pub fn start(config: EngineConfig) -> Result<(Self, Events), EngineError> {
        todo!()
    }
    /// Binds a pair of ports on this address (the wildcard is fine).
    pub fn reserve(&self, bind: IpAddr) -> Result<Reservation, EngineError> {
        todo!()
    }
    /// Makes a leg of it.
    pub fn open(&self, reservation: Reservation, config: LegConfig) -> Result<LegId, EngineError> {
        todo!()
    }
    /// Tells a leg something.
    pub fn command(&self, leg: LegId, command: LegCommand) -> Result<(), EngineError> {
        todo!()
    }
    /// Closes a leg; `LegEvent::Closed` with the report follows.
    pub fn close(&self, leg: LegId) {
        todo!()
    }
    /// Legs that are open, and port pairs that are taken.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        todo!()
    }
}
