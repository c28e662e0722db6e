//! What a LiveKit server adds to the program: rooms, and the bus by which it decides about calls.

use super::start::StartError;
use crate::authority::{self, QUESTIONS, Question, Told};
use crate::load::Load;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use trunkline_config::{Backend, Config, Redis};
use trunkline_livekit::{Events, LiveRooms, Settings};
use trunkline_psrpc::{Bus, Gate, Incoming, RedisSettings, Tls};

/// Requests of livekit-server that may wait for a turn of the loop.
const INCOMING: usize = 256;

/// Which calls are ours, and whether there is room for more: asked by the bus, kept by the calls.
#[derive(Debug)]
pub struct Door {
    calls: Mutex<HashSet<String>>,
    most: usize,
    load: Load,
}

impl Door {
    pub fn new(config: &Config, load: Load) -> Arc<Self> {
        Arc::new(Self { calls: Mutex::default(), most: config.limits.calls, load })
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call began.
    pub fn enter(&self, call: &str) {
        self.held().insert(call.to_owned());
    }

    /// It is over.
    pub fn leave(&self, call: &str) {
        self.held().remove(call);
    }
}

impl Gate for Door {
    fn takes_calls(&self) -> bool {
        !self.load.is_full() && self.held().len() < self.most
    }

    fn owns(&self, call: &str) -> bool {
        self.held().contains(call)
    }
}

/// Everything of it; all of it empty without a LiveKit server.
#[derive(Default)]
pub(super) struct Parts {
    pub live: Option<LiveRooms>,
    pub events: Option<Events>,
    pub questions: Option<mpsc::Sender<Question>>,
    pub told: Option<mpsc::Receiver<Told>>,
    pub incoming: Option<mpsc::Receiver<Incoming>>,
    pub bus: Option<Bus>,
}

/// Starts what the configuration asks for.
pub(super) fn start(
    config: &Config,
    door: &Arc<Door>,
    wake: Arc<dyn Fn() + Send + Sync>,
) -> Result<Parts, StartError> {
    let mut parts = Parts::default();
    if config.rooms.backend != Backend::LiveKit {
        return Ok(parts);
    }
    let mut extra_roots = Vec::new();
    for path in &config.rooms.roots {
        let read = std::fs::read(path);
        extra_roots.push(read.map_err(|source| StartError::Roots { path: path.clone(), source })?);
    }
    let (live, events) = LiveRooms::start(Settings::new(config.rooms.bind, extra_roots), wake)?;
    (parts.live, parts.events) = (Some(live), Some(events));
    if let Some(redis) = &config.redis {
        let (tell, incoming) = mpsc::channel(INCOMING);
        let gate: Arc<dyn Gate> = Arc::clone(door) as _;
        let bus =
            Bus::start(settings(redis), config.cluster_id.clone(), gate, tell).map_err(StartError::Random)?;
        let (ask, questions) = mpsc::channel(QUESTIONS);
        let (answer, told) = mpsc::channel(QUESTIONS);
        tokio::spawn(authority::carry(bus.clone(), questions, answer));
        (parts.questions, parts.told, parts.incoming, parts.bus) =
            (Some(ask), Some(told), Some(incoming), Some(bus));
    }
    Ok(parts)
}

/// As the bus wants them.
pub(crate) fn settings(redis: &Redis) -> RedisSettings {
    RedisSettings {
        address: redis.address.clone(),
        username: redis.username.clone(),
        password: redis.password.reveal().to_owned(),
        db: redis.db,
        tls: redis.tls.as_ref().map(|tls| Tls {
            insecure: tls.insecure,
            ca: tls.ca_cert_file.clone(),
            certificate: tls.client_cert_file.clone(),
            key: tls.client_key_file.clone(),
        }),
        sentinel_master: redis.sentinel_master_name.clone(),
        sentinel_username: redis.sentinel_username.clone(),
        sentinel_password: redis.sentinel_password.reveal().to_owned(),
        sentinels: redis.sentinel_addresses.clone(),
        cluster: redis.cluster_addresses.clone(),
        dial_timeout: redis.dial_timeout,
        read_timeout: redis.read_timeout,
    }
}
