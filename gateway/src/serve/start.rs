//! Everything that serving needs is opened here, in the order in which its absence is told best: the port
//! that is taken before anything else was touched, the store before the threads.

use super::livekit;
use super::{api, banner};
use crate::authority::Told;
use crate::call::CallGate;
use crate::call::{Calls, House, LookUp};
use crate::control::{CallEvent, Desk, Request, server, socket};
use crate::load::Load;
use crate::prompts::{PromptError, PromptShelf};
use crate::stun;
use crate::transport::{BindError, Certificates, Listen, ListenTls, Sockets, TcpLimits};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Notify, broadcast, mpsc};
use tracing::{info, warn};
use trunkline_agent::dialogue::{Dialogue, DialogueError};
use trunkline_agent::host::{self, AgentHost, HostError};
use trunkline_config::Config;
use trunkline_media::engine::{self, Engine, EngineConfig, EngineError};
use trunkline_psrpc::{Bus, Incoming};
use trunkline_records::{Records, RecordsError};
use trunkline_room::{self as room, LocalRooms, RoomError};
use trunkline_sip::Endpoint;

/// Events that a watcher may lag behind before it is told that it missed some.
const WATCHED: usize = 4096;
/// Requests of the control side that may wait.
const REQUESTS: usize = 64;
/// Host names that may be looked up at a time.
const LOOK_UPS: usize = 32;
/// Participants of one room.
const ROOM: usize = 64;

/// What the signalling loop turns on.
pub(super) struct Program {
    pub began: Instant,
    pub calls: Calls,
    pub sockets: Sockets,
    pub woken: Arc<Notify>,
    pub legs: engine::Events,
    pub agents: host::Events,
    pub rooms: room::Events,
    pub live: Option<trunkline_livekit::Events>,
    pub told: Option<mpsc::Receiver<Told>>,
    pub incoming: Option<mpsc::Receiver<Incoming>>,
    pub bus: Option<Bus>,
    pub requests: mpsc::Receiver<Request>,
    pub look_ups: mpsc::Receiver<LookUp>,
    pub control: server::Control,
    pub records: Arc<Records>,
}

