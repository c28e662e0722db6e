//! A participant of a LiveKit room, without libwebrtc.
//!
//! It must never know: SIP, trunks, rules, agents, configuration files, Redis. It is handed a URL, a token and
//! attributes; it hands back [`Event`]s and, for each participant, a seat that a leg of the media engine serves.
//!
//! The path. [`LiveRooms::join`] → a task a participant, on a runtime of this crate → signalling (WebSocket;
//! offer, track and attributes in the join itself: one round trip) → ICE and DTLS, driven by the task → `Ready`
//! → [`LiveRooms::take_seat`] → `Seat`: str0m's state and its UDP socket move into a [`Company`] that the leg's own
//! media thread serves, once in 20 ms: far sound → Opus or G.711 → RTP → server; server → RTP → jitter → decode →
//! mix → near. What needs no clock (new tracks, keys, RPC, resume) goes between task and seat over bounded channels.
//! Until the seat is taken the task serves it, so that a participant lives while its telephone still rings.

mod data;
mod ears;
mod line;
mod mouth;
mod participant;
mod people;
mod probe;
mod rooms;
mod seat;
mod signal;
mod token;

pub use probe::{Probed, probe};
pub use rooms::{Events, LiveRooms};
pub use token::Admission;

use livekit_protocol::DisconnectReason;
use std::net::IpAddr;
use trunkline_media::company::Company;
use trunkline_room::ParticipantId;

/// How rooms are reached, for all participants.
#[derive(Clone, Default)]
pub struct Settings {
    /// Address that media sockets are bound to; `None`: what the system's routes say.
    pub bind: Option<IpAddr>,
    /// Certificates (PEM) that are trusted beside the system's.
    pub extra_roots: Vec<Vec<u8>>,
}

/// What sound is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoomCodec {
    /// Encoded at the leg's own rate.
    Opus,
    /// G.711 µ-law as it is.
    Pcmu,
    /// G.711 A-law as it is.
    Pcma,
}

/// Somebody joins a room.
#[derive(Clone)]
pub struct Join {
    /// The number by which events name them; not used twice.
    pub who: ParticipantId,
    /// `ws://`, `wss://`, `http://` or `https://` of the LiveKit server.
    pub url: String,
    /// Says who they are, which room, and what they may do.
    pub token: String,
    /// All attributes; the token holds a few of them, too.
    pub attributes: Vec<(String, String)>,
    /// Name of the track that is published.
    pub track: String,
    /// What is sent, if the server takes it; Opus if it does not.
    pub codec: RoomCodec,
    /// Rate of what the leg speaks: 8,000 or 16,000 Hz. Opus is encoded at it.
    pub rate: u32,
    /// Hear the others from the start; else from [`LiveRooms::listen`] on.
    pub listen: bool,
}

/// What a participant lives through. `Left` or `Failed` is the last of one.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// In the room, the track is published. `others`: participants that were there; `sip`: those of kind SIP.
    Joined { who: ParticipantId, sid: String, room_sid: String, others: usize, sip: usize },
    /// Media is connected: the seat can be taken.
    Ready { who: ParticipantId },
    /// The seat, after [`LiveRooms::take_seat`]. Dropping it ends the media of the participant.
    Seat { who: ParticipantId, seat: Box<dyn Company> },
    /// Somebody's sound is subscribed to.
    Hears { who: ParticipantId, identity: String, track: String, codec: String },
    /// Somebody came or went.
    Others { who: ParticipantId, others: usize, sip: usize },
    /// Somebody in the room pressed a key (SipDTMF): `0`-`9`, `*`, `#`, `A`-`D`.
    Key { who: ParticipantId, from: String, digit: char },
    /// Somebody calls a room RPC method; [`LiveRooms::answer`] is owed.
    Rpc { who: ParticipantId, from: String, id: String, method: String, payload: String },
    /// The server muted our track, or no more.
    Muted { who: ParticipantId, muted: bool },
    /// Our attributes, as the server has them now.
    Attributes { who: ParticipantId, attributes: Vec<(String, String)> },
    /// The connection is lost and being won back; the caller hears nothing of the room meanwhile.
    Interrupted { who: ParticipantId, why: String },
    /// It is back. `anew`: by a full reconnect, with another `sid`.
    Resumed { who: ParticipantId, anew: bool, sid: String },
    /// No longer in the room. `reason`: LiveKit's `DisconnectReason`, by number and by name.
    Left { who: ParticipantId, reason: i32, name: &'static str },
    /// Never got in.
    Failed { who: ParticipantId, error: JoinError },
}

impl Event {
    /// Whose it is.
    #[must_use]
    pub fn who(&self) -> ParticipantId {
        match self {
            Self::Joined { who, .. }
            | Self::Ready { who }
            | Self::Seat { who, .. }
            | Self::Hears { who, .. }
            | Self::Others { who, .. }
            | Self::Key { who, .. }
            | Self::Rpc { who, .. }
            | Self::Muted { who, .. }
            | Self::Attributes { who, .. }
            | Self::Interrupted { who, .. }
            | Self::Resumed { who, .. }
            | Self::Left { who, .. }
            | Self::Failed { who, .. } => *who,
        }
    }
}

/// Why somebody did not get into a room.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The address cannot be used.
    #[error("{url} is no address of a LiveKit server: {why}")]
    Url { url: String, why: String },
    /// Nobody is there, or TLS failed.
    #[error("cannot reach the LiveKit server at {url}: {why}")]
    Unreachable { url: String, why: String },
    /// The server said no: 401 a token it does not take, 403, 404, 429 …
    #[error("the LiveKit server refused with {status}: {why}")]
    Refused { status: u16, why: String },
    /// The server said nothing in time.
    #[error("the LiveKit server did not answer within {seconds} s ({waited_for})")]
    Silent { seconds: u64, waited_for: &'static str },
    /// Signalling works, media does not: firewall, address, port.
    #[error("no media connection with the LiveKit server within {seconds} s: {why}")]
    NoMedia { seconds: u64, why: String },
    /// The server said something that cannot be.
    #[error("the LiveKit server does not speak as expected: {0}")]
    Protocol(String),
}

/// What a room is told when somebody leaves (LiveKit's `DisconnectReason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    ClientInitiated,
    UserUnavailable,
    UserRejected,
    SipTrunkFailure,
    MediaFailure,
}

impl Leave {
    /// Its number.
    #[must_use]
    pub fn reason(self) -> i32 {
        let reason = match self {
            Self::ClientInitiated => DisconnectReason::ClientInitiated,
            Self::UserUnavailable => DisconnectReason::UserUnavailable,
            Self::UserRejected => DisconnectReason::UserRejected,
            Self::SipTrunkFailure => DisconnectReason::SipTrunkFailure,
            Self::MediaFailure => DisconnectReason::MediaFailure,
        };
        reason as i32
    }
}
