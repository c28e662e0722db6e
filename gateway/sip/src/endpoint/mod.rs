//! The one door of the crate: datagrams and commands in; datagrams, events and a deadline out.
//!
//! Contract (as quinn-proto's): after every `receive`, `command`, `handle_timeout` or
//! `transport_failed`, drain [`Endpoint::poll`] until it is `None`, then sleep until
//! [`Endpoint::poll_timeout`] or the next input.

mod answering;
mod arriving;
mod call;
mod calling;
mod clock;
mod event;
mod hang_up;
mod in_dialog;
mod offers;
mod our_offers;
mod outcome;
mod progress;
mod receive;
mod refer;
mod reliable;
mod retry;
mod session;
mod wire;

pub use event::{CallHandle, End, Event, Output};

use crate::arena::{Arena, Id};
use crate::auth::Nonces;
use crate::random::{HashedMap, Keyed, Random};
use crate::timers::Timers;
use crate::transaction::{Client, Server, Times};
use crate::{Flow, Message, Time};
use bytes::Bytes;
use call::Call;
use std::collections::VecDeque;

/// Methods that are served; the truth, in every answer that bears Allow.
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, NOTIFY";
/// Bodies of an INVITE that are understood.
const ACCEPT: &str = "application/sdp, multipart/mixed";
const SUPPORTED: &str = "timer, 100rel";
/// Seconds after which a caller may try again when the tables are full.
const RETRY_WHEN_FULL: u32 = 5;

/// How this endpoint behaves; fixed for its life.
#[derive(Debug, Clone)]
pub struct Config {
    /// User-Agent and Server.
    pub user_agent: String,
    /// RFC 3261 T1, T2, T4.
    pub t1: Time,
    /// Longest interval between repetitions.
    pub t2: Time,
    /// How long a message stays in the network.
    pub t4: Time,
    /// Session interval that we ask for, in seconds; 0 asks for none (a peer's wish is honoured all the same).
    pub session_expires: u32,
    /// Smallest session interval that we accept (at least 90, RFC 4028 §5); below it 422.
    pub min_se: u32,
    /// Challenge with SHA-256, too, before MD5 (RFC 8760). Telephones that know MD5 alone ought to pass over
    /// what they do not know, but many give up at the sight of it (libre 1.1 and SIPp 3.6 among them).
    pub sha256: bool,
    /// Most transactions at a time; a request above it gets 503 with Retry-After, without a transaction.
    pub transactions: usize,
    /// Most calls at a time, likewise.
    pub calls: usize,
    /// Most TCP or UDP bytes of one request before TCP is chosen instead of UDP (RFC 3261 §18.1.1): 1300.
    pub udp_limit: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            user_agent: concat!("trunkline/", env!("CARGO_PKG_VERSION")).to_owned(),
            t1: Time::from_millis(500),
            t2: Time::from_secs(4),
            t4: Time::from_secs(5),
            session_expires: 1800,
            min_se: 90,
            sha256: false,
            transactions: 100_000,
            calls: 20_000,
            udp_limit: 1300,
        }
    }
}

/// A header that the caller of a command adds. CR, LF or NUL in it is refused when it is encoded.
pub type Extra = (String, String);

/// An outgoing INVITE.
#[derive(Debug, Clone)]
pub struct Invite {
    /// Request-URI.
    pub uri: String,
    /// Where to send it first. For TCP without `connection` one is opened.
    pub flow: Flow,
    /// From, as `"Name" <sip:user@host>` without a tag.
    pub from: String,
    /// To, without a tag; empty: the Request-URI in angle brackets.
    pub to: String,
    /// User part of our Contact.
    pub contact_user: String,
    /// Route set that the request starts with (an outbound proxy), in order.
    pub route: Vec<String>,
    /// More headers.
    pub headers: Vec<Extra>,
    /// The offer; `None` for a delayed offer.
    pub sdp: Option<Bytes>,
    /// For 401 and 407.
    pub credentials: Option<crate::auth::Credentials>,
    /// Gives up (CANCEL) when nothing final came within this time.
    pub ring_timeout: Time,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The handle's call is over.
    #[error("the call is over")]
    NoCall,
    /// Not in this state of the call.
    #[error("the call is not in a state for this")]
    State,
    /// A value holds CR, LF or NUL, or is no URI.
    #[error("a value cannot stand in a SIP message")]
    Value,
    /// An offer of ours or the peer's is open (RFC 3264 §4).
    #[error("another offer is open")]
    OfferOpen,
    /// The tables are full.
    #[error("too many calls or transactions")]
    Full,
}

