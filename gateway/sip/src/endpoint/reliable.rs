//! Reliable provisional responses (RFC 3262), the called side: each is repeated until its PRACK comes,
//! and the next one waits for that.

use super::arriving::Refusal;
use super::call::{State, with};
use super::{CallHandle, CommandError, End, Endpoint, Event, Extra};
use crate::arena::Id;
use crate::message::{HeaderName, Message, Method};
use crate::timers::earlier;
use crate::{Flow, Time};
use bytes::Bytes;
use std::collections::VecDeque;

const SDP: &str = "application/sdp";
/// Provisional responses that wait for an earlier one's PRACK.
const MOST_WAITING: usize = 4;

/// A provisional response as it was asked for.
#[derive(Debug)]
pub(super) struct Provisional {
    pub status: u16,
    pub sdp: Option<Bytes>,
    pub headers: Vec<Extra>,
}

/// One that is on its way.
#[derive(Debug)]
struct Waiting {
    rseq: u32,
    bytes: Bytes,
    interval: Time,
    repeat_at: Option<Time>,
    ends_at: Option<Time>,
    with_sdp: bool,
}

/// The reliable provisional responses of a call.
#[derive(Debug, Default)]
pub(super) struct Reliable {
    rseq: u32,
    waiting: Option<Waiting>,
    queue: VecDeque<Provisional>,
    /// The 2xx, which must wait when a description is not acknowledged (RFC 3262 §3).
    pub answer: Option<(Bytes, Vec<Extra>)>,
    /// A description went out reliably and was acknowledged.
    pub described: bool,
}

impl Reliable {
    pub fn deadline(&self) -> Option<Time> {
        self.waiting.as_ref().and_then(|w| earlier(w.repeat_at, w.ends_at))
    }

    /// Must the 2xx wait?
    pub fn holds_description(&self) -> bool {
        self.waiting.as_ref().is_some_and(|w| w.with_sdp && w.ends_at.is_some())
    }

    /// After a final response nothing is repeated, though the PRACK may come still (RFC 3262 §3).
    pub fn stop(&mut self) {
        self.queue.clear();
        if let Some(waiting) = self.waiting.as_mut() {
            (waiting.repeat_at, waiting.ends_at) = (None, None);
        }
    }
}

impl Endpoint {
    pub(super) fn do_ring(
        &mut self,
        now: Time,
        handle: CallHandle,
        provisional: Provisional,
        reliable: bool,
    ) -> Result<(), CommandError> {
        self.ringing(handle)?;
        if !(101..200).contains(&provisional.status) {
            return Err(CommandError::State);
        }
        let call = self.call_mut(handle)?;
        let pending = call.pending.as_ref().ok_or(CommandError::State)?;
        let required = pending.request.lists(HeaderName::Require, "100rel");
        let possible = required || pending.request.lists(HeaderName::Supported, "100rel");
        if !(required || reliable && possible) {
            return self.send_provisional(now, handle, &provisional, None);
        }
        let state = call.reliable.get_or_insert_default();
        if state.waiting.as_ref().is_some_and(|w| w.ends_at.is_some()) {
            if state.queue.len() >= MOST_WAITING {
                return Err(CommandError::State);
            }
            state.queue.push_back(provisional);
            return Ok(());
        }
        self.send_reliable(now, handle, &provisional)
    }

    fn send_reliable(
        &mut self,
        now: Time,
        handle: CallHandle,
        provisional: &Provisional,
    ) -> Result<(), CommandError> {
        // The first number is anything below 2^31 (RFC 3262 §3); small ones leave room to count.
        let first = u32::try_from(self.random.below(1 << 16)).unwrap_or(0) + 1;
        let state = self.call_mut(handle)?.reliable.get_or_insert_default();
        state.rseq = if state.rseq == 0 { first } else { state.rseq + 1 };
        let rseq = state.rseq;
        self.send_provisional(now, handle, provisional, Some(rseq))
    }

