//! The end of a call, from our side (RFC 3261 §15).

use super::call::State;
use super::{CallHandle, CommandError, End, Endpoint, Extra};
use crate::Time;
use crate::message::HeaderName;
use crate::transaction::Purpose;

impl Endpoint {
    pub(super) fn do_hang_up(
        &mut self,
        now: Time,
        handle: CallHandle,
        reason: &str,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        let broken = |text: &str| text.contains(['\r', '\n', '\0']);
        if broken(reason) || headers.iter().any(|(name, value)| broken(name) || broken(value)) {
            return Err(CommandError::Value);
        }
        if let Ok(call) = self.call_mut(handle) {
            call.goodbye = headers.to_vec();
        }
        match self.call(handle)?.state {
            State::Ringing => {
                let extra: &[Extra] = &[("Reason".to_owned(), reason.to_owned())];
                let headers = if reason.is_empty() { &[] } else { extra };
                return self.do_reject(now, handle, 480, "", headers);
            }
            State::Calling => self.give_up(now, handle, 487),
            State::Unacknowledged => {
                // The ACK is owed whatever becomes of the offer.
                self.do_acknowledge(now, handle, bytes::Bytes::new())?;
                self.begin_leaving(now, handle, reason);
            }
            State::Answered | State::Confirmed => self.begin_leaving(now, handle, reason),
            State::Cancelling | State::Leaving => {}
        }
        Ok(())
    }

    fn begin_leaving(&mut self, now: Time, handle: CallHandle, reason: &str) {
        self.refuse_open(now, handle, 487);
        let Ok(call) = self.call_mut(handle) else { return };
        call.state = State::Leaving;
        call.reason = reason.into();
        // A BYE must not overtake the ACK of our 2xx (§15): the peer would not know the dialog yet.
        if call.accepted.is_none() {
            self.leave(now, handle);
        }
    }

    /// Sends the BYE.
    pub(super) fn leave(&mut self, now: Time, handle: CallHandle) {
        let Ok(call) = self.call_mut(handle) else { return };
        let reason = std::mem::take(&mut call.reason);
        let goodbye = std::mem::take(&mut call.goodbye);
        let sent = self.request(
            now,
            handle,
            Purpose::Bye,
            |b| {
                let b = if reason.is_empty() { b } else { b.header(HeaderName::Reason, &reason) };
                super::call::with(b, &goodbye)
            },
            ("", &[]),
        );
        match (sent, self.call_mut(handle)) {
            (Ok(id), Ok(call)) => call.bye = Some(id),
            _ => self.end(now, handle, End::LocalBye),
        }
    }

    /// Ends a call whose peer is gone or silent: a BYE is sent for whoever still listens.
    pub(super) fn abandon(&mut self, now: Time, handle: CallHandle, end: End) {
        self.refuse_open(now, handle, 487);
        if self.call(handle).is_ok_and(|c| c.bye.is_none()) {
            self.leave(now, handle);
        }
        self.end(now, handle, end);
    }
}
