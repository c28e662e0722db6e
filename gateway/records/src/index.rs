//! Which calls are up, which have ended and wait for the store, and where their lines are.

use crate::segment::Extent;
use crate::{Cdr, RecordsError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// What is known of a call; the store keeps it as JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    pub cdr: Cdr,
    pub extents: Vec<Extent>,
}

/// Most places of one call: what comes after is lost, so that a call that never ends cannot fill memory.
const MOST_EXTENTS: usize = 50_000;
/// Most calls with lines that are neither up nor in the store.
const MOST_LOOSE: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Index {
    up: HashMap<Box<str>, Known>,
    /// Ended, in order, not yet in the store.
    pub ended: Vec<Known>,
    /// On their way into the store: a reader finds a call in one of the three at any time.
    pub storing: Arc<Vec<Known>>,
    /// Lines of calls that have not begun yet, or have ended; and how many stores they have waited for.
    pub loose: HashMap<Box<str>, (Vec<Extent>, u32)>,
}

impl Index {
    /// A line of a call. `false`: there is no room for more.
    pub(crate) fn line(&mut self, call: &str, extent: Extent) -> bool {
        let extents = if let Some(known) = self.up.get_mut(call) {
            &mut known.extents
        } else if let Some(known) = self.ended.iter_mut().rev().take(64).find(|known| known.cdr.id == call) {
            &mut known.extents
        } else if self.loose.len() < MOST_LOOSE || self.loose.contains_key(call) {
            &mut self.loose.entry(call.into()).or_default().0
        } else {
            return false;
        };
        let room = extents.len() < MOST_EXTENTS;
        if room {
            extent.join(extents);
        }
        room
    }

    pub(crate) fn up(&mut self, cdr: Cdr) {
        if let Some(known) = self.up.get_mut(cdr.id.as_str()) {
            known.cdr = cdr;
        } else {
            let extents = self.loose.remove(cdr.id.as_str()).unwrap_or_default().0;
            self.up.insert(cdr.id.as_str().into(), Known { cdr, extents });
        }
    }

    pub(crate) fn end(&mut self, cdr: Cdr) {
        let extents = match self.up.remove(cdr.id.as_str()) {
            Some(known) => known.extents,
            None => self.loose.remove(cdr.id.as_str()).unwrap_or_default().0,
        };
        self.ended.push(Known { cdr, extents });
    }

    pub(crate) fn calls_up(&self) -> impl Iterator<Item = &Known> {
        self.up.values()
    }

    /// Calls that are not in the store yet whose id or SIP Call-ID begins so.
    pub(crate) fn named(&self, name: &str) -> Vec<Named> {
        let begins =
            |known: &&Known| known.cdr.id.starts_with(name) || known.cdr.sip_call_id.starts_with(name);
        let all = self.up.values().chain(&self.ended).chain(self.storing.iter());
        all.filter(begins).map(|known| Named::of(known, name)).collect()
    }
}

/// A call that a name may mean.
#[derive(Debug)]
pub(crate) struct Named {
    pub id: String,
    pub started: u64,
    /// The name is its id or SIP Call-ID, not only a prefix.
    pub exact: bool,
    /// All of it, when it is not in the store yet.
    pub known: Option<Known>,
}

impl Named {
    fn of(known: &Known, name: &str) -> Self {
        let Cdr { id, sip_call_id, started, .. } = &known.cdr;
        let exact = id == name || sip_call_id == name;
        Self { id: id.clone(), started: *started, exact, known: Some(known.clone()) }
    }
}

/// The call that is meant: the newest whose name it is, else the only one whose name begins so.
pub(crate) fn the_one(
    name: &str,
    mut found: Vec<Named>,
    stored: impl FnOnce(&str, u64) -> Result<Known, RecordsError>,
) -> Result<Known, RecordsError> {
    let shown: String = name.escape_debug().take(80).collect();
    if name.is_empty() || found.is_empty() {
        return Err(RecordsError::Unknown { kind: "call", id: shown });
    }
    found.sort_by_key(|named| (named.exact, named.started, named.known.is_some()));
    let Some(last) = found.pop() else { return Err(RecordsError::Unknown { kind: "call", id: shown }) };
    if !last.exact && found.iter().any(|other| other.id != last.id) {
        let others: Vec<&str> = found.iter().rev().take(3).map(|named| named.id.as_str()).collect();
        let why =
            format!("\"{shown}\" begins the names of several calls: {}, {}", last.id, others.join(", "));
        return Err(RecordsError::Invalid(why));
    }
    match last.known {
        Some(known) => Ok(known),
        None => stored(&last.id, last.started),
    }
}
