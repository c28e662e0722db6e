//! Who keeps the caller company: the PIN desk, the agent, a room, or a prompt on the way out.

use super::desk::{Desk, Errand};
use super::media::Media;
use super::pin::{PinDesk, Step, Wrong};
use super::{Call, Destination, State, admission, words};
use crate::prompts::PromptName;
use tracing::info;
use trunkline_agent::host::{AgentInput, SessionConfig, SessionId};
use trunkline_media::event::{LegCommand, LegId};
use trunkline_media::port::{AudioPort, audio_port};
use trunkline_media::sdp::Encryption;
use trunkline_media::session::Codec;
use trunkline_records::What;
use trunkline_room::{Participant, ParticipantId, Room};
use trunkline_sip::Time;
use trunkline_sip::message::Escaped;

/// Frames of 20 ms between a leg and its company, each way: what a thread that is late may lose or gain.
const RING: usize = 12;
/// How long the PIN desk waits for the next key.
const PIN_PATIENCE: Time = Time::from_secs(12);

/// Who it is.
pub(super) enum Company {
    Nobody,
    Pin(PinDesk),
    Agent(SessionId),
    Room {
        participant: ParticipantId,
        room: String,
    },
    /// A LiveKit room; how is in `guest`.
    Live,
    /// A prompt; then the call is hung up with this reason.
    LastWords(String),
    /// Ringing, until the far party of a transfer answers; the agent waits behind it.
    Ringback(SessionId),
}

impl Call {
    /// The call is up: whoever it is for takes it.
    pub(super) fn meet(&mut self, desk: &mut Desk) {
        match self.destination.clone() {
            Destination::PinDesk => {
                self.company = Company::Pin(PinDesk::new(desk.config.dialplan.pin_tries));
                self.play(desk, PromptName::EnterPin);
                self.wait_for_a_key(desk);
            }
            Destination::Agent { dialogue } => self.meet_agent(desk, &dialogue),
            Destination::Room { room, identity, name, attributes, terms } if desk.live.is_some() => {
                self.goes_to(desk, format!("room {room}"));
                self.knock(desk, super::guest::Who { room, identity, name }, attributes, *terms, None);
            }
            Destination::Room { room, identity, name, attributes, .. } => {
                let room_of_cdr = format!("room {room}");
                self.meet_room(desk, room, identity, name, attributes);
                self.goes_to(desk, room_of_cdr);
            }
            Destination::Partner => {}
        }
    }

    fn goes_to(&mut self, desk: &Desk, destination: String) {
        if self.cdr.destination != destination {
            self.cdr.destination = destination;
            desk.chronicle.update(&self.cdr);
        }
    }

    /// A ring to the leg, whose other end is for the company.
    fn attach(&mut self, desk: &Desk) -> Option<AudioPort> {
        let media = self.media.as_ref()?;
        let leg = media.leg()?;
        let rate = media.session().map_or(8_000, |s| Codec::rate(s.codec));
        let (ours, legs) = audio_port(rate, RING);
        self.tell_leg(desk, leg, LegCommand::Attach(legs)).then_some(ours)
    }

    fn meet_agent(&mut self, desk: &mut Desk, dialogue: &str) {
        let dialogue = match desk.dialogue(dialogue) {
            Ok(dialogue) => dialogue,
            Err(why) => return self.no_agent(desk, &why),
        };
        let Some(port) = self.attach(desk) else { return self.no_sound(desk) };
        let id = SessionId(desk.serial());
        let facts = vec![
            ("caller".to_owned(), self.caller.from.clone()),
            ("called".to_owned(), self.caller.to.clone()),
            ("name".to_owned(), self.caller.name.clone()),
        ];
        match desk.agents.open(id, SessionConfig { dialogue, facts }, port) {
            Ok(()) => {
                desk.of_session.insert(id, self.serial);
                self.company = Company::Agent(id);
                self.goes_to(desk, "agent".into());
            }
            Err(error) => self.no_agent(desk, &error.to_string()),
        }
    }

    /// A caller whom nobody hears is not kept.
    fn no_sound(&mut self, desk: &mut Desk) {
        self.hang_up(desk, words::OUT_OF_ORDER, "its sound could not be connected");
    }

    /// The caller hears about it rather than silence.
    fn no_agent(&mut self, desk: &mut Desk, why: &str) {
        self.fault(desk, why);
        self.last_words(desk, PromptName::NoAgent, "there is no agent to talk to");
    }

