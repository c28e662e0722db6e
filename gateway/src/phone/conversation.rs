//! One call with somebody at either end: dial, talk, hang up, and what it was like.

use super::PhoneError;
use super::handset::{Handset, Mouth, Wish};
use super::line::{Happening, Line, preferences};
use bytes::Bytes;
use std::collections::VecDeque;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use trunkline_media::engine::{InbandDtmf, LegConfig, Reservation};
use trunkline_media::event::{LegCommand, LegEvent, LegId, LegReport};
use trunkline_media::sdp::OfferAnswer;
use trunkline_media::session::{Codec, Direction, Session};
use trunkline_sip::auth::Credentials;
use trunkline_sip::message::phrase;
use trunkline_sip::{CallHandle, End, Event, Flow, Invite, Time};

const FRAME: Time = Time::from_millis(20);
/// Between two keys, and how long one is held.
const KEY: Time = Time::from_millis(160);
const KEY_PAUSE: Time = Time::from_millis(120);

/// Whom to call, and how.
#[derive(Debug)]
pub struct Dial {
    pub uri: String,
    /// User part of our address.
    pub user: String,
    pub credentials: Option<Credentials>,
    pub codecs: Vec<Codec>,
    /// Stereo: left the far party, right we.
    pub record: Option<PathBuf>,
    pub ring_timeout: Time,
    /// Hang up this long after the answer.
    pub longest: Option<Time>,
    /// Keys go out as SIP INFO instead of with the sound.
    pub keys_by_info: bool,
}

/// What is told while the call goes on.
#[derive(Debug)]
pub enum Progress<'a> {
    Ringing(u16),
    Answered { after: Time, codec: Codec },
    Said,
    Pressed(char),
    Heard(char),
    Session(&'a Session),
}

/// What the call was like.
#[derive(Debug)]
pub struct Report {
    pub call_id: String,
    /// Final status of the INVITE.
    pub status: u16,
    pub set_up: Option<Time>,
    pub talked: Time,
    /// From the 200 to the first sound of the far party.
    pub first_sound: Option<Time>,
    pub end: String,
    pub leg: Option<LegReport>,
    /// What the far party said: mono at 16,000 Hz.
    pub heard: Vec<i16>,
}

struct Conversation<'l> {
    line: &'l mut Line,
    call: CallHandle,
    talks: OfferAnswer,
    ports: Option<Reservation>,
    leg: Option<LegId>,
    handset: Handset,
    record: Option<PathBuf>,
    longest: Option<Time>,
    keys_by_info: bool,
    keys: VecDeque<char>,
    next_key: Time,
    began: Time,
    answered: Option<Time>,
    ended: Option<String>,
    report: Report,
}

/// Places a call and stays with it to its end. `keys` are what a person types; closed: nobody types.
///
/// # Errors
/// It could not even be placed.
pub async fn converse(
    line: &mut Line,
    dial: Dial,
    mouth: Mouth,
    keys: &mut mpsc::Receiver<String>,
    mut show: impl FnMut(Progress<'_>),
) -> Result<Report, PhoneError> {
    let flow = line.flow_to(&dial.uri).await?;
    let mut talk = place(line, dial, mouth, flow)?;
    let mut tick = talk.line.now();
    // One listener for the whole call: a signal between two would be lost.
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        let until = talk.handset.is_lifted().then_some(tick);
        tokio::select! {
            happening = talk.line.next(until) => match happening {
                Happening::Sip(event) => talk.on_sip(event, &mut show)?,
                Happening::Leg(_, event) => talk.on_leg(event, &mut show),
                Happening::Time => {
                    tick = tick.max(talk.line.now().saturating_sub(FRAME * 5)) + FRAME;
                    talk.tick(&mut show);
                }
            },
            Some(typed) = keys.recv() => talk.typed(&typed),
            _ = interrupt.recv() => talk.hang_up("hung up by hand"),
        }
        if talk.ended.is_some() && talk.leg.is_none() {
            return Ok(talk.done());
        }
    }
}

