//! What the endpoint remembers of a call.

use super::reliable::Reliable;
use super::{CallHandle, CommandError, End, Endpoint, Event, Extra};
use crate::Flow;
use crate::Time;
use crate::arena::Id;
use crate::auth::Credentials;
use crate::dialog::Dialog;
use crate::message::Message;
use crate::session_timer::SessionTimer;
use crate::timers::{Armed, earlier};
use crate::transaction::Purpose;
use bytes::Bytes;

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// They called; nothing final was said.
    Ringing,
    /// They called; our 2xx waits for its ACK.
    Answered,
    /// We called; nothing final has come.
    Calling,
    /// We called and gave up; the INVITE's end is awaited.
    Cancelling,
    /// We called without an offer and were answered with one; the application owes the ACK.
    Unacknowledged,
    Confirmed,
    /// A BYE of ours is out, or waits for the ACK of our 2xx (RFC 3261 §15).
    Leaving,
}

/// A request of the peer that the application has not answered: the INVITE, a re-INVITE, an UPDATE.
#[derive(Debug)]
pub(super) struct Pending {
    pub tx: Id,
    pub request: Message,
    /// The topmost Via as responses bear it, where it differs.
    pub via: Option<String>,
    /// Whence it came.
    pub flow: Flow,
}

/// An offer of ours, or a refresh.
#[derive(Debug)]
pub(super) struct OurOffer {
    /// `None` while glare makes it wait.
    pub tx: Option<Id>,
    pub purpose: Purpose,
    /// Empty for a refresh by UPDATE.
    pub sdp: Bytes,
    pub again_at: Option<Time>,
}

/// A 2xx of ours to an INVITE that waits for its ACK.
#[derive(Debug)]
pub(super) struct Accepted {
    pub tx: Id,
    pub cseq: u32,
    /// Did the 2xx carry the offer? Then the ACK carries the answer.
    pub offered: bool,
}

/// What only a call of ours needs.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The INVITE.
    pub tx: Id,
    pub offered: bool,
    pub credentials: Option<Credentials>,
    /// A nonce was called stale once; a second time is a loop.
    pub stale_tried: bool,
    pub ring_ends: Option<Time>,
    /// The status to report when we gave up: 487 or 408.
    pub given_up: u16,
    /// Other forks that answered provisionally.
    pub forks: Vec<Fork>,
    /// RSeq of the last reliable provisional response of the main early dialog; 0 is none.
    pub rseq: u32,
}

/// An early dialog besides the call's first one.
#[derive(Debug)]
pub(super) struct Fork {
    pub tag: Box<str>,
    pub rseq: u32,
}

#[derive(Debug)]
pub(super) struct Call {
    pub state: State,
    pub dialog: Dialog,
    /// The key of its dialog.
    pub key: u64,
    /// The INVITE that made the call, until its final response.
    pub pending: Option<Box<Pending>>,
    /// Its CSeq, and whether it carried an offer.
    pub invite_cseq: u32,
    pub offered_in_invite: bool,
    /// A re-INVITE or UPDATE of the peer that the application has not answered.
    pub theirs: Option<Box<Pending>>,
    pub offer: Option<OurOffer>,
    pub reliable: Option<Box<Reliable>>,
    pub session: Option<SessionTimer>,
    /// The peer takes no connections: even large requests go by datagram.
    pub datagrams: bool,
    /// A 422 was answered.
    pub interval_tried: bool,
    /// Does the peer take UPDATE?
    pub peer_updates: bool,
    /// Have offer and answer been exchanged reliably before the 2xx?
    pub early_agreed: bool,
    pub accepted: Option<Accepted>,
    pub outgoing: Option<Box<Outgoing>>,
    /// Our BYE.
    pub bye: Option<Id>,
    /// Reason header of a BYE that waits for an ACK.
    pub reason: Box<str>,
    /// A REFER of ours was sent: its NOTIFYs are expected.
    pub referred: bool,
    /// More headers of our BYE.
    pub goodbye: Vec<Extra>,
    /// Our session description, as it was sent last.
    pub local_sdp: Bytes,
    pub armed: Armed,
}

