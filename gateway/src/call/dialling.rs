//! A call that LiveKit's API asks for: first the participant is in the room (people see it dial), then the INVITE
//! goes out, then the API hears what became of it.
//!
//! Until the INVITE there is no call yet, only a [`Dialling`]; from then on it is a [`Call`] with a guest, like
//! one that came in. Whoever asked is owed an answer, once, whichever way it goes.

use super::desk::{Desk, LookUp};
use super::guest::Guest;
use super::media::Media;
use super::outbound::host_of;
use super::terms::{Include, Terms};
use super::{Call, Caller, Destination, State, chronicle};
use crate::prompts::PromptName;
use bytes::Bytes;
use std::sync::Arc;
use trunkline_livekit::{Event, Leave};
use trunkline_media::session::Direction;
use trunkline_psrpc::{
    InternalCreateSipParticipantRequest as Order, InternalCreateSipParticipantResponse as Placed, PsrpcError,
    code,
};
use trunkline_records::Cdr;
use trunkline_sip::auth::Credentials;
use trunkline_sip::message::{Message, text};
use trunkline_sip::{End, Extra, Flow, Invite, Time};

/// Whoever asked for a call hears what became of it.
pub type Answerer = Box<dyn FnOnce(Result<Placed, PsrpcError>) + Send>;

/// A room is joined within this, or not at all.
const JOIN: Time = Time::from_secs(15);
/// Longest wait for an answer where the request names none, as livekit/sip has it.
const RINGING: Time = Time::from_secs(180);
/// Headers that are ours to write.
const OURS: [&str; 16] = [
    "via",
    "from",
    "to",
    "call-id",
    "cseq",
    "contact",
    "max-forwards",
    "content-length",
    "content-type",
    "record-route",
    "allow",
    "supported",
    "require",
    "authorization",
    "proxy-authorization",
    "session-expires",
];

/// Before the INVITE.
pub(super) struct Dialling {
    pub serial: u64,
    id: Arc<str>,
    order: Box<Order>,
    answer: Option<Answerer>,
    guest: Box<Guest>,
    uri: String,
    pub until: Time,
}

/// What a dialled call has of its own.
pub(super) struct Dialled {
    order: Box<Order>,
    answer: Option<Answerer>,
}

/// The Request-URI, checked.
fn target(order: &Order) -> Result<String, PsrpcError> {
    let invalid = |why: String| PsrpcError::new(code::INVALID_ARGUMENT, why);
    let raw = order.sip_request_uri.as_ref().and_then(|dest| dest.uri.as_ref());
    if let Some(livekit_protocol::sip_request_dest::Uri::Raw(raw)) = raw {
        return Ok(raw.clone());
    }
    if order.address.is_empty() {
        return Err(invalid("the trunk has no address".to_owned()));
    }
    if order.call_to.is_empty() {
        return Err(invalid("sip_call_to: expected a number or user to call, found none".to_owned()));
    }
    let user = &order.call_to;
    if user.contains(|c: char| c.is_control() || c.is_whitespace() || "<>\"@".contains(c)) {
        return Err(invalid(format!(
            "sip_call_to: expected a number or user, found \"{}\"",
            text::Escaped(user)
        )));
    }
    let transport = match order.transport {
        1 => ";transport=udp",
        2 => ";transport=tcp",
        3 => ";transport=tls",
        _ => "",
    };
    let address = order.address.trim_start_matches("sip:");
    Ok(format!("sip:{user}@{address}{transport}"))
}

