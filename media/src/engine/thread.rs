//! One media thread: commands, four phases of 5 ms, a sleep until the next.
//!
//! Deadlines are absolute, so that a tick is 20 ms on average whatever a pass costs. A thread that was held
//! up catches up at most [`MOST_BEHIND`]; what is beyond that is skipped, as a burst helps no listener.

use super::Wake;
use super::seat::{DATAGRAM, Seat};
use crate::event::{LegCommand, LegEvent, LegId};
use crate::record::RecorderDoor;
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(20);
const PHASES: usize = 4;
const PHASE: Duration = Duration::from_millis(5);
/// Three frames.
const MOST_BEHIND: Duration = Duration::from_millis(60);
/// Events that a thread keeps for a reader that does not drain; `Closed` is kept beyond it.
const KEPT: usize = 4_096;

/// What a media thread is told.
#[derive(Debug)]
pub(super) enum Command {
    Open(Box<Seat>),
    Tell(LegId, LegCommand),
    Close(LegId),
}

/// Events on their way out of a thread: handed over once a phase, and then one wake.
pub(super) struct Outbox {
    queue: SyncSender<(LegId, LegEvent)>,
    wake: Wake,
    kept: VecDeque<(LegId, LegEvent)>,
    /// What one leg says in one pass.
    said: Vec<LegEvent>,
}

pub(super) struct MediaThread {
    commands: Receiver<Command>,
    outbox: Outbox,
    legs: Arc<AtomicUsize>,
    recorder: Option<RecorderDoor>,
    epoch: Instant,
    phases: [Slab<Box<Seat>>; PHASES],
    /// Phase and key of each leg.
    places: HashMap<LegId, (usize, usize)>,
    buffer: Box<[u8; DATAGRAM]>,
}

impl MediaThread {
    pub(super) fn new(
        commands: Receiver<Command>,
        outbox: Outbox,
        legs: Arc<AtomicUsize>,
        recorder: Option<RecorderDoor>,
        epoch: Instant,
    ) -> Self {
        Self {
            commands,
            outbox,
            legs,
            recorder,
            epoch,
            phases: [const { Slab::new() }; PHASES],
            places: HashMap::new(),
            buffer: Box::new([0; DATAGRAM]),
        }
    }

    /// Until the engine is gone.
    pub(super) fn run(mut self) {
        let mut deadline = Instant::now();
        loop {
            for phase in 0..PHASES {
                if self.places.is_empty() && self.outbox.is_empty() {
                    // Nobody to serve: no reason to wake.
                    let Ok(command) = self.commands.recv() else { return };
                    self.obey(command);
                    deadline = Instant::now();
                }
                if !self.obey_all() {
                    return;
                }
                self.serve(phase);
                self.outbox.flush();
                deadline += PHASE;
                let now = Instant::now();
                if let Some(early) = deadline.checked_duration_since(now) {
                    std::thread::sleep(early);
                } else if now - deadline > MOST_BEHIND {
                    deadline += self.skip(now - deadline);
                }
            }
        }
    }

    /// Takes all commands that wait; false when the engine is gone.
    fn obey_all(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open(seat) => self.open(seat),
            Command::Tell(id, command) => self.tell(id, command),
            Command::Close(id) => self.close(id),
        }
    }

    fn open(&mut self, seat: Box<Seat>) {
        let id = seat.id;
        let fewest = self.phases.iter_mut().enumerate().min_by_key(|(_, legs)| legs.len());
        if let Some((phase, legs)) = fewest {
            self.places.insert(id, (phase, legs.insert(seat)));
        }
    }

    fn tell(&mut self, id: LegId, command: LegCommand) {
        let now = self.epoch.elapsed();
        let Some((phase, key)) = self.places.get(&id) else { return };
        let Some(seat) = self.phases.get_mut(*phase).and_then(|legs| legs.get_mut(*key)) else { return };
        match command {
            LegCommand::Record(path) => {
                let rate = seat.leg.rate();
                match self.recorder.as_ref().and_then(|door| door.tape(id, path, rate)) {
                    Some(tape) => seat.leg.record(Some(tape)),
                    None => {
                        self.outbox.say(LegEvent::RecordFailed { error: "the recorder is busy".to_owned() })
                    }
                }
            }
            LegCommand::StopRecord => seat.leg.record(None),
            other => seat.leg.command(now, other, &mut self.outbox.said),
        }
        self.outbox.keep(id);
    }

    fn close(&mut self, id: LegId) {
        let Some((phase, key)) = self.places.remove(&id) else { return };
        let Some(seat) = self.phases.get_mut(phase).and_then(|legs| legs.try_remove(key)) else { return };
        let report = seat.close(self.epoch.elapsed());
        // First the counts, then the news: whoever hears it finds everything given back.
        self.legs.fetch_sub(1, Ordering::Relaxed);
        self.outbox.say(LegEvent::Closed { report });
        self.outbox.keep(id);
    }

    fn serve(&mut self, phase: usize) {
        let now = self.epoch.elapsed();
        let Some(legs) = self.phases.get_mut(phase) else { return };
        for (_, seat) in legs.iter_mut() {
            seat.tick(now, &mut self.buffer, &mut self.outbox.said);
            if !self.outbox.said.is_empty() {
                self.outbox.keep(seat.id);
            }
        }
    }

    /// Leaves out whole ticks; says how long they were.
    fn skip(&mut self, behind: Duration) -> Duration {
        let ticks = (behind.as_millis() / TICK.as_millis()) as u32;
        for (_, seat) in self.phases.iter_mut().flat_map(Slab::iter_mut) {
            seat.leg.skip(ticks);
        }
        TICK * ticks
    }
}

impl Outbox {
    pub(super) fn new(queue: SyncSender<(LegId, LegEvent)>, wake: Wake) -> Self {
        Self { queue, wake, kept: VecDeque::with_capacity(64), said: Vec::with_capacity(16) }
    }

    fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn say(&mut self, event: LegEvent) {
        self.said.push(event);
    }

    /// Takes over what this leg said.
    fn keep(&mut self, id: LegId) {
        for event in self.said.drain(..) {
            if self.kept.len() < KEPT || matches!(event, LegEvent::Closed { .. }) {
                self.kept.push_back((id, event));
            }
        }
    }

    /// Hands over what there is room for; the rest waits for the next phase.
    fn flush(&mut self) {
        let mut handed = false;
        while let Some(event) = self.kept.pop_front() {
            match self.queue.try_send(event) {
                Ok(()) => handed = true,
                Err(TrySendError::Full(event)) => {
                    self.kept.push_front(event);
                    break;
                }
                // Nobody will ever read it.
                Err(TrySendError::Disconnected(_)) => {}
            }
        }
        if handed {
            (self.wake)();
        }
    }
}
