//! Where the headers of a message stand: offsets in order, and the first of each known name at hand.

use super::name::KNOWN;
use super::{HeaderName, MOST_HEADERS};

/// Headers that cost no allocation.
const INLINE: usize = 32;

/// No entry of this name.
const NONE: u8 = u8::MAX;

/// Where one header stands. Sixteen bits are enough for the largest message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) name: HeaderName,
    pub(super) folded: bool,
    pub(super) name_at: u16,
    pub(super) name_len: u16,
    pub(super) value_at: u16,
    pub(super) value_len: u16,
}

const NO_ENTRY: Entry =
    Entry { name: HeaderName::Other, folded: false, name_at: 0, name_len: 0, value_at: 0, value_len: 0 };

/// The headers of a message.
#[derive(Debug, Clone)]
pub(super) struct Table {
    inline: [Entry; INLINE],
    count: u8,
    spill: Vec<Entry>,
    /// Which entry is the first of a name.
    first: [u8; KNOWN],
    /// One bit a name that stands more than once.
    repeated: u64,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { inline: [NO_ENTRY; INLINE], count: 0, spill: Vec::new(), first: [NONE; KNOWN], repeated: 0 }
    }

    /// Adds an entry; false when there is no room for more.
    pub(super) fn push(&mut self, entry: Entry) -> bool {
        if usize::from(self.count) >= MOST_HEADERS {
            return false;
        }
        if let Some(slot) = self.inline.get_mut(usize::from(self.count)) {
            *slot = entry;
        } else {
            self.spill.push(entry);
        }
        if let Some(first) = self.first.get_mut(entry.name as usize) {
            if *first == NONE {
                *first = self.count;
            } else {
                self.repeated |= 1 << (entry.name as u8);
            }
        }
        self.count += 1;
        true
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.inline.iter().take(usize::from(self.count)).chain(self.spill.iter())
    }

    fn get(&self, n: usize) -> Option<&Entry> {
        self.inline.get(n).or_else(|| self.spill.get(n.checked_sub(INLINE)?))
    }

    /// The first entry of a known name.
    pub(super) fn first(&self, name: HeaderName) -> Option<&Entry> {
        let n = self.first.get(name as usize).copied().filter(|n| *n != NONE)?;
        self.get(usize::from(n))
    }

    /// All entries of a known name.
    pub(super) fn all(&self, name: HeaderName) -> impl Iterator<Item = &Entry> {
        let first = self.first(name);
        let more = first.is_some() && self.repeats(name);
        let from = self.first.get(name as usize).map_or(0, |n| usize::from(*n)) + 1;
        let rest = if more { from..usize::from(self.count) } else { 0..0 };
        first.into_iter().chain(rest.filter_map(|n| self.get(n)).filter(move |e| e.name == name))
    }

    /// Does a known name stand more than once?
    pub(super) fn repeats(&self, name: HeaderName) -> bool {
        self.repeated & 1_u64.checked_shl(u32::from(name as u8)).unwrap_or(0) != 0
    }
}
