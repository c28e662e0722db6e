//! The figures of a leg.

use super::Leg;
use crate::event::LegReport;
use crate::quality::{mos, r_factor};
use std::time::Duration;

/// Sound waits for its packet to be full, there and here.
const PACKET_TIME: Duration = Duration::from_millis(20);

impl Leg {
    /// Its figures so far.
    #[must_use]
    pub fn report(&self) -> LegReport {
        let (received, lost, jitter, jitter_max) = self.inbound.figures();
        let counts = self.inbound.counts();
        let r_factor = if received == 0 {
            0.0
        } else {
            // Late is as good as lost, to an ear.
            let unheard = (lost + counts.late + counts.discarded) as f32;
            let loss = unheard / (received + lost) as f32;
            let way = self.control.round_trip().unwrap_or_default() / 2;
            r_factor(loss, 1.0, way + self.inbound.delay() + PACKET_TIME, self.outbound.codec())
        };
        LegReport {
            codec: self.outbound.codec(),
            sent: self.outbound.sender().packets(),
            received,
            lost,
            late: counts.late,
            duplicate: counts.duplicate,
            strangers: self.strangers,
            unauthentic: self.refused.unauthentic,
            replayed: self.refused.replayed,
            jitter_ms: jitter.as_secs_f32() * 1_000.0,
            jitter_max_ms: jitter_max.as_secs_f32() * 1_000.0,
            concealed: counts.concealed,
            overrun: self.overrun + self.company.as_ref().map_or(0, |company| company.overrun()),
            round_trip_ms: self.control.round_trip().map(|trip| trip.as_secs_f32() * 1_000.0),
            remote_loss: self.control.remote_loss(),
            r_factor,
            mos: mos(r_factor),
        }
    }
}