    fn send_provisional(
        &mut self,
        now: Time,
        handle: CallHandle,
        provisional: &Provisional,
        rseq: Option<u32>,
    ) -> Result<(), CommandError> {
        let times = self.times;
        let call = self.call(handle)?;
        let pending = call.pending.as_ref().ok_or(CommandError::State)?;
        let (via, status) = (pending.via.as_deref(), provisional.status);
        let mut response = self.dialog_response(call, &pending.request, via, status, "");
        if let Some(rseq) = rseq {
            response = response.header(HeaderName::Require, "100rel").header(HeaderName::RSeq, rseq);
        }
        let sdp = provisional.sdp.as_deref().unwrap_or(&[]);
        let bytes = with(response, &provisional.headers).body(SDP, sdp)?;
        let tx = pending.tx;
        let call = self.call_mut(handle)?;
        if let Some(sdp) = &provisional.sdp {
            call.local_sdp = sdp.clone();
        }
        if let (Some(rseq), Some(state)) = (rseq, call.reliable.as_mut()) {
            state.waiting = Some(Waiting {
                rseq,
                bytes: bytes.clone(),
                interval: times.t1,
                repeat_at: Some(now + times.t1),
                ends_at: Some(now + times.timeout()),
                with_sdp: provisional.sdp.is_some(),
            });
        }
        self.respond(now, tx, status, bytes);
        if let Some(tx) = self.servers.get_mut(tx).filter(|_| rseq.is_none()) {
            tx.keep_ringing(now);
        }
        self.arm_server(tx);
        self.arm_call(handle);
        Ok(())
    }

    pub(super) fn reliable_due(&mut self, now: Time, handle: CallHandle) {
        let Ok(call) = self.call_mut(handle) else { return };
        let tx = call.pending.as_ref().map(|p| p.tx);
        let Some(waiting) = call.reliable.as_mut().and_then(|r| r.waiting.as_mut()) else { return };
        if waiting.ends_at.is_some_and(|t| t <= now) {
            self.refuse_pending(now, handle, 504);
            return self.end(now, handle, End::NoPrack);
        }
        if waiting.repeat_at.is_some_and(|t| t <= now) {
            waiting.interval *= 2;
            waiting.repeat_at = Some(now + waiting.interval);
            let bytes = waiting.bytes.clone();
            if let Some(flow) = tx.and_then(|id| self.servers.get(id)).map(|tx| tx.flow) {
                self.send(now, Some(handle), flow, bytes);
            }
        }
    }

    pub(super) fn receive_prack(
        &mut self,
        now: Time,
        flow: Flow,
        request: &Message,
        handle: CallHandle,
        tx: Id,
    ) {
        let Ok(call) = self.call_mut(handle) else { return };
        let invite = call.invite_cseq;
        let sdp = request.body_of(SDP);
        let offered = call.offered_in_invite;
        let acknowledged = request.rack().and_then(|rack| {
            let state = call.reliable.as_mut()?;
            let same = rack.cseq == invite && rack.method == Method::Invite;
            state.waiting.take_if(|w| same && w.rseq == rack.rseq)
        });
        let Some(waiting) = acknowledged else {
            return self.say(now, tx, flow, request, &Refusal::new(481));
        };
        let agreed = waiting.with_sdp && (offered || sdp.is_some());
        call.early_agreed |= agreed;
        if let Some(state) = call.reliable.as_mut() {
            state.described |= agreed;
        }
        // An offer in a PRACK would have to be answered here and now; nobody sends one, RFC 6337 §3.1.
        let status = if sdp.is_some() && offered { 488 } else { 200 };
        self.say(now, tx, flow, request, &Refusal::new(status));
        let sdp = sdp.filter(|_| !offered);
        self.event(Event::ProvisionalConfirmed { call: handle, sdp });
        self.after_prack(now, handle);
    }

    /// What waited for the PRACK: the 2xx, else the next provisional response.
    fn after_prack(&mut self, now: Time, handle: CallHandle) {
        let Ok(call) = self.call_mut(handle) else { return };
        if call.state != State::Ringing {
            return;
        }
        let Some(state) = call.reliable.as_mut() else { return };
        if let Some((sdp, headers)) = state.answer.take() {
            let _ = self.send_answer(now, handle, sdp, &headers);
        } else if let Some(next) = state.queue.pop_front() {
            let _ = self.send_reliable(now, handle, &next);
        }
    }
}
