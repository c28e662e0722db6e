//! Offers of ours inside a call, and refreshes, which go the same way: re-INVITE and UPDATE.

use super::call::{OurOffer, State};
use super::session::on;
use super::{ALLOW, CallHandle, CommandError, Endpoint, Event, SUPPORTED};
use crate::Time;
use crate::arena::Id;
use crate::message::{HeaderName, Message};
use crate::transaction::Purpose;
use bytes::Bytes;

const SDP: &str = "application/sdp";
/// How long an offer waits that glare put off and the peer's offer keeps waiting.
const AFTER_THEIRS: Time = Time::from_millis(500);

impl Endpoint {
    pub(super) fn do_offer(&mut self, now: Time, handle: CallHandle, sdp: Bytes) -> Result<(), CommandError> {
        let call = self.call(handle)?;
        let purpose = match call.state {
            State::Confirmed => Purpose::Reinvite,
            State::Answered | State::Unacknowledged => return Err(CommandError::OfferOpen),
            State::Ringing | State::Calling if call.early_agreed && call.peer_updates => Purpose::Update,
            _ => return Err(CommandError::State),
        };
        if call.is_negotiating() {
            return Err(CommandError::OfferOpen);
        }
        self.send_offer(now, handle, purpose, sdp)
    }

    pub(super) fn send_offer(
        &mut self,
        now: Time,
        handle: CallHandle,
        purpose: Purpose,
        sdp: Bytes,
    ) -> Result<(), CommandError> {
        let session = self.call(handle)?.session_headers(self.config.min_se);
        let add = |b: crate::message::Builder| {
            on(b.header(HeaderName::Allow, ALLOW).header(HeaderName::Supported, SUPPORTED), &session)
        };
        let tx = self.request(now, handle, purpose, add, (SDP, &sdp))?;
        self.call_mut(handle)?.offer = Some(OurOffer { tx: Some(tx), purpose, sdp, again_at: None });
        Ok(())
    }

    /// A 2xx to a re-INVITE or an UPDATE of ours.
    pub(super) fn offer_accepted(
        &mut self,
        now: Time,
        id: Id,
        handle: CallHandle,
        purpose: Purpose,
        response: &Message,
    ) {
        if let Ok(call) = self.call_mut(handle) {
            call.dialog.refresh_target(response);
        }
        if purpose.is_invite() {
            self.acknowledge_success(now, handle, id, &[]);
        }
        let Ok(call) = self.call_mut(handle) else { return };
        call.learn_allow(response);
        let Some(offer) = call.offer.take_if(|o| o.tx == Some(id)) else { return };
        call.session_from_response(now, response);
        let told = matches!(purpose, Purpose::Reinvite | Purpose::Update) && call.state != State::Leaving;
        if told {
            call.local_sdp = offer.sdp;
            self.event(Event::OfferAccepted { call: handle, sdp: response.body_of(SDP) });
        }
        self.arm_call(handle);
    }

    pub(super) fn offer_refused(
        &mut self,
        now: Time,
        id: Id,
        handle: CallHandle,
        purpose: Purpose,
        heard: bool,
        status: u16,
    ) {
        let wait = self.glare_wait(handle);
        let Ok(call) = self.call_mut(handle) else { return };
        let Some(offer) = call.offer.as_mut().filter(|o| o.tx == Some(id)) else { return };
        if status == 491 {
            offer.tx = None;
            offer.again_at = Some(now + wait);
            return self.arm_call(handle);
        }
        call.offer = None;
        let alive = call.state != State::Leaving;
        let refresh = matches!(purpose, Purpose::RefreshUpdate | Purpose::RefreshInvite);
        if purpose == Purpose::RefreshUpdate && matches!(status, 405 | 501) && alive {
            // Its Allow was not true.
            call.peer_updates = false;
            return self.refresh(now, handle);
        }
        if alive && !refresh {
            self.event(Event::OfferRefused { call: handle, status });
        }
        self.judge_peer(now, handle, heard, status);
    }

    /// How long to stay back after glare, so that the two sides do not meet again (RFC 3261 §14.1).
    fn glare_wait(&mut self, handle: CallHandle) -> Time {
        let owner = self.call(handle).is_ok_and(|c| c.outgoing.is_some());
        let steps = if owner { 210 + self.random.below(191) } else { self.random.below(201) };
        Time::from_millis(steps * 10)
    }

    /// The time after glare is over.
    pub(super) fn offer_again(&mut self, now: Time, handle: CallHandle) {
        let Ok(call) = self.call_mut(handle) else { return };
        let free = call.theirs.is_none() && call.accepted.is_none();
        let Some(offer) = call.offer.as_mut() else { return };
        if offer.again_at.take_if(|t| *t <= now).is_none() {
            return;
        }
        if !free {
            offer.again_at = Some(now + AFTER_THEIRS);
            return;
        }
        let (purpose, sdp) = (offer.purpose, offer.sdp.clone());
        call.offer = None;
        if call.state != State::Leaving {
            let _ = self.send_offer(now, handle, purpose, sdp);
        }
    }
}
