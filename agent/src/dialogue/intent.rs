//! Which intent a caller's words are.

use super::phrase::{Fit, find, says_enough};
use super::slot::Value;
use super::{Dialogue, Intent};

/// The intent whose phrase says most of what was heard.
pub(super) fn intent<'a>(dialogue: &'a Dialogue, heard: &[String]) -> Option<Found<'a>> {
    let all = dialogue.intents.iter().enumerate();
    let all = all.flat_map(|(at, intent)| intent.phrases.iter().map(move |p| (at, intent, p)));
    let fits = all.filter_map(|(at, intent, phrase)| {
        let fit =
            find(heard, &phrase.words).filter(|fit| phrase.slot.is_some() || says_enough(heard, *fit))?;
        let slot = phrase.slot.and_then(|at| dialogue.slots.get(at));
        let value = match slot {
            Some(slot) => Some(slot.takes.value(heard.get(fit.end..)?, &[])?),
            None => None,
        };
        Some(Found { at, intent, phrase: &phrase.spelled, fit, slot: phrase.slot, value })
    });
    // `max_by_key` takes the last of equals; the first in the file is meant.
    fits.reduce(|best, next| if next.rank() > best.rank() { next } else { best })
}

pub(super) struct Found<'a> {
    /// Its place in the dialogue.
    pub at: usize,
    pub intent: &'a Intent,
    pub phrase: &'a str,
    pub fit: Fit,
    pub slot: Option<usize>,
    pub value: Option<Value>,
}

impl Found<'_> {
    fn rank(&self) -> (bool, usize, bool) {
        (self.fit.sure, self.fit.words, self.value.is_some())
    }
}
