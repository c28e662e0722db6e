//! The thread's side: commands when they come, every session every 20 ms.

use super::{AgentEvent, AgentInput, SessionId, Wake};
use crate::session::Session;
use crate::turn::Time;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(20);
/// A thread that is later than this does not try to catch up tick by tick: sessions hear several frames
/// in one.
const LATE: Duration = Duration::from_millis(100);
/// Between two looks at the commands while sessions are up: a thread that waits for each of them costs the
/// signalling a system call and a wake-up of another core a command, which is more than the command itself.
const LOOK: Duration = Duration::from_millis(5);
/// Commands that are served between two ticks when the thread is late.
const AT_ONCE: usize = 256;

#[derive(Debug)]
pub(super) enum Command {
    Open(SessionId, Box<Session>),
    Input(SessionId, AgentInput),
    Close(SessionId),
}

struct Running {
    session: Box<Session>,
    opened: Instant,
}

pub(super) struct Thread {
    commands: Receiver<Command>,
    told: SyncSender<(SessionId, AgentEvent)>,
    wake: Wake,
    count: Arc<AtomicUsize>,
    sessions: HashMap<SessionId, Running>,
    /// Sessions that broke in this tick.
    broken: Vec<SessionId>,
    /// Something was told of which the reader does not know yet.
    news: bool,
}

impl Thread {
    pub(super) fn new(
        commands: Receiver<Command>,
        told: SyncSender<(SessionId, AgentEvent)>,
        wake: Wake,
        count: Arc<AtomicUsize>,
    ) -> Self {
        Self { commands, told, wake, count, sessions: HashMap::new(), broken: Vec::new(), news: false }
    }

    /// Until the host is gone.
    pub(super) fn run(mut self) {
        let mut next = Instant::now() + TICK;
        loop {
            if self.sessions.is_empty() {
                let Ok(command) = self.commands.recv() else { return };
                self.command(command);
                next = Instant::now() + TICK;
            }
            if !self.serve_until(next) {
                return;
            }
            self.tick();
            self.wake();
            next += TICK;
            let now = Instant::now();
            if now > next + LATE {
                next = now;
            }
        }
    }

    /// `false`: the host is gone.
    fn serve_until(&mut self, next: Instant) -> bool {
        let mut served = 0;
        while served < AT_ONCE {
            match self.commands.try_recv() {
                Ok(command) => self.command(command),
                Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => {
                    self.wake();
                    let left = next.saturating_duration_since(Instant::now());
                    // A thread that has nobody to serve waits for a command, not for the time.
                    if left.is_zero() || self.sessions.is_empty() {
                        return true;
                    }
                    std::thread::sleep(left.min(LOOK));
                    continue;
                }
            }
            let late = next <= Instant::now();
            served = if late { served + 1 } else { 0 };
        }
        true
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Open(id, session) => {
                let running = Running { session, opened: Instant::now() };
                if self.sessions.insert(id, running).is_some() {
                    self.count.fetch_sub(1, Ordering::AcqRel);
                }
                self.act(id, Session::begin);
            }
            Command::Input(id, AgentInput::Dtmf(key)) => self.act(id, |session, now| session.key(now, key)),
            Command::Input(id, AgentInput::Hold(on)) => self.act(id, |session, now| session.hold(now, on)),
            Command::Input(id, AgentInput::TransferFailed) => self.act(id, Session::transfer_failed),
            Command::Close(id) => {
                if self.sessions.remove(&id).is_some() {
                    self.count.fetch_sub(1, Ordering::AcqRel);
                }
            }
        }
    }

    /// One session does something; what it says of it is told at once.
    fn act(&mut self, id: SessionId, act: impl FnOnce(&mut Session, Time)) {
        let Some(running) = self.sessions.get_mut(&id) else { return };
        let mut broken = std::mem::take(&mut self.broken);
        let told = run(&self.told, id, running, act);
        broken.extend(told.is_none().then_some(id));
        self.after(broken, told.unwrap_or(true));
    }

    fn tick(&mut self) {
        let mut broken = std::mem::take(&mut self.broken);
        let mut any = false;
        for (id, running) in &mut self.sessions {
            match run(&self.told, *id, running, Session::tick) {
                Some(told) => any |= told,
                None => broken.push(*id),
            }
        }
        self.after(broken, any);
    }

    /// Wakes whoever reads events, once for all that was told.
    fn wake(&mut self) {
        if std::mem::take(&mut self.news) {
            (self.wake)();
        }
    }

    /// Ends what broke.
    fn after(&mut self, mut broken: Vec<SessionId>, any: bool) {
        self.news |= any || !broken.is_empty();
        for id in broken.drain(..) {
            self.sessions.remove(&id);
            self.count.fetch_sub(1, Ordering::AcqRel);
            tracing::error!(session = id.0, "an agent session broke; its call is ended, the others go on");
            let reason = "the agent broke".to_owned();
            // With a full queue the call lives until its caller hangs up: nobody is left to speak to it.
            let _full = self.told.try_send((id, AgentEvent::HangUp { reason }));
        }
        self.broken = broken;
    }
}

/// Lets a session act and fetches its events: were there any? `None`: it broke. One call's fault is not
/// to be the end of all others.
fn run(
    told: &SyncSender<(SessionId, AgentEvent)>,
    id: SessionId,
    running: &mut Running,
    act: impl FnOnce(&mut Session, Time),
) -> Option<bool> {
    let now = running.opened.elapsed();
    let session = &mut running.session;
    catch_unwind(AssertUnwindSafe(|| act(session, now))).ok()?;
    let mut any = false;
    while let Some(event) = session.poll() {
        match told.try_send((id, event)) {
            Ok(()) => any = true,
            Err(TrySendError::Full((_, event))) => {
                session.put_back(event);
                return Some(true);
            }
            Err(TrySendError::Disconnected(_)) => break,
        }
    }
    Some(any)
}
