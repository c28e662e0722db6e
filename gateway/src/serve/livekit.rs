//! What a LiveKit server adds to the program: rooms, and the bus by which it decides about calls.

use super::start::StartError;
use crate::authority::{self, QUESTIONS, Question, Told};
use crate::call::CallGate;
use std::sync::Arc;
use tokio::sync::mpsc;
use trunkline_config::{Backend, Config};
use trunkline_livekit::{Events, LiveRooms, Settings};
use trunkline_psrpc::{Bus, Gate, Incoming};

/// Requests of livekit-server that may wait for a turn of the loop.
const INCOMING: usize = 256;

/// Everything of it; all of it empty without a LiveKit server.
#[derive(Default)]
pub(super) struct Parts {
    pub live: Option<LiveRooms>,
    pub events: Option<Events>,
    pub questions: Option<mpsc::Sender<Question>>,
    pub told: Option<mpsc::Receiver<Told>>,
    pub incoming: Option<mpsc::Receiver<Incoming>>,
    /// For calls that our own API is asked for.
    pub tell: Option<mpsc::Sender<Incoming>>,
    pub bus: Option<Bus>,
}

/// Starts what the configuration asks for.
pub(super) fn start(
    config: &Config,
    door: &Arc<CallGate>,
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
    let (live, events) = LiveRooms::start(Settings { bind: config.rooms.bind, extra_roots }, wake)?;
    (parts.live, parts.events) = (Some(live), Some(events));
    let (tell, incoming) = mpsc::channel(INCOMING);
    if config.api.is_some() {
        (parts.tell, parts.incoming) = (Some(tell), Some(incoming));
    } else if let Some(redis) = &config.redis {
        let gate: Arc<dyn Gate> = Arc::clone(door) as _;
        let bus = Bus::start(authority::settings(redis), config.cluster_id.clone(), gate, tell)
            .map_err(StartError::Random)?;
        let (ask, questions) = mpsc::channel(QUESTIONS);
        let (answer, told) = mpsc::channel(QUESTIONS);
        tokio::spawn(authority::carry(bus.clone(), questions, answer));
        (parts.questions, parts.told, parts.incoming, parts.bus) =
            (Some(ask), Some(told), Some(incoming), Some(bus));
    }
    Ok(parts)
}
