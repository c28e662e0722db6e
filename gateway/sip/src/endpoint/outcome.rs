//! What becomes of our requests other than INVITE, and of requests that nobody answers.

use super::call::State;
use super::{CallHandle, CommandError, End, Endpoint};
use crate::Time;
use crate::arena::Id;
use crate::message::Message;
use crate::transaction::Purpose;
use bytes::Bytes;

impl Endpoint {
    pub(super) fn request_answered(&mut self, now: Time, id: Id, response: &Message, status: u16) {
        let times = self.times;
        let Some(tx) = self.clients.get_mut(id) else { return };
        if status < 200 {
            tx.provisional(now, times);
            return self.arm_client(id);
        }
        if !tx.finish(now, times, status) {
            return;
        }
        self.arm_client(id);
        if status < 300 || !self.try_again(now, id, response, status) {
            self.settled(now, id, Some(response), status);
        }
        if let Some(tx) = self.clients.get_mut(id) {
            tx.request = Bytes::new();
        }
    }

    /// The final outcome of a request inside a call; without a response the status stands for it: 408
    /// when nobody answered, 503 when the transport failed (RFC 3261 §8.1.3.1).
    fn settled(&mut self, now: Time, id: Id, response: Option<&Message>, status: u16) {
        let Some(tx) = self.clients.get(id) else { return };
        let (handle, purpose) = (tx.call, tx.purpose);
        let Ok(call) = self.call(handle) else { return };
        match purpose {
            Purpose::Bye if call.bye == Some(id) => self.end(now, handle, End::LocalBye),
            Purpose::Bye | Purpose::Cancel | Purpose::Invite => {}
            Purpose::Refer => {
                let reason = response.map(|r| r.reason().to_owned()).unwrap_or_default();
                let heard = response.is_some();
                self.event(super::Event::ReferAnswered { call: handle, status, reason });
                self.judge_peer(now, handle, heard, status);
            }
            Purpose::Prack | Purpose::Info => self.judge_peer(now, handle, response.is_some(), status),
            Purpose::Reinvite | Purpose::Update | Purpose::RefreshInvite | Purpose::RefreshUpdate => {
                match response {
                    Some(response) if status < 300 => self.offer_accepted(now, id, handle, purpose, response),
                    _ => self.offer_refused(now, id, handle, purpose, response.is_some(), status),
                }
            }
        }
    }

    pub(super) fn do_info(
        &mut self,
        now: Time,
        handle: CallHandle,
        content_type: &str,
        body: &[u8],
    ) -> Result<(), CommandError> {
        if self.call(handle)?.state != State::Confirmed {
            return Err(CommandError::State);
        }
        self.request(now, handle, Purpose::Info, |b| b, (content_type, body)).map(|_| ())
    }

    /// 408, 481 or silence inside a call: the peer is gone (§12.2.1.2).
    pub(super) fn judge_peer(&mut self, now: Time, handle: CallHandle, heard: bool, status: u16) {
        let alive = self.call(handle).is_ok_and(|c| matches!(c.state, State::Confirmed | State::Answered));
        if !alive {
            return;
        }
        match (status, heard) {
            (481, _) => self.end(now, handle, End::PeerGone(481)),
            (503, false) => self.end(now, handle, End::Transport),
            (408, _) => self.abandon(now, handle, End::PeerGone(408)),
            _ => {}
        }
    }

    /// Timers B and F, or a transport that failed.
    pub(super) fn unanswered(&mut self, now: Time, id: Id, status: u16) {
        let Some(tx) = self.clients.get(id) else { return };
        let (handle, purpose) = (tx.call, tx.purpose);
        if purpose == Purpose::Invite {
            let given_up = match self.call(handle) {
                Ok(call) if call.state == State::Cancelling => {
                    call.outgoing.as_ref().map_or(487, |o| o.given_up)
                }
                _ => status,
            };
            self.rejected(now, handle, given_up, None);
        } else {
            self.settled(now, id, None, status);
        }
        self.close_client(id);
    }
}
