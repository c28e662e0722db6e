//! A call as a participant of a LiveKit room: joins, is heard and hears, and leaves when the call does.
//!
//! `knock` joins, while the telephone still rings or once it is answered; what the room says comes to `on_live`.
//! The caller is answered when somebody is there to talk with (`rooms.answer`). The seat of the participant goes to
//! the leg as soon as both are there. When the room is over for us the call is, and the other way round.

use super::company::Company;
use super::desk::Desk;
use super::terms::Terms;
use super::{Call, State, words};
use crate::control::Stage;
use bytes::Bytes;
use livekit_protocol::SipCallStatus;
use std::collections::BTreeMap;
use trunkline_config::{Answer, RoomCodec as Wanted};
use trunkline_livekit::{Admission, Event, Join, Leave, RoomCodec};
use trunkline_media::company::Company as Seat;
use trunkline_media::event::LegCommand;
use trunkline_media::session::Codec;
use trunkline_psrpc::InternalCreateSipParticipantRequest as Order;
use trunkline_records::What;
use trunkline_room::ParticipantId;
use trunkline_sip::{Extra, Time};

/// A key of the room is played to the telephone for so long, as livekit/sip does.
const KEY: Time = Time::from_millis(250);
/// LiveKit's `DisconnectReason` for somebody who came under the same identity.
const DUPLICATE_IDENTITY: i32 = 2;

/// Who a caller is, and where.
pub(super) struct Who {
    pub room: String,
    pub identity: String,
    /// For people.
    pub name: String,
}

/// How a call is in its room.
pub(super) struct Guest {
    pub who: ParticipantId,
    pub room: String,
    pub identity: String,
    name: String,
    /// As they are now; kept for the headers of the BYE when the room is gone already.
    pub attributes: BTreeMap<String, String>,
    pub terms: Terms,
    /// Our description, until the call is answered with it.
    pub unanswered: Option<Bytes>,
    pub ring_until: Time,
    /// Media is connected; the seat can be had.
    ready: bool,
    asked: bool,
    seat: Option<Box<dyn Seat>>,
    /// The caller is answered and nobody could be heard yet: he hears ringing (`rooms.ringback`).
    pub alone: bool,
    /// `PA_…`
    pub sid: String,
    /// `RM_…`
    pub room_sid: String,
    /// LiveKit's `DisconnectReason`, once it left or was sent away; 0: not yet.
    pub left_for: i32,
}

impl Guest {
    /// One who is not in the room yet.
    fn new(desk: &mut Desk, who: Who, attributes: BTreeMap<String, String>, terms: Terms) -> Self {
        let Who { room, identity, name } = who;
        Self {
            who: ParticipantId(desk.serial()),
            room,
            identity,
            name,
            attributes,
            terms,
            unanswered: None,
            ring_until: Time::ZERO,
            ready: false,
            asked: false,
            seat: None,
            alone: false,
            sid: String::new(),
            room_sid: String::new(),
            left_for: 0,
        }
    }

    /// One whose telephone is about to be called.
    pub(super) fn dialling(desk: &mut Desk, serial: u64, id: &str, order: &Order) -> Self {
        let identity = match order.participant_identity.as_str() {
            "" => format!("sip_{}", order.call_to),
            given => given.to_owned(),
        };
        let room = order.room_name.clone();
        let identity = desk.unique(&room, identity, serial);
        let mut attributes: BTreeMap<String, String> =
            order.participant_attributes.clone().into_iter().collect();
        attributes.insert("sip.callID".into(), id.to_owned());
        attributes.insert("sip.callStatus".into(), "dialing".into());
        for (name, value) in [("sip.trunkID", &order.sip_trunk_id), ("sip.hostname", &order.address)] {
            if !value.is_empty() && !attributes.contains_key(name) {
                attributes.insert(name.to_owned(), value.clone());
            }
        }
        let who = Who { room, identity, name: order.participant_name.clone() };
        Self::new(desk, who, attributes, Terms::of_order(order))
    }

    /// What the room says before there is a call.
    pub(super) fn note(&mut self, event: Event) {
        match event {
            Event::Ready { .. } => self.ready = true,
            Event::Attributes { attributes, .. } => self.attributes = attributes.into_iter().collect(),
            _ => {}
        }
    }

