//! Ways to command calls and to watch them. Whoever commands speaks [`Request`]; whoever watches
//! (timeline, CDR, metrics, `trunkline tail`) reads [`CallEvent`]. Nothing else connects them with the
//! signalling thread.

mod calls;
pub mod client;
mod desk;
mod events;
mod figure;
pub mod plan;
pub mod server;
pub mod socket;

pub use desk::{Desk, Refused};
pub use figure::{Figure, Stage};

#[cfg(test)]
mod tests;

use serde::Serialize;
use std::sync::Arc;
use tokio::sync::oneshot;
use trunkline_records::{Cdr, Entry};

/// What the signalling thread is asked, by the control socket, a signal, or a verb.
#[derive(Debug)]
pub enum Request {
    /// What is up.
    Status(oneshot::Sender<Status>),
    /// The CDRs, as far as they go, of calls that are up; newest first.
    Calls(oneshot::Sender<Vec<Cdr>>),
    /// End the one call that an id names.
    HangUp {
        /// `SCL_…`, the SIP Call-ID, or a unique prefix.
        id: String,
        /// How many calls that are up it names; only one alone is ended.
        reply: oneshot::Sender<usize>,
    },
    /// The id of the call that has this identity in this LiveKit room.
    CallIn { room: String, identity: String, reply: oneshot::Sender<Option<String>> },
    /// Trunks or rules were changed in the store: read them again; answered when done.
    PlanChanged(oneshot::Sender<()>),
    /// New calls get 503; ends when no call is left or the limit is over. A second one ends calls now.
    Drain,
}

/// What happened, as every watcher is told it.
#[derive(Debug, Clone)]
pub enum CallEvent {
    /// A call began.
    Began(Arc<Cdr>),
    /// More is known of it: trunk, rule, destination, answered.
    Updated(Arc<Cdr>),
    /// An entry of its timeline.
    Entry {
        /// `SCL_…`
        call: Arc<str>,
        /// What and when.
        entry: Arc<Entry>,
    },
    /// Something of it was counted or timed; only for those who count.
    Measured {
        /// `SCL_…`
        call: Arc<str>,
        /// We placed it.
        outbound: bool,
        /// What.
        figure: Figure,
    },
    /// It is over.
    Ended(Arc<Cdr>),
}

impl CallEvent {
    /// The id of the call that it is about.
    #[must_use]
    pub fn call(&self) -> &str {
        match self {
            Self::Began(cdr) | Self::Updated(cdr) | Self::Ended(cdr) => &cdr.id,
            Self::Entry { call, .. } | Self::Measured { call, .. } => call,
        }
    }
}

/// The state of the program.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Of the program.
    pub version: &'static str,
    /// Its process.
    pub pid: u32,
    /// Since it started.
    pub uptime_s: u64,
    /// New calls are refused.
    pub draining: bool,
    /// There is no room for a new call now: `limits.calls` or `max_cpu_utilization` is reached.
    pub full: bool,
    /// The share of the processors that is used; 1 is all that are ours.
    pub cpu: f64,
    /// `udp 0.0.0.0:5060`
    pub sip: Vec<String>,
    /// `ready`, or what is missing.
    pub agent: String,
    /// Is the door open to everybody (no trunk set up)?
    pub open: bool,
    /// What is held now; all zero when nothing goes on.
    pub counts: Counts,
    /// Since the start.
    pub totals: Totals,
}

/// What is held now.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Counts {
    /// Calls of the signalling thread.
    pub calls: usize,
    /// SIP transactions, lingering ones too.
    pub transactions: usize,
    /// SIP dialogs.
    pub dialogs: usize,
    /// RTP legs.
    pub legs: usize,
    /// Pairs of RTP ports.
    pub ports: usize,
    /// Agent sessions.
    pub agents: usize,
    /// Local rooms.
    pub rooms: usize,
    /// Participants in them, and in LiveKit rooms.
    pub participants: usize,
    /// TCP connections of SIP peers.
    pub connections: usize,
}

/// What has happened since the start.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Totals {
    /// Calls that came in.
    pub inbound: u64,
    /// Calls that were placed.
    pub outbound: u64,
    /// Calls that were answered.
    pub answered: u64,
    /// INVITEs refused, whatever the reason.
    pub refused: u64,
    /// Datagrams over the budget of their source, not read.
    pub over_budget: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Timeline entries that were lost because the disk did not keep up.
    pub timeline_lost: u64,
}
