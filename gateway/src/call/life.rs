//! What happens to a call once it is there: events of the protocol, of its leg, of its company; its end.

use super::company::Company;
use super::desk::{Desk, Errand};
use super::keys::Way;
use super::{Call, State, words};
use crate::control::{Figure, Stage};
use bytes::Bytes;
use tracing::{info, warn};
use trunkline_agent::host::AgentEvent;
use trunkline_media::dtmf;
use trunkline_media::event::{DtmfHow, LegCommand, LegEvent, LegReport};
use trunkline_media::session::Direction;
use trunkline_records::What;
use trunkline_room::RoomEvent;
use trunkline_sip::message::Escaped;
use trunkline_sip::{End, Event, Time};

/// A BYE that nobody answers keeps a call this long at most (64*T1, and what a lost timer may add).
pub(super) const LONGEST_GOODBYE: Time = Time::from_secs(40);

impl Call {
    /// The protocol says something.
    pub(super) fn on_sip(&mut self, desk: &mut Desk, event: Event) {
        match event {
            Event::Confirmed { sdp, .. } => {
                self.passed(desk, Stage::SipAccept);
                self.confirmed(desk, sdp);
            }
            Event::Offer { sdp, .. } => self.offered(desk, sdp),
            Event::OfferAccepted { sdp: Some(sdp), .. } => self.accepted(desk, &sdp),
            Event::OfferRefused { status, .. } => {
                if let Some(media) = &mut self.media {
                    media.talks.roll_back();
                }
                self.decided(desk, "our offer was refused", &format!("with {status}; the session stays"));
            }
            Event::Info { content_type, body, .. } => self.info(desk, &content_type, &body),
            Event::Answered { sdp, response, .. } if self.dialled.is_some() => {
                self.dialled_answered(desk, &response, sdp);
            }
            Event::Answered { sdp, .. } => self.far_answered(desk, sdp),
            Event::Progress { response, .. } => {
                self.entered(desk, "ringing", &format!("{}", response.status().unwrap_or(0)));
                self.dialled_rings(desk, &response);
            }
            Event::Rejected { status, response, .. } if self.dialled.is_some() => {
                self.dialled_failed(desk, status, response.as_ref());
            }
            Event::Rejected { status, .. } => self.far_refused(desk, status),
            Event::ReferAnswered { status, reason, .. } => self.refer_answered(desk, status, &reason),
            Event::ReferProgress { status, reason, last, .. } => {
                self.refer_progress(desk, status, &reason, last);
            }
            Event::Ended { end, .. } => {
                let sentence = words::sentence(&end, self.farewell.as_deref());
                self.over(desk, &end_of(&sentence, &self.cdr.direction), &end);
            }
            _ => {}
        }
    }

    fn confirmed(&mut self, desk: &mut Desk, sdp: Option<Bytes>) {
        if let Some(sdp) = sdp {
            self.accepted(desk, &sdp);
        }
        if self.state == State::Answered {
            self.state = State::Up;
            self.entered(desk, "confirmed", "");
            if self.leg().is_none() {
                // Without a session nothing would ever time out.
                return self.hang_up(desk, 88, "the ACK brought no answer to our offer (RFC 3264 \u{a7}4)");
            }
            self.welcome(desk);
        }
    }

    /// The caller can hear us: whoever the call is for begins, once.
    fn welcome(&mut self, desk: &mut Desk) {
        if self.guest.is_some() {
            self.is_active(desk);
        }
        if !self.met && self.leg().is_some() && self.state < State::Ending {
            self.met = true;
            self.meet(desk);
        }
    }

