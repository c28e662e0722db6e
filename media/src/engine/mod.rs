//! The media threads: each leg on one thread for its life, each 20 ms tick in four phases.
//!
//! The signalling holds an [`Engine`]: it reserves ports, makes legs, tells them things, and drains
//! [`Events`]. A leg goes to the thread that has the fewest, and its number says which that is. What a leg
//! *does* is in [`crate::leg`], which is pure; here are its sockets and its clock.

mod seat;
mod thread;

pub use crate::leg::{InbandDtmf, LegConfig};

use crate::event::{LegCommand, LegEvent, LegId};
use crate::leg::{Leg, LegError, Seed};
use crate::ports::{Pair, PortError, PortPool};
use crate::record::Recorder;
use seat::Seat;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use thread::{Command, MediaThread, Outbox};

/// Commands that wait for one thread, which takes them each 5 ms.
const COMMANDS: usize = 2_048;
/// Events that wait for whoever drains them.
const EVENTS: usize = 8_192;

/// Called after something was put into [`Events`]; cheap, from a media thread, never per packet.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// How the engine runs.
#[derive(Clone)]
pub struct EngineConfig {
    /// Media threads; 0: one a core.
    pub threads: usize,
    /// RTP takes the even ports of this range, RTCP the odd ones after them.
    pub ports: RangeInclusive<u16>,
    /// Wakes whoever drains [`Events`].
    pub wake: Wake,
}

/// Why a leg could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Every pair of ports is in use.
    #[error("no free RTP port in {first}-{last}: {used} legs are up; widen rtp_port or lower limits.calls")]
    NoPort { first: u16, last: u16, used: usize },
    /// A socket could not be opened.
    #[error("cannot open an RTP socket on {address}: {source}")]
    Socket { address: SocketAddr, source: std::io::Error },
    /// A thread could not be started.
    #[error("cannot start a media thread: {0}")]
    Thread(std::io::Error),
    /// A leg could not be set up (out of memory).
    #[error(transparent)]
    Leg(#[from] LegError),
    /// The system gives no random numbers, without which an SSRC could be guessed.
    #[error("no random numbers for an SSRC: {0}")]
    Random(getrandom::Error),
    /// The media thread has more work queued than it takes; the command is lost.
    #[error("the media thread does not keep up")]
    Busy,
}

impl From<PortError> for EngineError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Exhausted { first, last, used } => Self::NoPort { first, last, used },
            PortError::Socket { address, source } => Self::Socket { address, source },
        }
    }
}

/// A bound pair of ports that is not yet a leg; dropping it gives the ports back.
#[derive(Debug)]
pub struct Reservation {
    pair: Pair,
}

impl Reservation {
    /// The RTP port (RTCP is the next one).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.pair.port()
    }
}

/// The media threads, as the signalling sees them. Dropping it ends all legs, and waits for the threads and
/// until recordings are whole.
#[derive(Debug)]
pub struct Engine {
    threads: Vec<Thread>,
    pool: Arc<PortPool>,
    next: AtomicU64,
    recorder: Option<Recorder>,
    /// Where legs count time from, and what the wall clock said then.
    epoch: Instant,
    wall: Duration,
}

#[derive(Debug)]
struct Thread {
    commands: Option<SyncSender<Command>>,
    legs: Arc<AtomicUsize>,
    handle: Option<JoinHandle<()>>,
}

/// Events of all legs, in order for each leg; bounded.
#[derive(Debug)]
pub struct Events {
    queue: Receiver<(LegId, LegEvent)>,
}

