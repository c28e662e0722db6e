//! What is written down: the timeline of each call, CDRs, trunks and rules, and the pcap of a call.
//! It must never decide anything about a call.
//!
//! Timeline: as it happens, one line of JSON an entry, appended to a file of the call that is up; a
//! crash loses no record, because the kernel has every line that was written. At the end of a call the
//! CDR goes into the store and the timeline stays beside it until it is pruned.

use serde::{Deserialize, Serialize};
use std::path::Path;
use trunkline_dialplan::{DispatchRule, Plan, Trunk};

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since 1970, UTC.
    pub at: u64,
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// A SIP message on the wire. `text` is the message; bytes that are no UTF-8 are escaped as `\xNN`.
    Sip { sent: bool, transport: String, local: String, remote: String, text: String },
    /// The call entered a state: `trying`, `ringing`, `answered`, `confirmed`, `held`, `ended`, …
    State { state: String, why: String },
    /// The media session: codec, direction, addresses.
    Media { text: String },
    /// A key: `received` from the caller, or sent.
    Dtmf { digit: char, received: bool, how: String, ms: u32 },
    /// Somebody said something.
    Transcript { caller: bool, text: String, confidence: Option<f32>, interrupted: bool },
    /// A decision with its reason: a rule chosen, an intent, a PIN refused.
    Decision { what: String, why: String },
    /// Something failed.
    Fault { text: String },
}

/// What is known of a call at its end, or was last known before a crash.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cdr {
    /// `SCL_…`
    pub id: String,
    /// SIP Call-ID.
    pub sip_call_id: String,
    /// `inbound`, `outbound`.
    pub direction: String,
    pub from: String,
    pub to: String,
    /// Source address and port.
    pub source: String,
    pub trunk: Option<String>,
    pub rule: Option<String>,
    /// Where it went: `agent`, `room NAME`, empty when refused.
    pub destination: String,
    /// Microseconds since 1970.
    pub started: u64,
    pub answered: Option<u64>,
    pub ended: Option<u64>,
    /// Final SIP status of the INVITE.
    pub status: u16,
    /// Who ended it and why, as a sentence.
    pub end: String,
    pub codec: Option<String>,
    /// The leg's figures.
    pub media: Option<serde_json::Value>,
    /// Path of the recording.
    pub recording: Option<String>,
    /// The process died while the call was up; `ended` is the last sign of life.
    pub interrupted: bool,
}

/// What went wrong with what is written down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// The state folder or a file in it.
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    /// The store is held by another process.
    #[error("{path} is in use by a running trunkline")]
    InUse { path: String },
    /// The store is damaged, or of a later version.
    #[error("{path}: {why}")]
    Store { path: String, why: String },
    /// No such trunk, rule or call.
    #[error("no {kind} {id}")]
    Unknown { kind: &'static str, id: String },
    /// A trunk or rule that cannot be, with the reason.
    #[error("{0}")]
    Invalid(String),
}

/// The embedded store, the journal and its writing thread. One process at a time.
#[derive(Debug)]
pub struct Records {}

#[allow(clippy::todo, unused_variables, clippy::missing_errors_doc)]
impl Records {
    /// Opens the state folder; CDRs of calls that an earlier process left up are written, marked
    /// `interrupted`; how many is returned.
    pub fn open(state: &Path) -> Result<(Self, usize), RecordsError> {
        todo!()
    }

    // --- the plan
    pub fn plan(&self) -> Result<Plan, RecordsError> {
        todo!()
    }
    /// Checks and adds; gives it an id when it has none. Returns it as stored.
    pub fn add_trunk(&self, trunk: Trunk) -> Result<Trunk, RecordsError> {
        todo!()
    }
    pub fn remove_trunk(&self, id: &str) -> Result<(), RecordsError> {
        todo!()
    }
    pub fn add_rule(&self, rule: DispatchRule) -> Result<DispatchRule, RecordsError> {
        todo!()
    }
    pub fn remove_rule(&self, id: &str) -> Result<(), RecordsError> {
        todo!()
    }

    // --- calls. None of these blocks: a full queue loses timeline entries (never a CDR) and counts them.
    /// A call is up. `cdr` is what is known so far: it is what a crash leaves.
    pub fn begin(&self, cdr: &Cdr) {
        todo!()
    }
    /// More is known of it: what a crash would leave from now on.
    pub fn update(&self, cdr: &Cdr) {
        todo!()
    }
    /// Something happened to it.
    pub fn append(&self, call: &str, entry: Entry) {
        todo!()
    }
    /// It is over.
    pub fn end(&self, cdr: Cdr) {
        todo!()
    }
    /// Timeline entries that were lost because the disk did not keep up.
    #[must_use]
    pub fn lost(&self) -> u64 {
        todo!()
    }

    // --- reading (blocking; for the control side)
    /// Ended calls, newest first.
    pub fn cdrs(&self, most: usize) -> Result<Vec<Cdr>, RecordsError> {
        todo!()
    }
    /// One call by its id or SIP Call-ID (a unique prefix is enough): up or ended.
    pub fn cdr(&self, id: &str) -> Result<Cdr, RecordsError> {
        todo!()
    }
    pub fn timeline(&self, id: &str) -> Result<Vec<Entry>, RecordsError> {
        todo!()
    }
    /// Waits until all that was said so far is on disk.
    pub fn flush(&self) {
        todo!()
    }
}

/// The signalling of a timeline as a pcap file for Wireshark; with the recording (stereo WAV, 8 or 16
/// kHz) its audio as RTP (PCMU) of both directions.
///
/// # Errors
/// [`RecordsError::Io`] when the recording cannot be read.
#[allow(clippy::todo, unused_variables)]
pub fn pcap(timeline: &[Entry], cdr: &Cdr, recording: Option<&Path>) -> Result<Vec<u8>, RecordsError> {
    todo!()
}