/// Begins. What cannot be is answered at once.
pub(super) fn begin(desk: &mut Desk, order: Box<Order>, answer: Answerer) -> Option<Dialling> {
    let uri = match target(&order).and_then(|uri| {
        host_of(&uri).map_err(|why| PsrpcError::new(code::INVALID_ARGUMENT, why))?;
        Ok(uri)
    }) {
        Ok(uri) => uri,
        Err(error) => {
            answer(Err(error));
            return None;
        }
    };
    let media = order.media.as_ref().and_then(|media| media.encryption);
    if super::terms::requires_encryption(media, order.media_encryption) {
        let why = "the trunk requires SRTP, which is not served in this version";
        answer(Err(PsrpcError::new(code::FAILED_PRECONDITION, why)));
        return None;
    }
    if desk.live.is_none() {
        answer(Err(PsrpcError::new(
            code::FAILED_PRECONDITION,
            "rooms are in process: there is no LiveKit server",
        )));
        return None;
    }
    let serial = desk.serial();
    let id: Arc<str> = match order.sip_call_id.as_str() {
        "" => desk.call_id(),
        id => id.into(),
    };
    let guest = Guest::dialling(desk, serial, &id, &order, terms(&order));
    if let Err(why) = guest.join(desk, serial, None, false) {
        answer(Err(PsrpcError::new(code::INTERNAL, why)));
        return None;
    }
    Some(Dialling {
        serial,
        id,
        order,
        answer: Some(answer),
        guest: Box::new(guest),
        uri,
        until: desk.now + JOIN,
    })
}

fn terms(order: &Order) -> Terms {
    let sorted = |map: &std::collections::HashMap<String, String>| {
        let mut pairs: Vec<_> = map.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        pairs.sort();
        pairs
    };
    let set = |text: &String| (!text.is_empty()).then(|| text.clone());
    Terms {
        metadata: order.participant_metadata.clone(),
        headers: Vec::new(),
        headers_to_attributes: sorted(&order.headers_to_attributes),
        attributes_to_headers: sorted(&order.attributes_to_headers),
        include: Include::of(order.include_headers),
        ringing: order.ringing_timeout.and_then(trunkline_psrpc::Span::time),
        longest: order.max_call_duration.and_then(trunkline_psrpc::Span::time),
        room_config: None,
        token: set(&order.token),
        url: set(&order.ws_url),
        ids: vec![order.sip_trunk_id.clone()],
    }
}

impl Dialling {
    /// The room says something; the error is the end of it.
    pub(super) fn on_live(&mut self, desk: &mut Desk, event: Event) -> Result<(), PsrpcError> {
        match event {
            Event::Joined { sid, .. } => {
                self.guest.sid = sid;
                if self.order.play_dialtone
                    && let Some(live) = &desk.live
                {
                    live.play(self.guest.who, Some(desk.prompts.get(PromptName::Ringback)));
                }
                if !self.order.wait_until_answered {
                    let placed = self.placed();
                    if let Some(answer) = self.answer.take() {
                        answer(Ok(placed));
                    }
                }
                self.look_up(desk)
            }
            Event::Failed { error, .. } => {
                Err(PsrpcError::new(code::UNAVAILABLE, format!("the room could not be joined: {error}")))
            }
            Event::Left { name, .. } => {
                Err(PsrpcError::new(code::CANCELED, format!("the room sent the caller away ({name})")))
            }
            other => {
                self.guest.note(other);
                Ok(())
            }
        }
    }

    fn placed(&self) -> Placed {
        Placed {
            participant_id: self.guest.sid.clone(),
            participant_identity: self.guest.identity.clone(),
            sip_call_id: self.id.to_string(),
        }
    }

    fn look_up(&self, desk: &Desk) -> Result<(), PsrpcError> {
        let busy = |why: String| PsrpcError::new(code::UNAVAILABLE, why);
        let (host, port) = host_of(&self.uri).map_err(busy)?;
        let wanted = LookUp { serial: self.serial, to: self.uri.clone(), host, port };
        desk.look_ups.try_send(wanted).map_err(|_| busy("too many host names are being looked up".to_owned()))
    }