    fn meet_room(
        &mut self,
        desk: &mut Desk,
        room: String,
        identity: String,
        name: String,
        mut attributes: Vec<(String, String)>,
    ) {
        let Some(port) = self.attach(desk) else { return self.no_sound(desk) };
        let participant = ParticipantId(desk.serial());
        attributes.push(("sip.callID".to_owned(), self.id.to_string()));
        attributes.push(("sip.callIDFull".to_owned(), self.cdr.sip_call_id.clone()));
        let who = Participant { id: participant, identity, name, attributes };
        match desk.rooms.join(&room, who, port) {
            Ok(()) => {
                desk.joined(&room, participant, self.serial);
                self.company = Company::Room { participant, room };
            }
            Err(error) => {
                self.fault(desk, &error.to_string());
                self.last_words(desk, PromptName::NoAgent, "the room could not be joined");
            }
        }
    }

    /// Into a room of two: the halves of a transfer.
    pub(super) fn meet_partner(&mut self, desk: &mut Desk, room: &str) {
        self.part(desk);
        let identity = format!("sip_{}", self.caller.from);
        let name = format!("Phone {}", self.caller.from);
        self.meet_room(desk, room.to_owned(), identity, name, Vec::new());
    }

    /// Says good-bye to whoever is there.
    pub(super) fn part(&mut self, desk: &mut Desk) {
        self.waits_until = None;
        let leg = self.leg();
        match std::mem::replace(&mut self.company, Company::Nobody) {
            Company::Agent(id) | Company::Ringback(id) => {
                desk.agents.close(id);
                desk.of_session.remove(&id);
            }
            Company::Live => self.leave_room(desk),
            Company::Room { participant, room } => {
                desk.rooms.leave(participant);
                desk.left(&room, participant, self.serial);
            }
            _ => return,
        }
        if let Some(leg) = leg {
            self.tell_leg(desk, leg, LegCommand::Detach);
        }
    }

    /// Plays a prompt to the caller.
    pub(super) fn play(&mut self, desk: &Desk, name: PromptName) {
        if let Some(leg) = self.leg()
            && self.tell_leg(desk, leg, LegCommand::Play(desk.prompts.get(name)))
        {
            self.prompts += 1;
        }
    }

    /// Whatever is played stops.
    pub(super) fn hush(&self, desk: &Desk) {
        if let Some(leg) = self.leg() {
            self.tell_leg(desk, leg, LegCommand::StopPlay);
        }
    }

    /// Plays a prompt, then hangs up.
    pub(super) fn last_words(&mut self, desk: &mut Desk, name: PromptName, why: &str) {
        self.part(desk);
        self.company = Company::LastWords(why.to_owned());
        // The leg may be too busy to tell when it is through.
        self.waits_until = Some(desk.now + Time::from_secs(15));
        self.play(desk, name);
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, desk: &mut Desk, digit: char) {
        match &mut self.company {
            Company::Pin(pin) => {
                let step = pin.key(digit);
                self.wait_for_a_key(desk);
                self.hush(desk);
                if let Step::Typed(pin) = step {
                    self.try_pin(desk, &pin);
                }
            }
            Company::Agent(id) => desk.agents.input(*id, AgentInput::Dtmf(digit)),
            Company::Room { participant, .. } => desk.rooms.dtmf(*participant, digit),
            Company::Live => {
                if let (Some(guest), Some(live)) = (&self.guest, &desk.live) {
                    live.key(guest.who, digit);
                }
            }
            _ => {}
        }
    }

    /// Is this key part of a secret? What is typed before a PIN opened something may be one, the prompts
    /// before and after the PIN desk included.
    pub(super) fn is_secret_key(&self) -> bool {
        matches!(self.destination, Destination::PinDesk)
    }

    /// The next key is awaited for a while; of who is on hold, and hears no question, it is not.
    fn wait_for_a_key(&mut self, desk: &Desk) {
        let session = self.media.as_ref().and_then(Media::session);
        let hears = session.is_none_or(|session| session.direction.sends());
        self.waits_until = hears.then_some(desk.now + PIN_PATIENCE);
    }

    fn try_pin(&mut self, desk: &mut Desk, pin: &str) {
        if self.asking.is_some() {
            // The answer comes by `told`; psrpc's own time is short.
            self.waits_until = Some(desk.now + PIN_PATIENCE);
            return self.ask_for_the_rule(desk, Some(pin));
        }
        let evaluation = admission::ask(desk, &self.caller, Some(pin));
        let why = admission::chosen(&evaluation);
        match evaluation.verdict {
            trunkline_dialplan::Verdict::Room { .. } | trunkline_dialplan::Verdict::Agent { .. } => {
                let (trunk, rule, destination) = admission::destination(&desk.plan, evaluation.verdict);
                let encryption = admission::encryption(&desk.plan, trunk.as_deref(), rule.as_deref());
                if encryption == Encryption::Require && !self.media.as_ref().is_some_and(Media::is_encrypted)
                {
                    return self.wrong_pin(desk, admission::NO_SRTP);
                }
                self.decided(desk, "the PIN is right", &why);
                self.cdr.rule = rule;
                self.destination = destination;
                self.map_headers();
                self.meet_after_the_pin(desk);
            }
            _ => self.wrong_pin(desk, "the PIN opens nothing"),
        }
    }

