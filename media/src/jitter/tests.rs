use super::*;

const TICK: Duration = Duration::from_millis(20);

/// A leg that decodes nothing: it counts samples as a leg's queue would.
struct Playout {
    buffer: JitterBuffer,
    now: Duration,
    /// Ticks decoded and not yet played.
    ahead: u32,
    /// First byte of each packet that was played.
    played: Vec<u8>,
    missing: u32,
    silent: u32,
}

impl Playout {
    fn new() -> Self {
        let buffer = JitterBuffer::new(8_000);
        Self { buffer, now: Duration::from_secs(1), ahead: 0, played: vec![], missing: 0, silent: 0 }
    }

    fn tick(&mut self) {
        while self.ahead < 160 {
            match self.buffer.pull(self.now) {
                Pulled::Packet { payload, skip, .. } => {
                    self.played.push(payload.first().copied().unwrap_or(0));
                    self.ahead += if skip { 0 } else { payload.len() as u32 };
                }
                Pulled::Missing { ticks, .. } => {
                    self.missing += 1;
                    self.ahead += ticks;
                }
                Pulled::Silence { ticks } => {
                    self.silent += 1;
                    self.ahead += ticks;
                }
            }
        }
        self.ahead -= 160;
        self.now += TICK;
    }

    fn put(&mut self, n: u32, length: u32) -> Inserted {
        self.put_at(self.now, n as u16, n.wrapping_mul(length), length)
    }

    fn put_at(&mut self, now: Duration, sequence: u16, timestamp: u32, length: u32) -> Inserted {
        let payload = vec![sequence as u8; length as usize];
        self.buffer.insert(now, &packet(sequence, timestamp, &payload), length)
    }

    /// Packet `n` of 20 ms leaves at `n * 20 ms` and takes `transit(n)` ms; `None` is lost. Runs until the last is due.
    fn run(&mut self, packets: u32, transit: impl Fn(u32) -> Option<u64>) {
        let begin = self.now;
        let mut on_the_way: Vec<(Duration, u32)> = (0..packets)
            .filter_map(|n| Some((begin + TICK * n + Duration::from_millis(transit(n)?), n)))
            .collect();
        on_the_way.sort();
        let mut next = on_the_way.into_iter().peekable();
        for _ in 0..packets {
            while let Some((at, n)) = next.next_if(|(at, _)| *at <= self.now) {
                self.put_at(at, n as u16, n * 160, 160);
            }
            self.tick();
        }
    }
}

fn packet(sequence: u16, timestamp: u32, payload: &[u8]) -> RtpPacket<'_> {
    RtpPacket { payload_type: 0, marker: false, sequence, timestamp, ssrc: 1, payload }
}

fn spread(n: u32) -> u64 {
    u64::from(n.wrapping_mul(2_654_435_761) >> 8)
}

#[test]
fn without_jitter_sound_waits_one_or_two_frames_and_nothing_is_made_up() {
    let mut leg = Playout::new();
    leg.run(1_000, |_| Some(0));
    assert_eq!(leg.missing, 0);
    assert!((1..=2).contains(&leg.silent), "{} frames before the first sound", leg.silent);
    let delay = leg.buffer.delay(leg.now);
    assert!((20..=60).contains(&delay.as_millis()), "{delay:?}");
    assert_eq!(leg.buffer.target(), TICK);
}

#[test]
fn packets_of_every_length_play_without_a_hole() {
    for milliseconds in [10u32, 20, 30, 40, 60] {
        let (mut leg, length) = (Playout::new(), milliseconds * 8);
        let begin = leg.now;
        let mut n = 0;
        for _ in 0..600 {
            while begin + Duration::from_millis(u64::from(n * milliseconds)) <= leg.now {
                leg.put(n, length);
                n += 1;
            }
            leg.tick();
        }
        assert_eq!(leg.missing, 0, "{milliseconds} ms");
        assert!(leg.silent <= 3, "{milliseconds} ms: {}", leg.silent);
        assert!(leg.buffer.delay(leg.now) <= Duration::from_millis(100), "{milliseconds} ms");
    }
}

#[test]
fn jitter_of_60_ms_is_learnt_and_then_hardly_heard() {
    let mut leg = Playout::new();
    leg.run(500, |n| Some(spread(n) % 60));
    assert!(leg.buffer.target() >= Duration::from_millis(60), "{:?}", leg.buffer.target());
    let before = (leg.missing, leg.buffer.counts().late);
    let mut leg = Playout { played: vec![], ..leg };
    // The same stream goes on: sequence and timestamp of `run` begin anew, which the buffer takes as a jump.
    leg.run(2_000, |n| Some(spread(n) % 60));
    let missing = leg.missing - before.0;
    assert!(missing <= 20, "{missing} of 2000 frames made up");
    assert!(leg.buffer.target() <= Duration::from_millis(80));
}

