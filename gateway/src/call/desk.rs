//! What every call works with: the endpoint, media, rooms, agents, the dialplan, the chronicle.

use super::chronicle::Chronicle;
use super::gate::CallGate;
use crate::authority::Question;
use crate::control::{CallEvent, Totals};
use crate::load::Load;
use crate::prompts::PromptShelf;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc};
use tracing::warn;
use trunkline_agent::dialogue::Dialogue;
use trunkline_agent::host::{AgentHost, SessionId};
use trunkline_config::Config;
use trunkline_dialplan::{Ceiling, DefaultRoute, Limiter, Plan};
use trunkline_livekit::LiveRooms;
use trunkline_media::engine::Engine;
use trunkline_media::event::LegId;
use trunkline_media::sdp::Preferences;
use trunkline_media::session::Codec;
use trunkline_psrpc::Gate;
use trunkline_records::{Records, RecordsError};
use trunkline_room::{LocalRooms, ParticipantId};
use trunkline_sip::{CallHandle, Endpoint, Time};

/// What is handed in when the signalling starts.
pub struct House {
    pub config: Arc<Config>,
    pub records: Arc<Records>,
    pub endpoint: Endpoint,
    pub engine: Engine,
    pub rooms: LocalRooms,
    /// Rooms of a LiveKit server, where `rooms.backend` says so.
    pub live: Option<LiveRooms>,
    /// Where livekit-server decides about calls, it is asked by these.
    pub questions: Option<mpsc::Sender<Question>>,
    pub agents: Arc<AgentHost>,
    pub dialogue: Arc<Dialogue>,
    pub prompts: PromptShelf,
    pub events: broadcast::Sender<CallEvent>,
    /// What the bus is told of our calls.
    pub door: Arc<CallGate>,
    /// How busy the processor is.
    pub load: Load,
    /// Host names that somebody has to look up; bounded.
    pub look_ups: mpsc::Sender<LookUp>,
}

/// A host whose address is wanted, by the call `serial`.
#[derive(Debug)]
pub struct LookUp {
    pub serial: u64,
    /// The whole address, as it came.
    pub to: String,
    pub host: String,
    pub port: u16,
}

/// What one call wants of another; carried out by the table after the input that led to it.
pub(super) enum Errand {
    /// The caller `from` is to be connected with this address.
    Transfer { from: u64, to: String },
    /// The far party of a transfer answered.
    Answered { partner: u64 },
    /// The far party cannot be had; why.
    Failed { partner: u64, why: String },
    /// One half hung up: the other is over, too.
    HangUp { partner: u64, why: String },
}

pub(super) struct Desk {
    /// The time of the input that is being handled.
    pub now: Time,
    pub config: Arc<Config>,
    pub records: Arc<Records>,
    pub endpoint: Endpoint,
    pub engine: Engine,
    pub rooms: LocalRooms,
    pub live: Option<LiveRooms>,
    pub questions: Option<mpsc::Sender<Question>>,
    pub agents: Arc<AgentHost>,
    pub prompts: PromptShelf,
    pub look_ups: mpsc::Sender<LookUp>,
    pub plan: Plan,
    pub limiter: Limiter,
    pub chronicle: Chronicle,
    pub preferences: Preferences,
    pub totals: Totals,
    pub door: Arc<CallGate>,
    load: Load,
    pub errands: VecDeque<Errand>,
    pub refusals: Hush,
    /// Refusals by a limit have a measure of their own: a flood of them hides no other.
    pub busy: Hush,
    /// Whose is it? Kept by the calls themselves as they gain and lose these.
    pub of_handle: HashMap<CallHandle, u64>,
    pub of_leg: HashMap<LegId, u64>,
    pub of_session: HashMap<SessionId, u64>,
    pub of_participant: HashMap<ParticipantId, u64>,
    /// Who is in a room.
    rooms_of: HashMap<String, Vec<u64>>,
    /// Which call has an identity in a LiveKit room.
    identities: HashMap<(String, String), u64>,
    dialogue: Arc<Dialogue>,
    dialogues: HashMap<String, Arc<Dialogue>>,
    serial: u64,
    random: u64,
}

