//! The writing thread: takes what is queued, writes it in one go, and puts ended calls into the store
//! some hundred at a time, because a transaction costs more than the rows in it.

use crate::index::Index;
use crate::queue::{Message, Queue};
use crate::segment::{Extent, SEGMENT, Segment};
use crate::store::Store;
use crate::{Entry, RecordsError, line};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Written at the latest when this much has come together.
const BUFFER: usize = 256 << 10;
/// Between two looks into the queue, so that a burst costs one wake-up and one write; the longest time
/// that a record is nowhere but in memory.
const PAUSE: Duration = Duration::from_millis(2);
/// Ended calls wait this long for the store (they are in the journal meanwhile), or until so many wait.
const STORE_AFTER: Duration = Duration::from_secs(1);
const STORE_AT: usize = 1024;
/// Ended calls that are kept while the store fails.
const MOST_ENDED: usize = 65_536;
/// Lines of a call that never begins are forgotten after so many stores.
const LOOSE_FOR: u32 = 60;

pub(crate) struct Writer {
    queue: Arc<Queue>,
    index: Arc<Mutex<Index>>,
    store: Arc<Store>,
    segment: Segment,
    buffer: Vec<u8>,
    /// Timeline entries in it.
    entries: u64,
    stored: Instant,
    journal_trouble: Trouble,
    store_trouble: Trouble,
}

impl Writer {
    pub(crate) fn new(
        journal: &Path,
        queue: &Arc<Queue>,
        index: &Arc<Mutex<Index>>,
        store: &Arc<Store>,
    ) -> Result<Self, RecordsError> {
        Ok(Self {
            queue: queue.clone(),
            index: index.clone(),
            store: store.clone(),
            segment: Segment::open(journal).map_err(RecordsError::io(journal))?,
            buffer: Vec::with_capacity(BUFFER + (64 << 10)),
            entries: 0,
            stored: Instant::now(),
            journal_trouble: Trouble { what: "timelines", told: false },
            store_trouble: Trouble { what: "ended calls", told: false },
        })
    }

    pub(crate) fn run(mut self) {
        let mut messages = Vec::new();
        let mut waiting = false;
        while self.queue.take(&mut messages, waiting.then_some(STORE_AFTER)) {
            let few = messages.len() < STORE_AT;
            self.batch(&mut messages);
            let (ended, loose) = {
                let index = lock(&self.index);
                (index.ended.len(), index.loose.len())
            };
            let due = self.stored.elapsed() >= STORE_AFTER;
            // A store that fails is tried once a second, not at every look.
            let many = ended >= STORE_AT && !self.store_trouble.told;
            if many || (due && ended + loose > 0) {
                self.store();
            }
            waiting = ended + loose > 0;
            if few {
                std::thread::sleep(PAUSE);
            }
        }
        self.write();
        if self.store() && !self.journal_trouble.told && lock(&self.index).calls_up().next().is_none() {
            let last = if self.segment.length == 0 { self.segment.number - 1 } else { self.segment.number };
            let marked = self.store.set_clean(last);
            self.store_trouble.tell(marked.err(), self.queue.lost());
        }
    }

    fn batch(&mut self, messages: &mut Vec<Message>) {
        for message in messages.drain(..) {
            match message {
                Message::Up(cdr) => {
                    self.line(&cdr.id, "up", |line| line::value(line, &cdr));
                    lock(&self.index).up(*cdr);
                }
                Message::Entry(call, entry) => self.entry(&call, &entry),
                Message::End(cdr) => {
                    self.line(&cdr.id, "end", |line| line::value(line, &cdr));
                    lock(&self.index).end(*cdr);
                }
                Message::Flush(done) => {
                    self.write();
                    self.store();
                    // Whoever waited may have gone.
                    let _ = done.try_send(());
                }
            }
            if self.buffer.len() >= BUFFER {
                self.write();
            }
        }
        self.write();
    }