#[test]
fn reordered_packets_play_in_order() {
    let mut leg = Playout::new();
    leg.run(400, |n| Some(if n % 10 == 5 { 25 } else { 0 }));
    let counts = leg.buffer.counts();
    assert_eq!(counts.late, 0);
    assert_eq!(leg.missing, 0);
    let whole = leg.played.windows(2).filter(|w| w[1] != w[0].wrapping_add(1)).count();
    assert_eq!(whole, 0);
}

#[test]
fn a_burst_of_loss_is_concealed_once_and_leaves_the_delay_as_it_was() {
    let mut leg = Playout::new();
    leg.run(300, |n| if (200..204).contains(&n) { None } else { Some(0) });
    assert_eq!(leg.missing, 4);
    assert_eq!(leg.buffer.counts().concealed, 4);
    assert!(leg.buffer.delay(leg.now) <= Duration::from_millis(60));
}

#[test]
fn a_stall_is_outlasted_and_its_packets_are_played() {
    let mut leg = Playout::new();
    leg.run(400, |n| Some(if (200..204).contains(&n) { u64::from(204 - n) * 20 } else { 0 }));
    assert_eq!(leg.buffer.counts().late, 0, "what was late is played, since nothing overtook it");
    assert!(leg.missing <= 4, "{}", leg.missing);
    assert!(leg.buffer.delay(leg.now) <= Duration::from_millis(120));
}

#[test]
fn too_much_delay_goes_away_by_a_packet_a_second() {
    let mut leg = Playout::new();
    leg.run(1_500, |n| Some(if (200..208).contains(&n) { u64::from(208 - n) * 20 } else { 0 }));
    assert!(leg.buffer.counts().skipped >= 3, "{:?}", leg.buffer.counts());
    assert!(leg.buffer.delay(leg.now) <= Duration::from_millis(60), "{:?}", leg.buffer.delay(leg.now));
}

#[test]
fn ten_minutes_of_clock_drift_neither_fill_nor_starve_it() {
    for ppm in [-200i64, 200] {
        let mut leg = Playout::new();
        let begin = leg.now;
        let interval = Duration::from_nanos((20_000_000 + 20 * ppm) as u64);
        let (mut n, mut most) = (0u32, Duration::ZERO);
        for _ in 0..30_000 {
            while begin + interval * n <= leg.now {
                leg.put_at(begin + interval * n, n as u16, n * 160, 160);
                n += 1;
            }
            leg.tick();
            most = most.max(leg.buffer.delay(leg.now));
        }
        let counts = leg.buffer.counts();
        assert!(most <= Duration::from_millis(100), "{ppm} ppm: {most:?}");
        // 600 s at 200 ppm are 120 ms: six frames.
        assert!(counts.concealed + counts.skipped <= 12, "{ppm} ppm: {counts:?}");
        assert_eq!(counts.late + counts.discarded, 0, "{ppm} ppm: {counts:?}");
    }
}

#[test]
fn sequence_and_timestamp_wrap_unnoticed() {
    let mut leg = Playout::new();
    for n in 0..200u32 {
        let stamp = (u32::MAX - 100 * 160).wrapping_add(n * 160);
        leg.put_at(leg.now, 65_436u16.wrapping_add(n as u16), stamp, 160);
        leg.tick();
    }
    assert_eq!((leg.missing, leg.buffer.counts().late), (0, 0));
    assert!(leg.played.len() >= 197);
}

#[test]
fn a_pause_that_the_timestamp_counts_is_silence_and_the_next_talkspurt_waits_again() {
    let mut leg = Playout::new();
    leg.run(100, |_| Some(0));
    let (missing, played) = (leg.missing, leg.played.len());
    for _ in 0..100 {
        leg.tick();
    }
    // What ran dry was concealed at first; then it was known to be a pause.
    assert!(leg.missing - missing <= CONCEALED_FRAMES as u32);
    assert_eq!(leg.buffer.delay(leg.now), Duration::ZERO);
    for n in 200..300 {
        leg.put_at(leg.now, n as u16 - 100, n * 160, 160);
        leg.tick();
    }
    let after = leg.missing - missing;
    assert!(after <= CONCEALED_FRAMES as u32, "{after}");
    assert!(leg.played.len() - played >= 98);
}

