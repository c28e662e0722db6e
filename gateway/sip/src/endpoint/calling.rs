//! The calling side: an INVITE and what becomes of it.

use super::call::{Call, Outgoing, State, with};
use super::session::{asking, on};
use super::wire::fitting;
use super::{ALLOW, CallHandle, CommandError, Endpoint, Event, Invite, SUPPORTED};
use crate::arena::Id;
use crate::dialog::Dialog;
use crate::message::{HeaderName, Message, Method, NameAddr, Uri};
use crate::transaction::{ClientState, Purpose, ack_of_refusal, cancel_of, client_key};
use crate::{Time, Transport};
use bytes::Bytes;

const SDP: &str = "application/sdp";
/// Forks that may answer one INVITE; who sends more is no telephone network.
const MOST_ANSWERS: usize = 16;

impl Endpoint {
    pub(super) fn do_invite(&mut self, now: Time, invite: Invite) -> Result<CallHandle, CommandError> {
        if self.calls.len() >= self.config.calls
            || self.servers.len() + self.clients.len() >= self.config.transactions
        {
            return Err(CommandError::Full);
        }
        let sound = Uri::parse(&invite.uri).is_ok()
            && NameAddr::parse(&invite.from).is_ok()
            && (invite.to.is_empty() || NameAddr::parse(&invite.to).is_ok());
        if !sound {
            return Err(CommandError::Value);
        }
        let call_id = format!("{}{}", self.random.token(), self.random.token());
        let dialog = Dialog::of_client(&invite, call_id, self.random.token());
        let (number, branch) = self.new_branch();
        let session = match self.config.session_expires {
            0 => Vec::new(),
            wish => asking(wish, None, self.config.min_se),
        };
        // An offer in a reliable provisional response would have to be answered in its PRACK, before the
        // application has seen it: so only who offers itself takes part.
        let supported = if invite.sdp.is_some() { SUPPORTED } else { "timer" };
        let sent = fitting(self.config.udp_limit, invite.flow, |flow| {
            let builder = dialog
                .request(Method::Invite, dialog.local_cseq, &branch, flow, &self.config.user_agent)
                .header(HeaderName::Allow, ALLOW)
                .header(HeaderName::Supported, supported);
            with(on(builder, &session), &invite.headers).body(SDP, invite.sdp.as_deref().unwrap_or(&[]))
        })?;
        let key = self.dialog_key(&dialog.call_id, &dialog.local_tag);
        let handle = self.add_call(Call::new(State::Calling, dialog, key));
        let tx = self.launch(now, Purpose::Invite, handle, number, sent);
        let call = self.call_mut(handle)?;
        call.local_sdp = invite.sdp.clone().unwrap_or_default();
        call.outgoing = Some(Box::new(Outgoing {
            tx,
            offered: invite.sdp.is_some(),
            credentials: invite.credentials,
            stale_tried: false,
            ring_ends: Some(now + invite.ring_timeout),
            given_up: 0,
            forks: Vec::new(),
            rseq: 0,
        }));
        self.arm_call(handle);
        Ok(handle)
    }

    /// A response to an INVITE or a re-INVITE.
    pub(super) fn invite_answered(&mut self, now: Time, id: Id, response: &Message, status: u16) {
        let times = self.times;
        let Some(tx) = self.clients.get_mut(id) else { return };
        let (handle, purpose) = (tx.call, tx.purpose);
        if status < 200 {
            if !tx.is_open() {
                return;
            }
            tx.provisional(now, times);
            if purpose == Purpose::Invite && self.call(handle).is_err() {
                // Given up before anything was heard: now there is somebody to tell (RFC 3261 §9.1).
                self.send_cancel(now, handle, id);
            } else if purpose == Purpose::Invite {
                self.progress(now, handle, id, response, status);
            }
            return;
        }
        let tag = response.to().ok().and_then(|t| t.tag()).unwrap_or("");
        if let Some(ack) = tx.acks.iter().find(|a| *a.to_tag == *tag || tx.state == ClientState::Completed) {
            let (flow, bytes) = (ack.flow, ack.bytes.clone());
            return self.send(now, Some(handle), flow, bytes);
        }
        let first = tx.finish(now, times, status);
        self.arm_client(id);
        match (status < 300, first) {
            (true, true) => self.invite_accepted(now, id, handle, purpose, response),
            (true, false) => self.accepted_again(now, id, handle, response),
            (false, true) => {
                self.acknowledge_refusal(now, id, response);
                self.invite_refused(now, id, handle, purpose, response, status);
            }
            (false, false) => {}
        }
    }

