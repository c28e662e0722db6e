//! Server transactions: RFC 3261 §17.2, RFC 6026 §7.1.

use super::{Tick, Times};
use crate::endpoint::CallHandle;
use crate::timers::{Armed, earlier};
use crate::{Flow, Time};
use bytes::Bytes;

const RINGING: Time = Time::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerState {
    /// Nothing final was sent (Trying, too).
    Proceeding,
    /// A final response was sent, for INVITE one that refuses.
    Completed,
    /// The ACK of a refusal has come.
    Confirmed,
    /// A 2xx to an INVITE was sent (RFC 6026). Here it is repeated, too, until its ACK comes: the RFC
    /// leaves that to the layer above, which would need the same bytes and the same clock.
    Accepted { acknowledged: bool },
}

#[derive(Debug)]
pub(crate) struct Server {
    pub key: u64,
    /// By From tag, Call-ID and CSeq, where a merged request may be recognised by it.
    pub merge: Option<u64>,
    pub invite: bool,
    /// Where responses go.
    pub flow: Flow,
    pub call: CallHandle,
    pub state: ServerState,
    pub armed: Armed,
    last: Bytes,
    interval: Time,
    repeat_at: Option<Time>,
    ends_at: Option<Time>,
}

impl Server {
    pub fn new(key: u64, merge: Option<u64>, invite: bool, flow: Flow, call: CallHandle) -> Self {
        Self {
            key,
            merge,
            invite,
            flow,
            call,
            state: ServerState::Proceeding,
            armed: Armed::default(),
            last: Bytes::new(),
            interval: Time::ZERO,
            repeat_at: None,
            ends_at: None,
        }
    }

    /// A response goes out.
    pub fn respond(&mut self, now: Time, times: Times, status: u16, bytes: Bytes) {
        self.last = bytes;
        if status < 200 {
            return;
        }
        let reliable = self.flow.transport.is_reliable();
        self.interval = times.t1;
        self.repeat_at = None;
        self.ends_at = Some(now + times.timeout());
        if self.invite && status < 300 {
            // Also over TCP: a 2xx passes proxies that forget it (§13.3.1.4).
            self.state = ServerState::Accepted { acknowledged: false };
            self.repeat_at = Some(now + times.t1);
            return;
        }
        self.state = ServerState::Completed;
        if self.invite {
            self.repeat_at = (!reliable).then(|| now + times.t1);
        } else if reliable {
            self.ends_at = Some(now);
        }
    }

    /// Proxies forget an INVITE that nobody speaks of for three minutes (§13.3.1.1): its last provisional
    /// response is said again each minute.
    pub fn keep_ringing(&mut self, now: Time) {
        if self.state == ServerState::Proceeding {
            self.interval = RINGING;
            self.repeat_at = Some(now + RINGING);
        }
    }

    /// Has anything been answered?
    pub fn has_responded(&self) -> bool {
        !self.last.is_empty() || self.state != ServerState::Proceeding
    }

    /// The request came again: what to send, if anything.
    pub fn repeated(&self) -> Option<Bytes> {
        Some(self.last.clone()).filter(|b| !b.is_empty())
    }

    /// The ACK of a refusal (timer I begins).
    pub fn ack_of_refusal(&mut self, now: Time, times: Times) {
        if self.state != ServerState::Completed {
            return;
        }
        self.state = ServerState::Confirmed;
        self.last = Bytes::new();
        self.repeat_at = None;
        self.ends_at = Some(if self.flow.transport.is_reliable() { now } else { now + times.t4 });
    }

    /// The ACK of a 2xx. The bytes are let go; the rest stays to absorb late repetitions (timer L).
    pub fn acknowledged(&mut self) {
        self.state = ServerState::Accepted { acknowledged: true };
        self.last = Bytes::new();
        self.repeat_at = None;
    }

    pub fn deadline(&self) -> Option<Time> {
        earlier(self.repeat_at, self.ends_at)
    }

    pub fn tick(&mut self, now: Time, times: Times) -> Tick {
        if self.ends_at.is_some_and(|t| t <= now) {
            let unheard = self.state == ServerState::Accepted { acknowledged: false };
            return if unheard { Tick::NoAck } else { Tick::Over };
        }
        if self.repeat_at.is_some_and(|t| t <= now) {
            if self.state != ServerState::Proceeding {
                self.interval = (self.interval * 2).min(times.t2);
            }
            self.repeat_at = Some(now + self.interval);
            return Tick::Repeat;
        }
        Tick::Wait
    }
}