impl Desk {
    /// # Errors
    /// The plan cannot be read.
    pub fn new(house: House, now: Time, seed: u64) -> Result<Self, RecordsError> {
        let limits = &house.config.limits;
        let limiter = Limiter::new(Ceiling {
            calls: u32::try_from(limits.calls).unwrap_or(u32::MAX),
            calls_per_second: limits.calls_per_second,
            source_calls: u32::try_from(limits.source_calls).unwrap_or(u32::MAX),
        });
        let mut desk = Self {
            now,
            preferences: preferences(&house.config.codecs),
            chronicle: Chronicle::new(
                Arc::clone(&house.records),
                house.events,
                house.config.prometheus_port != 0,
                now,
            ),
            config: house.config,
            records: house.records,
            endpoint: house.endpoint,
            engine: house.engine,
            rooms: house.rooms,
            live: house.live,
            questions: house.questions,
            identities: HashMap::new(),
            agents: house.agents,
            prompts: house.prompts,
            look_ups: house.look_ups,
            plan: Plan::default(),
            limiter,
            totals: Totals::default(),
            door: house.door,
            load: house.load,
            errands: VecDeque::new(),
            refusals: Hush::default(),
            busy: Hush::default(),
            of_handle: HashMap::new(),
            of_leg: HashMap::new(),
            of_session: HashMap::new(),
            of_participant: HashMap::new(),
            rooms_of: HashMap::new(),
            dialogue: house.dialogue,
            dialogues: HashMap::new(),
            serial: 0,
            random: seed | 1,
        };
        desk.read_plan()?;
        Ok(desk)
    }

    /// Reads trunks and rules anew; calls that are up keep what they were given.
    ///
    /// # Errors
    /// The store cannot be read; the plan stays what it was.
    pub fn read_plan(&mut self) -> Result<(), RecordsError> {
        let mut plan = self.records.plan()?;
        plan.default =
            if self.config.dialplan.default_agent { DefaultRoute::Agent } else { DefaultRoute::Reject };
        self.plan = plan;
        self.dialogues.clear();
        Ok(())
    }

