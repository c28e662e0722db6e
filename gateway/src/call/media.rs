//! The sound of a call: offer and answer on one side, the leg of the media engine on the other.

use super::Call;
use super::desk::Desk;
use trunkline_media::engine::{EngineError, InbandDtmf, LegConfig, Reservation};
use trunkline_media::event::{LegCommand, LegId};
use trunkline_media::sdp::{Encryption, OfferAnswer, SdpError};
use trunkline_media::session::{Direction, Session};
use trunkline_media::srtp::{KeySource, Security};
use trunkline_records::What;
use trunkline_sip::Flow;

/// Ports, and what was agreed about them.
pub(super) struct Media {
    pub talks: OfferAnswer,
    seat: Seat,
    /// What the leg runs; `None` before anything was agreed.
    session: Option<Session>,
}

enum Seat {
    /// Ports are bound; nothing is agreed.
    Reserved(Reservation),
    Leg(LegId),
    Closed,
}

/// Why a call can have no sound: SIP status and sentence.
pub(super) struct NoMedia {
    pub status: u16,
    pub why: String,
}

impl From<EngineError> for NoMedia {
    fn from(error: EngineError) -> Self {
        Self { status: 503, why: error.to_string() }
    }
}

impl From<SdpError> for NoMedia {
    fn from(error: SdpError) -> Self {
        Self { status: error.status(), why: error.to_string() }
    }
}

impl Media {
    /// Binds a pair of ports for a call over this flow, which is encrypted or not as this says.
    ///
    /// # Errors
    /// No port is free, or none can be bound; or the system has no random numbers for a key.
    pub fn reserve(desk: &mut Desk, flow: &Flow, encryption: Encryption) -> Result<Self, NoMedia> {
        let seat = desk.engine.reserve(desk.media_address(flow.local))?;
        let preferences = desk.preferences.clone();
        let origin = desk.random();
        let mut talks = OfferAnswer::new(flow.local.ip().to_canonical(), seat.port(), origin, preferences);
        if encryption != Encryption::Disable {
            let mut chance = [0; 32];
            getrandom::fill(&mut chance).map_err(|error| NoMedia {
                status: 503,
                why: format!("no random numbers for an SRTP key: {error}"),
            })?;
            talks.encrypt(encryption, KeySource::new(&chance));
        }
        Ok(Self { talks, seat: Seat::Reserved(seat), session: None })
    }

    /// The leg, while there is one.
    pub fn leg(&self) -> Option<LegId> {
        match self.seat {
            Seat::Leg(leg) => Some(leg),
            _ => None,
        }
    }

    /// Is it agreed to be SRTP?
    pub fn is_encrypted(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.security.is_some())
    }

    /// What is agreed.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }
}

impl Call {
    /// A session was agreed, for the first time or anew: the leg runs it.
    ///
    /// # Errors
    /// The engine cannot.
    pub(super) fn run(&mut self, desk: &mut Desk, session: Session) -> Result<(), NoMedia> {
        let Some(media) = &mut self.media else {
            return Err(NoMedia { status: 488, why: "the call has no media".into() });
        };
        if media.session.as_ref() == Some(&session) {
            return Ok(());
        }
        let opened = match std::mem::replace(&mut media.seat, Seat::Closed) {
            Seat::Reserved(ports) => Some(desk.engine.open(ports, leg_config(desk, session.clone()))?),
            Seat::Leg(leg) => {
                media.seat = Seat::Leg(leg);
                desk.engine.command(leg, LegCommand::Session(session.clone()))?;
                None
            }
            Seat::Closed => return Ok(()),
        };
        if let Some(leg) = opened {
            media.seat = Seat::Leg(leg);
            desk.of_leg.insert(leg, self.serial);
        }
        self.cdr.codec = Some(session.codec.name().to_owned());
        self.cdr.encryption = session.security.as_deref().map(suite);
        desk.chronicle.note(desk.now, &self.id, What::Media { text: described(&session) });
        let sends = session.direction.sends();
        let sent = media.session.replace(session).map(|before| before.direction.sends());
        if let Some(leg) = opened {
            self.start_recording(desk, leg);
            self.sit(desk);
        }
        if sent.is_some_and(|sent| sent != sends) {
            self.held(desk, !sends);
        }
        Ok(())
    }

    fn start_recording(&mut self, desk: &Desk, leg: LegId) {
        let recording = &desk.config.recording;
        if !recording.enabled {
            return;
        }
        let path = recording.folder.join(format!("{}.wav", self.id));
        self.cdr.recording = Some(path.display().to_string());
        self.tell_leg(desk, leg, LegCommand::Record(path));
    }

    /// Tells the leg something; a media thread that does not keep up is a fault of the call's timeline, and
    /// `false`.
    pub(super) fn tell_leg(&self, desk: &Desk, leg: LegId, command: LegCommand) -> bool {
        let told = desk.engine.command(leg, command);
        if let Err(error) = &told {
            self.fault(desk, &error.to_string());
        }
        told.is_ok()
    }

    /// The leg, while there is one.
    pub(super) fn leg(&self) -> Option<LegId> {
        self.media.as_ref().and_then(Media::leg)
    }

    /// Ends the sound. Is a report to come?
    pub(super) fn close_media(&mut self, desk: &Desk) -> bool {
        match self.media.as_mut().map(|media| std::mem::replace(&mut media.seat, Seat::Closed)) {
            Some(Seat::Leg(leg)) => {
                desk.engine.close(leg);
                true
            }
            // A reservation gives its ports back as it is dropped.
            Some(Seat::Reserved(_) | Seat::Closed) | None => false,
        }
    }
}

fn leg_config(desk: &Desk, session: Session) -> LegConfig {
    LegConfig {
        session,
        company: None,
        timeout_initial: desk.config.media_timeout_initial,
        timeout: desk.config.media_timeout,
        inband_dtmf: InbandDtmf::Fallback,
        symmetric: desk.config.symmetric_rtp,
    }
}

fn suite(security: &Security) -> String {
    security.suite().name().to_owned()
}

/// `PCMU/0, 20 ms, sendrecv, to 192.0.2.1:4000, telephone-event 101` for the timeline.
fn described(session: &Session) -> String {
    let mut text = format!("{}/{}, {} ms, ", session.codec.name(), session.payload_type, session.ptime_ms);
    text.push_str(match session.direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly (the peer only listens)",
        Direction::RecvOnly => "recvonly (the peer is on hold with us)",
        Direction::Inactive => "inactive",
    });
    match session.remote {
        Some(remote) => text.push_str(&format!(", to {remote}")),
        None => text.push_str(", the peer gave no address"),
    }
    match &session.security {
        Some(security) => text.push_str(&format!(", encrypted with {}", security.suite().name())),
        None => text.push_str(", not encrypted"),
    }
    match session.dtmf {
        Some((number, _)) => text.push_str(&format!(", telephone-event {number}")),
        None => text.push_str(", no telephone-event: keys are listened for as tones"),
    }
    text
}
