//! Between the signalling and the writing thread: bounded in messages and bytes, and cheap to push to. A
//! lock, a push, and a wake-up only when the writer sleeps for want of work.

use crate::{Cdr, Entry, What};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most messages: a CDR waits above this.
const MOST: usize = 65_536;
/// Above these a timeline entry is lost: a fifth of the room is for CDRs.
const MOST_ENTRIES: usize = MOST / 5 * 4;
const MOST_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub(crate) enum Message {
    /// A call is up, or more is known of it.
    Up(Box<Cdr>),
    Entry(Box<str>, Entry),
    End(Box<Cdr>),
    /// Answered when all before it is on disk.
    Flush(SyncSender<()>),
}

impl Message {
    /// About how much memory it holds.
    fn bytes(&self) -> usize {
        match self {
            Self::Entry(call, Entry { what, .. }) => {
                call.len()
                    + match what {
                        What::Sip { text, .. } | What::Media { text } | What::Transcript { text, .. } => {
                            text.len()
                        }
                        What::Fault { text } => text.len(),
                        What::Decision { what, why } => what.len() + why.len(),
                        What::State { .. } | What::Dtmf { .. } => 0,
                    }
            }
            Self::Up(_) | Self::End(_) | Self::Flush(_) => 0,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Message>,
    bytes: usize,
    asleep: bool,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What must not be lost.
    pub(crate) fn push(&self, message: Message) {
        let mut state = self.lock();
        while state.messages.len() >= MOST && !state.closed {
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.add(state, message);
    }

    /// What may be lost when the disk does not keep up. Of an update nothing is lost but what a crash would leave.
    pub(crate) fn push_if_room(&self, message: Message) {
        let state = self.lock();
        if state.messages.len() >= MOST_ENTRIES || state.bytes >= MOST_BYTES {
            drop(state);
            if matches!(message, Message::Entry(..)) {
                self.lose(1);
            }
            return;
        }
        self.add(state, message);
    }

    fn add(&self, mut state: MutexGuard<'_, State>, message: Message) {
        if state.closed {
            return;
        }
        state.bytes += message.bytes();
        state.messages.push(message);
        if std::mem::take(&mut state.asleep) {
            drop(state);
            self.filled.notify_one();
        }
    }

    /// All that is queued, waiting for something as long as `patience` (`None`: until there is). `false`: it
    /// is closed and empty.
    pub(crate) fn take(&self, into: &mut Vec<Message>, patience: Option<Duration>) -> bool {
        let mut state = self.lock();
        if state.messages.is_empty() && !state.closed {
            state.asleep = true;
            let still = |state: &mut State| state.asleep && !state.closed;
            state = match patience {
                None => self.filled.wait_while(state, still).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    self.filled
                        .wait_timeout_while(state, patience, still)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.asleep = false;
        }
        std::mem::swap(&mut state.messages, into);
        state.bytes = 0;
        let open = !state.closed || !into.is_empty();
        drop(state);
        self.emptied.notify_all();
        open
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    pub(crate) fn lose(&self, entries: u64) {
        self.lost.fetch_add(entries, Ordering::Relaxed);
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Message {
        Message::Entry("SCL_1".into(), Entry { at: 1, what: What::Fault { text: "x".repeat(100) } })
    }

    #[test]
    fn a_full_queue_loses_entries_and_counts_them_but_no_cdr() {
        let queue = Queue::default();
        for _ in 0..MOST_ENTRIES + 10 {
            queue.push_if_room(entry());
        }
        queue.push(Message::End(Box::default()));
        assert_eq!(queue.lost(), 10);
        let mut taken = Vec::new();
        assert!(queue.take(&mut taken, None));
        assert_eq!(taken.len(), MOST_ENTRIES + 1);
        assert!(matches!(taken.last(), Some(Message::End(_))));
    }

    #[test]
    fn what_is_queued_when_it_closes_is_still_taken() {
        let queue = Queue::default();
        queue.push(entry());
        queue.close();
        let mut taken = Vec::new();
        assert!(queue.take(&mut taken, None));
        taken.clear();
        assert!(!queue.take(&mut taken, None));
    }
}
