//! An inbound call, from its INVITE to its 200.

use super::admission::{self, Admission, Taken};
use super::company::Company;
use super::desk::Desk;
use super::life::LONGEST_GOODBYE;
use super::media::{Media, NoMedia};
use super::{Call, Caller, Destination, State, chronicle, words};
use crate::control::{Figure, Stage};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;
use tracing::{info, warn};
use trunkline_config::Answer;
use trunkline_media::sdp::Encryption;
use trunkline_media::session::Direction;
use trunkline_records::{Cdr, What};
use trunkline_sip::message::Escaped;
use trunkline_sip::{CallHandle, End, Extra, Flow, Message, Time};

/// What passed on the wire before the call was known to us: its INVITE, the 100.
pub(super) type Early = Vec<(Time, What)>;

/// An INVITE came. `None`: it was answered, and nothing is left to remember of it.
pub(super) fn arrive(
    desk: &mut Desk,
    sip: CallHandle,
    invite: &Message,
    flow: &Flow,
    early: Early,
) -> Option<Box<Call>> {
    desk.totals.inbound += 1;
    let mut caller = admission::caller(invite, flow);
    if desk.questions.is_some() {
        return super::asking::begin(desk, sip, invite, flow, caller, early);
    }
    match admission::admit(desk, invite, flow, &mut caller) {
        Admission::Taken(taken) => Some(take(desk, sip, invite, flow, caller, taken, early)),
        Admission::Challenge { realm, stale } => {
            let now = desk.now;
            let _ = desk.endpoint.challenge(now, sip, &realm, stale);
            None
        }
        Admission::Busy { status, why, retry_after } => {
            busy(desk, sip, status, &why, retry_after, &caller);
            None
        }
        Admission::Refused { status, why, .. } if !desk.refusals.may(desk.now) => {
            desk.totals.refused += 1;
            let now = desk.now;
            let _ = desk.endpoint.reject(now, sip, status, "", &[]);
            tracing::debug!(status, "a call was refused: {why}");
            None
        }
        Admission::Refused { status, why, trunk } => {
            let mut call = Call::inbound(desk, sip, invite, flow, caller);
            call.cdr.trunk = trunk;
            call.open(desk, early);
            call.refuse(desk, status, &why, None);
            Some(call)
        }
    }
}

/// No room for it now. No CDR: a flood must not fill the disk.
pub(super) fn busy(
    desk: &mut Desk,
    sip: CallHandle,
    status: u16,
    why: &str,
    retry_after: u64,
    caller: &Caller,
) {
    desk.totals.refused += 1;
    if desk.busy.may(desk.now) {
        warn!(status, source = ?caller.source, "a call was refused: {why}");
    }
    let headers = [admission::retry_after(retry_after)];
    let _ = desk.endpoint.reject(desk.now, sip, status, "", &headers);
}

/// It comes in: ports, an answer, 180, 200.
fn take(
    desk: &mut Desk,
    sip: CallHandle,
    invite: &Message,
    flow: &Flow,
    caller: Caller,
    taken: Taken,
    early: Early,
) -> Box<Call> {
    let mut call = Call::inbound(desk, sip, invite, flow, caller);
    call.cdr.trunk = taken.trunk;
    call.cdr.rule = taken.rule;
    call.counted = Some(taken.counted);
    call.encryption = taken.encryption;
    call.destination = taken.destination;
    call.map_headers();
    call.cdr.destination = call.destination.of_cdr();
    call.open(desk, early);
    call.passed(desk, Stage::Check);
    call.decided(desk, "taken", &taken.why);
    match call.prepare(desk, admission::offer(invite), flow) {
        Ok(sdp) => call.let_in(desk, sdp),
        Err(no) => call.refuse(desk, no.status, &no.why, (no.status == 503).then_some(5)),
    }
    call
}

impl Call {
    /// Whoever goes into a LiveKit room rings until somebody is there (`rooms.answer`); others are answered.
    pub(super) fn let_in(&mut self, desk: &mut Desk, sdp: Bytes) {
        let waits = desk.live.is_some() && desk.config.rooms.answer != Answer::AtOnce;
        match self.destination.clone() {
            Destination::Room { room, identity, name, attributes, terms } if waits => {
                // Who waited for livekit-server rings already.
                let rung = match self.asking.is_some() {
                    true => Ok(()),
                    false => desk.endpoint.ring(desk.now, self.sip, 180, None, false, &[]),
                };
                if rung.is_ok() {
                    self.met = true;
                    self.knock(
                        desk,
                        super::guest::Who { room, identity, name },
                        attributes,
                        *terms,
                        Some(sdp),
                    );
                }
            }
            _ => self.answer(desk, sdp, &[]),
        }
    }

    pub(super) fn inbound(
        desk: &mut Desk,
        sip: CallHandle,
        invite: &Message,
        flow: &Flow,
        caller: Caller,
    ) -> Box<Self> {
        let id = desk.call_id();
        let cdr = Cdr {
            id: id.to_string(),
            sip_call_id: invite.call_id().unwrap_or_default().to_owned(),
            direction: "inbound".into(),
            from: caller.from.clone(),
            to: caller.to.clone(),
            source: chronicle::shown(flow.remote),
            started: desk.chronicle.wall(desk.now),
            ..Cdr::default()
        };
        let mut call = Box::new(Self::new(desk, id, sip, cdr, caller));
        for stage in [Stage::Check, Stage::CallAccept, Stage::Join] {
            call.begins(desk, stage);
        }
        if desk.live.is_some() {
            call.remote_headers = headers_of(invite);
        }
        call
    }

