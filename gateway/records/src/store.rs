//! The embedded store: trunks, rules, and the calls that have ended.

use crate::index::{Known, Named};
use crate::segment::Extent;
use crate::{Cdr, RecordsError};
use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
    WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use trunkline_dialplan::{DispatchRule, OutboundTrunk, Plan, Trunk};

type Rows = TableDefinition<'static, &'static str, &'static [u8]>;

/// `version`, and `clean`: the last journal file that holds nothing the store has not.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const TRUNKS: Rows = TableDefinition::new("trunks");
const RULES: Rows = TableDefinition::new("rules");
const OUTBOUND: Rows = TableDefinition::new("outbound");
/// By start and id, so that the newest are last and near each other.
const CALLS: TableDefinition<'_, (u64, &str), &[u8]> = TableDefinition::new("calls");
/// Id or SIP Call-ID, and id → start.
const NAMES: TableDefinition<'_, (&str, &str), u64> = TableDefinition::new("names");

const VERSION: u64 = 1;
/// Most calls that are kept; the oldest go first. About 1 kB each.
const MOST_CALLS: u64 = 1_000_000;
/// A prefix that means more calls than this means none.
const MOST_NAMED: usize = 16;
const CACHE: usize = 16 << 20;

#[derive(Debug)]
pub(crate) struct Store {
    /// `None`: the disk failed, and it could not be opened again yet.
    database: RwLock<Option<Database>>,
    file: PathBuf,
    path: String,
}

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, RecordsError> {
        // redb takes an empty file for a new one; made here, because it holds passwords.
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(RecordsError::io(path))?;
        let database = database(path)?;
        let store = Self {
            database: RwLock::new(Some(database)),
            file: path.into(),
            path: path.display().to_string(),
        };
        store.write(|transaction| {
            // Made now, so that a reader never meets a table that is not there.
            transaction.open_table(TRUNKS)?;
            transaction.open_table(RULES)?;
            transaction.open_table(OUTBOUND)?;
            transaction.open_table(CALLS)?;
            transaction.open_table(NAMES)?;
            let mut meta = transaction.open_table(META)?;
            if meta.get("version")?.is_none() {
                meta.insert("version", VERSION)?;
            }
            Ok(())
        })?;
        let version = store.meta("version")?;
        if version > VERSION {
            let why = format!("it is of version {version}; this trunkline reads up to {VERSION}");
            return Err(RecordsError::Store { path: store.path, why });
        }
        Ok(store)
    }

    /// Does something with the database. After an error of the disk redb refuses everything until it is
    /// opened anew: that is done here, so that a disk that was full serves again.
    fn with<T>(&self, what: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, RecordsError> {
        let open = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let done = open.as_ref().map(what);
        drop(open);
        let error = match done {
            Some(Ok(done)) => return Ok(done),
            Some(Err(error)) => Some(error),
            None => None,
        };
        if matches!(error, None | Some(redb::Error::Io(_) | redb::Error::PreviousIo)) {
            let mut closed = self.database.write().unwrap_or_else(PoisonError::into_inner);
            // Closed first: the file is locked.
            *closed = None;
            *closed = database(&self.file).ok();
        }
        let why = error.map_or_else(|| "closed after an error of the disk".into(), |error| error.to_string());
        Err(RecordsError::Store { path: self.path.clone(), why })
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, RecordsError> {
        self.with(|database| {
            let transaction = database.begin_write()?;
            let done = change(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
    }

    fn meta(&self, key: &str) -> Result<u64, RecordsError> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(META)?;
            Ok(table.get(key)?.map_or(0, |value| value.value()))
        })
    }

    /// The last journal file that need not be looked at again.
    pub(crate) fn clean(&self) -> Result<u32, RecordsError> {
        Ok(u32::try_from(self.meta("clean")?).unwrap_or(u32::MAX))
    }

    pub(crate) fn set_clean(&self, segment: u32) -> Result<(), RecordsError> {
        self.write(|transaction| {
            transaction.open_table(META)?.insert("clean", u64::from(segment))?;
            Ok(())
        })
    }

    // --- the plan

    pub(crate) fn plan(&self) -> Result<Plan, RecordsError> {
        Ok(Plan {
            trunks: self.rows(TRUNKS)?,
            rules: self.rows(RULES)?,
            outbound: self.rows(OUTBOUND)?,
            ..Plan::default()
        })
    }

    fn rows<T: DeserializeOwned>(&self, table: Rows) -> Result<Vec<T>, RecordsError> {
        let read = |database: &Database| -> Result<Vec<Vec<u8>>, redb::Error> {
            let table = database.begin_read()?.open_table(table)?;
            table.iter()?.map(|row| Ok(row?.1.value().to_vec())).collect()
        };
        self.with(read)?.iter().map(|row| self.decode(row)).collect()
    }

    fn decode<T: DeserializeOwned>(&self, row: &[u8]) -> Result<T, RecordsError> {
        serde_json::from_slice(row).map_err(|error| RecordsError::Store {
            path: self.path.clone(),
            // Where, not what: a row may hold a password.
            why: format!("a row cannot be read ({:?} at column {})", error.classify(), error.column()),
        })
    }

    fn encode(&self, value: &impl Serialize) -> Result<Vec<u8>, RecordsError> {
        serde_json::to_vec(value)
            .map_err(|error| RecordsError::Store { path: self.path.clone(), why: error.to_string() })
    }

    pub(crate) fn put_trunk(&self, trunk: &Trunk) -> Result<(), RecordsError> {
        self.put(TRUNKS, &trunk.id, trunk)
    }

    pub(crate) fn put_outbound(&self, trunk: &OutboundTrunk) -> Result<(), RecordsError> {
        self.put(OUTBOUND, &trunk.id, trunk)
    }

    /// Whether its trunks are there is not asked.
    pub(crate) fn keep_rule(&self, rule: &DispatchRule) -> Result<(), RecordsError> {
        self.put(RULES, &rule.id, rule)
    }

    fn put(&self, table: Rows, id: &str, value: &impl Serialize) -> Result<(), RecordsError> {
        let row = self.encode(value)?;
        self.write(|transaction| {
            transaction.open_table(table)?.insert(id, row.as_slice())?;
            Ok(())
        })
    }

    pub(crate) fn put_rule(&self, rule: &DispatchRule) -> Result<(), RecordsError> {
        let row = self.encode(rule)?;
        // In one transaction with the trunks, so that none of them goes in between.
        let missing = self.write(|transaction| {
            let trunks = transaction.open_table(TRUNKS)?;
            for id in &rule.trunk_ids {
                if trunks.get(id.as_str())?.is_none() {
                    return Ok(Some(id));
                }
            }
            transaction.open_table(RULES)?.insert(rule.id.as_str(), row.as_slice())?;
            Ok(None)
        })?;
        match missing {
            None => Ok(()),
            Some(id) => Err(RecordsError::Invalid(format!(
                "trunk_ids: expected trunks that are set up, or none for all of them, found \"{}\"",
                id.escape_debug()
            ))),
        }
    }

    pub(crate) fn remove_trunk(&self, id: &str) -> Result<(), RecordsError> {
        self.remove(TRUNKS, "trunk", id)
    }

    pub(crate) fn remove_outbound(&self, id: &str) -> Result<(), RecordsError> {
        self.remove(OUTBOUND, "outbound trunk", id)
    }

    pub(crate) fn remove_rule(&self, id: &str) -> Result<(), RecordsError> {
        self.remove(RULES, "rule", id)
    }

    fn remove(&self, table: Rows, kind: &'static str, id: &str) -> Result<(), RecordsError> {
        let was = self.write(|transaction| Ok(transaction.open_table(table)?.remove(id)?.is_some()))?;
        let shown = || id.escape_debug().take(80).collect();
        if was { Ok(()) } else { Err(RecordsError::Unknown { kind, id: shown() }) }
    }

    // --- calls

    /// Adds calls that have ended, and lines to calls that are there already. Returns whose lines were added.
    pub(crate) fn add_calls<'a>(
        &self,
        ended: &[Known],
        late: &'a HashMap<Box<str>, (Vec<Extent>, u32)>,
    ) -> Result<Vec<&'a str>, RecordsError> {
        let rows = ended.iter().map(|known| self.encode(known)).collect::<Result<Vec<_>, _>>()?;
        self.write(|transaction| {
            let mut calls = transaction.open_table(CALLS)?;
            let mut names = transaction.open_table(NAMES)?;
            for (Known { cdr, .. }, row) in ended.iter().zip(&rows) {
                let id = cdr.id.as_str();
                calls.insert((cdr.started, id), row.as_slice())?;
                names.insert((id, id), cdr.started)?;
                names.insert((cdr.sip_call_id.as_str(), id), cdr.started)?;
            }
            let mut added = Vec::new();
            for (id, (extents, _)) in late {
                let id = &**id;
                let Some(started) = names.get((id, id))?.map(|started| started.value()) else { continue };
                let row = calls.get((started, id))?.map(|row| row.value().to_vec());
                let Some(mut known) = row.and_then(|row| serde_json::from_slice::<Known>(&row).ok()) else {
                    continue;
                };
                extents.iter().for_each(|extent| extent.join(&mut known.extents));
                if let Ok(row) = serde_json::to_vec(&known) {
                    calls.insert((started, id), row.as_slice())?;
                    added.push(id);
                }
            }
            while calls.len()? > MOST_CALLS {
                let Some(oldest) = calls.pop_first()? else { break };
                if let Ok(Known { cdr, .. }) = serde_json::from_slice(oldest.1.value()) {
                    names.remove((cdr.id.as_str(), cdr.id.as_str()))?;
                    names.remove((cdr.sip_call_id.as_str(), cdr.id.as_str()))?;
                }
            }
            Ok(added)
        })
    }

    pub(crate) fn newest(&self, most: usize) -> Result<Vec<Cdr>, RecordsError> {
        let read = |database: &Database| -> Result<Vec<Vec<u8>>, redb::Error> {
            let table = database.begin_read()?.open_table(CALLS)?;
            table.iter()?.rev().take(most).map(|row| Ok(row?.1.value().to_vec())).collect()
        };
        let rows = self.with(read)?;
        rows.iter().map(|row| Ok(self.decode::<Known>(row)?.cdr)).collect()
    }

    /// Ended calls whose id or SIP Call-ID begins so, exact ones first.
    pub(crate) fn named(&self, name: &str) -> Result<Vec<Named>, RecordsError> {
        let read = |database: &Database| -> Result<Vec<Named>, redb::Error> {
            let table = database.begin_read()?.open_table(NAMES)?;
            let mut found = Vec::new();
            for row in table.range((name, "")..)? {
                let (key, started) = row?;
                let (whole, id) = key.value();
                let exact = whole == name;
                if !whole.starts_with(name) || (!exact && found.len() >= MOST_NAMED) {
                    break;
                }
                found.push(Named { id: id.into(), started: started.value(), exact, known: None });
            }
            Ok(found)
        };
        self.with(read)
    }

    pub(crate) fn has(&self, id: &str) -> Result<bool, RecordsError> {
        let read = |database: &Database| -> Result<bool, redb::Error> {
            Ok(database.begin_read()?.open_table(NAMES)?.get((id, id))?.is_some())
        };
        self.with(read)
    }

    pub(crate) fn call(&self, id: &str, started: u64) -> Result<Known, RecordsError> {
        let read = |database: &Database| -> Result<Option<Vec<u8>>, redb::Error> {
            let table = database.begin_read()?.open_table(CALLS)?;
            Ok(table.get((started, id))?.map(|row| row.value().to_vec()))
        };
        match self.with(read)? {
            Some(row) => self.decode(&row),
            None => Err(RecordsError::Unknown { kind: "call", id: id.into() }),
        }
    }
}

fn database(path: &Path) -> Result<Database, RecordsError> {
    let shown = path.display().to_string();
    Database::builder().set_cache_size(CACHE).create(path).map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => RecordsError::InUse { path: shown },
        other => RecordsError::Store { path: shown, why: other.to_string() },
    })
}

/// `ST_` and 12 letters and digits, of which none is mistaken for another.
pub(crate) fn new_id(prefix: &str) -> Result<String, RecordsError> {
    const LETTERS: &[u8; 57] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut id = String::from(prefix);
    while id.len() < prefix.len() + 12 {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|error| RecordsError::Io {
            path: "the system's randomness".into(),
            source: std::io::Error::other(error.to_string()),
        })?;
        // 228 = 4 × 57: each letter is as likely as another.
        let letters =
            random.iter().filter(|byte| **byte < 228).filter_map(|byte| LETTERS.get(usize::from(*byte) % 57));
        id.extend(letters.map(|letter| char::from(*letter)).take(prefix.len() + 12 - id.len()));
    }
    Ok(id)
}
