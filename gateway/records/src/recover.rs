//! After a crash: what the journal knows and the store does not.

use crate::index::Known;
use crate::segment::{self, Extent};
use crate::store::Store;
use crate::{Cdr, RecordsError};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// A line, as far as this wants it: of an entry only its time.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    call: Cow<'a, str>,
    entry: Option<At>,
    up: Option<Cdr>,
    end: Option<Cdr>,
    extents: Option<Vec<Extent>>,
}

#[derive(Deserialize)]
struct At {
    at: u64,
}

#[derive(Default)]
struct Found {
    cdr: Option<Cdr>,
    ended: bool,
    /// Last sign of life.
    last: u64,
    extents: Vec<Extent>,
}

/// Puts into the store what only the journal has; how many calls were up is returned. The last two files
/// are enough: each begins with the calls that are up, after the store has all that had ended.
pub(crate) fn recover(journal: &Path, store: &Store) -> Result<usize, RecordsError> {
    let numbers = segment::numbers(journal).map_err(RecordsError::io(journal))?;
    let clean = store.clean()?;
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for number in numbers.iter().skip(numbers.len().saturating_sub(2)).filter(|number| **number > clean) {
        read(journal, *number, &mut found)?;
    }
    let mut calls = Vec::new();
    let mut interrupted = 0;
    for (id, Found { cdr, ended, last, extents }) in found {
        let Some(mut cdr) = cdr else { continue };
        if store.has(&id)? {
            continue;
        }
        if !ended {
            interrupted += 1;
            cdr.interrupted = true;
            cdr.ended = Some(last.max(cdr.answered.unwrap_or(0)).max(cdr.started));
            cdr.end = "the process ended while the call was up".into();
        }
        calls.push(Known { cdr, extents });
    }
    if !calls.is_empty() {
        store.add_calls(&calls, &HashMap::new())?;
    }
    if let Some(last) = numbers.last() {
        store.set_clean(*last)?;
    }
    Ok(interrupted)
}

fn read(journal: &Path, number: u32, found: &mut BTreeMap<String, Found>) -> Result<(), RecordsError> {
    let path = segment::path(journal, number);
    let mut file = BufReader::with_capacity(1 << 20, File::open(&path).map_err(RecordsError::io(&path))?);
    let mut bytes = Vec::new();
    let mut offset = 0;
    loop {
        bytes.clear();
        let length = file.read_until(b'\n', &mut bytes).map_err(RecordsError::io(&path))?;
        if length == 0 {
            return Ok(());
        }
        let extent = Extent(number, offset, u32::try_from(length).unwrap_or(u32::MAX));
        offset += length as u64;
        // The last line may be half there; what cannot be read is no line.
        let Ok(line) = serde_json::from_slice::<Line<'_>>(&bytes) else { continue };
        let call = found.entry(line.call.into_owned()).or_default();
        if let Some(At { at }) = line.entry {
            call.last = call.last.max(at);
            extent.join(&mut call.extents);
        }
        // All places up to here, also those in older files.
        if let Some(extents) = line.extents {
            call.extents = extents;
        }
        if let Some(cdr) = line.end {
            call.ended = true;
            call.cdr = Some(cdr);
        } else if let (Some(cdr), false) = (line.up, call.ended) {
            call.cdr = Some(cdr);
        }
    }
}