    /// A call of either direction, at its first moment.
    pub(super) fn new(desk: &mut Desk, id: Arc<str>, sip: CallHandle, cdr: Cdr, caller: Caller) -> Self {
        let serial = desk.serial();
        desk.of_handle.insert(sip, serial);
        Self {
            serial,
            id,
            sip,
            state: State::Trying,
            cdr,
            counted: None,
            media: None,
            encryption: Encryption::Disable,
            awaits_report: false,
            destination: Destination::PinDesk,
            company: Company::Nobody,
            prompts: 0,
            met: false,
            keys: super::keys::Keys::default(),
            ends_at: desk.now + desk.config.limits.call_duration,
            waits_until: None,
            caller,
            partner: None,
            farewell: None,
            asking: None,
            early: None,
            guest: None,
            dialled: None,
            handover: None,
            remote_headers: Vec::new(),
            goodbye_headers: Vec::new(),
            stages: super::stages::Stages::default(),
        }
    }

    /// What the headers of its INVITE say goes to the attributes that it has in a LiveKit room.
    pub(super) fn map_headers(&mut self) {
        if let Destination::Room { attributes, terms, .. } = &mut self.destination {
            attributes.extend(terms.attributes_of(&self.remote_headers));
        }
    }

    /// From here on it is in the records.
    pub(super) fn open(&mut self, desk: &Desk, early: Early) {
        desk.chronicle.begin(&self.cdr);
        for (at, what) in early {
            desk.chronicle.note(at, &self.id, what);
        }
    }

    /// Ports are bound and our description is written.
    pub(super) fn prepare(
        &mut self,
        desk: &mut Desk,
        offer: Option<Bytes>,
        flow: &Flow,
    ) -> Result<Bytes, NoMedia> {
        if let (Destination::Agent { .. }, Some(fault)) = (&self.destination, desk.agents.engine_fault()) {
            return Err(NoMedia { status: 503, why: fault });
        }
        let sessions = desk.config.agent.sessions;
        if matches!(self.destination, Destination::Agent { .. }) && desk.agents.count() >= sessions {
            return Err(NoMedia {
                status: 503,
                why: format!("agent.sessions is reached: {sessions} are up"),
            });
        }
        let began = Instant::now();
        // Whoever leaves the offer to us may not know SRTP: what is only allowed is not offered to him, since an
        // offer of it is one of nothing else.
        let encryption = match (&offer, self.encryption) {
            (None, Encryption::Allow) => Encryption::Disable,
            (_, wanted) => wanted,
        };
        self.media = Some(Media::reserve(desk, flow, encryption)?);
        self.measured(desk, Figure::Stage(Stage::StartMedia, began.elapsed()));
        let Some(media) = &mut self.media else {
            return Err(NoMedia { status: 500, why: "the call has no media".into() });
        };
        match offer {
            Some(offer) => {
                let (answer, session) = media.talks.answer(&offer)?;
                let answer = answer.into();
                self.describes(desk, true, true, &offer);
                self.describes(desk, false, false, &answer);
                self.run(desk, session)?;
                Ok(answer)
            }
            // A delayed offer: ours goes with the 200, the answer comes with the ACK.
            None => {
                let offer = media.talks.offer(Direction::SendRecv).into();
                self.describes(desk, true, false, &offer);
                Ok(offer)
            }
        }
    }

    pub(super) fn answer(&mut self, desk: &mut Desk, sdp: Bytes, headers: &[Extra]) {
        let now = desk.now;
        // Who waited for a room, or for livekit-server, rings already.
        let rung = match self.guest.is_some() || self.asking.is_some() {
            true => Ok(()),
            false => desk.endpoint.ring(now, self.sip, 180, None, false, &[]),
        };
        let answered = rung.and_then(|()| desk.endpoint.answer(now, self.sip, sdp, headers));
        match answered {
            Ok(()) => {
                self.is_answered(desk);
                desk.chronicle.update(&self.cdr);
                self.passed(desk, Stage::CallAccept);
                self.begins(desk, Stage::SipAccept);
                self.begins(desk, Stage::WaitMedia);
                if self.guest.is_none() {
                    self.passed(desk, Stage::Join);
                }
            }
            // A call that can be neither answered nor refused must not stay.
            Err(error) => {
                self.hang_up(desk, words::OUT_OF_ORDER, &format!("it could not be answered: {error}"))
            }
        }
    }

    /// A final answer that is no yes.
    pub(super) fn refuse(&mut self, desk: &mut Desk, status: u16, why: &str, retry_after: Option<u64>) {
        desk.totals.refused += 1;
        info!(call = %self.id, status, from = %Escaped(&self.cdr.from), to = %Escaped(&self.cdr.to),
            source = %self.cdr.source, "call refused: {why}");
        self.decided(desk, &format!("refused with {status}"), why);
        self.cdr.status = status;
        self.cdr.destination.clear();
        self.farewell = Some(why.to_owned());
        self.state = State::Ending;
        self.ends_at = desk.now + LONGEST_GOODBYE;
        self.shut_media(desk);
        let headers: Vec<_> = retry_after.map(admission::retry_after).into_iter().collect();
        if desk.endpoint.reject(desk.now, self.sip, status, "", &headers).is_err() {
            self.over(desk, why, &End::Refused(status));
        }
    }
}

/// Headers as those in a room may ask for them: names in small letters, the first value of each.
pub(super) fn headers_of(message: &Message) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, value) in message.all_headers() {
        let name = name.to_ascii_lowercase();
        // Credentials are nobody's business in the room.
        let secret = matches!(name.as_str(), "authorization" | "proxy-authorization");
        if !secret && !found.iter().any(|(known, _)| *known == name) {
            found.push((name, value.into_owned()));
        }
    }
    found
}
