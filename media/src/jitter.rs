//! The jitter buffer: packets in as the network brings them, sound out every 20 ms.
//!
//! It never cuts packets. A leg keeps a small queue of decoded samples and, while that holds less than one
//! frame, calls [`JitterBuffer::pull`] and appends what the answer stands for: a packet of 10 ms or of 60 ms
//! to decode, a stretch to conceal, a stretch of silence.
//!
//! Delay. Of every packet the transit (arrival minus timestamp) is compared with the shortest transit of the
//! last seconds. `target` is what 97 of 100 packets keep within (20 to 200 ms); `delay` is how far playout
//! lies behind the shortest transit. An empty buffer is concealed *without* moving the playout position: if the
//! packet was late it is still played and the delay has grown at once by what it was late; if it was lost the
//! time is taken back when the next one comes. A delay that is too long is shortened by one packet a second
//! (five a second while it is quiet), or at once where it is beyond all use.

mod delay;
mod queue;
#[cfg(test)]
mod tests;

use crate::rtp::RtpPacket;
use crate::session::Codec;
use delay::Delay;
use queue::{Entry, Queue};
use std::time::Duration;

/// Sound is concealed for so many frames when nothing comes; then it is a pause.
const CONCEALED_FRAMES: i64 = 5;
/// A timestamp this many seconds away from playout is another time line; so is one after a longer pause.
const JUMP_SECONDS: i64 = 2;
/// So many late packets in a row are no late packets, but a sender that set its clock back.
const LATE_IN_A_ROW: u8 = 10;
/// Beyond this the delay is cut at once: the sound has a hole by then anyway.
const TOO_LATE_US: i64 = 300_000;
/// The delay is left alone within this distance of the target.
const SLACK_US: i64 = 10_000;
/// One packet a second is left out where there is too much delay.
const SHRINK_US: i64 = 1_000_000;
/// The same while it is quiet, where nobody hears it.
const SHRINK_QUIET_US: i64 = 200_000;
/// A sender that does not count its pauses shows it with the first packet of a talkspurt.
const UNCOUNTED_PAUSE_US: i64 = 200_000;
/// A transit that got so much longer is such a pause too, with no marker.
const LONG_PAUSE_US: i64 = 1_000_000;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is kept until its time.
    Ok,
    /// Its time was over.
    Late,
    /// It was here before.
    Duplicate,
    /// It is kept; the oldest had to go for it.
    Overflow,
    /// Longer than any packet of 60 ms; not kept.
    TooLong,
}

/// What to put to the sound next.
#[derive(Debug, PartialEq, Eq)]
pub enum Pulled<'a> {
    /// A packet to decode. With payload type 13 (comfort noise) it has no length: set the generator, pull again.
    Packet {
        payload_type: u8,
        payload: &'a [u8],
        /// There is too much delay: decode it so that the decoder does not lose its state, but leave its sound
        /// out (blend with [`splice`]), and pull again.
        skip: bool,
    },
    /// A stretch that did not come: conceal so many ticks of the RTP clock. `next` is the packet right
    /// after it, whose redundancy may hold it (Opus FEC).
    Missing { ticks: u32, next: Option<&'a [u8]> },
    /// Nothing is expected (before the first packet, in a pause, on hold): silence or comfort noise for so many ticks.
    Silence { ticks: u32 },
}

/// What the buffer counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JitterCounts {
    /// Packets whose time was over.
    pub late: u64,
    /// Packets that came again.
    pub duplicate: u64,
    /// Packets thrown out unplayed: the buffer was full, or far too late.
    pub discarded: u64,
    /// Packets left out to shorten the delay.
    pub skipped: u64,
    /// Stretches (20 ms, seldom less) that were to be concealed.
    pub concealed: u64,
}

