//! The figures of what we receive: sequence (RFC 3550 A.1), loss (A.3), jitter (A.8).
//!
//! A stranger's single packet must not become "the stream": a new source is on probation until two packets
//! in sequence came; a sequence number far off must be confirmed by the one after it. Whether packets on
//! probation are heard is the leg's affair; the jitter buffer takes them, since speech starts with the first.

use super::RtpPacket;
use std::time::Duration;

/// A gap of this many packets is still the same stream.
const MAX_DROPOUT: u16 = 3_000;
/// As is a packet that is this many late.
const MAX_MISORDER: u16 = 100;
/// Packets in sequence that make a source.
const MIN_SEQUENTIAL: u8 = 2;

/// What a packet is to the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Of the stream, newer than any before.
    InOrder,
    /// Of the stream, but older than the newest: late, reordered, or a duplicate.
    Old,
    /// The first of a source that still has to prove itself.
    Probation,
    /// The source began anew: another SSRC, or a jump of the sequence that was confirmed.
    Restarted,
    /// A sequence number so far off that it counts only if the next one confirms it.
    Stray,
}

/// What one report block says of the stream (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceptionReport {
    /// Whom it is about.
    pub ssrc: u32,
    /// Loss since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Loss since the start, clamped to 24 bits with a sign; duplicates can make it negative.
    pub cumulative_lost: i32,
    /// Highest sequence number, with the count of its wraps above it.
    pub highest_sequence: u32,
    /// Interarrival jitter in RTP clock ticks.
    pub jitter: u32,
}

/// The figures of one direction of a leg, over every source that it had.
#[derive(Debug, Clone, Default)]
pub struct RtpReceiver {
    source: Option<Source>,
    /// Of sources that are gone.
    past_expected: u64,
    past_received: u64,
    packets: u64,
    jitter_max: Duration,
    clock: u32,
    tick: Duration,
}

#[derive(Debug, Clone)]
struct Source {
    ssrc: u32,
    base: u32,
    highest: u16,
    cycles: u32,
    bad: Option<u16>,
    probation: u8,
    received: u64,
    expected_prior: u64,
    received_prior: u64,
    /// Transit and timestamp of the packet before.
    before: Option<(u32, u32)>,
    /// In sixteenths of a tick, so that the filter of A.8 loses nothing.
    jitter: u32,
}

impl RtpReceiver {
    /// Nothing has come yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same for a socket that is read once a `tick`. Arrivals are multiples of it then, which over many packets
    /// blurs jitter but does not change it, unless the packet time is no multiple: packets of 30 ms
    /// seem to come after 20 and 40 ms by turns. That much is taken off.
    #[must_use]
    pub fn with_tick(tick: Duration) -> Self {
        Self { tick, ..Self::default() }
    }

    /// A packet came at `now`, of a payload with this RTP clock. Events of RFC 4733 do not count towards
    /// jitter, as their timestamp stands still: call [`RtpReceiver::receive_event`] for them.
    pub fn receive(&mut self, now: Duration, packet: &RtpPacket<'_>, clock: u32) -> Arrival {
        let arrival = self.receive_event(packet);
        self.clock = clock;
        if matches!(arrival, Arrival::InOrder | Arrival::Old | Arrival::Restarted)
            && let Some(source) = &mut self.source
        {
            source.measure(now, packet.timestamp, clock, self.tick);
            let jitter = source.jitter();
            self.jitter_max = self.jitter_max.max(ticks_to_time(jitter, clock));
        }
        arrival
    }

    /// A packet whose timestamp says nothing of its sending time.
    pub fn receive_event(&mut self, packet: &RtpPacket<'_>) -> Arrival {
        self.packets += 1;
        match &mut self.source {
            Some(source) if source.ssrc == packet.ssrc => source.update(packet.sequence),
            replaced => {
                let before = replaced.replace(Source::new(packet.ssrc, packet.sequence));
                if let Some(before) = before {
                    self.past_expected += before.expected();
                    self.past_received += before.received;
                    return Arrival::Restarted;
                }
                Arrival::Probation
            }
        }
    }