    /// Asks the room to let it in; a sentence where that cannot even be asked.
    pub(super) fn join(
        &self,
        desk: &mut Desk,
        serial: u64,
        leg: Option<Codec>,
        listen: bool,
    ) -> Result<(), String> {
        let livekit = desk.config.livekit.as_ref().ok_or("there is no LiveKit server")?;
        let attributes: Vec<_> = self.attributes.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let admission = Admission {
            room: self.room.clone(),
            identity: self.identity.clone(),
            name: self.name.clone(),
            metadata: self.terms.metadata.clone(),
            attributes: attributes.clone(),
            room_config: self.terms.room_config.clone(),
        };
        let token = match &self.terms.token {
            Some(token) => token.clone(),
            None => admission.sign(&livekit.api_key, livekit.api_secret.reveal())?,
        };
        let join = Join {
            who: self.who,
            url: self.terms.url.clone().unwrap_or_else(|| livekit.url.clone()),
            token,
            attributes,
            track: self.identity.clone(),
            codec: codec(desk, &self.terms, leg),
            rate: leg.map_or(8_000, Codec::rate),
            listen,
        };
        desk.live.as_ref().ok_or("rooms are in process: there is no LiveKit server")?.join(join);
        desk.joined(&self.room, self.who, serial);
        Ok(())
    }

    /// Leaves for good.
    pub(super) fn leave(&self, desk: &mut Desk, serial: u64, why: Leave) {
        if let Some(live) = &desk.live {
            live.leave(self.who, why);
        }
        desk.left(&self.room, self.who, serial);
        desk.forget_identity(&self.room, &self.identity, serial);
    }
}

impl Call {
    /// Joins the room. `unanswered`: the telephone rings until somebody is there.
    pub(super) fn knock(
        &mut self,
        desk: &mut Desk,
        who: Who,
        attributes: Vec<(String, String)>,
        terms: Terms,
        unanswered: Option<Bytes>,
    ) {
        let Who { room, identity, name } = who;
        let identity = desk.unique(&room, identity, self.serial);
        let mut all: BTreeMap<String, String> = attributes.into_iter().collect();
        all.insert("sip.callID".into(), self.id.to_string());
        all.insert("sip.callIDFull".into(), self.cdr.sip_call_id.clone());
        if let Some(tag) = desk.endpoint.identity(self.sip).map(|identity| identity.remote_tag)
            && !tag.is_empty()
        {
            all.insert("sip.callTag".into(), tag);
        }
        let status = match (&unanswered, self.state) {
            (Some(_), _) => "ringing",
            (None, State::Trying) => "dialing",
            (None, _) => "active",
        };
        all.insert("sip.callStatus".into(), status.into());
        let longest = desk.config.limits.call_duration;
        self.ends_at = desk.now + terms.longest.unwrap_or(longest).min(longest);
        let ringing = terms.ringing.unwrap_or(desk.config.limits.ringing);
        let mut guest = Guest::new(desk, Who { room, identity, name }, all, terms);
        guest.alone = desk.config.rooms.ringback;
        guest.unanswered = unanswered;
        guest.ring_until = desk.now + ringing;
        if guest.unanswered.is_some() {
            self.waits_until = Some(desk.now + desk.config.ringing_interval.min(ringing));
        }
        self.guest = Some(Box::new(guest));
        self.enter(desk);
        if self.state == State::Up {
            self.ring_back(desk);
        }
    }

    /// Joins, or joins again under another identity.
    fn enter(&mut self, desk: &mut Desk) {
        let leg = self.media.as_ref().and_then(super::media::Media::session).map(|s| s.codec);
        let Some(guest) = &self.guest else { return };
        // Whoever is called hears the room once he answers.
        let listen = guest.unanswered.is_some() || self.state != State::Trying;
        match guest.join(desk, self.serial, leg, listen) {
            Ok(()) => {
                self.company = Company::Live;
                self.begins(desk, Stage::LkConnect);
                self.begins(desk, Stage::JoinRoom);
            }
            Err(why) => self.no_room(desk, &why),
        }
    }