/// The buffer of one leg. Memory is taken when it is made or set to another clock.
#[derive(Debug)]
pub struct JitterBuffer {
    clock: i64,
    /// Ticks of 20 ms.
    frame: i64,
    queue: Queue,
    delay: Delay,
    ssrc: Option<u32>,
    /// The newest timestamp, as sent and on the unwrapped time line.
    newest: (u32, i64),
    /// Timestamp of the next sound; meaningless before the first packet.
    cursor: i64,
    playing: bool,
    /// The sender is known to send no sound: comfort noise was the last that was played, or a key is down.
    stands_back: bool,
    /// Ticks that were concealed without moving the cursor.
    owed: i64,
    late_in_a_row: u8,
    /// A packet was late although others came: playout has to wait longer.
    wait_longer: bool,
    quiet: bool,
    /// When the delay was last shortened, µs.
    shrunk_at: i64,
    /// Sequence numbers that were played: the newest, and a bit for each of the 64 up to it.
    played: (u16, u64),
    counts: JitterCounts,
}

/// The length of a payload in ticks of the codec's RTP clock; 0 for what does not tell.
#[must_use]
pub fn packet_ticks(codec: Codec, payload: &[u8]) -> u32 {
    match codec {
        // G.722 packs two samples of 16,000 Hz into a byte, and counts one tick for them (RFC 3551 §4.5.2).
        Codec::Pcmu | Codec::Pcma | Codec::G722 => payload.len() as u32,
        Codec::Opus => opus::packet::get_nb_samples(payload, codec.clock()).unwrap_or(0) as u32,
    }
}

/// Blends the sound after a packet that was left out into what is there: `skipped` is the sound of that
/// packet, `next` the sound that follows it in its place. 5 ms at most, of whatever rate.
pub fn splice(skipped: &[i16], next: &mut [i16], rate: u32) {
    let seam = (rate as usize / 200).min(skipped.len()).min(next.len());
    for (i, (to, from)) in next.iter_mut().zip(skipped).take(seam).enumerate() {
        let mixed = i64::from(*from) * (seam - i) as i64 + i64::from(*to) * i as i64;
        *to = (mixed / seam as i64) as i16;
    }
}

impl JitterBuffer {
    /// An empty buffer for packets of this RTP clock (8,000 or 48,000; see [`Codec::clock`]).
    #[must_use]
    pub fn new(clock: u32) -> Self {
        let clock = i64::from(clock.max(8_000));
        Self {
            clock,
            frame: clock / 50,
            queue: Queue::new(clock),
            delay: Delay::new(),
            ssrc: None,
            newest: (0, 0),
            cursor: 0,
            playing: false,
            stands_back: false,
            owed: 0,
            late_in_a_row: 0,
            wait_longer: false,
            quiet: false,
            shrunk_at: 0,
            played: (0, 0),
            counts: JitterCounts::default(),
        }
    }

    /// Begins anew, for another codec or after a hold; the counts stay, and what is known of the network where the clock stays.
    pub fn reset(&mut self, clock: u32) {
        let counts = self.counts;
        if i64::from(clock) == self.clock {
            self.ssrc = None;
            self.begin_anew(0);
        } else {
            *self = Self { counts, ..Self::new(clock) };
        }
    }

    /// A packet of the call came at `now`; `length` is its sound in ticks ([`packet_ticks`]), 0 for comfort noise.
    /// Keys (telephone-event) do not belong here, but see [`JitterBuffer::key`].
    pub fn insert(&mut self, now: Duration, packet: &RtpPacket<'_>, length: u32) -> Inserted {
        let now = micros(now);
        if packet.payload.len() > self.queue.room() {
            return Inserted::TooLong;
        }
        let at = self.place(packet);
        let transit = now - self.time(at);
        if self.queue.is_empty() && !self.playing {
            let longer = self.delay.shortest().map_or(0, |shortest| transit - shortest);
            if longer > LONG_PAUSE_US || (packet.marker && longer > UNCOUNTED_PAUSE_US) {
                self.delay.forget_transit();
            }
        }
        if self.was_played(packet.sequence) || self.queue.holds(packet.sequence) {
            self.counts.duplicate += 1;
            return Inserted::Duplicate;
        }
        self.delay.measure(now, transit);
        if at + i64::from(length / 2) < self.cursor {
            self.late_in_a_row += 1;
            if self.late_in_a_row < LATE_IN_A_ROW {
                self.counts.late += 1;
                self.wait_longer = true;
                return Inserted::Late;
            }
            self.begin_anew(at);
        }
        self.late_in_a_row = 0;
        let full = self.queue.is_full();
        if full {
            self.discard_oldest();
        }
        let entry = Entry {
            at,
            length: i64::from(length),
            sequence: packet.sequence,
            payload_type: packet.payload_type,
            marker: packet.marker,
            ..Entry::default()
        };
        self.queue.insert(entry, packet.payload);
        if full { Inserted::Overflow } else { Inserted::Ok }
    }