    /// The answer to an offer of ours.
    fn accepted(&mut self, desk: &mut Desk, sdp: &[u8]) {
        let Some(media) = &mut self.media else { return };
        let ran = match media.talks.accept(sdp) {
            Ok(session) => self.run(desk, session).map_err(|no| no.why),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = ran {
            self.fault(desk, &format!("the answer cannot be used: {why}"));
            self.hang_up(desk, 88, &format!("the answer cannot be used: {why}"));
        }
    }

    /// A re-INVITE or UPDATE: hold, resume, another address, another codec.
    fn offered(&mut self, desk: &mut Desk, sdp: Option<Bytes>) {
        let Some(media) = &mut self.media else { return };
        let ours: Result<Bytes, _> = match sdp {
            None => Ok(media.talks.offer(Direction::SendRecv).into()),
            Some(offer) => match media.talks.answer(&offer) {
                Ok((answer, session)) => self.run(desk, session).map(|()| answer.into()),
                Err(error) => Err(error.into()),
            },
        };
        match ours {
            Ok(ours) => {
                let _ = desk.endpoint.accept_offer(desk.now, self.sip, ours);
            }
            Err(no) => {
                self.decided(desk, &format!("offer refused with {}", no.status), &no.why);
                let _ = desk.endpoint.refuse_offer(desk.now, self.sip, no.status, "");
            }
        }
    }

    fn info(&mut self, desk: &mut Desk, content_type: &str, body: &[u8]) {
        match dtmf::info::parse(content_type, body) {
            Some((digit, length)) => self.pressed(desk, digit, length, Way::Info),
            None if body.is_empty() => {}
            None => self.fault(desk, &format!("an INFO of {} could not be read", Escaped(content_type))),
        }
    }

    /// A key was pressed, in whatever way it came.
    fn pressed(&mut self, desk: &mut Desk, digit: char, length: Time, way: Way) {
        if !self.keys.is_new(desk.now, digit, way) {
            return;
        }
        // A PIN stays out of what is written down.
        let shown = if self.is_secret_key() && digit != '#' { '\u{2022}' } else { digit };
        let ms = u32::try_from(length.as_millis()).unwrap_or(u32::MAX);
        let what = What::Dtmf { digit: shown, received: true, how: way.name().to_owned(), ms };
        desk.chronicle.note(desk.now, &self.id, what);
        self.key(desk, digit);
    }

    /// The leg says something.
    pub(super) fn on_leg(&mut self, desk: &mut Desk, event: LegEvent) {
        match event {
            LegEvent::FirstPacket { source } => {
                self.entered(desk, "sound", &format!("first RTP packet, from {source}"));
                self.passed(desk, Stage::WaitMedia);
                if self.state == State::Answered {
                    self.welcome(desk);
                }
            }
            LegEvent::Latched { source, announced } => {
                let announced = announced.map_or_else(|| "nowhere".to_owned(), |a| a.to_string());
                let why = format!("SDP announced {announced}; sound comes from {source} and goes there now");
                self.decided(desk, "symmetric RTP", &why);
            }
            LegEvent::Unauthentic { source } => {
                self.fault(
                    desk,
                    &format!("SRTP packets from {source} are not authentic: they are not of the keys of SDP"),
                );
            }
            LegEvent::Dtmf { digit, length, how } => {
                let way = if how == DtmfHow::Inband { Way::Tone } else { Way::Event };
                self.pressed(desk, digit, length, way);
            }
            LegEvent::MediaTimeout { silent } => {
                let why = format!("no RTP from the caller for {} s", silent.as_secs());
                self.hang_up(desk, words::RECOVERY_ON_TIMER, &why);
            }
            LegEvent::PlayEnded { whole } => {
                self.prompts = self.prompts.saturating_sub(1);
                // The end of an earlier prompt, which made room for this one, says nothing of this one.
                if self.prompts == 0 {
                    self.played(desk, whole);
                }
            }
            LegEvent::RecordFailed { error } => {
                warn!(call = %self.id, "the recording could not be written: {error}");
                self.fault(desk, &format!("the recording could not be written: {error}"));
                self.cdr.recording = None;
            }
            LegEvent::Closed { report } => self.closed(desk, &report),
        }
    }

    fn closed(&mut self, desk: &Desk, report: &LegReport) {
        self.awaits_report = false;
        self.cdr.media = serde_json::to_value(report).ok();
        if self.state == State::Over {
            desk.chronicle.end(std::mem::take(&mut self.cdr));
        }
    }

    /// The agent says something.
    pub(super) fn on_agent(&mut self, desk: &mut Desk, event: AgentEvent) {
        let note = |what| desk.chronicle.note(desk.now, &self.id, what);
        match event {
            AgentEvent::Transcript { caller, text, confidence, interrupted } => {
                note(What::Transcript { caller, text, confidence, interrupted });
            }
            AgentEvent::State(state) => note(What::State { state: state.to_owned(), why: "agent".into() }),
            AgentEvent::Interrupted { played } => {
                self.decided(
                    desk,
                    "interrupted",
                    &format!("the caller spoke after {} ms", played.as_millis()),
                );
            }
            AgentEvent::FalseInterruption => self.decided(desk, "went on", "it was noise, not speech"),
            AgentEvent::Decision { what, why } => self.decided(desk, &what, &why),
            AgentEvent::Latency { end_of_turn, first_sound } => {
                let why = format!(
                    "end of turn after {} ms, first sound after {} ms",
                    end_of_turn.as_millis(),
                    first_sound.as_millis()
                );
                self.decided(desk, "latency", &why);
            }
            AgentEvent::Failed { what, spoken } => {
                let told = if spoken { "; the caller was told" } else { "" };
                self.fault(desk, &format!("{what}{told}"));
            }
            AgentEvent::HangUp { reason } => self.hang_up(desk, words::NORMAL, &reason),
            AgentEvent::Transfer { to } => self.transfer(desk, to),
            _ => {}
        }
    }

    /// The room says something.
    pub(super) fn on_room(&mut self, desk: &Desk, event: &RoomEvent) {
        match event {
            RoomEvent::Joined { room, identity, others, .. } => {
                self.entered(desk, "joined", &format!("{identity} joined room {room}, where {others} were"));
            }
            RoomEvent::Left { room, identity, others, .. } => {
                self.entered(desk, "left", &format!("{identity} left room {room}; {others} are there"));
            }
            RoomEvent::Dtmf { digit, .. } => {
                let length = Time::from_millis(160);
                if let Some(leg) = self.leg() {
                    self.tell_leg(desk, leg, LegCommand::Dtmf { digit: *digit, length, how: None });
                    let how = "passed on from the room".to_owned();
                    let what = What::Dtmf { digit: *digit, received: false, how, ms: 160 };
                    desk.chronicle.note(desk.now, &self.id, what);
                }
            }
            _ => {}
        }
    }

    /// The time that it asked for has come.
    pub(super) fn on_time(&mut self, desk: &mut Desk) {
        if self.waits_until.is_some_and(|t| t <= desk.now) {
            self.waited(desk);
        }
        if self.ends_at > desk.now {
            return;
        }
        if self.state < State::Ending {
            let longest = desk.config.limits.call_duration.as_secs();
            self.hang_up(desk, words::NORMAL, &format!("limits.call_duration ({longest} s) is over"));
        } else {
            self.measured(desk, Figure::Unconfirmed);
            self.give_up(desk, "given up: the end was never confirmed");
        }
    }

    /// Nothing more is waited for, neither the peer nor the leg: its CDR leaves as it is.
    pub(super) fn give_up(&mut self, desk: &mut Desk, why: &str) {
        self.over(desk, why, &End::LocalBye);
        if std::mem::take(&mut self.awaits_report) {
            desk.chronicle.end(std::mem::take(&mut self.cdr));
        }
    }

    /// We end it.
    pub(super) fn hang_up(&mut self, desk: &mut Desk, cause: u16, why: &str) {
        if self.state >= State::Ending {
            return;
        }
        self.decided(desk, "hang up", why);
        self.farewell = Some(why.to_owned());
        self.state = State::Ending;
        self.ends_at = desk.now + LONGEST_GOODBYE;
        self.part(desk);
        self.company = Company::Nobody;
        self.shut_media(desk);
        self.leave_partner(desk);
        let reason = words::reason(cause, why);
        let mut headers = self.last_headers();
        headers.append(&mut self.goodbye_headers);
        if desk.endpoint.hang_up_with(desk.now, self.sip, &reason, &headers).is_err() {
            let why = why.to_owned();
            self.over(desk, &why, &End::LocalBye);
        }
    }

    /// The protocol is through with it.
    pub(super) fn over(&mut self, desk: &mut Desk, sentence: &str, end: &End) {
        if self.state == State::Over {
            return;
        }
        self.open_for_its_end(desk, end);
        self.dialled_is_over();
        self.handover_ends(desk);
        self.part(desk);
        self.company = Company::Nobody;
        self.waits_until = None;
        self.state = State::Over;
        self.ends_at = desk.now + LONGEST_GOODBYE;
        self.shut_media(desk);
        if let Some(counted) = self.counted.take() {
            desk.limiter.release(desk.now, counted.trunk.as_deref(), counted.source);
        }
        self.leave_partner(desk);
        if self.cdr.status == 0 {
            self.cdr.status = if *end == End::Cancelled { 487 } else { 500 };
        }
        self.cdr.ended = Some(desk.chronicle.wall(desk.now));
        self.cdr.end = sentence.to_owned();
        self.entered(desk, "ended", sentence);
        if desk.questions.is_some() && !self.is_unknown() {
            self.report_the_end(desk);
        }
        if self.cdr.answered.is_some() {
            info!(call = %self.id, from = %Escaped(&self.cdr.from), to = %Escaped(&self.cdr.to),
                destination = %Escaped(&self.cdr.destination), "call ended: {sentence}");
        }
        if !self.awaits_report && !self.is_unknown() {
            desk.chronicle.end(std::mem::take(&mut self.cdr));
        }
    }

    /// The other half of a transfer ends with this one.
    fn leave_partner(&mut self, desk: &mut Desk) {
        if let Some(partner) = self.partner.take() {
            let why = "the other half of the transfer is over".to_owned();
            desk.errands.push_back(Errand::HangUp { partner, why });
        }
    }

    /// Nothing is awaited any more: the table may forget it.
    pub(super) fn is_gone(&self) -> bool {
        self.state == State::Over && !self.awaits_report
    }

    pub(super) fn shut_media(&mut self, desk: &mut Desk) {
        if self.close_media(desk) {
            self.awaits_report = true;
        }
    }

    /// Writes a state down.
    pub(super) fn entered(&self, desk: &Desk, state: &str, why: &str) {
        let what = What::State { state: state.to_owned(), why: why.to_owned() };
        desk.chronicle.note(desk.now, &self.id, what);
    }

    /// Writes a fault down.
    pub(super) fn fault(&self, desk: &Desk, text: &str) {
        desk.chronicle.note(desk.now, &self.id, What::Fault { text: text.to_owned() });
    }
}

fn end_of(sentence: &str, direction: &str) -> String {
    if direction == "outbound" { words::of_outbound(sentence) } else { sentence.to_owned() }
}
