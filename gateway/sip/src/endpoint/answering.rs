//! The called side: provisional and final answers to an INVITE.

use super::call::{Accepted, State, with};
use super::{CallHandle, CommandError, End, Endpoint, Event, Extra};
use crate::Time;
use crate::message::{HeaderName, Message};
use bytes::Bytes;

const SDP: &str = "application/sdp";

impl Endpoint {
    fn ringing(&self, handle: CallHandle) -> Result<(), CommandError> {
        if self.call(handle)?.state == State::Ringing { Ok(()) } else { Err(CommandError::State) }
    }

    pub(super) fn do_ring(
        &mut self,
        now: Time,
        handle: CallHandle,
        status: u16,
        sdp: Option<Bytes>,
        _reliable: bool,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        self.ringing(handle)?;
        if !(101..200).contains(&status) {
            return Err(CommandError::State);
        }
        let call = self.call(handle)?;
        let pending = call.pending.as_ref().ok_or(CommandError::State)?;
        let response = self.dialog_response(call, &pending.request, pending.via.as_deref(), status, "");
        let bytes = with(response, headers).body(SDP, sdp.as_deref().unwrap_or(&[]))?;
        let tx = pending.tx;
        self.respond(now, tx, status, bytes);
        Ok(())
    }

    pub(super) fn do_answer(
        &mut self,
        now: Time,
        handle: CallHandle,
        sdp: Bytes,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        self.ringing(handle)?;
        let call = self.call(handle)?;
        let pending = call.pending.as_ref().ok_or(CommandError::State)?;
        let response = self.dialog_response(call, &pending.request, pending.via.as_deref(), 200, "");
        let bytes = with(response, headers).body(SDP, &sdp)?;
        self.accept_pending(now, handle, sdp, bytes);
        if let Ok(call) = self.call_mut(handle) {
            call.state = State::Answered;
        }
        Ok(())
    }

    /// Sends the 2xx of the pending request; for an INVITE its ACK is awaited.
    pub(super) fn accept_pending(&mut self, now: Time, handle: CallHandle, sdp: Bytes, bytes: Bytes) {
        let Ok(call) = self.call_mut(handle) else { return };
        let Some(pending) = call.pending.take() else { return };
        if pending.request.method() == Some(crate::message::Method::Invite) {
            call.accepted = Some(Accepted {
                tx: pending.tx,
                cseq: pending.request.cseq().map_or(0, |c| c.number),
                offered: pending.request.body_of(SDP).is_none(),
            });
        }
        call.local_sdp = sdp;
        self.respond(now, pending.tx, 200, bytes);
    }

    /// Refuses the pending request, whatever it is.
    pub(super) fn refuse_pending(&mut self, now: Time, handle: CallHandle, status: u16) {
        let Ok(call) = self.call_mut(handle) else { return };
        let Some(pending) = call.pending.take() else { return };
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
        self.ringing(handle)?;
        if !(300..700).contains(&status) {
            return Err(CommandError::State);
        }
        let call = self.call(handle)?;
        let pending = call.pending.as_ref().ok_or(CommandError::State)?;
        let response = self.dialog_response(call, &pending.request, pending.via.as_deref(), status, reason);
        let bytes = with(response, headers).build()?;
        let tx = pending.tx;
        self.respond(now, tx, status, bytes);
        self.end(handle, End::Refused(status));
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