    /// The room says something.
    pub(super) fn on_live(&mut self, desk: &mut Desk, event: Event) {
        let Some(guest) = &mut self.guest else { return };
        match event {
            Event::Joined { sid, room_sid, others, sip, .. } => {
                (guest.sid, guest.room_sid) = (sid, room_sid);
                let (identity, room) = (guest.identity.clone(), guest.room.clone());
                self.entered(desk, "joined", &format!("{identity} joined room {room}, where {others} were"));
                self.report(desk, SipCallStatus::ScsParticipantJoined);
                self.is_let_in(desk);
                if sip > 0 {
                    self.somebody_is_there(desk);
                } else if desk.config.rooms.answer == Answer::WhenJoined {
                    self.answer_who_rings(desk);
                }
            }
            Event::Ready { .. } => {
                guest.ready = true;
                self.passed(desk, Stage::TrackPublish);
                self.passed(desk, Stage::JoinRoom);
                self.sit(desk);
            }
            Event::Seat { seat, .. } => {
                guest.seat = Some(seat);
                self.sit(desk);
            }
            Event::Hears { identity, codec, .. } => {
                self.entered(desk, "hears", &format!("{identity}, {codec}"));
                self.passed(desk, Stage::TrackSubscribe);
                self.somebody_is_there(desk);
            }
            Event::Others { sip, .. } if sip > 0 => {
                self.somebody_is_there(desk);
            }
            Event::Key { digit, .. } => self.key_of_the_room(desk, digit),
            Event::Rpc { from, id, method, payload, .. } => self.method(desk, &from, &id, &method, &payload),
            Event::Muted { muted, .. } => {
                self.entered(desk, if muted { "muted" } else { "unmuted" }, "by the room");
            }
            Event::Attributes { attributes, .. } => guest.attributes = attributes.into_iter().collect(),
            Event::Interrupted { why, .. } => self.entered(desk, "room lost", &why),
            Event::Resumed { anew, .. } => {
                let how = if anew { "joined anew" } else { "the same participant goes on" };
                self.entered(desk, "room back", how);
            }
            Event::Left { reason, name, .. } => self.room_is_over(desk, reason, name),
            Event::Failed { error, .. } => self.no_room(desk, &error.to_string()),
            _ => {}
        }
    }

    /// Leg and seat are brought together as soon as both are there.
    pub(super) fn sit(&mut self, desk: &Desk) {
        let Some(leg) = self.leg() else { return };
        let Some(guest) = &mut self.guest else { return };
        if let Some(seat) = guest.seat.take() {
            self.tell_leg(desk, leg, LegCommand::Meet(seat));
        } else if guest.ready
            && !std::mem::replace(&mut guest.asked, true)
            && let Some(live) = &desk.live
        {
            live.take_seat(guest.who);
        }
    }

    /// For the metrics.
    fn is_let_in(&mut self, desk: &Desk) {
        self.passed(desk, Stage::LkConnect);
        self.passed(desk, Stage::Join);
        for stage in [Stage::TrackPublish, Stage::TrackSubscribe, Stage::WaitSubscribe] {
            self.begins(desk, stage);
        }
    }

    /// The call is up: everybody may know.
    pub(super) fn is_active(&mut self, desk: &Desk) {
        self.ring_back(desk);
        self.set_status(desk, "active");
        self.report(desk, SipCallStatus::ScsActive);
        if let (Some(guest), Some(live)) = (&self.guest, &desk.live) {
            live.listen(guest.who);
        }
    }

    /// `sip.callStatus` for those in the room.
    pub(super) fn set_status(&mut self, desk: &Desk, status: &str) {
        let Some(guest) = &mut self.guest else { return };
        let known = guest.attributes.insert("sip.callStatus".into(), status.to_owned());
        if known.as_deref() != Some(status)
            && let Some(live) = &desk.live
        {
            live.set_attributes(guest.who, vec![("sip.callStatus".to_owned(), status.to_owned())]);
        }
    }

    /// More attributes, of headers that came later.
    pub(super) fn add_attributes(&mut self, desk: &Desk, more: Vec<(String, String)>) {
        let Some(guest) = &mut self.guest else { return };
        if more.is_empty() {
            return;
        }
        guest.attributes.extend(more.iter().cloned());
        if let Some(live) = &desk.live {
            live.set_attributes(guest.who, more);
        }
    }