    fn entry(&mut self, call: &str, entry: &Entry) {
        let extent = self.line(call, "entry", |line| line::entry(line, entry));
        self.entries += 1;
        if !lock(&self.index).line(call, extent) {
            self.queue.lose(1);
        }
    }

    /// Adds a line to the buffer; where it will be.
    fn line(&mut self, call: &str, key: &str, value: impl FnOnce(&mut Vec<u8>)) -> Extent {
        let start = self.buffer.len();
        line::begin(&mut self.buffer, call, key);
        value(&mut self.buffer);
        self.buffer.extend_from_slice(b"}\n");
        let length = u32::try_from(self.buffer.len() - start).unwrap_or(u32::MAX);
        Extent(self.segment.number, self.segment.length + start as u64, length)
    }

    /// Writes the buffer. A place in the index that was not written stays empty: readers look at the id.
    fn write(&mut self) {
        if !self.buffer.is_empty() {
            let written = self.segment.write(&self.buffer);
            if written.is_err() {
                self.queue.lose(self.entries);
            }
            self.buffer.clear();
            self.entries = 0;
            self.journal_trouble.tell(written.err(), self.queue.lost());
        }
        // The store first: the next start looks no further back than one file. When the store fails, the file
        // may grow, because it holds what the store has not.
        if self.segment.length >= SEGMENT && (self.store() || self.segment.length >= 4 * SEGMENT) {
            self.segment.turn();
            self.copy_calls_up();
        }
    }

    /// A new file begins with the calls that are up, so that no older one is needed after a crash.
    fn copy_calls_up(&mut self) {
        let index = self.index.clone();
        for known in lock(&index).calls_up() {
            line::begin(&mut self.buffer, &known.cdr.id, "up");
            line::value(&mut self.buffer, &known.cdr);
            self.buffer.extend_from_slice(b",\"extents\":");
            line::value(&mut self.buffer, &known.extents);
            self.buffer.extend_from_slice(b"}\n");
        }
        let written = self.segment.write(&self.buffer);
        self.buffer.clear();
        self.journal_trouble.tell(written.err(), self.queue.lost());
    }

    /// Puts what has ended into the store; `false`: it failed, and is tried again.
    fn store(&mut self) -> bool {
        self.stored = Instant::now();
        let (ended, mut loose) = {
            let mut index = lock(&self.index);
            index.storing = Arc::new(std::mem::take(&mut index.ended));
            (index.storing.clone(), std::mem::take(&mut index.loose))
        };
        if ended.is_empty() && loose.is_empty() {
            return true;
        }
        let stored = self.store.add_calls(&ended, &loose);
        let (added, error) = match stored {
            Ok(added) => (added.into_iter().map(Box::from).collect::<Vec<Box<str>>>(), None),
            Err(error) => (Vec::new(), Some(error)),
        };
        loose.retain(|id, (_, waited)| {
            *waited += 1;
            !added.contains(id) && *waited < LOOSE_FOR
        });
        let fine = error.is_none();
        let mut index = lock(&self.index);
        index.loose.extend(loose);
        index.storing = Arc::default();
        if !fine {
            let mut ended = Arc::try_unwrap(ended).unwrap_or_else(|ended| ended.to_vec());
            let too_many = ended.len().saturating_sub(MOST_ENDED);
            ended.drain(..too_many);
            self.queue.lose(too_many as u64);
            ended.append(&mut index.ended);
            index.ended = ended;
        }
        drop(index);
        self.store_trouble.tell(error, self.queue.lost());
        fine
    }
}

/// A fault of the disk: told once, and once that it is over.
struct Trouble {
    what: &'static str,
    told: bool,
}

impl Trouble {
    fn tell(&mut self, error: Option<impl std::fmt::Display>, lost: u64) {
        match error {
            Some(error) if !self.told => {
                self.told = true;
                tracing::error!(%error, "{} are not being written down; trying again", self.what);
            }
            None if self.told => {
                self.told = false;
                tracing::warn!(lost, "{} are being written down again", self.what);
            }
            _ => {}
        }
    }
}

fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}
