//! The agent's own words that come back from the other end: softer than they went out, and a moment later.

/// Frames for which a sound may come back: three that lie in the ring, the jitter buffers of both ends, the way
/// there and back, and a room.
const LATE: usize = 25;
/// An echo is 15 dB softer than what was played, or more: a telephone takes off 20 to 40.
const SHARE: f32 = 0.032;

/// How loud the agent was in the last half second.
#[derive(Debug)]
pub(super) struct Echo {
    /// Mean squares, one a tick.
    played: [f32; LATE],
    at: usize,
}

impl Default for Echo {
    fn default() -> Self {
        Self { played: [0.0; LATE], at: 0 }
    }
}

impl Echo {
    /// 20 ms have passed, in which sound of this mean square was played.
    pub(super) fn played(&mut self, power: f32) {
        if let Some(place) = self.played.get_mut(self.at) {
            *place = power;
        }
        self.at = (self.at + 1) % LATE;
    }

    /// What is softer than that may be the agent's own voice.
    pub(super) fn loudest(&self) -> f32 {
        SHARE * self.played.iter().copied().fold(0.0, f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_played_is_expected_back_for_half_a_second() {
        let mut echo = Echo::default();
        assert_eq!(echo.loudest(), 0.0);
        echo.played(1_000_000.0);
        for _ in 0..LATE - 1 {
            echo.played(0.0);
        }
        let share = echo.loudest() / 1_000_000.0;
        assert!((0.01..0.1).contains(&share), "between 20 and 10 dB below: {share}");
        echo.played(0.0);
        assert_eq!(echo.loudest(), 0.0);
    }
}
