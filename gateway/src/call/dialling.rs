//! A call that LiveKit's API asks for: first the participant is in the room (people see it dial), then the INVITE
//! goes out, then the API hears what became of it.
//!
//! Until the INVITE there is no call yet, only a [`Dialling`]; from then on it is a [`Call`] with a guest, like
//! one that came in. Whoever asked is owed an answer, once, whichever way it goes.

use super::desk::{Desk, LookUp};
use super::dialled::Dialled;
use super::guest::Guest;
use super::media::Media;
use super::outbound::host_of;
use super::{Call, Caller, Destination, chronicle, order};
use crate::control::{Figure, Stage};
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
use trunkline_sip::{CallHandle, Flow, Invite, Time};

/// Whoever asked for a call hears what became of it.
pub type Answerer = Box<dyn FnOnce(Result<Placed, PsrpcError>) + Send>;

/// A room is joined within this, or not at all.
const JOIN: Time = Time::from_secs(15);
/// Longest wait for an answer where the request names none, as livekit/sip has it.
const RINGING: Time = Time::from_secs(180);
/// Before the INVITE.
pub(super) struct Dialling {
    pub serial: u64,
    id: Arc<str>,
    order: Box<Order>,
    answer: Option<Answerer>,
    guest: Box<Guest>,
    uri: String,
    /// It asked for the room, then was let in.
    step: Time,
    pub until: Time,
}

/// Begins. What cannot be is answered at once.
pub(super) fn begin(desk: &mut Desk, order: Box<Order>, answer: Answerer) -> Option<Dialling> {
    let uri = match order::target(&order).and_then(|uri| {
        host_of(&uri).map_err(|why| PsrpcError::new(code::INVALID_ARGUMENT, why))?;
        Ok(uri)
    }) {
        Ok(uri) => uri,
        Err(error) => {
            answer(Err(error));
            return None;
        }
    };
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
    let guest = Guest::dialling(desk, serial, &id, &order);
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
        step: desk.now,
        until: desk.now + JOIN,
    })
}

impl Dialling {
    /// The room says something; the error is the end of it.
    pub(super) fn on_live(&mut self, desk: &mut Desk, event: Event) -> Result<(), PsrpcError> {
        match event {
            Event::Joined { sid, room_sid, .. } => {
                (self.guest.sid, self.guest.room_sid) = (sid, room_sid);
                let took = desk.now.saturating_sub(self.step);
                self.step = desk.now;
                desk.chronicle.measure(&self.id, true, Figure::Stage(Stage::LkConnect, took));
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
    pub(super) fn place(self, desk: &mut Desk, flow: Flow) -> Option<Box<Call>> {
        match self.invite(desk, flow) {
            Ok((sip, media)) => Some(self.into_call(desk, flow, sip, media)),
            Err(error) => {
                self.fail(desk, error);
                None
            }
        }
    }

    fn invite(&self, desk: &mut Desk, flow: Flow) -> Result<(CallHandle, Media), PsrpcError> {
        let failed = |why: String| PsrpcError::new(code::UNAVAILABLE, why);
        let said = self.order.media.as_ref().and_then(|media| media.encryption);
        let encryption = super::terms::encryption(said, self.order.media_encryption);
        let mut media = Media::reserve(desk, &flow, encryption).map_err(|no| failed(no.why))?;
        let offer: Bytes = media.talks.offer(Direction::SendRecv).into();
        let figure = Figure::Description { offer: true, theirs: false, sdp: offer.clone() };
        desk.chronicle.measure(&self.id, true, figure);
        let order = &self.order;
        let invite = Invite {
            uri: self.uri.clone(),
            flow,
            from: order::from(order, &flow),
            to: order::to(order),
            contact_user: order::user(&order.number),
            route: order::routes(order),
            headers: order::headers(order)?,
            sdp: Some(offer),
            credentials: order::credentials(order),
            ring_timeout: self.guest.terms.ringing.unwrap_or(RINGING),
        };
        let invalid = |error: trunkline_sip::CommandError| {
            PsrpcError::new(code::INVALID_ARGUMENT, format!("the INVITE cannot be written: {error}"))
        };
        let sip = desk.endpoint.invite(desk.now, invite).map_err(invalid)?;
        Ok((sip, media))
    }

    fn into_call(self, desk: &mut Desk, flow: Flow, sip: CallHandle, media: Media) -> Box<Call> {
        desk.totals.outbound += 1;
        let Self { serial, id, order, answer, guest, step, .. } = self;
        let cdr = Cdr {
            id: id.to_string(),
            sip_call_id: desk.endpoint.identity(sip).map(|i| i.call_id).unwrap_or_default(),
            direction: "outbound".into(),
            from: order.number.clone(),
            to: order.call_to.clone(),
            source: chronicle::shown(flow.remote),
            trunk: (!order.sip_trunk_id.is_empty()).then(|| order.sip_trunk_id.clone()),
            destination: format!("room {}", order.room_name),
            started: desk.chronicle.wall(desk.now),
            ..Cdr::default()
        };
        let caller = Caller { from: order.call_to.clone(), ..Caller::default() };
        let mut call = Box::new(Call::new(desk, id, sip, cdr, caller));
        call.begins(desk, Stage::Join);
        call.began(Stage::TrackPublish, step);
        call.media = Some(media);
        call.destination = Destination::Partner;
        call.company = super::company::Company::Live;
        desk.hand_on(&guest.room, &guest.identity, guest.who, serial, call.serial);
        call.open(desk, Vec::new());
        let full_id = call.cdr.sip_call_id.clone();
        call.dialled = Some(Box::new(Dialled { order, answer }));
        call.guest = Some(guest);
        call.met = true;
        call.add_attributes(desk, vec![("sip.callIDFull".to_owned(), full_id)]);
        call
    }
}
