//! What a leg is told, and what it has to say.

use crate::company::Company;
use crate::port::LegPort;
use crate::session::{Codec, Session};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A leg of the engine. Not used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub u64);

/// How a key travelled, or is to travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtmfHow {
    /// RFC 4733 telephone-event.
    Rfc4733,
    /// As tones in the sound.
    Inband,
}

/// Sound that a leg plays by itself: a prompt, a tone. Mono, at `rate`.
#[derive(Debug)]
pub struct Prompt {
    /// 8,000 or 16,000 Hz; the leg resamples where its own rate differs.
    pub rate: u32,
    /// The sound.
    pub samples: Vec<i16>,
}

/// What a leg can be told.
#[derive(Debug)]
pub enum LegCommand {
    /// The session changed: hold, resume, another address, another codec.
    Session(Session),
    /// Whom the leg talks with from now on; replaces any earlier company.
    Attach(LegPort),
    /// The same, for company that the leg's own thread serves: a participant of a LiveKit room.
    Meet(Box<dyn Company>),
    /// The company is gone; the far party hears silence.
    Detach,
    /// Play this before anything of the company; replaces what is playing. `LegEvent::PlayEnded` follows.
    Play(Arc<Prompt>),
    /// Stop playing.
    StopPlay,
    /// Send a key for this long (RFC 4733 where negotiated, else in the sound).
    Dtmf { digit: char, length: Duration, how: Option<DtmfHow> },
    /// Record both directions from now on, to a stereo WAV file (left: far party, right: near).
    Record(std::path::PathBuf),
    /// End the recording and close its file.
    StopRecord,
}

/// What a leg has to say.
#[derive(Debug)]
pub enum LegEvent {
    /// The first packet that belongs to the call.
    FirstPacket { source: SocketAddr },
    /// The source is not where SDP said; it is taken as the peer from now on (symmetric RTP), and fixed.
    Latched { source: SocketAddr, announced: Option<SocketAddr> },
    /// A key, once, at its end (RFC 4733) or when it is sure (in-band).
    Dtmf { digit: char, length: Duration, how: DtmfHow },
    /// SRTP: packets from where the peer is are not authentic; told once a call.
    Unauthentic { source: SocketAddr },
    /// No packet for this long, and the peer is not on hold.
    MediaTimeout { silent: Duration },
    /// The prompt is over (`whole`), or was replaced or stopped.
    PlayEnded { whole: bool },
    /// The recording could not be written.
    RecordFailed { error: String },
    /// The leg is closed and its ports are back in the pool. Last event of a leg.
    Closed { report: LegReport },
}

/// The figures of a leg, so far or at its end.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LegReport {
    /// What was sent last.
    pub codec: Codec,
    /// Packets and payload bytes sent.
    pub sent: u64,
    /// Packets that belonged to the call.
    pub received: u64,
    /// Packets that never came (RFC 3550 A.3).
    pub lost: u64,
    /// Came too late to be played.
    pub late: u64,
    /// Came twice.
    pub duplicate: u64,
    /// Refused: not from the peer, no RTP, an unknown payload type.
    pub strangers: u64,
    /// SRTP: with a wrong tag, from anybody; these are among the strangers.
    #[serde(default)]
    pub unauthentic: u64,
    /// SRTP: came again, or too late to tell; these are among the strangers.
    #[serde(default)]
    pub replayed: u64,
    /// Interarrival jitter at the end (RFC 3550 §6.4.1), milliseconds.
    pub jitter_ms: f32,
    /// Largest jitter of the call, milliseconds.
    pub jitter_max_ms: f32,
    /// 20 ms frames that were made up because none was there.
    pub concealed: u64,
    /// Frames of 20 ms that the company did not take in time.
    pub overrun: u64,
    /// Round trip by RTCP, milliseconds; `None` without the peer's reports.
    pub round_trip_ms: Option<f32>,
    /// Loss that the peer reports of what we sent, 0..=1.
    pub remote_loss: Option<f32>,
    /// ITU-T G.107 R factor (simplified E-model).
    pub r_factor: f32,
    /// Mean opinion score 1.0..=4.5 that R stands for.
    pub mos: f32,
}