    /// Every packet of the call.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Packets that never came, over all sources.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let (expected, received) = self.source.as_ref().map_or((0, 0), |s| (s.expected(), s.received));
        (self.past_expected + expected).saturating_sub(self.past_received + received)
    }

    /// Interarrival jitter now.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        self.source.as_ref().map_or(Duration::ZERO, |s| ticks_to_time(s.jitter(), self.clock))
    }

    /// The largest it has been.
    #[must_use]
    pub fn jitter_max(&self) -> Duration {
        self.jitter_max
    }

    /// What our next report says of the source, if there is one that proved itself. Moves the interval on.
    pub fn report(&mut self) -> Option<ReceptionReport> {
        self.source.as_mut().filter(|s| s.probation == 0).map(Source::report)
    }
}

impl Source {
    fn new(ssrc: u32, sequence: u16) -> Self {
        Self {
            ssrc,
            base: u32::from(sequence),
            highest: sequence,
            cycles: 0,
            bad: None,
            probation: MIN_SEQUENTIAL - 1,
            // The packet on probation is counted once its source is known to be one: see `update`.
            received: 1,
            expected_prior: 0,
            received_prior: 0,
            before: None,
            jitter: 0,
        }
    }

    /// RFC 3550 A.1.
    fn update(&mut self, sequence: u16) -> Arrival {
        let ahead = sequence.wrapping_sub(self.highest);
        if self.probation > 0 {
            let in_sequence = ahead == 1;
            if in_sequence {
                self.probation -= 1;
                self.advance(sequence);
                self.received += 1;
                return if self.probation == 0 { Arrival::InOrder } else { Arrival::Probation };
            }
            *self = Self::new(self.ssrc, sequence);
            return Arrival::Probation;
        }
        if ahead == 0 || ahead > u16::MAX - MAX_MISORDER {
            self.received += 1;
            return Arrival::Old;
        }
        if ahead < MAX_DROPOUT {
            self.advance(sequence);
            self.received += 1;
            return Arrival::InOrder;
        }
        if self.bad == Some(sequence) {
            let jitter = self.jitter;
            *self = Self { probation: 0, jitter, ..Self::new(self.ssrc, sequence) };
            return Arrival::Restarted;
        }
        self.bad = Some(sequence.wrapping_add(1));
        Arrival::Stray
    }

    fn advance(&mut self, sequence: u16) {
        if sequence < self.highest {
            self.cycles = self.cycles.wrapping_add(1 << 16);
        }
        self.highest = sequence;
        self.bad = None;
    }

    fn extended(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.highest))
    }

    fn expected(&self) -> u64 {
        u64::from(self.extended().wrapping_sub(self.base)) + 1
    }

    /// RFC 3550 A.8.
    fn measure(&mut self, now: Duration, timestamp: u32, clock: u32, tick: Duration) {
        let ticks = |time: Duration| time.as_micros() * u128::from(clock) / 1_000_000;
        let transit = (ticks(now) as u32).wrapping_sub(timestamp);
        if let Some((transit_before, timestamp_before)) = self.before.replace((transit, timestamp)) {
            let difference = (transit.wrapping_sub(transit_before) as i32).unsigned_abs();
            let step = (timestamp.wrapping_sub(timestamp_before) as i32).unsigned_abs();
            let over = step.checked_rem(ticks(tick) as u32).unwrap_or(0);
            let blur = over.min((ticks(tick) as u32).saturating_sub(over));
            let difference = difference.saturating_sub(blur);
            // A source that moved its clock by seconds tells nothing of the network.
            if difference < clock {
                self.jitter = (self.jitter + difference).saturating_sub((self.jitter + 8) >> 4);
            }
        }
    }

    fn jitter(&self) -> u32 {
        self.jitter >> 4
    }

    /// RFC 3550 A.3.
    fn report(&mut self) -> ReceptionReport {
        let expected = self.expected();
        let lost = expected as i64 - self.received as i64;
        let expected_interval = expected.saturating_sub(self.expected_prior) as i64;
        let received_interval = self.received.saturating_sub(self.received_prior) as i64;
        self.expected_prior = expected;
        self.received_prior = self.received;
        let lost_interval = expected_interval - received_interval;
        let fraction_lost = if expected_interval == 0 || lost_interval <= 0 {
            0
        } else {
            ((lost_interval << 8) / expected_interval).min(255) as u8
        };
        ReceptionReport {
            ssrc: self.ssrc,
            fraction_lost,
            cumulative_lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: self.extended(),
            jitter: self.jitter(),
        }
    }
}