impl Events {
    /// The next one.
    pub fn try_next(&mut self) -> Option<(LegId, LegEvent)> {
        self.queue.try_recv().ok()
    }
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`EngineError::Thread`].
    pub fn start(config: EngineConfig) -> Result<(Self, Events), EngineError> {
        let count = match config.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        };
        let (events, queue) = sync_channel(EVENTS);
        let (failed, wake) = (events.clone(), Arc::clone(&config.wake));
        let recorder = Recorder::start(Box::new(move |leg, error| {
            // Whoever does not drain its events learns nothing of its recordings either.
            let _ = failed.try_send((leg, LegEvent::RecordFailed { error }));
            wake();
        }))
        .map_err(EngineError::Thread)?;
        let epoch = Instant::now();
        let mut engine = Self {
            threads: Vec::with_capacity(count),
            pool: PortPool::new(&config.ports),
            next: AtomicU64::new(0),
            recorder: Some(recorder),
            epoch,
            wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        for number in 0..count {
            let outbox = Outbox::new(events.clone(), Arc::clone(&config.wake));
            let thread = engine.spawn(number, outbox).map_err(EngineError::Thread)?;
            engine.threads.push(thread);
        }
        Ok((engine, Events { queue }))
    }

    fn spawn(&self, number: usize, outbox: Outbox) -> std::io::Result<Thread> {
        let (commands, queue) = sync_channel(COMMANDS);
        let legs = Arc::new(AtomicUsize::new(0));
        let door = self.recorder.as_ref().and_then(Recorder::door);
        let thread = MediaThread::new(queue, outbox, Arc::clone(&legs), door, self.epoch);
        let handle =
            std::thread::Builder::new().name(format!("trunkline-rtp{number}")).spawn(move || thread.run())?;
        Ok(Thread { commands: Some(commands), legs, handle: Some(handle) })
    }

    /// Binds a pair of ports on this address (the wildcard is fine).
    ///
    /// # Errors
    /// [`EngineError::NoPort`] or [`EngineError::Socket`].
    pub fn reserve(&self, bind: IpAddr) -> Result<Reservation, EngineError> {
        Ok(Reservation { pair: self.pool.bind(bind)? })
    }

    /// Makes a leg of it. It sends from its next tick on, silence if it has no company.
    ///
    /// # Errors
    /// [`EngineError::Busy`], [`EngineError::Leg`] or [`EngineError::Random`]; the ports are back then.
    pub fn open(&self, reservation: Reservation, config: LegConfig) -> Result<LegId, EngineError> {
        let count = self.threads.len() as u64;
        let (index, thread) = self
            .threads
            .iter()
            .enumerate()
            .min_by_key(|(_, thread)| thread.legs.load(Ordering::Relaxed))
            .ok_or(EngineError::Busy)?;
        let id = LegId(self.next.fetch_add(1, Ordering::Relaxed) * count + index as u64);
        let leg = Leg::new(config, &self.seed()?, self.epoch.elapsed())?;
        let seat = Box::new(Seat::new(id, leg, reservation.pair));
        // Counted before it is sent: the thread takes it off when the leg is closed.
        thread.legs.fetch_add(1, Ordering::Relaxed);
        let sent =
            thread.commands.as_ref().is_some_and(|commands| commands.try_send(Command::Open(seat)).is_ok());
        if sent {
            return Ok(id);
        }
        thread.legs.fetch_sub(1, Ordering::Relaxed);
        Err(EngineError::Busy)
    }

    /// Tells a leg something. A leg that is gone hears nothing.
    ///
    /// # Errors
    /// [`EngineError::Busy`].
    pub fn command(&self, leg: LegId, command: LegCommand) -> Result<(), EngineError> {
        let commands = self.commands_of(leg).ok_or(EngineError::Busy)?;
        match commands.try_send(Command::Tell(leg, command)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(EngineError::Busy),
        }
    }

    /// Closes a leg; `LegEvent::Closed` with the report follows.
    pub fn close(&self, leg: LegId) {
        if let Some(commands) = self.commands_of(leg) {
            // This one must not be lost, so it waits for room: at most until the thread's next 5 ms.
            let _ = commands.send(Command::Close(leg));
        }
    }

    /// Legs that are open, and port pairs that are taken.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let legs = self.threads.iter().map(|thread| thread.legs.load(Ordering::Relaxed)).sum();
        (legs, self.pool.used())
    }

    fn commands_of(&self, leg: LegId) -> Option<&SyncSender<Command>> {
        let index = leg.0.checked_rem(self.threads.len() as u64)?;
        self.threads.get(index as usize)?.commands.as_ref()
    }

    fn seed(&self) -> Result<Seed, EngineError> {
        let random = getrandom::u64().map_err(EngineError::Random)?;
        let more = getrandom::u64().map_err(EngineError::Random)?;
        Ok(Seed { random: [random, more], wall: self.wall })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for thread in &mut self.threads {
            thread.commands = None;
        }
        for thread in &mut self.threads {
            if let Some(handle) = thread.handle.take() {
                let _ = handle.join();
            }
        }
        self.recorder = None;
    }
}