/// What is held at this moment; all zero when nothing is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Transactions, lingering ones too.
    pub transactions: usize,
    /// Calls (INVITE usages).
    pub calls: usize,
    /// Dialogs, early ones too.
    pub dialogs: usize,
}

/// The endpoint.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    times: Times,
    random: Random,
    keyed: Keyed,
    nonces: Nonces,
    outputs: VecDeque<Output>,
    /// INVITEs that nobody has answered a word to yet.
    unheard: VecDeque<(Time, Id, CallHandle)>,
    timers: Timers,
    servers: Arena<Server>,
    server_keys: HashedMap<Id>,
    /// INVITEs under way by what copies of them on other paths have in common; to their keys.
    merged: HashedMap<u64>,
    clients: Arena<Client>,
    client_keys: HashedMap<Id>,
    calls: Arena<Call>,
    /// By Call-ID and our tag.
    dialogs: HashedMap<Id>,
    draining: Option<u32>,
    full: bool,
    malformed: u64,
}

#[allow(clippy::missing_errors_doc, reason = "CommandError says it for all of them")]
impl Endpoint {
    /// `seed` is the only randomness: tags, branches, Call-IDs, nonce keys come of it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut random = Random::new(seed);
        Self {
            times: Times { t1: config.t1, t2: config.t2, t4: config.t4 },
            keyed: Keyed::new(&mut random),
            nonces: Nonces::new(random.key(), config.sha256),
            random,
            config,
            outputs: VecDeque::new(),
            unheard: VecDeque::new(),
            timers: Timers::default(),
            servers: Arena::new(),
            server_keys: HashedMap::default(),
            merged: HashedMap::default(),
            clients: Arena::new(),
            client_keys: HashedMap::default(),
            calls: Arena::new(),
            dialogs: HashedMap::default(),
            draining: None,
            full: false,
            malformed: 0,
        }
    }
    /// One datagram, or one message of a stream. Anything may stand in it.
    pub fn receive(&mut self, now: Time, flow: Flow, bytes: Bytes) {
        self.receive_bytes(now, flow, bytes);
    }
    /// A flow broke or could not be opened. Requests under way on it take their other path, if they have
    /// one (a datagram for a large one, a new connection to the Contact), else they count as answered 503.
    pub fn transport_failed(&mut self, now: Time, flow: Flow) {
        self.flow_failed(now, flow);
    }
    /// The next thing to do or to know.
    pub fn poll(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            let (now, tx, call) = self.unheard.pop_front()?;
            self.try_on(now, tx, call);
        }
    }
    /// When `handle_timeout` is wanted next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }
    /// The time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        self.tick(now);
    }
    /// From now on new INVITEs and OPTIONS get 503 with this Retry-After; `None` ends it. Calls go on.
    pub fn set_draining(&mut self, retry_after: Option<u32>) {
        self.draining = retry_after;
    }
    /// While this is so, OPTIONS get 503 with Retry-After: whoever asks by them whether we take calls goes
    /// elsewhere. INVITEs are not concerned: whoever counts calls answers them.
    pub fn set_full(&mut self, full: bool) {
        self.full = full;
    }
    /// What is held.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let dialogs = self.calls.iter().map(|(_, c)| c.dialogs()).sum();
        Counts { transactions: self.servers.len() + self.clients.len(), calls: self.calls.len(), dialogs }
    }
    /// Messages that were refused or dropped because they could not be read, since the start.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    // --- answering a call
    /// 180 to 183, once or repeatedly; reliable when `reliable` and the peer can (100rel), and always
    /// when the peer requires it.
    pub fn ring(
        &mut self,
        now: Time,
        call: CallHandle,
        status: u16,
        sdp: Option<Bytes>,
        reliable: bool,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        let provisional = reliable::Provisional { status, sdp, headers: headers.to_vec() };
        self.do_ring(now, call, provisional, reliable)
    }
    /// 200. `sdp` is the answer, or the offer when the INVITE had none.
    pub fn answer(
        &mut self,
        now: Time,
        call: CallHandle,
        sdp: Bytes,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        self.do_answer(now, call, sdp, headers)
    }
    /// A final 3xx–6xx; `reason` empty: the RFC's phrase. The call ends with [`End::Refused`].
    pub fn reject(
        &mut self,
        now: Time,
        call: CallHandle,
        status: u16,
        reason: &str,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        self.do_reject(now, call, status, reason, headers)
    }
    /// 401 with a challenge for each algorithm (SHA-256 where [`Config::sha256`] says so, MD5); the call ends with `Refused(401)`, the
    /// retry comes as a new `Incoming`.
    pub fn challenge(
        &mut self,
        now: Time,
        call: CallHandle,
        realm: &str,
        stale: bool,
    ) -> Result<(), CommandError> {
        self.do_challenge(now, call, realm, stale)
    }
    /// Do the credentials of this INVITE fit?
    pub fn verify(
        &mut self,
        now: Time,
        invite: &Message,
        flow: &Flow,
        realm: &str,
        username: &str,
        password: &str,
    ) -> crate::auth::Verdict {
        self.nonces.verify(now, invite, flow.remote.ip(), realm, username, password)
    }

    // --- placing a call
    /// Sends an INVITE.
    pub fn invite(&mut self, now: Time, invite: Invite) -> Result<CallHandle, CommandError> {
        self.do_invite(now, invite)
    }
    /// The ACK of a 2xx that carried the offer, with our answer.
    pub fn acknowledge(&mut self, now: Time, call: CallHandle, sdp: Bytes) -> Result<(), CommandError> {
        self.do_acknowledge(now, call, sdp)
    }

    // --- in a call
    /// Answers [`Event::Offer`] with 200.
    pub fn accept_offer(&mut self, now: Time, call: CallHandle, sdp: Bytes) -> Result<(), CommandError> {
        self.do_accept_offer(now, call, sdp)
    }
    /// Answers [`Event::Offer`] with 488 or the like.
    pub fn refuse_offer(
        &mut self,
        now: Time,
        call: CallHandle,
        status: u16,
        reason: &str,
    ) -> Result<(), CommandError> {
        self.do_refuse_offer(now, call, status, reason)
    }
    /// Our own offer: a re-INVITE in a confirmed call, an UPDATE before (where the peer allows it).
    pub fn offer(&mut self, now: Time, call: CallHandle, sdp: Bytes) -> Result<(), CommandError> {
        self.do_offer(now, call, sdp)
    }
    /// INFO, such as `application/dtmf-relay`.
    pub fn info(
        &mut self,
        now: Time,
        call: CallHandle,
        content_type: &str,
        body: Bytes,
    ) -> Result<(), CommandError> {
        self.do_info(now, call, content_type, &body)
    }
    /// Sends the peer elsewhere (REFER, RFC 3515): `to` stands in Refer-To as it is. `ReferAnswered`, then a
    /// `ReferProgress` for each NOTIFY follow.
    pub fn refer(
        &mut self,
        now: Time,
        call: CallHandle,
        to: &str,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        self.do_refer(now, call, to, headers)
    }
    /// Ends the call, whatever its state: 480 to an INVITE not answered, CANCEL for one of ours, BYE
    /// (after the ACK of our 2xx, RFC 3261 §15) in a call. `reason` is a Reason header (RFC 3326) or empty.
    pub fn hang_up(&mut self, now: Time, call: CallHandle, reason: &str) -> Result<(), CommandError> {
        self.do_hang_up(now, call, reason, &[])
    }
    /// The same, with more headers on the BYE.
    pub fn hang_up_with(
        &mut self,
        now: Time,
        call: CallHandle,
        reason: &str,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        self.do_hang_up(now, call, reason, headers)
    }
    /// Call-ID, local tag and remote tag of a call.
    #[must_use]
    pub fn identity(&self, call: CallHandle) -> Option<Identity> {
        let dialog = &self.call(call).ok()?.dialog;
        Some(Identity {
            call_id: dialog.call_id.to_string(),
            local_tag: dialog.local_tag.to_string(),
            remote_tag: dialog.remote_tag.to_string(),
        })
    }
}

/// The names of a dialog (RFC 3261 §12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// Theirs; empty while unknown.
    pub remote_tag: String,
}