impl Call {
    pub fn new(state: State, dialog: Dialog, key: u64) -> Self {
        Self {
            state,
            dialog,
            key,
            pending: None,
            invite_cseq: 0,
            offered_in_invite: false,
            theirs: None,
            offer: None,
            reliable: None,
            session: None,
            datagrams: false,
            interval_tried: false,
            peer_updates: false,
            early_agreed: false,
            accepted: None,
            outgoing: None,
            bye: None,
            reason: "".into(),
            referred: false,
            goodbye: Vec::new(),
            local_sdp: Bytes::new(),
            armed: Armed::default(),
        }
    }

    /// Bytes of a request above which a connection is chosen for it.
    pub fn udp_limit(&self, usual: usize) -> usize {
        if self.datagrams { usize::MAX } else { usual }
    }

    /// Dialogs of this call, early ones too.
    pub fn dialogs(&self) -> usize {
        let forks = self.outgoing.as_ref().map_or(0, |o| o.forks.len());
        usize::from(self.outgoing.is_none() || !self.dialog.remote_tag.is_empty()) + forks
    }

    pub fn deadline(&self) -> Option<Time> {
        let ring = self.outgoing.as_ref().and_then(|o| o.ring_ends);
        let again = self.offer.as_ref().and_then(|o| o.again_at);
        let reliable = self.reliable.as_ref().and_then(|r| r.deadline());
        let session = self.session.as_ref().and_then(|s| s.deadline());
        earlier(earlier(ring, again), earlier(reliable, session))
    }
}

impl From<Id> for CallHandle {
    fn from(id: Id) -> Self {
        Self { index: id.index, generation: id.generation }
    }
}

impl From<CallHandle> for Id {
    fn from(call: CallHandle) -> Self {
        Self { index: call.index, generation: call.generation }
    }
}

impl Endpoint {
    pub(super) fn call(&self, call: CallHandle) -> Result<&Call, CommandError> {
        self.calls.get(call.into()).ok_or(CommandError::NoCall)
    }

    pub(super) fn call_mut(&mut self, call: CallHandle) -> Result<&mut Call, CommandError> {
        self.calls.get_mut(call.into()).ok_or(CommandError::NoCall)
    }

    pub(super) fn add_call(&mut self, call: Call) -> CallHandle {
        let key = call.key;
        let id = self.calls.insert(call);
        self.dialogs.insert(key, id);
        id.into()
    }

    /// Forgets a call; its transactions end by themselves.
    pub(super) fn drop_call(&mut self, handle: CallHandle) -> Option<Call> {
        let call = self.calls.remove(handle.into())?;
        self.dialogs.remove(&call.key);
        Some(call)
    }

    /// The call is over.
    pub(super) fn end(&mut self, now: Time, handle: CallHandle, end: End) {
        self.close_open(now, handle);
        if self.drop_call(handle).is_some() {
            self.event(Event::Ended { call: handle, end });
        }
    }

    /// What the end of a call leaves open: an offer that the application was still to answer has nobody to
    /// answer it any more, and an INVITE that was heard of would wait for its final response for ever.
    pub(super) fn close_open(&mut self, now: Time, handle: CallHandle) {
        self.refuse_theirs(now, handle);
        let until = now + self.times.timeout();
        let Ok(call) = self.call(handle) else { return };
        let ours = [call.offer.as_ref().and_then(|o| o.tx), call.outgoing.as_ref().map(|o| o.tx)];
        for id in ours.into_iter().flatten() {
            if let Some(tx) = self.clients.get_mut(id) {
                tx.end_by(until);
                self.arm_client(id);
            }
        }
    }

    pub(super) fn dialog_key(&self, call_id: &str, local_tag: &str) -> u64 {
        self.keyed.hash(&[call_id.as_bytes(), local_tag.as_bytes()])
    }

    /// The call whose local side this request or response names.
    pub(super) fn call_of(&self, call_id: &str, local_tag: &str) -> Option<CallHandle> {
        let id = *self.dialogs.get(&self.dialog_key(call_id, local_tag))?;
        let dialog = &self.calls.get(id)?.dialog;
        (*dialog.call_id == *call_id && *dialog.local_tag == *local_tag).then(|| id.into())
    }
}

/// Adds what the application wants added.
pub(super) fn with(builder: crate::message::Builder, headers: &[Extra]) -> crate::message::Builder {
    headers.iter().fold(builder, |b, (name, value)| b.named(name, value))
}