fn ticks_to_time(ticks: u32, clock: u32) -> Duration {
    if clock == 0 {
        Duration::ZERO
    } else {
        Duration::from_micros(u64::from(ticks) * 1_000_000 / u64::from(clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> RtpPacket<'static> {
        RtpPacket { payload_type: 0, marker: false, sequence, timestamp, ssrc, payload: &[] }
    }

    fn feed(receiver: &mut RtpReceiver, sequences: impl IntoIterator<Item = u16>) -> Vec<Arrival> {
        sequences.into_iter().map(|s| receiver.receive_event(&packet(1, s, 0))).collect()
    }

    #[test]
    fn two_packets_in_sequence_make_a_source() {
        let mut receiver = RtpReceiver::new();
        assert_eq!(
            feed(&mut receiver, [10, 12, 13]),
            [Arrival::Probation, Arrival::Probation, Arrival::InOrder]
        );
        assert_eq!(receiver.report().unwrap().highest_sequence, 13);
    }

    #[test]
    fn loss_is_counted_across_the_wrap() {
        let mut receiver = RtpReceiver::new();
        feed(&mut receiver, (65_500..=65_535).chain(0..10).chain(20..30));
        assert_eq!(receiver.lost(), 10);
        let report = receiver.report().unwrap();
        assert_eq!((report.cumulative_lost, report.highest_sequence), (10, 65_536 + 29));
        assert_eq!(report.fraction_lost, (10 * 256 / 66) as u8);
        feed(&mut receiver, 30..60);
        assert_eq!(receiver.report().unwrap().fraction_lost, 0, "an interval without loss");
    }

    #[test]
    fn a_duplicate_makes_loss_smaller_and_a_late_packet_fills_its_gap() {
        let mut receiver = RtpReceiver::new();
        feed(&mut receiver, [1, 2, 4]);
        assert_eq!(receiver.lost(), 1);
        assert_eq!(feed(&mut receiver, [3]), [Arrival::Old]);
        assert_eq!(receiver.lost(), 0);
        feed(&mut receiver, [4]);
        assert_eq!(receiver.report().unwrap().cumulative_lost, -1);
    }

    #[test]
    fn a_jump_must_be_confirmed_by_the_next_packet() {
        let mut receiver = RtpReceiver::new();
        feed(&mut receiver, 0..50);
        assert_eq!(feed(&mut receiver, [40_000, 50]), [Arrival::Stray, Arrival::InOrder]);
        assert_eq!(feed(&mut receiver, [40_000, 40_001]), [Arrival::Stray, Arrival::Restarted]);
        assert_eq!(receiver.report().unwrap().highest_sequence, 40_001);
    }

    #[test]
    fn another_ssrc_keeps_the_figures_of_the_call() {
        let mut receiver = RtpReceiver::new();
        feed(&mut receiver, [1, 2, 5]);
        assert_eq!(receiver.receive_event(&packet(2, 900, 0)), Arrival::Restarted);
        receiver.receive_event(&packet(2, 901, 0));
        assert_eq!((receiver.lost(), receiver.packets()), (2, 5));
    }

    #[test]
    fn jitter_is_the_filtered_difference_of_transit_times() {
        let mut receiver = RtpReceiver::new();
        for i in 0..500u32 {
            let late = u64::from(i % 2) * 10;
            receiver.receive(
                Duration::from_millis(u64::from(i) * 20 + late),
                &packet(1, i as u16, i * 160),
                8_000,
            );
        }
        let jitter = receiver.jitter().as_micros();
        assert!(
            (9_000..=10_000).contains(&jitter),
            "{jitter} us, for a transit that changes by 10 ms each time"
        );
    }

    #[test]
    fn a_steady_stream_has_no_jitter() {
        let mut receiver = RtpReceiver::new();
        for i in 0..500u32 {
            receiver.receive(Duration::from_millis(u64::from(i) * 20), &packet(1, i as u16, i * 160), 8_000);
        }
        assert_eq!(receiver.jitter_max(), Duration::ZERO);
    }

    #[test]
    fn a_steady_stream_has_no_jitter_though_its_socket_is_read_only_each_20_ms() {
        for packet_time in [10u64, 20, 30, 40, 60] {
            let mut receiver = RtpReceiver::with_tick(Duration::from_millis(20));
            for i in 0..500u64 {
                let read = (i * packet_time).div_ceil(20) * 20;
                let timestamp = (i * packet_time * 8) as u32;
                receiver.receive(Duration::from_millis(read), &packet(1, i as u16, timestamp), 8_000);
            }
            assert_eq!(receiver.jitter_max(), Duration::ZERO, "{packet_time} ms");
        }
    }
}