/// Why the program cannot start; a sentence each.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error(transparent)]
    Media(#[from] EngineError),
    #[error(transparent)]
    Rooms(#[from] RoomError),
    #[error(transparent)]
    Agent(#[from] HostError),
    #[error(transparent)]
    Control(#[from] server::ControlError),
    #[error("agent.dialogue {path}: {source}", path = path.display())]
    DialogueFile { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Dialogue(#[from] DialogueError),
    #[error("recording.folder {path}: {source}", path = path.display())]
    Recordings { path: PathBuf, source: std::io::Error },
    #[error("rooms.roots {path}: {source}", path = path.display())]
    Roots { path: PathBuf, source: std::io::Error },
    #[error("the load cannot be watched: {0}")]
    Load(std::io::Error),
    #[error(transparent)]
    Prompts(#[from] PromptError),
    #[error("use_external_ip: {0}; set nat_1_to_1_ip, or stun_servers that can be reached")]
    External(String),
    #[error("no randomness from the kernel: {0}")]
    Random(getrandom::Error),
}

/// Starts everything.
pub(super) async fn start(config: Config, file: &str) -> Result<Program, StartError> {
    let began = Instant::now();
    let config = Arc::new(with_external_address(config).await?);
    let files = open_files_limit();
    socket::nobody_answers(&socket::path_in(&config.state_dir)).await?;
    let sockets = Sockets::bind(&listen(&config))?;
    let (records, interrupted) = Records::open(&config.state_dir)?;
    let records = Arc::new(records);
    if interrupted > 0 {
        warn!(
            calls = interrupted,
            "calls were up when the last process died; their CDRs are kept, marked as interrupted"
        );
    }
    recordings_folder(&config)?;
    let woken = Arc::new(Notify::new());
    let wake = || -> Arc<dyn Fn() + Send + Sync> {
        let woken = Arc::clone(&woken);
        Arc::new(move || woken.notify_one())
    };
    let ports = config.rtp_port.0..=config.rtp_port.1;
    let (engine, legs) = Engine::start(EngineConfig { threads: 0, ports, wake: wake() })?;
    let (rooms, room_events) = LocalRooms::start(ROOM, wake())?;
    let load = Load::watch(config.max_cpu_utilization, config.cpu_request).map_err(StartError::Load)?;
    let door = CallGate::new(&config, load.clone());
    let parts = livekit::start(&config, &door, wake())?;
    let dialogue = Arc::new(dialogue(&config)?);
    let (agents, agent_events) = AgentHost::start(config.agent.sessions, wake())?;
    let agents = Arc::new(agents);
    let prompts = PromptShelf::with_files(&config.prompts)?;
    speak_ahead(&agents, &dialogue, &prompts);

    let (events, _) = broadcast::channel::<CallEvent>(WATCHED);
    let (ask, requests) = mpsc::channel(REQUESTS);
    let (look_up, look_ups) = mpsc::channel(LOOK_UPS);
    let desk = Desk::new(&config, Arc::clone(&records), ask.clone(), events.clone());
    let api = api::open(&config, desk, parts.tell, &door)?;
    let control = server::start(&config, Arc::clone(&records), ask, events.clone(), api)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(StartError::Random)?;
    let mut ids = [0; 8];
    getrandom::fill(&mut ids).map_err(StartError::Random)?;
    let house = House {
        config: Arc::clone(&config),
        records: Arc::clone(&records),
        endpoint: Endpoint::new(endpoint(&config), seed),
        engine,
        rooms,
        live: parts.live,
        questions: parts.questions,
        door,
        load,
        agents: Arc::clone(&agents),
        dialogue,
        prompts,
        events,
        look_ups: look_up,
    };
    let calls = Calls::new(house, began.elapsed(), u64::from_le_bytes(ids), sockets.addresses())?;
    tell_notes(&config, files);
    let plan = records.plan()?;
    banner::print(&config, file, sockets.port(), &plan, agents.engine_fault().as_deref());
    info!(port = sockets.port(), trunks = plan.trunks.len(), rules = plan.rules.len(), "ready");
    Ok(Program {
        began,
        calls,
        sockets,
        woken,
        legs,
        agents: agent_events,
        rooms: room_events,
        live: parts.events,
        told: parts.told,
        incoming: parts.incoming,
        bus: parts.bus,
        requests,
        look_ups,
        control,
        records,
    })
}

/// With `use_external_ip` a STUN server says what `nat_1_to_1_ip` would have.
async fn with_external_address(mut config: Config) -> Result<Config, StartError> {
    if config.use_external_ip {
        let (address, server) =
            stun::external(config.listen_ip, &config.stun_servers).await.map_err(StartError::External)?;
        info!(%address, server, "peers are told this address: use_external_ip");
        config.nat_1_to_1_ip = Some(address);
    }
    Ok(config)
}

fn recordings_folder(config: &Config) -> Result<(), StartError> {
    if !config.recording.enabled {
        return Ok(());
    }
    let path = config.recording.folder.clone();
    std::fs::create_dir_all(&path).map_err(|source| StartError::Recordings { path, source })
}

/// What an operator should know before the first call.
fn tell_notes(config: &Config, files: u64) {
    for note in &config.notes {
        warn!("{note}");
    }
    if files < config.limits.calls as u64 * 2 {
        warn!(
            files,
            calls = config.limits.calls,
            "the limit of open files (ulimit -n) is too low for limits.calls: a call takes two"
        );
    }
}

fn listen(config: &Config) -> Listen {
    Listen {
        ip: config.listen_ip,
        port: config.sip_port,
        announced: config.nat_1_to_1_ip,
        packets_per_second: config.limits.source_packets_per_second,
        tcp: TcpLimits::default(),
        tls: config.tls.as_ref().map(listen_tls),
    }
}

/// The listener of TLS that is asked for.
pub(crate) fn listen_tls(tls: &trunkline_config::Tls) -> ListenTls {
    let certificates = Certificates {
        files: tls.certs.clone(),
        only_1_3: tls.only_1_3,
        only_1_2: tls.only_1_2,
        cipher_suites: tls.cipher_suites.clone(),
        alpn: tls.alpn.clone(),
    };
    ListenTls { port: tls.port_listen, announced: tls.port, certificates }
}

fn endpoint(config: &Config) -> trunkline_sip::Config {
    trunkline_sip::Config {
        user_agent: config.sip.user_agent.clone(),
        session_expires: config.sip.session_expires,
        min_se: config.sip.min_se,
        sha256: config.sip.digest_sha256,
        // A call that is over lingers for 32 s (timers of RFC 3261 §17), a few transactions each.
        transactions: (config.limits.calls_per_second as usize * 150).max(100_000),
        calls: config.limits.calls.saturating_mul(2).max(1_000),
        ..trunkline_sip::Config::default()
    }
}

fn dialogue(config: &Config) -> Result<Dialogue, StartError> {
    let Some(path) = &config.agent.dialogue else { return Ok(Dialogue::example()) };
    let yaml = std::fs::read_to_string(path)
        .map_err(|source| StartError::DialogueFile { path: path.clone(), source })?;
    Ok(Dialogue::parse(&path.display().to_string(), &yaml)?)
}

/// What is always said is rendered while the first phone is still being dialled.
fn speak_ahead(agents: &Arc<AgentHost>, dialogue: &Arc<Dialogue>, prompts: &PromptShelf) {
    agents.prepare(dialogue);
    let (agents, prompts) = (Arc::clone(agents), prompts.clone());
    let spoken = std::thread::Builder::new().name("prompts".into()).spawn(move || {
        prompts.speak(|text| agents.render(text));
    });
    if let Err(error) = spoken {
        warn!("prompts stay tones, because no thread could be started: {error}");
    }
}

/// Raises the limit of open files as far as this user may; what it is now.
pub(crate) fn open_files_limit() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Refused only where a policy forbids it: the limit is then told as it is.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
