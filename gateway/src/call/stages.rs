//! How long the parts of a call's set-up take, for the metrics.

use super::Call;
use super::desk::Desk;
use crate::control::{Figure, Stage};
use bytes::Bytes;
use trunkline_sip::Time;

/// The parts that have begun and are not over.
#[derive(Debug, Default)]
pub(super) struct Stages(Vec<(Stage, Time)>);

impl Stages {
    fn take(&mut self, stage: Stage) -> Option<Time> {
        let at = self.0.iter().position(|(begun, _)| *begun == stage)?;
        Some(self.0.swap_remove(at).1)
    }
}

impl Call {
    /// A part begins. Begun again, it counts from then.
    pub(super) fn begins(&mut self, desk: &Desk, stage: Stage) {
        self.began(stage, desk.now);
    }

    /// The same, at an earlier time.
    pub(super) fn began(&mut self, stage: Stage, at: Time) {
        let _ = self.stages.take(stage);
        self.stages.0.push((stage, at));
    }

    /// It is over. Nothing where it had not begun.
    pub(super) fn passed(&mut self, desk: &Desk, stage: Stage) {
        if let Some(began) = self.stages.take(stage) {
            self.measured(desk, Figure::Stage(stage, desk.now.saturating_sub(began)));
        }
    }

    /// A description went out or came in.
    pub(super) fn describes(&self, desk: &Desk, offer: bool, theirs: bool, sdp: &Bytes) {
        self.measured(desk, Figure::Description { offer, theirs, sdp: sdp.clone() });
    }

    /// For those who count.
    pub(super) fn measured(&self, desk: &Desk, figure: Figure) {
        desk.chronicle.measure(&self.id, self.cdr.direction == "outbound", figure);
    }
}