    fn invite_accepted(
        &mut self,
        now: Time,
        id: Id,
        handle: CallHandle,
        purpose: Purpose,
        response: &Message,
    ) {
        if purpose != Purpose::Invite {
            return self.offer_accepted(now, id, handle, purpose, response);
        }
        let Ok(call) = self.call_mut(handle) else {
            return self.accepted_again(now, id, handle, response);
        };
        if call.state != State::Calling {
            let status = call.outgoing.as_ref().map_or(487, |o| o.given_up);
            self.accepted_again(now, id, handle, response);
            return self.rejected(now, handle, status, None);
        }
        call.dialog.learn(response);
        call.learn_allow(response);
        call.session_from_response(now, response);
        let Some(outgoing) = call.outgoing.as_mut() else { return };
        outgoing.ring_ends = None;
        outgoing.forks = Vec::new();
        let offered = outgoing.offered;
        call.state = if offered { State::Confirmed } else { State::Unacknowledged };
        if offered {
            self.acknowledge_success(now, handle, id, &[]);
        }
        self.arm_call(handle);
        let sdp = response.body_of(SDP);
        self.event(Event::Answered { call: handle, response: response.clone(), sdp });
    }

    /// Another 2xx: of a fork that answered as well, or after we gave up. It is acknowledged, and ended
    /// (RFC 3261 §13.2.2.4). One of the call's own peer whose ACK the application owes just waits.
    fn accepted_again(&mut self, now: Time, id: Id, handle: CallHandle, response: &Message) {
        let tag = response.to().ok().and_then(|t| t.tag()).unwrap_or("");
        if self.call(handle).is_ok_and(|c| c.state == State::Unacknowledged && c.dialog.is_with(tag)) {
            return;
        }
        let Some(tx) = self.clients.get(id).filter(|tx| tx.acks.len() < MOST_ANSWERS) else { return };
        let (flow, purpose) = (tx.flow, tx.purpose);
        let Ok(sent) = Message::parse(tx.request.clone()) else { return };
        let mut dialog = Dialog::of_fork(&sent, response, flow);
        self.acknowledge_in(now, handle, id, &dialog, &sent, &[]);
        if purpose != Purpose::Invite {
            return;
        }
        let (number, branch) = self.new_branch();
        let cseq = dialog.next_cseq();
        let bye = fitting(self.config.udp_limit, dialog.next_hop(), |flow| {
            dialog.request(Method::Bye, cseq, &branch, flow, &self.config.user_agent).build()
        });
        if let Ok(bye) = bye {
            self.launch(now, Purpose::Bye, handle, number, bye);
        }
    }

    /// The ACK of a 2xx: a request of its own in the dialog, without a transaction, kept for repetitions.
    pub(super) fn acknowledge_success(&mut self, now: Time, handle: CallHandle, id: Id, sdp: &[u8]) {
        let Some(tx) = self.clients.get(id) else { return };
        let Ok(sent) = Message::parse(tx.request.clone()) else { return };
        let Ok(dialog) = self.call(handle).map(|c| c.dialog.clone()) else { return };
        self.acknowledge_in(now, handle, id, &dialog, &sent, sdp);
    }

