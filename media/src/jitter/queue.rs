//! Packets in the order of their sound, over memory that is taken once.

/// Packets at most: 320 ms of 10 ms packets, which is more than the longest delay.
const PACKETS: usize = 32;
/// 60 ms of G.711 or G.722 are 480 bytes.
const NARROW: usize = 512;
/// The longest Opus payload of one frame (RFC 6716 §3.2.1).
const OPUS: usize = 1_276;

/// A packet, without its payload.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    /// Timestamp on the unwrapped time line.
    pub(super) at: i64,
    /// Its sound in ticks; 0: comfort noise.
    pub(super) length: i64,
    pub(super) sequence: u16,
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    /// Where its payload is: the queue's own affair.
    pub(super) slot: u8,
    pub(super) bytes: u16,
}

/// The packets that wait.
#[derive(Debug)]
pub(super) struct Queue {
    /// Oldest first; the first `len` are in use.
    entries: [Entry; PACKETS],
    len: usize,
    /// A bit for each slot of `payloads` that is free.
    free: u32,
    room: usize,
    payloads: Box<[u8]>,
}

impl Queue {
    /// Room for payloads of codecs with this RTP clock.
    pub(super) fn new(clock: i64) -> Self {
        let room = if clock > 16_000 { OPUS } else { NARROW };
        Self {
            entries: [Entry::default(); PACKETS],
            len: 0,
            free: u32::MAX,
            room,
            payloads: vec![0; room * PACKETS].into_boxed_slice(),
        }
    }

    /// Bytes that a payload may have.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == PACKETS
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.free = u32::MAX;
    }

    pub(super) fn front(&self) -> Option<Entry> {
        self.waiting().first().copied()
    }

    pub(super) fn holds(&self, sequence: u16) -> bool {
        self.waiting().iter().any(|e| e.sequence == sequence)
    }

    /// Puts a packet in its place; nothing happens where the queue is full or the payload too long.
    pub(super) fn insert(&mut self, mut entry: Entry, payload: &[u8]) {
        let slot = self.free.trailing_zeros() as usize;
        let start = slot * self.room;
        if self.is_full() || payload.len() > self.room {
            return;
        }
        let Some(bytes) = self.payloads.get_mut(start..start + payload.len()) else { return };
        bytes.copy_from_slice(payload);
        entry.slot = slot as u8;
        entry.bytes = payload.len() as u16;
        // Nearly always the newest, so that the search ends at once.
        let at = self.waiting().iter().rposition(|e| e.at <= entry.at).map_or(0, |before| before + 1);
        self.entries.copy_within(at..self.len, at + 1);
        if let Some(place) = self.entries.get_mut(at) {
            *place = entry;
            self.len += 1;
            self.free &= !(1 << slot);
        }
    }

    /// Takes the oldest out. Its payload can be read until the next packet is inserted.
    pub(super) fn remove_front(&mut self) {
        if let Some(front) = self.front() {
            self.entries.copy_within(1..self.len, 0);
            self.len -= 1;
            self.free |= 1 << front.slot;
        }
    }

    pub(super) fn payload(&self, entry: &Entry) -> &[u8] {
        let start = usize::from(entry.slot) * self.room;
        self.payloads.get(start..start + usize::from(entry.bytes)).unwrap_or_default()
    }

    fn waiting(&self) -> &[Entry] {
        self.entries.get(..self.len).unwrap_or_default()
    }
}