fn place(line: &mut Line, dial: Dial, mouth: Mouth, flow: Flow) -> Result<Conversation<'_>, PhoneError> {
    let ports = line.engine.reserve(flow.local.ip())?;
    let mut origin = [0; 8];
    getrandom::fill(&mut origin).map_err(PhoneError::Random)?;
    let mut talks = OfferAnswer::new(
        flow.local.ip(),
        ports.port(),
        u64::from_le_bytes(origin),
        preferences(&dial.codecs),
    );
    let invite = Invite {
        uri: dial.uri,
        flow,
        from: format!("<sip:{}@{}>", dial.user, flow.local),
        to: String::new(),
        contact_user: dial.user,
        route: Vec::new(),
        headers: Vec::new(),
        sdp: Some(talks.offer(Direction::SendRecv).into()),
        credentials: dial.credentials,
        ring_timeout: dial.ring_timeout,
    };
    let began = line.now();
    let call = line.endpoint.invite(began, invite)?;
    let call_id = line.endpoint.identity(call).map(|i| i.call_id).unwrap_or_default();
    Ok(Conversation {
        line,
        call,
        talks,
        ports: Some(ports),
        leg: None,
        handset: Handset::new(mouth),
        record: dial.record,
        longest: dial.longest,
        keys_by_info: dial.keys_by_info,
        keys: VecDeque::new(),
        next_key: Time::ZERO,
        began,
        answered: None,
        ended: None,
        report: Report {
            call_id,
            status: 0,
            set_up: None,
            talked: Time::ZERO,
            first_sound: None,
            end: String::new(),
            leg: None,
            heard: Vec::new(),
        },
    })
}

