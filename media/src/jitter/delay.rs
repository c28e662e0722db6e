//! What the network asks for: how much later than the quickest packets do the others come?

/// The shortest transit is that of so many seconds; long enough to hold a quick packet, short enough to
/// follow clocks that drift.
const SECONDS: usize = 4;
const SECOND_US: i64 = 1_000_000;
/// Lateness is counted in steps of 10 ms, up to 200 ms.
const STEP_US: i64 = 10_000;
const STEPS: usize = 21;
/// One packet in 33 may be later than the target.
const KEPT: f32 = 0.97;
/// What a packet weighs after each further packet: half after 7 s of 20 ms packets.
const FADE: f32 = 0.998;
/// Shortest and longest target.
const TARGET_US: (i64, i64) = (20_000, 200_000);
/// Before anything is known: as if five packets had been 40 ms late.
const AT_FIRST: (usize, f32) = (4, 5.0);

#[derive(Debug)]
pub(super) struct Delay {
    /// The shortest transit of each of the last seconds, the current one first.
    shortest: [i64; SECONDS],
    /// When the current second began.
    since: i64,
    /// How many packets were how late, older ones fading.
    lateness: [f32; STEPS],
    target: i64,
}

impl Delay {
    pub(super) fn new() -> Self {
        let mut lateness = [0.0; STEPS];
        if let Some(step) = lateness.get_mut(AT_FIRST.0) {
            *step = AT_FIRST.1;
        }
        Self { shortest: [i64::MAX; SECONDS], since: 0, lateness, target: AT_FIRST.0 as i64 * STEP_US }
    }

    /// The time line is another one; how unsteady the network is stays known.
    pub(super) fn forget_transit(&mut self) {
        self.shortest = [i64::MAX; SECONDS];
    }

    /// A packet took so long (µs, with an unknown offset).
    pub(super) fn measure(&mut self, now: i64, transit: i64) {
        if now - self.since >= SECOND_US {
            self.since = now;
            self.shortest.rotate_right(1);
            if let Some(current) = self.shortest.first_mut() {
                *current = i64::MAX;
            }
        }
        if let Some(current) = self.shortest.first_mut() {
            *current = transit.min(*current);
        }
        let late = transit - self.shortest().unwrap_or(transit);
        let step = (late.max(0) as u64).div_ceil(STEP_US as u64).min(STEPS as u64 - 1) as usize;
        let mut all = 1.0;
        for weight in &mut self.lateness {
            *weight *= FADE;
            all += *weight;
        }
        if let Some(weight) = self.lateness.get_mut(step) {
            *weight += 1.0;
        }
        self.target = self.quantile(all * KEPT).clamp(TARGET_US.0, TARGET_US.1);
    }

    /// The shortest transit of the last seconds, µs.
    pub(super) fn shortest(&self) -> Option<i64> {
        self.shortest.iter().copied().min().filter(|t| *t != i64::MAX)
    }

    /// How far playout should lie behind it, µs.
    pub(super) fn target(&self) -> i64 {
        self.target
    }

    fn quantile(&self, wanted: f32) -> i64 {
        let mut below = 0.0;
        for (step, weight) in self.lateness.iter().enumerate() {
            below += weight;
            if below >= wanted {
                return step as i64 * STEP_US;
            }
        }
        TARGET_US.1
    }
}
