//! Until somebody is there: a caller who rings is answered when he can be heard, one who is answered already hears
//! ringing.

use super::Call;
use super::company::Company;
use super::desk::Desk;
use crate::control::Stage;
use crate::prompts::PromptName;

impl Call {
    /// The caller is up and alone: ringing, again and again, until somebody can be heard.
    pub(super) fn ring_back(&mut self, desk: &Desk) {
        if self.is_alone() && self.prompts == 0 {
            self.play(desk, PromptName::Ringback);
        }
    }

    pub(super) fn is_alone(&self) -> bool {
        self.guest.as_ref().is_some_and(|guest| guest.alone)
    }

    /// Somebody can be heard, or is another telephone.
    pub(super) fn somebody_is_there(&mut self, desk: &mut Desk) {
        let Some(guest) = &mut self.guest else { return };
        if std::mem::take(&mut guest.alone) && matches!(self.company, Company::Live) {
            self.hush(desk);
        }
        self.answer_who_rings(desk);
    }

    /// Whoever rings is answered now.
    pub(super) fn answer_who_rings(&mut self, desk: &mut Desk) {
        let Some(guest) = &mut self.guest else { return };
        let Some(sdp) = guest.unanswered.take() else { return };
        let mut headers = guest.terms.headers.clone();
        headers.extend(guest.terms.headers_of(&guest.attributes));
        self.waits_until = None;
        self.passed(desk, Stage::WaitSubscribe);
        self.answer(desk, sdp, &headers);
    }

    /// It rings still: once more, or no longer.
    pub(super) fn rings_on(&mut self, desk: &mut Desk) {
        let Some(guest) = &self.guest else { return };
        let until = guest.ring_until;
        if desk.now >= until {
            return self.refuse(desk, 486, "nobody in the room could be heard in time", None);
        }
        let _ = desk.endpoint.ring(desk.now, self.sip, 180, None, false, &[]);
        self.waits_until = Some((desk.now + desk.config.ringing_interval).min(until));
    }
}