    /// The PIN was right: the caller is told, and goes on.
    pub(super) fn meet_after_the_pin(&mut self, desk: &mut Desk) {
        self.waits_until = None;
        self.company = Company::Nobody;
        if matches!(self.destination, Destination::Room { .. }) {
            self.play(desk, PromptName::RoomJoin);
        }
        self.meet(desk);
    }

    pub(super) fn wrong_pin(&mut self, desk: &mut Desk, why: &str) {
        let Company::Pin(pin) = &mut self.company else { return };
        match pin.wrong() {
            Wrong::Again(left) => {
                self.decided(desk, "wrong PIN", &format!("{why}; {left} more to try"));
                self.play(desk, PromptName::WrongPin);
                self.wait_for_a_key(desk);
            }
            Wrong::Enough => {
                self.decided(desk, "wrong PIN", &format!("{why}; that was the last try"));
                self.last_words(desk, PromptName::LastWrongPin, "no PIN was right");
            }
        }
    }

    /// The company waited long enough.
    pub(super) fn waited(&mut self, desk: &mut Desk) {
        self.waits_until = None;
        if self.state == State::Trying && self.guest.is_some() {
            return self.rings_on(desk);
        }
        if self.handover.is_some() {
            return self.handover_waited(desk);
        }
        match &mut self.company {
            Company::Pin(pin) => match pin.silence() {
                Some(typed) => self.try_pin(desk, &typed),
                None => self.wrong_pin(desk, "no key was pressed"),
            },
            Company::LastWords(why) => {
                let why = why.clone();
                self.hang_up(desk, words::NORMAL, &why);
            }
            _ => {}
        }
    }

    /// A prompt came to its end.
    pub(super) fn played(&mut self, desk: &mut Desk, whole: bool) {
        match &self.company {
            Company::LastWords(why) => {
                let why = why.clone();
                self.hang_up(desk, words::NORMAL, &why);
            }
            Company::Pin(_) if whole => self.wait_for_a_key(desk),
            Company::Ringback(_) if whole => self.play(desk, PromptName::Ringback),
            Company::Live if whole && (self.handover_rings() || self.is_alone()) => {
                self.play(desk, PromptName::Ringback);
            }
            _ => {}
        }
    }

    /// The agent wants the caller to be connected with somebody else.
    pub(super) fn transfer(&mut self, desk: &mut Desk, to: String) {
        let Company::Agent(agent) = self.company else { return };
        self.decided(desk, "transfer", &format!("the dialogue sends the caller to {to}"));
        self.company = Company::Ringback(agent);
        self.play(desk, PromptName::Ringback);
        desk.errands.push_back(Errand::Transfer { from: self.serial, to });
    }

    /// Nobody was reached: the agent tells the caller, and goes on where it was.
    pub(super) fn transfer_failed(&mut self, desk: &mut Desk, why: &str) {
        self.partner = None;
        self.decided(desk, "the transfer failed", why);
        info!(call = %self.id, "a transfer failed: {}", Escaped(why));
        if let Company::Ringback(agent) = self.company {
            self.company = Company::Agent(agent);
            self.hush(desk);
            desk.agents.input(agent, AgentInput::TransferFailed);
        }
    }

    /// The far side went on hold, or came back.
    pub(super) fn held(&mut self, desk: &Desk, held: bool) {
        let state = if held { "held" } else { "resumed" };
        self.entered(desk, state, "by the peer");
        match self.company {
            Company::Agent(id) | Company::Ringback(id) => desk.agents.input(id, AgentInput::Hold(held)),
            Company::Pin(_) => {
                self.wait_for_a_key(desk);
                if !held {
                    self.play(desk, PromptName::EnterPin);
                }
            }
            _ => {}
        }
    }

    /// Writes a decision down.
    pub(super) fn decided(&self, desk: &Desk, what: &str, why: &str) {
        let what = What::Decision { what: what.to_owned(), why: why.to_owned() };
        desk.chronicle.note(desk.now, &self.id, what);
    }

    /// The leg of this call said something that only a leg of it may say.
    pub(super) fn owns(&self, leg: LegId) -> bool {
        self.leg() == Some(leg)
    }
}
