//! The watch for a peer that fell silent. On hold nothing is expected, so nothing is missed.

use std::time::Duration;

#[derive(Debug)]
pub(super) struct Watch {
    initial: Duration,
    later: Duration,
    /// The last packet, or when waiting began.
    since: Duration,
    heard: bool,
    told: bool,
}

impl Watch {
    pub(super) fn new(initial: Duration, later: Duration, now: Duration) -> Self {
        Self { initial, later, since: now, heard: false, told: false }
    }

    /// A packet of the call; true for the first.
    pub(super) fn packet(&mut self, now: Duration) -> bool {
        self.since = now;
        self.told = false;
        !std::mem::replace(&mut self.heard, true)
    }

    /// A hold begins or ends.
    pub(super) fn restart(&mut self, now: Duration) {
        self.since = now;
        self.told = false;
    }

    /// How long nothing came, if that is too long; once for each silence.
    pub(super) fn overdue(&mut self, now: Duration, expected: bool) -> Option<Duration> {
        let limit = if self.heard { self.later } else { self.initial };
        let silent = now.saturating_sub(self.since);
        if !expected || self.told || limit.is_zero() || silent < limit {
            return None;
        }
        self.told = true;
        Some(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_silence_is_told_once_and_anew_after_packets_came() {
        let mut watch = Watch::new(30 * S, 15 * S, Duration::ZERO);
        assert_eq!(watch.overdue(29 * S, true), None);
        assert_eq!(watch.overdue(30 * S, true), Some(30 * S));
        assert_eq!(watch.overdue(31 * S, true), None);
        assert!(watch.packet(32 * S));
        assert_eq!(watch.overdue(46 * S, true), None);
        assert_eq!(watch.overdue(47 * S, true), Some(15 * S));
    }

    #[test]
    fn on_hold_nothing_is_missed_and_the_time_begins_anew_after_it() {
        let mut watch = Watch::new(30 * S, 15 * S, Duration::ZERO);
        watch.packet(S);
        assert_eq!(watch.overdue(100 * S, false), None);
        watch.restart(100 * S);
        assert_eq!(watch.overdue(110 * S, true), None);
        assert_eq!(watch.overdue(115 * S, true), Some(15 * S));
    }
}
