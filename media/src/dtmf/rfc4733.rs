//! telephone-event (RFC 4733 §2): each key a run of packets with one timestamp and a growing duration, the
//! last one sent three times with the end bit.

use super::{Key, code, digit};
use std::time::Duration;

/// All three end packets are lost if nothing comes for so long.
const SILENT: Duration = Duration::from_millis(240);
/// A packet of a key that is this much older than the newest key is a straggler, not a restarted clock.
const STRAGGLER_SECONDS: u32 = 3;
/// −10 dBm0: what most telephones say, and nobody looks at.
const VOLUME: u8 = 10;
/// The end is said three times (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;
/// A packet each 20 ms.
const PER_SECOND: u32 = 50;

/// Keys out of packets, each once.
#[derive(Debug, Clone)]
pub struct Receiver {
    clock: u32,
    down: Option<Down>,
    /// Timestamp of the newest key that is over.
    over: Option<u32>,
    /// A key whose end came together with that of the one before it.
    second: Option<Key>,
}

#[derive(Debug, Clone, Copy)]
struct Down {
    code: u8,
    timestamp: u32,
    /// Ticks of segments before this one: a key longer than 65,535 ticks has several (RFC 4733 §2.5.1.3).
    before: u64,
    duration: u16,
    heard: Duration,
}

impl Down {
    fn ticks(&self) -> u64 {
        self.before + u64::from(self.duration)
    }
}

impl Receiver {
    /// For telephone-event of this clock rate.
    #[must_use]
    pub fn new(clock: u32) -> Self {
        Self { clock: clock.max(1), down: None, over: None, second: None }
    }

    /// A packet of the telephone-event payload type came. A key is told at its end, or when the next one
    /// shows that its end was lost. Events that are no keys (hook flash, fax tones) and damaged payloads are
    /// passed over.
    pub fn receive(&mut self, now: Duration, timestamp: u32, payload: &[u8]) -> Option<Key> {
        let [event, flags, high, low, ..] = *payload else { return None };
        digit(event)?;
        let ended = flags & 0x80 != 0;
        let duration = u16::from_be_bytes([high, low]);
        if self.is_over(timestamp) {
            return None;
        }
        let mut told = None;
        match &mut self.down {
            Some(down) if down.timestamp == timestamp => {
                down.duration = down.duration.max(duration);
                down.heard = now;
            }
            Some(down) if timestamp.wrapping_sub(down.timestamp) > 1 << 31 && self.over.is_some() => {
                return None;
            }
            Some(down)
                if down.code == event && timestamp == down.timestamp.wrapping_add(u32::from(u16::MAX)) =>
            {
                *down = Down {
                    timestamp,
                    before: down.before + u64::from(u16::MAX),
                    duration,
                    heard: now,
                    ..*down
                };
            }
            _ => {
                told = self.let_go();
                self.down = Some(Down { code: event, timestamp, before: 0, duration, heard: now });
            }
        }
        if ended {
            let key = self.let_go();
            if told.is_some() {
                self.second = key;
            } else {
                told = key;
            }
        }
        told
    }

    /// To be asked each tick: a key that is over because nothing more comes.
    pub fn poll(&mut self, now: Duration) -> Option<Key> {
        if self.second.is_some() {
            return self.second.take();
        }
        let silent = self.down.as_ref().is_some_and(|down| now.saturating_sub(down.heard) >= SILENT);
        if silent { self.let_go() } else { None }
    }

    /// Is a key down? Sound that is missing now is no loss: the sender sends the key instead.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.down.is_some()
    }

    fn let_go(&mut self) -> Option<Key> {
        let down = self.down.take()?;
        self.over = Some(down.timestamp);
        let length = Duration::from_micros(down.ticks() * 1_000_000 / u64::from(self.clock));
        digit(down.code).map(|digit| Key { digit, length })
    }

    /// Does it belong to a key that was told already?
    fn is_over(&self, timestamp: u32) -> bool {
        self.over
            .is_some_and(|over| over.wrapping_sub(timestamp) < self.clock.saturating_mul(STRAGGLER_SECONDS))
    }
}

/// One packet of a key that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// The payload.
    pub payload: [u8; 4],
    /// The RTP marker: the first packet of the key.
    pub marker: bool,
    /// The RTP timestamp: when the key (or this segment of a long one) went down.
    pub timestamp: u32,
}

/// A key that is being sent; [`Sender::packet`] is called every 20 ms. Leave 50 ms or more between two keys.
#[derive(Debug, Clone)]
pub struct Sender {
    code: u8,
    step: u32,
    /// Where this segment began.
    timestamp: u32,
    /// Ticks since then.
    elapsed: u32,
    /// Ticks that are left to hold the key.
    left: u32,
    first: bool,
    ends: u8,
}

impl Sender {
    /// A key of this length, at least 40 ms, that goes down at `timestamp` (the next one of the stream).
    /// `None` if it is no key.
    #[must_use]
    pub fn new(digit: char, length: Duration, clock: u32, timestamp: u32) -> Option<Self> {
        let millis = length.as_millis().clamp(40, 60_000) as u64;
        let left = (millis * u64::from(clock) / 1_000) as u32;
        let code = code(digit)?;
        Some(Self { code, step: clock / PER_SECOND, timestamp, elapsed: 0, left, first: true, ends: ENDS })
    }