    /// It comes to nothing.
    pub(super) fn fail(mut self, desk: &mut Desk, error: PsrpcError) {
        tracing::info!(call = %self.id, "a call was not placed: {error}");
        self.guest.leave(desk, self.serial, Leave::SipTrunkFailure);
        if let Some(answer) = self.answer.take() {
            answer(Err(error));
        }
    }

    /// The address is known: the INVITE goes out, and it is a call.
    pub(super) fn place(mut self, desk: &mut Desk, flow: Flow) -> Option<Box<Call>> {
        match self.invite(desk, flow) {
            Ok(call) => Some(call),
            Err(error) => {
                self.fail(desk, error);
                None
            }
        }
    }

    fn invite(&mut self, desk: &mut Desk, flow: Flow) -> Result<Box<Call>, PsrpcError> {
        let failed = |why: String| PsrpcError::new(code::UNAVAILABLE, why);
        let mut media = Media::reserve(desk, &flow).map_err(|no| failed(no.why))?;
        let offer = media.talks.offer(Direction::SendRecv);
        let order = &self.order;
        let ring_timeout = self.guest.terms.ringing.unwrap_or(RINGING);
        let invite = Invite {
            uri: self.uri.clone(),
            flow,
            from: from(order, &flow),
            to: to(order),
            contact_user: user(&order.number),
            route: routes(order),
            headers: headers(order)?,
            sdp: Some(offer.into()),
            credentials: credentials(order),
            ring_timeout,
        };
        let invalid = |error: trunkline_sip::CommandError| {
            PsrpcError::new(code::INVALID_ARGUMENT, format!("the INVITE cannot be written: {error}"))
        };
        let sip = desk.endpoint.invite(desk.now, invite).map_err(invalid)?;
        desk.totals.outbound += 1;
        let set = |text: &String| (!text.is_empty()).then(|| text.clone());
        let cdr = Cdr {
            id: self.id.to_string(),
            sip_call_id: desk.endpoint.identity(sip).map(|i| i.call_id).unwrap_or_default(),
            direction: "outbound".into(),
            from: order.number.clone(),
            to: order.call_to.clone(),
            source: chronicle::shown(flow.remote),
            trunk: set(&order.sip_trunk_id),
            destination: format!("room {}", order.room_name),
            started: desk.chronicle.wall(desk.now),
            ..Cdr::default()
        };
        let caller = Caller { from: order.call_to.clone(), ..Caller::default() };
        let mut call = Box::new(Call::new(desk, Arc::clone(&self.id), sip, cdr, caller));
        call.media = Some(media);
        call.destination = Destination::Partner;
        call.company = super::company::Company::Live;
        let guest = &self.guest;
        desk.hand_on(&guest.room, &guest.identity, guest.who, self.serial, call.serial);
        call.open(desk, Vec::new());
        let full_id = call.cdr.sip_call_id.clone();
        let order = std::mem::take(&mut *self.order);
        call.dialled = Some(Box::new(Dialled { order: Box::new(order), answer: self.answer.take() }));
        call.guest = Some(std::mem::replace(&mut self.guest, Box::new(Guest::nobody())));
        call.met = true;
        call.add_attributes(desk, vec![("sip.callIDFull".to_owned(), full_id)]);
        Ok(call)
    }
}

/// `"Name" <sip:number@host>`. No display name where the request says an empty one: carriers then look it up.
fn from(order: &Order, flow: &Flow) -> String {
    if let Some(named) = &order.sip_from_header
        && let Some(livekit_protocol::sip_named_dest::Uri::Raw(raw)) = &named.uri
    {
        let name = if named.display_name.is_empty() {
            String::new()
        } else {
            text::quoted(&named.display_name) + " "
        };
        return format!("{name}<{raw}>");
    }
    let name = match &order.display_name {
        None => text::quoted(&order.number) + " ",
        Some(name) if name.is_empty() => String::new(),
        Some(name) => text::quoted(name) + " ",
    };
    let host = match order.hostname.as_str() {
        "" => flow.local.to_string(),
        host => host.to_owned(),
    };
    format!("{name}<sip:{}@{host}>", user(&order.number))
}

