//! Offers inside a call: re-INVITE and UPDATE, both ways.

use super::call::State;
use super::{CallHandle, CommandError, Endpoint};
use crate::Time;
use crate::arena::Id;
use crate::message::Message;
use crate::transaction::Purpose;
use bytes::Bytes;

impl Endpoint {
    pub(super) fn do_accept_offer(
        &mut self,
        now: Time,
        handle: CallHandle,
        sdp: Bytes,
    ) -> Result<(), CommandError> {
        let call = self.call(handle)?;
        let pending =
            call.pending.as_ref().filter(|_| call.state != State::Ringing).ok_or(CommandError::State)?;
        let response = self.dialog_response(call, &pending.request, pending.via.as_deref(), 200, "");
        let bytes = response.body("application/sdp", &sdp)?;
        self.accept_pending(now, handle, sdp, bytes);
        Ok(())
    }

    pub(super) fn do_refuse_offer(
        &mut self,
        now: Time,
        handle: CallHandle,
        status: u16,
        reason: &str,
    ) -> Result<(), CommandError> {
        let call = self.call(handle)?;
        let pending = call.pending.as_ref().filter(|_| call.state != State::Ringing);
        let pending = pending.filter(|_| (300..700).contains(&status)).ok_or(CommandError::State)?;
        let response = self.dialog_response(call, &pending.request, pending.via.as_deref(), status, reason);
        let (tx, bytes) = (pending.tx, response.build()?);
        self.call_mut(handle)?.pending = None;
        self.respond(now, tx, status, bytes);
        Ok(())
    }

    pub(super) fn offer_accepted(
        &mut self,
        now: Time,
        id: Id,
        handle: CallHandle,
        purpose: Purpose,
        response: &Message,
    ) {
        let _ = (now, id, handle, purpose, response);
    }

    pub(super) fn offer_refused(
        &mut self,
        now: Time,
        _id: Id,
        handle: CallHandle,
        _purpose: Purpose,
        response: Option<&Message>,
        status: u16,
    ) {
        self.judge_peer(now, handle, response.is_some(), status);
    }
}
