//! A call that LiveKit's API asked for, from its INVITE on: it rings, is answered or not, and whoever asked hears
//! which, once, with the status of the telephone network.

use super::desk::Desk;
use super::dialling::Answerer;
use super::{Call, State};
use bytes::Bytes;
use trunkline_psrpc::{
    InternalCreateSipParticipantRequest as Order, InternalCreateSipParticipantResponse as Placed, PsrpcError,
    code,
};
use trunkline_sip::message::Message;
use trunkline_sip::{End, Time};

/// What a dialled call has of its own.
pub(super) struct Dialled {
    pub order: Box<Order>,
    pub answer: Option<Answerer>,
}

impl Call {
    /// A provisional answer to the INVITE of a dialled call.
    pub(super) fn dialled_rings(&mut self, desk: &Desk, response: &Message) {
        if self.dialled.is_none() {
            return;
        }
        self.set_status(desk, "ringing");
        self.headers_came(desk, &super::inbound::headers_of(response));
    }

    fn headers_came(&mut self, desk: &Desk, headers: &[(String, String)]) {
        let Some(guest) = &self.guest else { return };
        let attributes = guest.terms.attributes_of(headers);
        self.add_attributes(desk, attributes);
    }

    /// Somebody answered.
    pub(super) fn dialled_answered(&mut self, desk: &mut Desk, response: &Message, sdp: Option<Bytes>) {
        let headers = super::inbound::headers_of(response);
        self.headers_came(desk, &headers);
        self.remote_headers = headers;
        if let Some(tag) = desk.endpoint.identity(self.sip).map(|identity| identity.remote_tag) {
            self.add_attributes(desk, vec![("sip.callTag".to_owned(), tag)]);
        }
        if let Err(why) = self.take_answer(desk, sdp) {
            self.tell_who_asked(Err(PsrpcError::new(code::FAILED_PRECONDITION, why.clone())));
            return self.hang_up(desk, 88, &why);
        }
        self.state = State::Up;
        desk.chronicle.update(&self.cdr);
        if let (Some(guest), Some(live)) = (&self.guest, &desk.live) {
            live.play(guest.who, None);
        }
        let longest = desk.config.limits.call_duration;
        let wanted = self.guest.as_ref().and_then(|guest| guest.terms.longest);
        self.ends_at = desk.now + wanted.unwrap_or(longest).min(longest);
        self.press_keys(desk);
        self.is_active(desk);
        let placed = self.guest.as_ref().map(|guest| Placed {
            participant_id: guest.sid.clone(),
            participant_identity: guest.identity.clone(),
            sip_call_id: self.id.to_string(),
        });
        self.tell_who_asked(Ok(placed.unwrap_or_default()));
    }

    /// `dtmf` of the request; `w` waits half a second.
    fn press_keys(&mut self, desk: &Desk) {
        let keys = self.dialled.as_ref().map(|dialled| dialled.order.dtmf.clone()).unwrap_or_default();
        if keys.is_empty() {
            return;
        }
        self.set_status(desk, "automation");
        let Some(leg) = self.leg() else { return };
        for key in keys.chars().take(64) {
            let length = Time::from_millis(if key == 'w' { 500 } else { 250 });
            self.tell_leg(
                desk,
                leg,
                trunkline_media::event::LegCommand::Dtmf { digit: key, length, how: None },
            );
        }
    }

    /// Nobody did; `answered`: somebody said so, else it was we who gave up.
    pub(super) fn dialled_failed(&mut self, desk: &mut Desk, status: u16, response: Option<&Message>) {
        self.cdr.status = status;
        let name = response.map(|r| r.reason().to_owned()).unwrap_or_default();
        let why = match response {
            Some(_) => format!("refused with {status} {name}"),
            None if status == 408 || status == 487 => "nobody answered in time".to_owned(),
            None => format!("no answer ({status})"),
        };
        self.tell_who_asked(Err(api_error(status, response.is_some(), &name)));
        self.over(desk, &why, &End::Refused(status));
    }

    /// The end of a call that was never answered.
    pub(super) fn tell_who_asked(&mut self, said: Result<Placed, PsrpcError>) {
        if let Some(answer) = self.dialled.as_mut().and_then(|dialled| dialled.answer.take()) {
            answer(said);
        }
    }

    /// A dialled call ended before anybody heard of it.
    pub(super) fn dialled_is_over(&mut self) {
        let over = PsrpcError::new(code::CANCELED, "the call ended before it was answered");
        self.tell_who_asked(Err(over));
    }
}

/// As livekit/sip answers its API (observed, status by status).
fn api_error(status: u16, said: bool, name: &str) -> PsrpcError {
    if !said {
        return match status {
            503 => PsrpcError::new(code::UNAVAILABLE, "the address could not be reached"),
            _ => PsrpcError::new(code::CANCELED, "sip request timed out"),
        };
    }
    let (kind, known) = match status {
        300..=399 | 404 => (code::NOT_FOUND, status == 404),
        400 | 488 => (code::INVALID_ARGUMENT, true),
        401 | 407 => {
            let why = "sip server required auth, but no username or password was provided or they are wrong";
            return PsrpcError::new(code::FAILED_PRECONDITION, why);
        }
        403 | 603 => (code::PERMISSION_DENIED, false),
        408 => (code::DEADLINE_EXCEEDED, false),
        480 | 486 => (code::RESOURCE_EXHAUSTED, true),
        600 => (code::RESOURCE_EXHAUSTED, false),
        500..=599 => (code::FAILED_PRECONDITION, false),
        _ => (code::UNKNOWN, false),
    };
    let before = if known { "INVITE failed" } else { "unexpected status from INVITE response" };
    PsrpcError::new(kind, format!("{before}: sip status: {status}: {name}")).with_sip(status, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_hears_of_a_busy_line_as_livekits_clients_expect_it() {
        let busy = api_error(486, true, "Busy Here");
        assert_eq!(
            (busy.code.as_str(), busy.message.as_str()),
            ("resource_exhausted", "INVITE failed: sip status: 486: Busy Here")
        );
        assert_eq!(busy.sip, Some((486, "Busy Here".to_owned())));
        let declined = api_error(603, true, "Decline");
        assert_eq!(declined.message, "unexpected status from INVITE response: sip status: 603: Decline");
        assert_eq!(api_error(408, false, "").message, "sip request timed out");
    }
}