    /// Headers of our BYE, by the attributes as they were last.
    pub(super) fn last_headers(&self) -> Vec<Extra> {
        self.guest.as_ref().map(|guest| guest.terms.headers_of(&guest.attributes)).unwrap_or_default()
    }

    /// Leaves; everybody sees first that the call is over.
    pub(super) fn leave_room(&mut self, desk: &mut Desk) {
        // A call that never was up leaves without a word, as livekit/sip's do.
        if self.cdr.answered.is_some() {
            self.set_status(desk, "hangup");
        }
        let Some(guest) = &mut self.guest else { return };
        let why = match self.cdr.status {
            0..=299 => Leave::ClientInitiated,
            404 | 408 | 480 => Leave::UserUnavailable,
            500..=599 | 300..=399 => Leave::ClientInitiated,
            _ => Leave::UserRejected,
        };
        if guest.left_for == 0 {
            guest.left_for = why.reason();
        }
        guest.leave(desk, self.serial, why);
    }

    fn key_of_the_room(&mut self, desk: &Desk, digit: char) {
        let Some(leg) = self.leg() else { return };
        self.tell_leg(desk, leg, LegCommand::Dtmf { digit, length: KEY, how: None });
        let what = What::Dtmf { digit, received: false, how: "from the room".to_owned(), ms: 250 };
        desk.chronicle.note(desk.now, &self.id, what);
    }

    /// We are not in the room any more, though we did not leave.
    fn room_is_over(&mut self, desk: &mut Desk, reason: i32, name: &str) {
        // A token that the server signed is good for one name only.
        let ours = self.guest.as_ref().is_some_and(|guest| guest.terms.token.is_none());
        if let Some(guest) = &mut self.guest {
            guest.left_for = reason;
        }
        if reason == DUPLICATE_IDENTITY && desk.config.rooms.unique_identity && ours {
            return self.enter_beside(desk);
        }
        let why = format!("the room sent the caller away ({name})");
        let cause = match reason {
            // Removed, deleted, closed, left: somebody wanted it.
            1 | 4 | 5 | 10 => words::NORMAL,
            _ => words::OUT_OF_ORDER,
        };
        if self.state == State::Trying && self.cdr.direction == "inbound" {
            return self.refuse(desk, 486, &why, None);
        }
        self.hang_up(desk, cause, &why);
    }

    /// Somebody came under our identity, from another node: both go on.
    fn enter_beside(&mut self, desk: &mut Desk) {
        let suffix = desk.random_name();
        let Some(guest) = &mut self.guest else { return };
        desk.left(&guest.room, guest.who, self.serial);
        desk.forget_identity(&guest.room, &guest.identity, self.serial);
        guest.who = ParticipantId(desk.serial());
        let few: String = suffix.chars().take(6).collect();
        guest.identity = format!("{}_{few}", guest.identity);
        (guest.ready, guest.asked, guest.seat) = (false, false, None);
        let why = "another call with its number joined the room; it goes on under another identity";
        self.decided(desk, "joins again", why);
        self.enter(desk);
    }

    /// The room cannot be had.
    fn no_room(&mut self, desk: &mut Desk, why: &str) {
        self.fault(desk, why);
        tracing::warn!(call = %self.id, "a room could not be joined: {why}");
        if self.state == State::Trying && self.cdr.direction == "inbound" {
            return self.refuse(desk, 503, &format!("the room could not be joined: {why}"), Some(5));
        }
        self.hang_up(desk, words::OUT_OF_ORDER, "the room could not be joined");
    }
}

/// What goes into the room: the leg's own G.711 as it is, or Opus at the leg's rate.
fn codec(desk: &Desk, terms: &Terms, leg: Option<Codec>) -> RoomCodec {
    let rooms = &desk.config.rooms;
    let special = terms.ids.iter().find_map(|id| rooms.room_codecs.get(id));
    match special.unwrap_or(&rooms.room_codec) {
        Wanted::Opus => RoomCodec::Opus,
        Wanted::Pcmu => RoomCodec::Pcmu,
        Wanted::Pcma => RoomCodec::Pcma,
        Wanted::Auto => match leg {
            Some(Codec::Pcmu) => RoomCodec::Pcmu,
            Some(Codec::Pcma) => RoomCodec::Pcma,
            _ => RoomCodec::Opus,
        },
    }
}
