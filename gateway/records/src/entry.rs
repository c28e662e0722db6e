//! What is written down of a call: its timeline, entry by entry, and its record.

use serde::{Deserialize, Serialize};

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
    /// SRTP: the crypto suite; `None`: in the clear.
    pub encryption: Option<String>,
    /// The leg's figures.
    pub media: Option<serde_json::Value>,
    /// Path of the recording.
    pub recording: Option<String>,
    /// The process died while the call was up; `ended` is the last sign of life.
    pub interrupted: bool,
}