    /// The dialogue of this name (a file); empty: the configured one. Read once, then kept until the plan
    /// changes.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn dialogue(&mut self, name: &str) -> Result<Arc<Dialogue>, String> {
        if name.is_empty() {
            return Ok(Arc::clone(&self.dialogue));
        }
        if let Some(known) = self.dialogues.get(name) {
            return Ok(Arc::clone(known));
        }
        let yaml = std::fs::read_to_string(name).map_err(|error| format!("dialogue {name}: {error}"))?;
        let dialogue = Arc::new(Dialogue::parse(name, &yaml).map_err(|error| error.to_string())?);
        let (agents, ahead) = (Arc::clone(&self.agents), Arc::clone(&dialogue));
        // Rendering takes some 100 ms, which the other calls must not wait for; this one hears it a little later.
        let prepared =
            std::thread::Builder::new().name("prepare".into()).spawn(move || agents.prepare(&ahead));
        if let Err(error) = prepared {
            warn!("dialogue {name} is not rendered ahead, because no thread could be started: {error}");
        }
        self.dialogues.insert(name.to_owned(), Arc::clone(&dialogue));
        Ok(dialogue)
    }

    /// A call is in a room.
    pub fn joined(&mut self, room: &str, participant: ParticipantId, call: u64) {
        self.of_participant.insert(participant, call);
        self.rooms_of.entry(room.to_owned()).or_default().push(call);
    }

    /// It is there no longer.
    pub fn left(&mut self, room: &str, participant: ParticipantId, call: u64) {
        self.of_participant.remove(&participant);
        if let Some(calls) = self.rooms_of.get_mut(room) {
            calls.retain(|c| *c != call);
            if calls.is_empty() {
                self.rooms_of.remove(room);
            }
        }
    }

    /// The identity, or one beside it where a call of ours has it in this room: LiveKit would send the first
    /// one away.
    pub fn unique(&mut self, room: &str, identity: String, call: u64) -> String {
        let mut key = (room.to_owned(), identity);
        if self.config.rooms.unique_identity && self.identities.contains_key(&key) {
            let few: String = self.random_name().chars().take(6).collect();
            key.1 = format!("{}_{few}", key.1);
        }
        let identity = key.1.clone();
        self.identities.insert(key, call);
        identity
    }

    /// It is free again.
    pub fn forget_identity(&mut self, room: &str, identity: &str, call: u64) {
        let key = (room.to_owned(), identity.to_owned());
        if self.identities.get(&key) == Some(&call) {
            self.identities.remove(&key);
        }
    }

    /// What a dialling had in a room is the call's now.
    pub fn hand_on(&mut self, room: &str, identity: &str, who: ParticipantId, from: u64, to: u64) {
        self.left(room, who, from);
        self.joined(room, who, to);
        let key = (room.to_owned(), identity.to_owned());
        if self.identities.get(&key) == Some(&from) {
            self.identities.insert(key, to);
        }
    }

    /// Has the processor more to do than `max_cpu_utilization` allows?
    pub fn load_is_full(&self) -> bool {
        self.load.is_full()
    }

    /// Is there no room for a new call: `limits.calls` or `max_cpu_utilization` is reached?
    pub fn is_full(&self) -> bool {
        let limit = self.config.limits.calls;
        let up = usize::try_from(self.limiter.calls()).unwrap_or(usize::MAX);
        !self.door.takes_calls() || (limit > 0 && up >= limit)
    }

    /// The share of the processors that is used.
    pub fn load_share(&self) -> f64 {
        self.load.share()
    }

    /// The calls in a room.
    pub fn calls_in(&self, room: &str) -> Vec<u64> {
        self.rooms_of.get(room).cloned().unwrap_or_default()
    }

    /// A number that is not used twice: for calls, sessions, participants.
    pub fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// xorshift64*, seeded by the kernel: names that need not be secret, only different.
    pub fn random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// `SCL_` and twelve characters, as livekit/sip names its calls.
    pub fn call_id(&mut self) -> Arc<str> {
        format!("SCL_{}", self.random_name()).into()
    }

    /// Twelve characters that no other has.
    pub fn random_name(&mut self) -> String {
        const LETTERS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
        let mut rest = self.random();
        (0..12)
            .map(|_| {
                let letter = LETTERS.get((rest % 58) as usize).copied().unwrap_or(b'x');
                rest /= 58;
                if rest == 0 {
                    rest = self.random();
                }
                char::from(letter)
            })
            .collect()
    }

    /// Where the RTP sockets of a call with this local address are bound. An address that is only announced
    /// (NAT) cannot be bound.
    pub fn media_address(&self, local: SocketAddr) -> IpAddr {
        match self.config.listen_ip {
            Some(ip) if !ip.is_unspecified() && ip.is_ipv4() == local.is_ipv4() => ip,
            _ if local.ip().is_loopback() => local.ip(),
            _ if local.is_ipv4() => Ipv4Addr::UNSPECIFIED.into(),
            _ => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

/// The codecs that the configuration leaves on, in our order of preference.
fn preferences(names: &[String]) -> Preferences {
    const KNOWN: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];
    let codec = |name: &String| {
        let name = name.split('/').next().unwrap_or_default();
        KNOWN.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    };
    Preferences { codecs: names.iter().filter_map(codec).collect(), dtmf: true, comfort_noise: true }
}

/// Refusals are told and recorded, but a flood of them is not: it would drown the log, and drive the CDRs of
/// others out of the store. Sixty at once, then one a second; the rest are counted.
#[derive(Debug, Default)]
pub(super) struct Hush {
    /// When all sixty may be told again.
    whole_at: Time,
    kept: u32,
    summed_up: u64,
}

impl Hush {
    const AT_ONCE: Time = Time::from_secs(60);
    const COST: Time = Time::from_secs(1);

    /// May this one be told?
    pub fn may(&mut self, now: Time) -> bool {
        if self.kept > 0 && now.as_secs() != self.summed_up {
            warn!(refusals = self.kept, "more calls were refused than are told one by one");
            self.kept = 0;
            self.summed_up = now.as_secs();
        }
        let whole_at = self.whole_at.max(now) + Self::COST;
        if whole_at > now + Self::AT_ONCE {
            self.kept += 1;
            return false;
        }
        self.whole_at = whole_at;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_not_a_flood_of_lines_and_records() {
        let mut hush = Hush::default();
        let told = (0..1000).filter(|_| hush.may(Time::from_millis(5))).count();
        assert_eq!(told, 60);
        assert!(hush.may(Time::from_secs(2)) && !hush.may(Time::from_secs(2)));
    }

    #[test]
    fn codecs_that_are_switched_off_are_not_offered() {
        let codecs = preferences(&["PCMU/8000".into(), "opus/48000".into()]).codecs;
        assert_eq!(codecs, [Codec::Pcmu, Codec::Opus]);
    }
}
