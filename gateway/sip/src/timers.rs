//! Deadlines: one heap for all, deleted lazily.
//!
//! Whoever has deadlines knows its nearest one. It stands in the heap at most once for each time that
//! this nearest one moved *forward*; one that moved back is noticed when the old entry comes up, and
//! entered anew then. So a call that ends early costs nothing here until its entry comes up.

use crate::Time;
use crate::arena::Id;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Whose deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Server(Id),
    Client(Id),
    Call(Id),
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Time, Owner)>>,
}

/// The time at which its owner stands in the heap.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Armed(Option<Time>);

impl Armed {
    /// Is this the entry that counts? Then the owner is out of the heap now.
    pub fn fired(&mut self, at: Time) -> bool {
        let counts = self.0 == Some(at);
        if counts {
            self.0 = None;
        }
        counts
    }
}

impl Timers {
    pub fn arm(&mut self, armed: &mut Armed, owner: Owner, deadline: Option<Time>) {
        if let Some(at) = deadline
            && armed.0.is_none_or(|a| at < a)
        {
            armed.0 = Some(at);
            self.heap.push(Reverse((at, owner)));
        }
    }

    /// Entries of owners that are gone go, when they are most of what is here: a session timer would else
    /// outlive its call by a quarter of an hour.
    pub fn prune(&mut self, owners: usize, lives: impl Fn(Owner) -> bool) {
        if self.heap.len() > 1024 + 4 * owners {
            self.heap.retain(|Reverse((_, owner))| lives(*owner));
        }
    }

    pub fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    pub fn due(&mut self, now: Time) -> Option<(Time, Owner)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

/// The earlier of two deadlines.
pub(crate) fn earlier(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