fn to(order: &Order) -> String {
    match &order.sip_to_header {
        Some(named) => match &named.uri {
            Some(livekit_protocol::sip_named_dest::Uri::Raw(raw)) => format!("<{raw}>"),
            _ => String::new(),
        },
        None if !order.to_user_override.is_empty() => {
            format!("<sip:{}@{}>", user(&order.to_user_override), order.address)
        }
        None => String::new(),
    }
}

fn user(number: &str) -> String {
    let user: String =
        number.chars().filter(|c| c.is_ascii_alphanumeric() || "+-_.*#".contains(*c)).collect();
    if user.is_empty() { "anonymous".to_owned() } else { user }
}

fn routes(order: &Order) -> Vec<String> {
    order
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("route"))
        .map(|(_, v)| v.clone())
        .collect()
}

fn headers(order: &Order) -> Result<Vec<Extra>, PsrpcError> {
    let mut found: Vec<Extra> = Vec::new();
    for (name, value) in &order.headers {
        let lower = name.to_ascii_lowercase();
        if OURS.contains(&lower.as_str()) {
            let why = format!("headers: {} is written by the gateway", text::Escaped(name));
            return Err(PsrpcError::new(code::INVALID_ARGUMENT, why));
        }
        if lower != "route" {
            found.push((name.clone(), value.clone()));
        }
    }
    found.sort();
    Ok(found)
}

fn credentials(order: &Order) -> Option<Credentials> {
    let is_set = !order.username.is_empty() && !order.password.is_empty();
    is_set.then(|| Credentials {
        username: order.username.clone(),
        password: order.password.clone(),
        realm: None,
    })
}

impl Call {
    /// A provisional answer to the INVITE of a dialled call.
    pub(super) fn dialled_rings(&mut self, desk: &Desk, response: &Message) {
        if self.dialled.is_none() {
            return;
        }
        self.set_status(desk, "ringing");
        self.headers_came(desk, response);
    }

    fn headers_came(&mut self, desk: &Desk, response: &Message) {
        let Some(guest) = &self.guest else { return };
        let attributes = guest.terms.attributes_of(response);
        self.add_attributes(desk, attributes);
    }

    /// Somebody answered.
    pub(super) fn dialled_answered(&mut self, desk: &mut Desk, response: &Message, sdp: Option<Bytes>) {
        self.remote_headers = super::inbound::headers_of(response);
        self.headers_came(desk, response);
        if let Some(tag) = desk.endpoint.identity(self.sip).map(|identity| identity.remote_tag) {
            self.add_attributes(desk, vec![("sip.callTag".to_owned(), tag)]);
        }
        self.state = State::Answered;
        self.cdr.status = 200;
        self.cdr.answered = Some(desk.chronicle.wall(desk.now));
        desk.totals.answered += 1;
        self.entered(desk, "answered", "");
        let session = sdp.ok_or_else(|| "the 200 has no answer".to_owned()).and_then(|sdp| {
            let media = self.media.as_mut().ok_or_else(|| "the call has no media".to_owned())?;
            media.talks.accept(&sdp).map_err(|error| error.to_string())
        });
        if let Err(why) = session.and_then(|session| self.run(desk, session).map_err(|no| no.why)) {
            let why = format!("the answer cannot be used: {why}");
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

    #[test]
    fn a_number_that_would_break_the_request_line_is_refused_by_name() {
        let order = |to: &str| Order { address: "127.0.0.1".into(), call_to: to.into(), ..Order::default() };
        assert_eq!(target(&order("+15550100")).unwrap(), "sip:+15550100@127.0.0.1");
        assert!(target(&order("a b")).unwrap_err().message.contains("sip_call_to"));
        assert!(target(&order("")).unwrap_err().message.contains("sip_call_to"));
    }
}
