//! The life of a call: what the protocol says of it, where the dialplan sends it, who keeps it company.
//!
//! A call is a plain struct in the signalling thread. [`Calls`] is the table and the one door: datagrams,
//! events of media, agents and rooms, requests and the time go in; datagrams come out. The [`Desk`] is what
//! every call works with: endpoint, media engine, rooms, agents, dialplan, chronicle.
//!
//! Where livekit-server decides, `asking` stands in for `admission`; in LiveKit rooms a call is a `guest`.
//!
//! The path of an inbound call is [`inbound`], read from top to bottom: INVITE → `admission` (trunk,
//! credentials, limits, rule) → `media` (port, answer) → 180, 200 → ACK → `company` (PIN desk, agent or
//! room) → BYE → figures → CDR. [`outbound`] is the other half of a transfer. Everything that happens is an
//! entry of the `chronicle`. What one call wants of another is an [`desk::Errand`], never a reference.

mod admission;
mod asking;
mod chronicle;
mod command;
mod company;
mod desk;
mod dialled;
mod dialling;
mod gate;
mod guest;
mod handover;
mod inbound;
mod keys;
mod life;
mod media;
mod order;
mod outbound;
mod pin;
mod reported;
mod room_methods;
mod stages;
mod table;
mod terms;
#[cfg(test)]
mod tests;
mod waiting;
mod words;

pub use desk::{House, LookUp};
pub use gate::CallGate;
pub use outbound::{LOOK_UP_PATIENCE, host_of};
pub use table::{Calls, LookedUp};

use company::Company;
use media::Media;
use std::net::IpAddr;
use std::sync::Arc;
use trunkline_media::sdp::Encryption;
use trunkline_records::Cdr;
use trunkline_sip::{CallHandle, Time};

/// Where a call is in its life. It only ever moves down this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// INVITE seen or sent; nothing final.
    Trying,
    /// 200 is out or in; the other side has not confirmed yet.
    Answered,
    /// Confirmed: sound flows.
    Up,
    /// We want it to end: BYE, CANCEL or a refusal is out.
    Ending,
    /// The protocol is through with it; the leg's last figures are awaited.
    Over,
}

/// Where the dialplan sent a call.
#[derive(Debug, Clone)]
enum Destination {
    /// Nowhere yet: a PIN is to be typed first.
    PinDesk,
    /// The agent, with this dialogue (empty: the configured one).
    Agent { dialogue: String },
    /// A room.
    Room {
        room: String,
        identity: String,
        name: String,
        attributes: Vec<(String, String)>,
        terms: Box<terms::Terms>,
    },
    /// Joined with the call that asked for it, once it is answered.
    Partner,
}

impl Destination {
    /// As a CDR has it.
    fn of_cdr(&self) -> String {
        match self {
            Self::Agent { .. } => "agent".to_owned(),
            Self::Room { room, .. } => format!("room {room}"),
            Self::PinDesk | Self::Partner => String::new(),
        }
    }
}

/// One call.
struct Call {
    /// Its key in the table; never used twice.
    serial: u64,
    /// `SCL_…`
    id: Arc<str>,
    sip: CallHandle,
    state: State,
    cdr: Cdr,
    /// What the limiter counted it under; `None`: it was not counted.
    counted: Option<Counted>,
    media: Option<Media>,
    /// Whether its sound is to be encrypted, before there is any.
    encryption: Encryption,
    /// The leg is closed, and its last figures are on their way.
    awaits_report: bool,
    destination: Destination,
    company: Company,
    /// Prompts whose end the leg has not told yet.
    prompts: u32,
    /// The company was called, once.
    met: bool,
    keys: keys::Keys,
    /// When it is ended whatever it does.
    ends_at: Time,
    /// When its company wants to be asked again (a PIN that is not typed).
    waits_until: Option<Time>,
    /// What the caller is, for the dialplan: the PIN is looked at later.
    caller: Caller,
    /// The other half of a transfer.
    partner: Option<u64>,
    /// Why we ended it, once we did.
    farewell: Option<String>,
    /// What livekit-server is asked about.
    asking: Option<Box<asking::Asking>>,
    /// What passed on the wire before it is in the records.
    early: Option<inbound::Early>,
    /// How it is in a LiveKit room.
    guest: Option<Box<guest::Guest>>,
    /// It is being sent elsewhere.
    handover: Option<Box<handover::Handover>>,
    /// It was placed for LiveKit's API.
    dialled: Option<Box<dialled::Dialled>>,
    /// Headers of the peer's INVITE, or of its answer to ours: for those in the room who ask.
    remote_headers: Vec<(String, String)>,
    /// Headers that somebody in the room wants on our BYE.
    goodbye_headers: Vec<(String, String)>,
    /// Parts of its set-up that go on.
    stages: stages::Stages,
}

/// How the limiter counted a call.
struct Counted {
    trunk: Option<String>,
    source: Option<IpAddr>,
}

/// What the dialplan is told of a caller.
#[derive(Debug, Clone, Default)]
struct Caller {
    from: String,
    from_host: String,
    to: String,
    source: Option<IpAddr>,
    /// The trunk whose credentials were right.
    authenticated: Option<String>,
    /// Display name of From.
    name: String,
}

impl Call {
    /// When the table must look at this call again.
    fn deadline(&self) -> Time {
        self.waits_until.map_or(self.ends_at, |t| t.min(self.ends_at))
    }
}