impl Conversation<'_> {
    fn on_sip(&mut self, event: Event, show: &mut impl FnMut(Progress<'_>)) -> Result<(), PhoneError> {
        let now = self.line.now();
        match event {
            Event::Progress { response, .. } => show(Progress::Ringing(response.status().unwrap_or(0))),
            Event::Answered { sdp, .. } => {
                self.report.status = 200;
                self.report.set_up = Some(now - self.began);
                self.answered = Some(now);
                match sdp.ok_or_else(|| "the 200 has no SDP".to_owned()).and_then(|sdp| self.agree(&sdp)) {
                    Ok(session) => {
                        show(Progress::Answered { after: now - self.began, codec: session.codec });
                        self.open(session)?;
                    }
                    Err(why) => self.hang_up(&why),
                }
            }
            Event::Offer { sdp, .. } => self.offered(sdp, show),
            Event::Confirmed { sdp: Some(sdp), .. } | Event::OfferAccepted { sdp: Some(sdp), .. } => {
                match self.agree(&sdp) {
                    Ok(session) => self.tell(LegCommand::Session(session)),
                    Err(why) => self.hang_up(&why),
                }
            }
            Event::Rejected { status, response, .. } => {
                self.report.status = status;
                let reason = response.as_ref().map(|r| r.reason().to_owned()).filter(|r| !r.is_empty());
                let reason = reason.unwrap_or_else(|| phrase(status).to_owned());
                self.finish(format!("refused: {status} {}", trunkline_sip::message::Escaped(&reason)));
            }
            Event::Ended { end, .. } => {
                let mine = std::mem::take(&mut self.report.end);
                let sentence = match end {
                    End::LocalBye if !mine.is_empty() => mine,
                    End::LocalBye => "we hung up".into(),
                    End::RemoteBye { .. } => "the far party hung up".into(),
                    other => format!("{other:?}"),
                };
                self.finish(sentence);
            }
            _ => {}
        }
        Ok(())
    }

    fn agree(&mut self, sdp: &[u8]) -> Result<Session, String> {
        self.talks.accept(sdp).map_err(|error| format!("the answer cannot be used: {error}"))
    }

    fn open(&mut self, session: Session) -> Result<(), PhoneError> {
        let Some(ports) = self.ports.take() else { return Ok(()) };
        let company = Some(self.handset.lift(session.codec.rate()));
        let config = LegConfig {
            session,
            company,
            timeout_initial: Time::from_secs(3600),
            timeout: Time::from_secs(3600),
            inband_dtmf: InbandDtmf::Fallback,
            symmetric: true,
        };
        let leg = self.line.engine.open(ports, config)?;
        self.leg = Some(leg);
        if let Some(path) = self.record.take() {
            self.tell(LegCommand::Record(path));
        }
        Ok(())
    }

    fn offered(&mut self, sdp: Option<Bytes>, show: &mut impl FnMut(Progress<'_>)) {
        let now = self.line.now();
        let answer = match sdp {
            None => Ok(self.talks.offer(Direction::SendRecv)),
            Some(offer) => self.talks.answer(&offer).map(|(answer, session)| {
                show(Progress::Session(&session));
                self.tell(LegCommand::Session(session));
                answer
            }),
        };
        // The call may have ended meanwhile: its end is told.
        let _ = match answer {
            Ok(answer) => self.line.endpoint.accept_offer(now, self.call, answer.into()),
            Err(error) => self.line.endpoint.refuse_offer(now, self.call, error.status(), ""),
        };
    }

    fn on_leg(&mut self, event: LegEvent, show: &mut impl FnMut(Progress<'_>)) {
        match event {
            LegEvent::Dtmf { digit, .. } => show(Progress::Heard(digit)),
            LegEvent::RecordFailed { error } => self.hang_up(&format!("the recording failed: {error}")),
            LegEvent::Closed { report } => {
                self.report.leg = Some(report);
                self.leg = None;
                self.handset.lay_down();
            }
            _ => {}
        }
    }

    /// 20 ms.
    fn tick(&mut self, show: &mut impl FnMut(Progress<'_>)) {
        let now = self.line.now();
        if self.longest.zip(self.answered).is_some_and(|(longest, since)| now - since >= longest) {
            self.longest = None;
            self.hang_up("it was to last no longer");
        }
        match self.handset.tick(now, !self.keys.is_empty()) {
            Some(Wish::Said) => show(Progress::Said),
            Some(Wish::Press(keys)) => self.typed(&keys),
            Some(Wish::HangUp) => self.hang_up("everything was said"),
            None => {}
        }
        self.press(now, show);
    }

    fn press(&mut self, now: Time, show: &mut impl FnMut(Progress<'_>)) {
        if now < self.next_key {
            return;
        }
        if let Some(digit) = self.keys.pop_front() {
            show(Progress::Pressed(digit));
            if self.keys_by_info {
                let (content_type, body) = trunkline_media::dtmf::info::write(digit, KEY);
                // The call may have ended meanwhile: its end is told.
                let _ = self.line.endpoint.info(now, self.call, content_type, body.into());
            } else {
                self.tell(LegCommand::Dtmf { digit, length: KEY, how: None });
            }
            self.next_key = now + KEY + KEY_PAUSE;
        }
    }

    /// Keys that are to be pressed; `q` hangs up.
    fn typed(&mut self, text: &str) {
        if text.trim() == "q" {
            return self.hang_up("hung up by hand");
        }
        self.keys.extend(text.to_ascii_uppercase().chars().filter(|c| "0123456789*#ABCD".contains(*c)));
    }

    fn tell(&mut self, command: LegCommand) {
        if let Some(leg) = self.leg
            && let Err(error) = self.line.engine.command(leg, command)
        {
            self.hang_up(&error.to_string());
        }
    }

    fn hang_up(&mut self, why: &str) {
        let now = self.line.now();
        if self.report.end.is_empty() {
            why.clone_into(&mut self.report.end);
        }
        if self.line.endpoint.hang_up(now, self.call, "").is_err() {
            self.finish(why.to_owned());
        }
    }

    fn finish(&mut self, end: String) {
        if self.ended.is_some() {
            return;
        }
        if let Some(answered) = self.answered {
            self.report.talked = self.line.now() - answered;
        }
        self.ended = Some(end);
        if let Some(leg) = self.leg {
            self.line.engine.close(leg);
        }
    }

    fn done(self) -> Report {
        let (heard, first_sound) = self.handset.heard();
        Report { end: self.ended.unwrap_or_default(), heard, first_sound, ..self.report }
    }
}
