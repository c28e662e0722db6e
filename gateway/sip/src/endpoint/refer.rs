//! Sending the peer elsewhere: REFER, and the NOTIFYs of the subscription that it implies (RFC 3515).

use super::arriving::Refusal;
use super::call::{State, with};
use super::{CallHandle, CommandError, Endpoint, Event, Extra};
use crate::arena::Id;
use crate::message::{HeaderName, Message};
use crate::transaction::Purpose;
use crate::{Flow, Time};

impl Endpoint {
    pub(super) fn do_refer(
        &mut self,
        now: Time,
        handle: CallHandle,
        to: &str,
        headers: &[Extra],
    ) -> Result<(), CommandError> {
        let call = self.call_mut(handle)?;
        if call.state != State::Confirmed {
            return Err(CommandError::State);
        }
        if to.is_empty() || to.contains(['\r', '\n', '\0']) {
            return Err(CommandError::Value);
        }
        call.referred = true;
        // Parameters and headers of a bare URI would be read as the header's own.
        let target = if to.contains('<') { to.to_owned() } else { format!("<{to}>") };
        let add =
            |builder: crate::message::Builder| with(builder.header(HeaderName::ReferTo, &target), headers);
        self.request(now, handle, Purpose::Refer, add, ("", &[])).map(|_| ())
    }

    pub(super) fn receive_notify(
        &mut self,
        now: Time,
        flow: Flow,
        request: &Message,
        handle: CallHandle,
        tx: Id,
    ) {
        let event = request.header(HeaderName::Event).unwrap_or_default();
        let is_refer = event.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("refer"));
        let asked = self.call(handle).is_ok_and(|call| call.referred);
        if !is_refer || !asked {
            // No subscription of ours (RFC 6665 §4.1.3), or an event that we know nothing of.
            let status = if is_refer || event.is_empty() { 481 } else { 489 };
            return self.say(now, tx, flow, request, &Refusal::new(status));
        }
        self.say_with(now, tx, flow, request, 200, |b| b);
        let state = request.header(HeaderName::SubscriptionState).unwrap_or_default();
        let last = state.trim_start().to_ascii_lowercase().starts_with("terminated");
        let (status, reason) = fragment(&request.body());
        self.event(Event::ReferProgress { call: handle, status, reason, last });
    }
}

/// `SIP/2.0 200 OK` of a `message/sipfrag` body (RFC 3420).
fn fragment(body: &[u8]) -> (u16, String) {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or_default();
    let Some(rest) = line.trim().strip_prefix("SIP/2.0 ") else { return (0, String::new()) };
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let status = status.parse().ok().filter(|status| (100..700).contains(status)).unwrap_or(0);
    (status, reason.chars().filter(|c| !c.is_control()).take(128).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_tells_its_status_and_garbage_tells_none() {
        assert_eq!(fragment(b"SIP/2.0 200 OK\r\n"), (200, "OK".to_owned()));
        assert_eq!(fragment(b"SIP/2.0 603 Decline"), (603, "Decline".to_owned()));
        assert_eq!(fragment(b"SIP/2.0 100"), (100, String::new()));
        for garbage in [&b""[..], b"SIP/2.0 99999 x", b"\xff\xfe", b"hello"] {
            assert_eq!(fragment(garbage).0, 0);
        }
    }
}