#[test]
fn a_pause_that_the_timestamp_does_not_count_is_one_too() {
    let mut leg = Playout::new();
    leg.run(100, |_| Some(0));
    for _ in 0..200 {
        leg.tick();
    }
    let before = leg.played.len();
    for n in 100..400 {
        leg.put(n, 160);
        leg.tick();
    }
    assert!(leg.played.len() - before >= 297);
    assert!(leg.buffer.delay(leg.now) <= Duration::from_millis(80), "{:?}", leg.buffer.delay(leg.now));
}

#[test]
fn after_comfort_noise_nothing_is_made_up() {
    let mut leg = Playout::new();
    leg.run(50, |_| Some(0));
    for _ in 0..2 {
        leg.tick();
    }
    let missing = leg.missing;
    let noise = RtpPacket { payload_type: 13, ..packet(50, 50 * 160, &[60]) };
    assert_eq!(leg.buffer.insert(leg.now, &noise, 0), Inserted::Ok);
    for _ in 0..50 {
        leg.tick();
    }
    assert_eq!(leg.missing, missing);
}

#[test]
fn another_source_begins_anew_at_once() {
    let mut leg = Playout::new();
    leg.run(100, |_| Some(0));
    let before = leg.played.len();
    for n in 0..20u32 {
        let payload = [7; 160];
        let other = RtpPacket { ssrc: 2, ..packet(n as u16 + 9_000, n * 160 + 77_777_777, &payload) };
        leg.buffer.insert(leg.now, &other, 160);
        leg.tick();
    }
    assert!(leg.played.len() - before >= 17, "{}", leg.played.len() - before);
}

#[test]
fn a_sender_that_sets_its_timestamp_back_is_heard_again() {
    let mut leg = Playout::new();
    leg.run(100, |_| Some(0));
    let before = leg.played.len();
    for n in 100..150u32 {
        leg.put_at(leg.now, n as u16, (n - 75) * 160, 160);
        leg.tick();
    }
    // Ten are taken for late, and what they seemed to say of the network is waited for once.
    assert!(leg.played.len() - before >= 30, "{}", leg.played.len() - before);
}

#[test]
fn late_and_duplicate_packets_are_told_apart() {
    let mut leg = Playout::new();
    leg.run(60, |n| if n == 50 { None } else { Some(0) });
    assert_eq!(leg.put(50, 160), Inserted::Late);
    assert_eq!(leg.put(49, 160), Inserted::Duplicate);
    assert_eq!(leg.put(60, 160), Inserted::Ok);
    assert_eq!(leg.put(60, 160), Inserted::Duplicate);
    let counts = leg.buffer.counts();
    assert_eq!((counts.late, counts.duplicate), (1, 2));
}

#[test]
fn a_flood_of_packets_drops_the_oldest_and_takes_no_memory() {
    let mut leg = Playout::new();
    let ends: Vec<_> = (0..100).map(|n| leg.put(n, 160)).collect();
    assert_eq!(ends[31], Inserted::Ok);
    assert_eq!(ends[99], Inserted::Overflow);
    assert_eq!(leg.put_at(leg.now, 200, 200 * 160, 600), Inserted::TooLong);
}

#[test]
fn the_packet_after_a_gap_is_shown_for_its_redundancy() {
    let mut leg = Playout::new();
    for n in [0, 1, 3, 4] {
        leg.put(n, 160);
    }
    leg.now += TICK * 4;
    let mut shown = vec![];
    for _ in 0..5 {
        match leg.buffer.pull(leg.now) {
            Pulled::Packet { payload, .. } => shown.push((payload[0], None)),
            Pulled::Missing { ticks, next } => shown.push((99, next.map(|p| (ticks, p[0])))),
            Pulled::Silence { .. } => shown.push((98, None)),
        }
    }
    assert_eq!(shown, [(0, None), (1, None), (99, Some((160, 3))), (3, None), (4, None)]);
}

proptest::proptest! {
    #[test]
    fn no_stream_of_packets_does_harm(
        packets in proptest::collection::vec(
            (proptest::num::u16::ANY, proptest::num::u32::ANY, 0usize..700, proptest::bool::ANY, 0u64..100_000), 0..200)
    ) {
        let mut leg = Playout::new();
        for (sequence, timestamp, bytes, marker, wait) in packets {
            let payload = vec![0; bytes];
            let packet = RtpPacket { marker, ..packet(sequence, timestamp, &payload) };
            leg.buffer.insert(leg.now, &packet, bytes as u32);
            leg.now += Duration::from_micros(wait);
            for _ in 0..3 {
                let _ = leg.buffer.pull(leg.now);
            }
        }
    }
}