    fn acknowledge_in(
        &mut self,
        now: Time,
        handle: CallHandle,
        id: Id,
        dialog: &Dialog,
        sent: &Message,
        sdp: &[u8],
    ) {
        let (_, branch) = self.new_branch();
        let number = sent.cseq().map_or(0, |c| c.number);
        // An ACK has no transaction that could notice a connection failing: it goes as its INVITE went.
        let datagrams = self.clients.get(id).is_some_and(|tx| tx.flow.transport == Transport::Udp);
        let limit = if datagrams { usize::MAX } else { self.config.udp_limit };
        let ack = fitting(limit, dialog.next_hop(), |flow| {
            let mut builder = dialog.request(Method::Ack, number, &branch, flow, &self.config.user_agent);
            // The ACK cannot be challenged, so it bears what the INVITE bore (§13.2.2.4).
            for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
                for value in sent.headers(name) {
                    builder = builder.header(name, value);
                }
            }
            builder.body(SDP, sdp)
        });
        let Ok((flow, _, bytes)) = ack else { return };
        if let Some(tx) = self.clients.get_mut(id) {
            let to_tag = dialog.remote_tag.clone();
            tx.acks.push(crate::transaction::SentAck { to_tag, flow, bytes: bytes.clone() });
        }
        self.send(now, Some(handle), flow, bytes);
    }

    fn acknowledge_refusal(&mut self, now: Time, id: Id, response: &Message) {
        let Some(tx) = self.clients.get_mut(id) else { return };
        let (flow, handle) = (tx.flow, tx.call);
        let Ok(sent) = Message::parse(tx.request.clone()) else { return };
        let Ok(bytes) = ack_of_refusal(&sent, response) else { return };
        tx.acks.push(crate::transaction::SentAck { to_tag: "".into(), flow, bytes: bytes.clone() });
        self.send(now, Some(handle), flow, bytes);
    }

    fn invite_refused(
        &mut self,
        now: Time,
        id: Id,
        handle: CallHandle,
        purpose: Purpose,
        response: &Message,
        status: u16,
    ) {
        let again = self.try_again(now, id, response, status);
        if let Some(tx) = self.clients.get_mut(id) {
            tx.request = Bytes::new();
        }
        if again {
            return;
        }
        if purpose != Purpose::Invite {
            return self.offer_refused(now, id, handle, purpose, true, status);
        }
        let Ok(call) = self.call(handle) else { return };
        let given_up = call.outgoing.as_ref().map_or(0, |o| o.given_up);
        let status = if call.state == State::Cancelling { given_up } else { status };
        self.rejected(now, handle, status, Some(response.clone()));
    }

    /// A call of ours has failed.
    pub(super) fn rejected(&mut self, now: Time, handle: CallHandle, status: u16, response: Option<Message>) {
        self.close_open(now, handle);
        if self.drop_call(handle).is_some() {
            self.event(Event::Rejected { call: handle, status, response });
        }
    }

    /// A BYE before the answer. Nobody may send it, but what is meant is certain.
    pub(super) fn callee_left(&mut self, now: Time, handle: CallHandle) {
        self.give_up(now, handle, 480);
    }

    /// Gives up a call that was not answered: CANCEL, once anything was heard (§9.1).
    pub(super) fn give_up(&mut self, now: Time, handle: CallHandle, status: u16) {
        let Ok(call) = self.call_mut(handle) else { return };
        if call.state != State::Calling {
            return;
        }
        let Some(outgoing) = call.outgoing.as_mut() else { return };
        outgoing.given_up = status;
        outgoing.ring_ends = None;
        let id = outgoing.tx;
        call.state = State::Cancelling;
        let heard = self.clients.get(id).is_some_and(|tx| tx.state == ClientState::Proceeding);
        if heard {
            self.send_cancel(now, handle, id);
        } else {
            // Nobody has answered at all, and the application need not wait for that. The transaction
            // goes on by itself, and cancels as soon as it may.
            self.rejected(now, handle, status, None);
        }
    }

    /// Once: a second one finds the first one's key taken.
    pub(super) fn send_cancel(&mut self, now: Time, handle: CallHandle, id: Id) {
        let ends = now + self.times.timeout();
        let Some(tx) = self.clients.get_mut(id) else { return };
        // The key of an INVITE is the number of its branch.
        let (flow, number) = (tx.flow, tx.key);
        if self.client_keys.contains_key(&client_key(number, "CANCEL")) {
            return;
        }
        tx.end_by(ends);
        let Ok(sent) = Message::parse(tx.request.clone()) else { return };
        self.arm_client(id);
        if let Ok(bytes) = cancel_of(&sent) {
            self.launch(now, Purpose::Cancel, handle, number, (flow, None, bytes));
        }
    }

    pub(super) fn do_acknowledge(
        &mut self,
        now: Time,
        handle: CallHandle,
        sdp: Bytes,
    ) -> Result<(), CommandError> {
        let call = self.call_mut(handle)?;
        let owed = call.outgoing.as_ref().filter(|_| call.state == State::Unacknowledged);
        let id = owed.map(|o| o.tx).ok_or(CommandError::State)?;
        call.state = State::Confirmed;
        call.local_sdp = sdp.clone();
        self.acknowledge_success(now, handle, id, &sdp);
        Ok(())
    }
}
