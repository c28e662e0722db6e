//! What a room is: a place where several participants hear each other.
//!
//! Today the local room (mix-minus in this process); LiveKit rooms will stand beside it behind the same
//! [`Room`] trait. It must never know SIP, trunks or agents: a participant is an identity, a name, some
//! attributes and an [`AudioPort`].
//!
//! The path: a leg → its port → `mixing` (everybody's sound, less one's own) → each port → a leg. Who is in
//! which room is known where one joins and leaves (`local`); the thread of the sound (`thread`) knows only ports.

mod local;
mod mixing;
mod thread;

pub use local::{Events, LocalRooms};

use std::sync::Arc;
use trunkline_media::port::AudioPort;

/// Somebody in a room, chosen by whoever joins them; not used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParticipantId(pub u64);

/// Who joins.
#[derive(Debug, Clone)]
pub struct Participant {
    /// The number by which events name them.
    pub id: ParticipantId,
    /// `sip_+15551234`
    pub identity: String,
    /// `Phone +15551234`
    pub name: String,
    /// `sip.callID` and so on.
    pub attributes: Vec<(String, String)>,
}

/// What happens in rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomEvent {
    /// Somebody is in (told to everybody, the one who joined too). `others` were there before.
    Joined { room: String, who: ParticipantId, identity: String, others: usize },
    /// Somebody left; `others` are still there.
    Left { room: String, who: ParticipantId, identity: String, others: usize },
    /// Somebody pressed a key; told once for each other participant, who is `to`.
    Dtmf { room: String, from: ParticipantId, to: ParticipantId, digit: char },
    /// The last one left; the room is gone.
    Closed { room: String },
}

/// Why nobody could join.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoomError {
    /// Too many.
    #[error("room {room} is full: {most} participants")]
    Full { room: String, most: usize },
    /// The thread does not take commands.
    #[error("the room thread does not keep up")]
    Busy,
    /// Certificates that are to be trusted cannot be.
    #[error("rooms.roots: {0}")]
    Trust(String),
    /// It could not be started.
    #[error("cannot start the room thread: {0}")]
    Thread(std::io::Error),
}

/// Where callers meet: the local rooms of this process, or rooms of a LiveKit server.
pub trait Room: Send {
    /// Somebody joins a room, which is made if need be.
    ///
    /// # Errors
    /// [`RoomError`].
    fn join(&self, room: &str, who: Participant, port: AudioPort) -> Result<(), RoomError>;
    /// Somebody leaves.
    fn leave(&self, who: ParticipantId);
    /// Somebody pressed a key: the others are told.
    fn dtmf(&self, who: ParticipantId, digit: char);
    /// Rooms and participants at this moment.
    fn counts(&self) -> (usize, usize);
}

/// Called after an event was queued.
pub type Wake = Arc<dyn Fn() + Send + Sync>;
