//! The configuration file: YAML and environment in, a typed [`Config`] or an error that names file,
//! line, key and what was expected. Opens nothing but the file, asks nobody.

mod check;
mod environment;
mod house;
mod livekit;
mod read;
mod rooms;
mod section;
mod tls;
mod value;

pub use house::{Answer, Api, Backend, LiveKit, Redis, RedisTls, RoomCodec, Rooms, Secret};

pub use tls::Tls;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// All that can be set. livekit/sip's keys keep their names and meaning; ours stand beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `sip_port`: UDP and TCP. 5060.
    pub sip_port: u16,
    /// `listen_ip`: empty: all IPv4 and IPv6 addresses of the machine.
    pub listen_ip: Option<IpAddr>,
    /// `nat_1_to_1_ip`: our address as peers outside see it.
    pub nat_1_to_1_ip: Option<IpAddr>,
    /// `rtp_port`: `10000-20000` (even RTP, odd RTCP).
    pub rtp_port: (u16, u16),
    /// `health_port`: 0: none.
    pub health_port: u16,
    /// `prometheus_port`: 0: none.
    pub prometheus_port: u16,
    /// `logging.level`: debug, info, warn, error. `logging.json`.
    pub logging: Logging,
    /// `state_dir`: store, CDRs, timelines, recordings, control socket.
    pub state_dir: PathBuf,
    /// `codecs`: `{"G722/8000": false, …}` switches as livekit/sip; order of preference is ours. What is on,
    /// best first: `G722`, `PCMU`, `PCMA`, `opus`.
    pub codecs: Vec<String>,
    /// `media_timeout_initial`, `media_timeout`: 30 s, 15 s.
    pub media_timeout_initial: Duration,
    pub media_timeout: Duration,
    /// `symmetric_rtp`: on by default, guarded.
    pub symmetric_rtp: bool,
    /// `agent.dialogue`: file; `None`: the compiled-in example. `agent.sessions`: most at a time.
    pub agent: Agent,
    pub limits: Limits,
    pub recording: Recording,
    pub dialplan: Dialplan,
    pub sip: Sip,
    /// `tls`: SIP over TLS is listened for; `None`: it is not.
    pub tls: Option<Tls>,
    /// `ws_url` and its keys: a LiveKit server.
    pub livekit: Option<LiveKit>,
    /// `redis`: trunks, rules and commands come from livekit-server over it.
    pub redis: Option<Redis>,
    /// `cluster_id`: topic of the calls that livekit-server asks for.
    pub cluster_id: String,
    pub rooms: Rooms,
    /// `api`: LiveKit's SIP API, served by us; `None`: it is not.
    pub api: Option<Api>,
    /// `sip_ringing_interval`: 180 again. 1 s.
    pub ringing_interval: Duration,
    /// `prompts`: WAV files of the house, by what they say (`enter_pin` …).
    pub prompts: BTreeMap<String, PathBuf>,
    /// `use_external_ip`: `nat_1_to_1_ip` is found by STUN at the start. Off.
    pub use_external_ip: bool,
    /// `stun_servers`: who is asked, in turn; `host:port`.
    pub stun_servers: Vec<String>,
    /// `max_cpu_utilization`: above it no new call is taken. 0.9.
    pub max_cpu_utilization: f32,
    /// LIVEKIT_CPU_REQUEST: the processors that the load is measured of; `None`: those of the control group, or all.
    pub cpu_request: Option<f64>,
    /// What was understood but has no effect yet (keys of livekit/sip that a later version serves), a
    /// sentence each, with file and line: told at the start and by `trunkline check`.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    pub level: String,
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    pub dialogue: Option<PathBuf>,
    pub sessions: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `limits.calls`: at a time; 503 above. 1000.
    pub calls: usize,
    /// `limits.calls_per_second`: new calls of all sources; 503 above. 200.
    pub calls_per_second: u32,
    /// `limits.source_packets_per_second`: of one address, before parsing. 200 (loopback 10 times as much).
    pub source_packets_per_second: u32,
    /// `limits.source_calls`: calls at a time of one address. 0: no limit but the whole.
    pub source_calls: usize,
    /// `limits.call_duration`: longest call. 24 h.
    pub call_duration: Duration,
    /// `limits.drain`: how long calls go on after SIGTERM. 60 s.
    pub drain: Duration,
    /// `limits.ringing`: longest time unanswered. 180 s.
    pub ringing: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// `recording.enabled`: every call. Off.
    pub enabled: bool,
    /// `recording.folder`: `<state_dir>/recordings`.
    pub folder: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialplan {
    /// `dialplan.default`: what a call gets when no rule at all is set up: `agent` or `reject`.
    pub default_agent: bool,
    /// `dialplan.pin_tries`: 3; with Redis 1, as livekit/sip has it.
    pub pin_tries: u32,
    /// `dialplan.require_trunk`: a call that no trunk takes is refused, whatever rule would take it.
    pub require_trunk: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sip {
    /// `sip.session_expires`: seconds; 0: none. 1800.
    pub session_expires: u32,
    /// `sip.min_se`: 90.
    pub min_se: u32,
    /// `sip.digest_sha256`: challenge with SHA-256 before MD5. Off: many telephones give up at the sight of it.
    pub digest_sha256: bool,
    /// `sip.user_agent`.
    pub user_agent: String,
}

/// A fault of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place(file, *line))]
pub struct ConfigError {
    pub file: String,
    /// From 1; 0: the environment, named in `message`.
    pub line: u64,
    /// `limits.calls: expected a whole number from 1 to 100000, found "many"`
    pub message: String,
}

fn place(file: &str, line: u64) -> String {
    if line == 0 { "environment: ".into() } else { format!("{file}:{line}: ") }
}

impl Config {
    /// Reads a YAML text; `environment` fills what the text leaves open. An empty text is a configuration.
    ///
    /// # Errors
    /// The first fault: no YAML, an unknown key, a wrong type, a value out of range, a pair that cannot be.
    pub fn parse(
        file: &str,
        yaml: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        read::config(file, yaml, environment)
    }
}
