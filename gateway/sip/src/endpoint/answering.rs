//! The called side: provisional and final answers to an INVITE.

use super::call::{Accepted, Pending, State, with};
use super::session::on;
use super::{CallHandle, CommandError, End, Endpoint, Event, Extra};
use crate::Time;
use crate::message::{HeaderName, Message, Method};
use bytes::Bytes;

const SDP: &str = "application/sdp";

impl Endpoint {
    /// Is the INVITE unanswered, and no answer of ours on its way?
    pub(super) fn ringing(&self, handle: CallHandle) -> Result<(), CommandError> {
        let call = self.call(handle)?;
        let answering = call.reliable.as_ref().is_some_and(|r| r.answer.is_some());
        if call.state == State::Ringing && !answering { Ok(()) } else { Err(CommandError::State) }
    }

    pub(super) fn do_answer(
        &mut self,
        now: Time,
        handle: CallHandle,
        sdp: Bytes,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        self.ringing(handle)?;
        let call = self.call_mut(handle)?;
        if let Some(reliable) = call.reliable.as_mut().filter(|r| r.holds_description()) {
            reliable.answer = Some((sdp, headers.to_vec()));
            return Ok(());
        }
        self.send_answer(now, handle, sdp, headers)
    }

    pub(super) fn send_answer(
        &mut self,
        now: Time,
        handle: CallHandle,
        sdp: Bytes,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        let call = self.call_mut(handle)?;
        let pending = call.pending.take().ok_or(CommandError::State)?;
        // When PRACK has carried the answer to our offer, a description here would be another offer.
        let described = !call.offered_in_invite && call.reliable.as_ref().is_some_and(|r| r.described);
        let session = self.begin_session(now, handle, &pending.request);
        let call = self.call(handle)?;
        let response = self.dialog_response(call, &pending.request, pending.via.as_deref(), 200, "");
        let body: &[u8] = if described { &[] } else { &sdp };
        let built = with(on(response, &session), headers).body(SDP, body);
        let call = self.call_mut(handle)?;
        match built {
            Ok(bytes) => {
                call.state = State::Answered;
                if let Some(reliable) = call.reliable.as_mut() {
                    reliable.stop();
                }
                self.accept(now, handle, &pending, sdp, bytes);
                if let Some(accepted) = self.call_mut(handle)?.accepted.as_mut() {
                    accepted.offered &= !described;
                }
                Ok(())
            }
            Err(fault) => {
                call.pending = Some(pending);
                call.session = None;
                Err(fault.into())
            }
        }
    }

    /// Sends the 2xx of a request; for an INVITE its ACK is awaited.
    pub(super) fn accept(
        &mut self,
        now: Time,
        handle: CallHandle,
        pending: &Pending,
        sdp: Bytes,
        bytes: Bytes,
    ) {
        let Ok(call) = self.call_mut(handle) else { return };
        if pending.request.method() == Some(Method::Invite) {
            call.accepted = Some(Accepted {
                tx: pending.tx,
                cseq: pending.request.cseq().map_or(0, |c| c.number),
                offered: pending.request.body_of(SDP).is_none(),
            });
        }
        call.local_sdp = sdp;
        self.respond(now, pending.tx, 200, bytes);
    }

    /// Refuses whatever the peer has asked and not been told.
    pub(super) fn refuse_open(&mut self, now: Time, handle: CallHandle, status: u16) {
        self.refuse_theirs(now, handle);
        self.refuse_pending(now, handle, status);
    }

    pub(super) fn refuse_theirs(&mut self, now: Time, handle: CallHandle) {
        let Ok(call) = self.call_mut(handle) else { return };
        if let Some(theirs) = call.theirs.take() {
            self.refuse_one(now, handle, &theirs, 487);
        }
    }

    /// Refuses the INVITE that made the call.
    pub(super) fn refuse_pending(&mut self, now: Time, handle: CallHandle, status: u16) {
        let Ok(call) = self.call_mut(handle) else { return };
        if let Some(pending) = call.pending.take() {
            self.refuse_one(now, handle, &pending, status);
        }
    }

    pub(super) fn refuse_one(&mut self, now: Time, handle: CallHandle, pending: &Pending, status: u16) {
        let Ok(call) = self.call(handle) else { return };
        let response = self.dialog_response(call, &pending.request, pending.via.as_deref(), status, "");
        if let Ok(bytes) = response.build() {
            self.respond(now, pending.tx, status, bytes);
        }
    }

    pub(super) fn do_reject(
        &mut self,
        now: Time,
        handle: CallHandle,
        status: u16,
        reason: &str,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        if self.call(handle)?.state != State::Ringing || !(300..700).contains(&status) {
            return Err(CommandError::State);
        }
        let call = self.call(handle)?;
        let pending = call.pending.as_ref().ok_or(CommandError::State)?;
        let response = self.dialog_response(call, &pending.request, pending.via.as_deref(), status, reason);
        let bytes = with(response, headers).build()?;
        let tx = pending.tx;
        self.respond(now, tx, status, bytes);
        self.end(now, handle, End::Refused(status));
        Ok(())
    }

    pub(super) fn do_challenge(
        &mut self,
        now: Time,
        handle: CallHandle,
        realm: &str,
        stale: bool,
    ) -> Result<(), CommandError> {
        self.ringing(handle)?;
        let source = self.call(handle)?.dialog.flow.remote.ip();
        let name = HeaderName::WwwAuthenticate.as_str();
        let headers: Vec<Extra> = self
            .nonces
            .challenge(now, realm, source, stale)
            .into_iter()
            .map(|value| (name.to_owned(), value))
            .collect();
        self.do_reject(now, handle, 401, "", &headers)
    }

    /// The ACK of a 2xx.
    pub(super) fn receive_ack(&mut self, now: Time, handle: CallHandle, request: &Message) {
        let Ok(call) = self.call_mut(handle) else { return };
        let number = request.cseq().map(|c| c.number);
        let Some(accepted) = call.accepted.take_if(|a| Some(a.cseq) == number) else { return };
        if let Some(tx) = self.servers.get_mut(accepted.tx) {
            tx.acknowledged();
        }
        let Ok(call) = self.call_mut(handle) else { return };
        match call.state {
            State::Leaving => self.leave(now, handle),
            State::Answered | State::Confirmed => {
                call.state = State::Confirmed;
                let sdp = request.body_of(SDP).filter(|_| accepted.offered);
                self.event(Event::Confirmed { call: handle, sdp });
            }
            _ => {}
        }
    }
}
