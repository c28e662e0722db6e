//! Is a packet the newest that its sender can have sent?
//!
//! A socket says that it is empty only when it is asked once more, and that costs as much as a packet. But a
//! packet whose transit (arrival minus timestamp) is as short as any has been has none behind it yet.

use std::time::Duration;

/// Transits that differ by less are the same: a thread does not wake to the microsecond.
const SAME_US: i64 = 4_000;
/// The shortest transit ages by so much a packet, which follows a clock that drifts by 500 ppm.
const AGE_US: i64 = 10;
/// A transit that is so much longer belongs to another time line.
const JUMP_US: i64 = 1_000_000;

/// So does a timestamp that is so far from the one before.
const JUMP_SECONDS: i64 = 10;

#[derive(Debug, Default)]
pub(super) struct Freshness {
    /// Timestamps, unwrapped; the newest as sent.
    ticks: i64,
    stamp: u32,
    shortest: Option<i64>,
}

impl Freshness {
    pub(super) fn is_newest(&mut self, now: Duration, timestamp: u32, clock: u32) -> bool {
        let step = i64::from(timestamp.wrapping_sub(self.stamp) as i32);
        self.stamp = timestamp;
        if step.abs() > i64::from(clock) * JUMP_SECONDS {
            // Also lest a peer that jumps on and on drives the count out of its range.
            (self.ticks, self.shortest) = (0, None);
        } else {
            self.ticks += step;
        }
        let sent = self.ticks * 1_000_000 / i64::from(clock.max(1));
        let transit = now.as_micros() as i64 - sent;
        let Some(shortest) = self.shortest else {
            self.shortest = Some(transit);
            return false;
        };
        let aged = shortest + AGE_US;
        let jumped = transit - aged > JUMP_US;
        self.shortest = Some(if jumped { transit } else { aged.min(transit) });
        !jumped && transit - aged <= SAME_US
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn in_a_steady_stream_each_packet_is_the_newest() {
        let mut freshness = Freshness::default();
        freshness.is_newest(at(0), u32::MAX - 400, 8_000);
        for n in 1..100u32 {
            let timestamp = (u32::MAX - 400).wrapping_add(n * 160);
            assert!(freshness.is_newest(at(u64::from(n) * 20), timestamp, 8_000), "{n}");
        }
    }

    #[test]
    fn of_two_packets_in_one_tick_only_the_second_is_the_newest() {
        let mut freshness = Freshness::default();
        freshness.is_newest(at(0), 0, 8_000);
        assert!(freshness.is_newest(at(20), 160, 8_000));
        assert!(!freshness.is_newest(at(60), 320, 8_000));
        assert!(freshness.is_newest(at(60), 480, 8_000));
    }

    #[test]
    fn a_stream_that_begins_anew_is_followed() {
        let mut freshness = Freshness::default();
        freshness.is_newest(at(0), 5_000_000, 8_000);
        assert!(!freshness.is_newest(at(20), 77, 8_000));
        assert!(freshness.is_newest(at(40), 237, 8_000));
    }
}
