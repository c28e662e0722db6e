//! What happens by itself when its time has come, and when a transport fails.

use super::call::State;
use super::{CallHandle, End, Endpoint};
use crate::arena::Id;
use crate::message::Message;
use crate::timers::Owner;
use crate::transaction::{Again, Tick, again};
use crate::{Flow, Time, Transport};

impl Endpoint {
    pub(super) fn tick(&mut self, now: Time) {
        while let Some((at, owner)) = self.timers.due(now) {
            match owner {
                Owner::Server(id) => self.server_due(now, at, id),
                Owner::Client(id) => self.client_due(now, at, id),
                Owner::Call(id) => self.call_due(now, at, id.into()),
            }
        }
        let owners = self.servers.len() + self.clients.len() + self.calls.len();
        self.timers.prune(owners, |owner| match owner {
            Owner::Server(id) => self.servers.get(id).is_some(),
            Owner::Client(id) => self.clients.get(id).is_some(),
            Owner::Call(id) => self.calls.get(id).is_some(),
        });
    }

    fn server_due(&mut self, now: Time, at: Time, id: Id) {
        let times = self.times;
        let Some(tx) = self.servers.get_mut(id) else { return };
        if !tx.armed.fired(at) {
            return;
        }
        let (handle, flow, bytes) = (tx.call, tx.flow, tx.repeated());
        match tx.tick(now, times) {
            Tick::Repeat => {
                if let Some(bytes) = bytes {
                    self.send(now, Some(handle), flow, bytes);
                }
                self.arm_server(id);
            }
            Tick::Over => self.close_server(id),
            Tick::NoAck => {
                self.close_server(id);
                self.unacknowledged(now, handle, id);
            }
            Tick::Wait | Tick::NoAnswer => self.arm_server(id),
        }
    }

    /// Our 2xx was never acknowledged: the session cannot be (RFC 3261 §13.3.1.4).
    fn unacknowledged(&mut self, now: Time, handle: CallHandle, tx: Id) {
        let Ok(call) = self.call_mut(handle) else { return };
        if call.accepted.take_if(|a| a.tx == tx).is_none() {
            return;
        }
        // Whoever hung up meanwhile asked for that end, not for this one.
        let end = if call.state == State::Leaving { End::LocalBye } else { End::NoAck };
        self.abandon(now, handle, end);
    }

    fn client_due(&mut self, now: Time, at: Time, id: Id) {
        let times = self.times;
        let Some(tx) = self.clients.get_mut(id) else { return };
        if !tx.armed.fired(at) {
            return;
        }
        let (handle, flow) = (tx.call, tx.flow);
        match tx.tick(now, times) {
            Tick::Repeat if tx.fallback.is_some() => {
                self.fall_back(now, id);
            }
            Tick::Repeat => {
                let bytes = tx.request.clone();
                self.send(now, Some(handle), flow, bytes);
                self.arm_client(id);
            }
            Tick::NoAnswer => self.unanswered(now, id, 408),
            Tick::Over => self.close_client(id),
            Tick::Wait | Tick::NoAck => self.arm_client(id),
        }
    }

    fn call_due(&mut self, now: Time, at: Time, handle: CallHandle) {
        let Some(call) = self.calls.get_mut(handle.into()) else { return };
        if !call.armed.fired(at) {
            return;
        }
        let ring = call.outgoing.as_mut().and_then(|o| o.ring_ends.take_if(|t| *t <= now));
        if ring.is_some() {
            self.give_up(now, handle, 408);
        }
        self.reliable_due(now, handle);
        self.session_due(now, handle);
        self.offer_again(now, handle);
        self.arm_call(handle);
    }

    /// Requests that were under way on a flow that failed have failed with it (RFC 3261 §17.1.4), but for
    /// those that chose it for their size alone: they go the way of datagrams after all (§18.1.1).
    pub(super) fn flow_failed(&mut self, now: Time, flow: Flow) {
        let hit: Vec<Id> = self
            .clients
            .iter()
            .filter(|(_, tx)| tx.is_open() && same_path(&tx.flow, &flow))
            .map(|(id, _)| id)
            .collect();
        // A connection that is gone is no way back any more: the peer's Contact is asked again.
        let stale: Vec<Id> = self
            .calls
            .iter()
            .filter(|(_, c)| c.dialog.flow.connection.is_some() && same_path(&c.dialog.flow, &flow))
            .map(|(id, _)| id)
            .collect();
        for id in stale {
            if let Some(call) = self.calls.get_mut(id) {
                call.dialog.flow.connection = None;
            }
        }
        for id in hit {
            if !self.fall_back(now, id) {
                self.unanswered(now, id, 503);
            }
        }
    }

    /// Tries the other path of a request: datagrams for one that was large, a new connection for one whose
    /// connection broke under it.
    fn fall_back(&mut self, now: Time, id: Id) -> bool {
        let times = self.times;
        let Some(tx) = self.clients.get(id) else { return false };
        let broken = tx.flow.connection.is_some();
        let anew = || self.call(tx.call).ok().filter(|_| broken).map(|c| c.dialog.next_hop());
        let Some(flow) = tx.fallback.or_else(anew).filter(|f| *f != tx.flow) else { return false };
        let handle = tx.call;
        let Ok(sent) = Message::parse(tx.request.clone()) else { return false };
        let cseq = sent.cseq().map_or(0, |c| c.number);
        let branch = sent.via().ok().and_then(|v| v.branch()).unwrap_or("");
        let Ok(bytes) = again(&sent, &Again { branch, flow, cseq, instead: &[] }) else { return false };
        if let Ok(call) = self.call_mut(handle) {
            call.datagrams |= flow.transport == Transport::Udp;
        }
        if let Some(tx) = self.clients.get_mut(id) {
            tx.go_on(now, times, flow, bytes.clone());
        }
        self.arm_client(id);
        self.send(now, Some(handle), flow, bytes);
        true
    }
}

/// Is this the path that failed? A connection is named by its number; where one side does not know it,
/// because it was asked for before it was opened, by the peer's address.
fn same_path(used: &Flow, failed: &Flow) -> bool {
    used.transport == failed.transport
        && used.remote == failed.remote
        && (used.connection == failed.connection || used.connection.is_none() || failed.connection.is_none())
}
