//! Offers of the peer inside a call: re-INVITE and UPDATE (RFC 3261 §14.2, RFC 3311 §5.2).

use super::arriving::{Refusal, check_content};
use super::call::{Call, Pending, State};
use super::session::on;
use super::wire::response_via;
use super::{CallHandle, CommandError, Endpoint, Event};
use crate::arena::Id;
use crate::message::{HeaderName, Message, Method};
use crate::{Flow, Time};
use bytes::Bytes;

const SDP: &str = "application/sdp";

/// Why an offer that arrives now cannot be looked at.
enum Busy {
    /// One of ours is open: 491, both step back.
    Ours,
    /// An earlier one of theirs is: 500 and a time.
    Theirs,
}

impl Call {
    /// Is any offer open, or owed an ACK?
    pub(super) fn is_negotiating(&self) -> bool {
        self.theirs.is_some() || self.offer.is_some() || self.accepted.is_some()
    }

    fn busy_for(&self, update: bool, offers: bool) -> Option<Busy> {
        // One that glare keeps waiting is not open, nor is a refresh that offers nothing.
        let ours = self.offer.as_ref().is_some_and(|o| o.tx.is_some() && !o.sdp.is_empty())
            || matches!(self.state, State::Unacknowledged)
            || (self.state == State::Calling && !self.early_agreed);
        let theirs = self.theirs.is_some()
            || self.accepted.is_some()
            || (self.state == State::Ringing && !(update && self.early_agreed));
        match (update && !offers, ours, theirs) {
            // An UPDATE without an offer disturbs nobody.
            (true, ..) => None,
            (_, true, _) => Some(Busy::Ours),
            (_, _, true) => Some(Busy::Theirs),
            _ => None,
        }
    }
}

impl Endpoint {
    pub(super) fn receive_offer(
        &mut self,
        now: Time,
        flow: Flow,
        request: Message,
        handle: CallHandle,
        tx: Id,
    ) {
        let update = request.method() == Some(Method::Update);
        let sdp = request.body_of(SDP);
        let checked = check_content(&request).and_then(|()| self.check_interval(&request));
        if let Err(refusal) = checked {
            return self.say(now, tx, flow, &request, &refusal);
        }
        let after = self.random.below(11).to_string();
        let Ok(call) = self.call_mut(handle) else { return };
        call.learn_allow(&request);
        let busy = call.busy_for(update, sdp.is_some());
        let leaving = matches!(call.state, State::Leaving | State::Cancelling);
        match busy {
            _ if leaving => self.say(now, tx, flow, &request, &Refusal::new(481)),
            Some(Busy::Ours) => self.say(now, tx, flow, &request, &Refusal::new(491)),
            Some(Busy::Theirs) => {
                let refusal = Refusal::with(500, HeaderName::RetryAfter, after);
                self.say(now, tx, flow, &request, &refusal);
            }
            None if update && sdp.is_none() => self.refreshed(now, flow, &request, handle, tx),
            None => {
                let via = response_via(&request, flow);
                call.theirs = Some(Box::new(Pending { tx, request: request.clone(), via, flow }));
                if !update {
                    self.say_with(now, tx, flow, &request, 100, |b| b);
                }
                self.event(Event::Offer { call: handle, sdp, flow });
            }
        }
    }

    /// An UPDATE that offers nothing: a session refresh, perhaps from a new address.
    fn refreshed(&mut self, now: Time, flow: Flow, request: &Message, handle: CallHandle, tx: Id) {
        let session = self.begin_session(now, handle, request);
        let Ok(call) = self.call_mut(handle) else { return };
        call.dialog.refresh_target(request);
        call.dialog.flow = flow;
        let via = response_via(request, flow);
        let Ok(call) = self.call(handle) else { return };
        let response = self.dialog_response(call, request, via.as_deref(), 200, "");
        if let Ok(bytes) = on(response, &session).build() {
            self.respond(now, tx, 200, bytes);
        }
    }

    pub(super) fn do_accept_offer(
        &mut self,
        now: Time,
        handle: CallHandle,
        sdp: Bytes,
    ) -> Result<(), CommandError> {
        let call = self.call_mut(handle)?;
        let theirs = call.theirs.take().ok_or(CommandError::State)?;
        call.dialog.refresh_target(&theirs.request);
        call.dialog.flow = theirs.flow;
        let session = self.begin_session(now, handle, &theirs.request);
        let call = self.call(handle)?;
        let response = self.dialog_response(call, &theirs.request, theirs.via.as_deref(), 200, "");
        let bytes = on(response, &session).body(SDP, &sdp)?;
        self.accept(now, handle, &theirs, sdp, bytes);
        Ok(())
    }

    pub(super) fn do_refuse_offer(
        &mut self,
        now: Time,
        handle: CallHandle,
        status: u16,
        reason: &str,
    ) -> Result<(), CommandError> {
        if !(300..700).contains(&status) {
            return Err(CommandError::State);
        }
        let call = self.call(handle)?;
        let theirs = call.theirs.as_ref().ok_or(CommandError::State)?;
        let response = self.dialog_response(call, &theirs.request, theirs.via.as_deref(), status, reason);
        let (tx, bytes) = (theirs.tx, response.build()?);
        self.call_mut(handle)?.theirs = None;
        self.respond(now, tx, status, bytes);
        Ok(())
    }
}