    /// The next packet; `None` when the key is over.
    pub fn packet(&mut self) -> Option<EventPacket> {
        if self.left > 0 {
            let step = self.step.clamp(1, self.left.max(1)).min(self.left);
            self.left -= step;
            self.elapsed += step;
            if self.elapsed > u32::from(u16::MAX) {
                self.elapsed -= u32::from(u16::MAX);
                self.timestamp = self.timestamp.wrapping_add(u32::from(u16::MAX));
            }
        }
        let ended = self.left == 0;
        if ended {
            self.ends = self.ends.checked_sub(1)?;
        }
        let [high, low] = (self.elapsed as u16).to_be_bytes();
        let marker = std::mem::take(&mut self.first);
        let flags = (u8::from(ended) << 7) | VOLUME;
        Some(EventPacket { payload: [self.code, flags, high, low], marker, timestamp: self.timestamp })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(20);

    fn send(digit: char, length: u64, clock: u32, timestamp: u32) -> Vec<EventPacket> {
        let mut sender = Sender::new(digit, Duration::from_millis(length), clock, timestamp).unwrap();
        std::iter::from_fn(|| sender.packet()).collect()
    }

    fn hear(receiver: &mut Receiver, begin: Duration, packets: &[EventPacket]) -> Vec<Key> {
        let mut keys = vec![];
        for (n, packet) in packets.iter().enumerate() {
            let now = begin + TICK * n as u32;
            keys.extend(receiver.receive(now, packet.timestamp, &packet.payload));
            keys.extend(receiver.poll(now));
        }
        keys
    }

    fn key(digit: char, millis: u64) -> Key {
        Key { digit, length: Duration::from_millis(millis) }
    }

    #[test]
    fn a_key_of_100_ms_is_four_packets_and_three_ends() {
        let packets = send('#', 100, 8_000, 5_000);
        let shown: Vec<_> = packets.iter().map(|p| (p.payload, p.marker, p.timestamp)).collect();
        assert_eq!(shown.len(), 7);
        assert_eq!(shown[0], ([11, 10, 0, 160], true, 5_000));
        assert_eq!(shown[3], ([11, 10, 2, 128], false, 5_000));
        assert_eq!(shown[4..], [([11, 0x8a, 3, 32], false, 5_000); 3]);
    }

    #[test]
    fn every_key_is_heard_once_with_its_length_at_every_clock() {
        for clock in [8_000, 16_000, 48_000] {
            let mut receiver = Receiver::new(clock);
            for (n, digit) in super::super::KEYS.into_iter().enumerate() {
                let packets = send(digit, 160, clock, n as u32 * clock);
                assert_eq!(hear(&mut receiver, Duration::from_secs(n as u64), &packets), [key(digit, 160)]);
                assert!(!receiver.is_down());
            }
        }
    }

    #[test]
    fn a_key_whose_ends_are_lost_is_told_after_a_while() {
        let mut receiver = Receiver::new(8_000);
        let packets = send('7', 200, 8_000, 0);
        assert_eq!(hear(&mut receiver, TICK, &packets[..8]), []);
        assert!(receiver.is_down());
        assert_eq!(receiver.poll(TICK * 9), None);
        assert_eq!(receiver.poll(TICK * 30), Some(key('7', 160)));
        assert_eq!(receiver.receive(TICK * 31, 0, &packets[11].payload), None, "it was told already");
    }

    #[test]
    fn the_next_key_ends_the_one_before_it() {
        let mut receiver = Receiver::new(8_000);
        hear(&mut receiver, TICK, &send('1', 100, 8_000, 0)[..3]);
        let second = send('1', 100, 8_000, 1_600);
        assert_eq!(hear(&mut receiver, TICK * 8, &second), [key('1', 60), key('1', 100)]);
    }

    #[test]
    fn a_single_end_packet_is_a_key_and_does_not_swallow_the_one_before() {
        let mut receiver = Receiver::new(8_000);
        hear(&mut receiver, TICK, &send('1', 100, 8_000, 0)[..3]);
        let end = send('2', 100, 8_000, 1_600)[6];
        assert_eq!(hear(&mut receiver, TICK * 8, &[end]), [key('1', 60), key('2', 100)]);
    }

    #[test]
    fn reordered_and_repeated_packets_make_no_second_key() {
        let mut receiver = Receiver::new(8_000);
        let mut packets = send('5', 100, 8_000, u32::MAX - 80);
        packets.swap(1, 5);
        packets.extend(packets.clone());
        assert_eq!(hear(&mut receiver, TICK, &packets).len(), 1);
    }

    #[test]
    fn a_key_of_ten_seconds_is_one_key() {
        for clock in [8_000, 48_000] {
            let packets = send('*', 10_000, clock, 1_000);
            assert_eq!(hear(&mut Receiver::new(clock), TICK, &packets), [key('*', 10_000)]);
        }
    }

    #[test]
    fn a_sender_that_starts_its_clock_anew_is_heard() {
        let mut receiver = Receiver::new(8_000);
        assert_eq!(hear(&mut receiver, TICK, &send('1', 100, 8_000, 3_000_000_000)).len(), 1);
        assert_eq!(hear(&mut receiver, TICK, &send('2', 100, 8_000, 2_000_000_000)).len(), 1);
        assert_eq!(hear(&mut receiver, TICK, &send('3', 100, 8_000, 2_000_008_000)).len(), 1);
    }

    #[test]
    fn what_is_no_key_is_passed_over() {
        let mut receiver = Receiver::new(8_000);
        for payload in [&[][..], &[1, 0x80, 0], &[16, 0x80, 1, 0], &[255, 0xff, 0xff, 0xff]] {
            assert_eq!(receiver.receive(TICK, 0, payload), None);
        }
        assert!(!receiver.is_down());
    }
}
