//! Client transactions: RFC 3261 §17.1, RFC 6026 §7.2.

use super::{Tick, Times};
use crate::endpoint::CallHandle;
use crate::timers::{Armed, earlier};
use crate::{Flow, Time};
use bytes::Bytes;

/// How long a re-INVITE that was heard may take.
const RENEGOTIATION: Time = Time::from_secs(180);

/// What the request is for; who is told of its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The INVITE that makes a call.
    Invite,
    /// A re-INVITE with an offer of the application.
    Reinvite,
    /// An UPDATE with an offer of the application.
    Update,
    /// A re-INVITE that only refreshes the session.
    RefreshInvite,
    /// An UPDATE that only refreshes the session.
    RefreshUpdate,
    Prack,
    Info,
    /// Sends the peer elsewhere (RFC 3515).
    Refer,
    Bye,
    Cancel,
}

impl Purpose {
    pub fn is_invite(self) -> bool {
        matches!(self, Self::Invite | Self::Reinvite | Self::RefreshInvite)
    }

    pub fn method(self) -> &'static str {
        match self {
            Self::Invite | Self::Reinvite | Self::RefreshInvite => "INVITE",
            Self::Update | Self::RefreshUpdate => "UPDATE",
            Self::Prack => "PRACK",
            Self::Info => "INFO",
            Self::Refer => "REFER",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientState {
    /// Nothing has come (Trying, too).
    Calling,
    Proceeding,
    /// A final response, for INVITE one that refuses.
    Completed,
    /// A 2xx to an INVITE (RFC 6026): others may follow from other forks.
    Accepted,
}

/// An ACK as it was sent, to be sent again when its response comes again.
#[derive(Debug)]
pub(crate) struct SentAck {
    pub to_tag: Box<str>,
    pub flow: Flow,
    pub bytes: Bytes,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub key: u64,
    pub purpose: Purpose,
    pub flow: Flow,
    pub call: CallHandle,
    pub state: ClientState,
    /// Empty once nothing more is made of it.
    pub request: Bytes,
    pub acks: Vec<SentAck>,
    /// The datagram flow to go back to when the connection that a large request asked for fails, or
    /// keeps silent.
    pub fallback: Option<Flow>,
    pub armed: Armed,
    interval: Time,
    repeat_at: Option<Time>,
    ends_at: Option<Time>,
}

impl Client {
    pub fn new(
        now: Time,
        times: Times,
        key: u64,
        purpose: Purpose,
        (flow, fallback): (Flow, Option<Flow>),
        call: CallHandle,
        request: Bytes,
    ) -> Self {
        let patience = match (flow.transport.is_reliable(), fallback) {
            (false, _) => Some(times.t1),
            // Where a firewall swallows the connection nobody says so; callers do not wait for that.
            (true, Some(_)) => Some(times.t1 * 4),
            (true, None) => None,
        };
        Self {
            key,
            purpose,
            flow,
            call,
            state: ClientState::Calling,
            request,
            acks: Vec::new(),
            fallback,
            armed: Armed::default(),
            interval: times.t1,
            repeat_at: patience.map(|p| now + p),
            ends_at: Some(now + times.timeout()),
        }
    }

    /// Is the final response still to come?
    pub fn is_open(&self) -> bool {
        matches!(self.state, ClientState::Calling | ClientState::Proceeding)
    }

    pub fn provisional(&mut self, now: Time, times: Times) {
        // Only the first one counts: a later one must not take back the end that CANCEL has set.
        if self.state != ClientState::Calling {
            return;
        }
        if self.fallback.take().is_some() {
            self.repeat_at = None;
        }
        self.state = ClientState::Proceeding;
        if self.purpose.is_invite() {
            self.repeat_at = None;
            // A call may ring as long as the application likes; a call that is up must not wait for an
            // answer to its re-INVITE for ever (the three minutes of timer C, §16.6).
            self.ends_at = (self.purpose != Purpose::Invite).then(|| now + RENEGOTIATION);
        } else if self.repeat_at.is_some() {
            self.interval = times.t2;
            self.repeat_at = Some(now + times.t2);
        }
    }

    /// A final response; `true` when it is the first.
    pub fn finish(&mut self, now: Time, times: Times, status: u16) -> bool {
        if !self.is_open() {
            return false;
        }
        self.repeat_at = None;
        let reliable = self.flow.transport.is_reliable();
        let linger = if self.purpose.is_invite() && status < 300 {
            self.state = ClientState::Accepted;
            times.timeout()
        } else {
            self.state = ClientState::Completed;
            match (reliable, self.purpose.is_invite()) {
                (true, _) => Time::ZERO,
                (false, true) => times.timeout(),
                (false, false) => times.t4,
            }
        };
        self.ends_at = Some(now + linger);
        true
    }

    /// Goes on over another path. The branch stays, so that a peer that had the request already takes
    /// this for a repetition.
    pub fn go_on(&mut self, now: Time, times: Times, flow: Flow, request: Bytes) {
        self.flow = flow;
        self.request = request;
        self.fallback = None;
        self.interval = times.t1;
        self.repeat_at = (!flow.transport.is_reliable()).then(|| now + times.t1);
        self.ends_at = Some(now + times.timeout());
    }

    /// Gives up at `at` at the latest (an INVITE that was cancelled, RFC 3261 §9.1).
    pub fn end_by(&mut self, at: Time) {
        if self.is_open() {
            self.ends_at = earlier(self.ends_at, Some(at));
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        earlier(self.repeat_at, self.ends_at)
    }

    pub fn tick(&mut self, now: Time, times: Times) -> Tick {
        if self.ends_at.is_some_and(|t| t <= now) {
            return if self.is_open() { Tick::NoAnswer } else { Tick::Over };
        }
        if self.repeat_at.is_some_and(|t| t <= now) {
            self.interval *= 2;
            if !self.purpose.is_invite() {
                self.interval = self.interval.min(times.t2);
            }
            self.repeat_at = Some(now + self.interval);
            return Tick::Repeat;
        }
        Tick::Wait
    }
}