    /// A packet of a key came: the sender sends it instead of sound, and what runs dry now is no loss.
    pub fn key(&mut self) {
        self.stands_back = true;
    }

    /// What to put to the sound next; see the top of this file for how often.
    pub fn pull(&mut self, now: Duration) -> Pulled<'_> {
        let now = micros(now);
        if !self.playing && !self.start(now) {
            return Pulled::Silence { ticks: self.frame as u32 };
        }
        self.cut(now);
        if self.must_wait(now) {
            self.counts.concealed += 1;
            return Pulled::Missing { ticks: self.frame as u32, next: None };
        }
        let Some(front) = self.queue.front() else { return self.nothing_there() };
        let mut gap = front.at - self.cursor;
        let forgiven = gap.clamp(0, self.owed);
        self.owed -= forgiven;
        gap -= forgiven;
        self.cursor += forgiven;
        if self.time(gap) > SLACK_US / 2 {
            let ticks = gap.min(self.frame);
            self.cursor += ticks;
            // In sequence, or the start of a talkspurt: the sender was silent, and nothing is lost.
            if front.marker || front.sequence == self.played.0.wrapping_add(1) {
                return Pulled::Silence { ticks: ticks as u32 };
            }
            self.counts.concealed += 1;
            let next = (ticks == gap).then(|| self.queue.payload(&front));
            return Pulled::Missing { ticks: ticks as u32, next };
        }
        self.owed = 0;
        self.play(now, front)
    }

    /// Was the last frame quiet? A delay that is too long is shortened where nobody hears it.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// The delay that the network asks for now.
    #[must_use]
    pub fn target(&self) -> Duration {
        Duration::from_micros(self.delay.target().unsigned_abs())
    }

    /// How long sound waits here now, behind the quickest packets; zero while nothing plays.
    #[must_use]
    pub fn delay(&self, now: Duration) -> Duration {
        if self.playing {
            Duration::from_micros(self.behind(micros(now)).max(0).unsigned_abs())
        } else {
            Duration::ZERO
        }
    }

    /// What was counted since the buffer was made.
    #[must_use]
    pub fn counts(&self) -> JitterCounts {
        self.counts
    }

    /// The timestamp on a time line that does not wrap; begins a new time line where need be.
    fn place(&mut self, packet: &RtpPacket<'_>) -> i64 {
        let (stamp, at) = self.newest;
        let placed = at + i64::from(packet.timestamp.wrapping_sub(stamp) as i32);
        let from_cursor = placed - self.cursor;
        let jumped = from_cursor.abs() > JUMP_SECONDS * self.clock;
        if self.ssrc != Some(packet.ssrc) || jumped {
            self.ssrc = Some(packet.ssrc);
            let anew = i64::from(packet.timestamp);
            self.begin_anew(anew);
            self.newest = (packet.timestamp, anew);
            return anew;
        }
        if placed > at {
            self.newest = (packet.timestamp, placed);
        }
        placed
    }

    fn begin_anew(&mut self, at: i64) {
        self.counts.discarded += self.queue.len() as u64;
        self.queue.clear();
        self.delay.forget_transit();
        // What was overtaken by the very first packet is still taken.
        self.cursor = at - self.clock / 5;
        self.playing = false;
        self.stands_back = false;
        self.owed = 0;
        self.late_in_a_row = 0;
        self.wait_longer = false;
        self.played = (0, 0);
    }

    /// Is it time for the first packet of a talkspurt?
    fn start(&mut self, now: i64) -> bool {
        let Some(front) = self.queue.front() else { return false };
        self.cursor = front.at;
        self.playing = front.length == 0 || self.behind(now) >= self.delay.target();
        self.owed = 0;
        self.playing
    }

    /// How far playout lies behind the quickest packets.
    fn behind(&self, now: i64) -> i64 {
        now - self.time(self.cursor) - self.delay.shortest().unwrap_or(0)
    }

    /// Throws out what is far too old.
    fn cut(&mut self, now: i64) {
        let (behind, target) = (self.behind(now), self.delay.target());
        if behind <= TOO_LATE_US {
            return;
        }
        let until = self.cursor + (behind - target) * self.clock / 1_000_000;
        while self.queue.front().is_some_and(|f| f.at + f.length <= until) {
            self.queue.remove_front();
            self.counts.discarded += 1;
        }
        self.cursor = self.queue.front().map_or(until, |f| f.at.min(until));
        self.owed = 0;
    }

    /// Packets were late while others came: playout stands still until they have time enough.
    fn must_wait(&mut self, now: i64) -> bool {
        let wait = self.wait_longer && self.behind(now) < self.delay.target() - SLACK_US;
        self.wait_longer = wait;
        wait
    }

    fn nothing_there(&mut self) -> Pulled<'_> {
        let ticks = self.frame as u32;
        if self.stands_back || self.owed >= CONCEALED_FRAMES * self.frame {
            self.playing = false;
            return Pulled::Silence { ticks };
        }
        self.owed += self.frame;
        self.counts.concealed += 1;
        Pulled::Missing { ticks, next: None }
    }

    fn play(&mut self, now: i64, front: Entry) -> Pulled<'_> {
        self.cursor = front.at;
        let too_much = self.behind(now) - self.delay.target();
        let every = if self.quiet { SHRINK_QUIET_US } else { SHRINK_US };
        let skip = front.length > 0
            && self.queue.len() > 1
            && too_much >= self.time(front.length) + SLACK_US
            && now - self.shrunk_at >= every;
        if skip {
            self.shrunk_at = now;
            self.counts.skipped += 1;
        }
        self.queue.remove_front();
        self.cursor += front.length;
        self.stands_back = front.length == 0;
        self.remember(front.sequence);
        Pulled::Packet { payload_type: front.payload_type, payload: self.queue.payload(&front), skip }
    }

    fn discard_oldest(&mut self) {
        self.queue.remove_front();
        self.counts.discarded += 1;
        if let Some(front) = self.queue.front() {
            self.cursor = self.cursor.max(front.at);
        }
    }

    fn remember(&mut self, sequence: u16) {
        let (newest, bits) = self.played;
        if bits == 0 {
            self.played = (sequence, 1);
            return;
        }
        let ahead = sequence.wrapping_sub(newest);
        self.played = match ahead {
            0 => (newest, bits | 1),
            1..64 => (sequence, (bits << ahead) | 1),
            64..0x8000 => (sequence, 1),
            _ => {
                let behind = newest.wrapping_sub(sequence);
                (newest, bits | 1u64.checked_shl(u32::from(behind)).unwrap_or(0))
            }
        };
    }

    fn was_played(&self, sequence: u16) -> bool {
        let behind = self.played.0.wrapping_sub(sequence);
        behind < 64 && (self.played.1 >> behind) & 1 == 1
    }

    /// Ticks as microseconds.
    fn time(&self, ticks: i64) -> i64 {
        ticks * 1_000_000 / self.clock
    }
}

fn micros(time: Duration) -> i64 {
    time.as_micros() as i64
}
