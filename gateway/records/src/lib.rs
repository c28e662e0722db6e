//! What is written down: the timeline of each call, CDRs, trunks and rules, and the pcap of a call.
//! It must never decide anything about a call.
//!
//! The path: the signalling says [`Records::begin`], `append`, `end` → a bounded queue → one writing
//! thread → a journal that all calls share (`journal/NNNNNNNN.jsonl`, a line an entry, with the call's id),
//! where a crash loses nothing, because the kernel has every line that was written. At the end of a call
//! its CDR goes into the store (`trunkline.redb`), with the places of its lines in the journal; those stay
//! until the journal is pruned. One shared file, because a file a call costs more than the call's signalling.
//!
//! A line is `{"call":ID,…}` with one of `"entry"` ([`Entry`]), `"up"` (what is known of a call that is
//! up) and `"end"` (its [`Cdr`]); `"up"` at the start of a file carries `"extents"`, the places of its lines in older files.

mod entry;
mod error;
mod index;
mod line;
mod pcap;

mod queue;
mod recover;
mod segment;
mod store;
mod writer;

pub use entry::{Cdr, Entry, What};
pub use error::RecordsError;
pub use pcap::pcap;

use index::{Index, Known};
use queue::{Message, Queue};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use store::Store;
use trunkline_dialplan::{DispatchRule, OutboundTrunk, Plan, Trunk};

/// The embedded store, the journal and its writing thread. One process at a time.
///
/// Dropping it writes what is queued. Calls that were not ended by then are found by the next
/// [`Records::open`], as after a crash.
#[derive(Debug)]
pub struct Records {
    queue: Arc<Queue>,
    index: Arc<Mutex<Index>>,
    store: Arc<Store>,
    journal: std::path::PathBuf,
    writer: Option<JoinHandle<()>>,
}

impl Records {
    /// Opens the state folder and makes it if need be (mode 0700: it holds passwords of trunks). CDRs of
    /// calls that an earlier process left up are written, marked `interrupted`; how many is returned.
    ///
    /// # Errors
    /// [`RecordsError::Io`], [`RecordsError::InUse`], [`RecordsError::Store`].
    pub fn open(state: &Path) -> Result<(Self, usize), RecordsError> {
        let journal = state.join("journal");
        segment::make_folder(&journal).map_err(RecordsError::io(&journal))?;
        let store = Arc::new(Store::open(&state.join("trunkline.redb"))?);
        let interrupted = recover::recover(&journal, &store)?;
        let (queue, index) = (Arc::new(Queue::default()), Arc::new(Mutex::new(Index::default())));
        let writer = writer::Writer::new(&journal, &queue, &index, &store)?;
        let writer = std::thread::Builder::new()
            .name("records".into())
            .spawn(move || writer.run())
            .map_err(RecordsError::io(state))?;
        Ok((Self { queue, index, store, journal, writer: Some(writer) }, interrupted))
    }

    // --- the plan

    /// All trunks and rules, in the order of their ids.
    ///
    /// # Errors
    /// [`RecordsError::Store`].
    pub fn plan(&self) -> Result<Plan, RecordsError> {
        self.store.plan()
    }

    /// Checks and adds, or replaces the one with the same id; gives it an id when it has none. Returns it
    /// as stored.
    ///
    /// # Errors
    /// [`RecordsError::Invalid`]: it cannot be, and why; [`RecordsError::Store`].
    pub fn add_trunk(&self, mut trunk: Trunk) -> Result<Trunk, RecordsError> {
        trunk.check().map_err(RecordsError::Invalid)?;
        if trunk.id.is_empty() {
            trunk.id = store::new_id("ST_")?;
        }
        self.store.put_trunk(&trunk)?;
        Ok(trunk)
    }

    /// As [`Records::add_trunk`], of a trunk through which calls go out.
    ///
    /// # Errors
    /// [`RecordsError::Invalid`]: it cannot be, and why; [`RecordsError::Store`].
    pub fn add_outbound(&self, mut trunk: OutboundTrunk) -> Result<OutboundTrunk, RecordsError> {
        trunk.check().map_err(RecordsError::Invalid)?;
        if trunk.id.is_empty() {
            trunk.id = store::new_id("ST_")?;
        }
        self.store.put_outbound(&trunk)?;
        Ok(trunk)
    }

    /// # Errors
    /// [`RecordsError::Unknown`], [`RecordsError::Store`].
    pub fn remove_outbound(&self, id: &str) -> Result<(), RecordsError> {
        self.store.remove_outbound(id)
    }

    /// # Errors
    /// [`RecordsError::Unknown`], [`RecordsError::Store`].
    pub fn remove_trunk(&self, id: &str) -> Result<(), RecordsError> {
        self.store.remove_trunk(id)
    }

    /// As [`Records::add_trunk`]; the trunks that it names must be there.
    ///
    /// # Errors
    /// [`RecordsError::Invalid`]: it cannot be, and why; [`RecordsError::Store`].
    pub fn add_rule(&self, mut rule: DispatchRule) -> Result<DispatchRule, RecordsError> {
        rule.check().map_err(RecordsError::Invalid)?;
        if rule.id.is_empty() {
            rule.id = store::new_id("SDR_")?;
        }
        self.store.put_rule(&rule)?;
        Ok(rule)
    }

    /// As [`Records::add_rule`], but the trunks that it names may be gone: livekit's API asks for no order.
    ///
    /// # Errors
    /// [`RecordsError::Invalid`]: it cannot be, and why; [`RecordsError::Store`].
    pub fn keep_rule(&self, mut rule: DispatchRule) -> Result<DispatchRule, RecordsError> {
        rule.check().map_err(RecordsError::Invalid)?;
        if rule.id.is_empty() {
            rule.id = store::new_id("SDR_")?;
        }
        self.store.keep_rule(&rule)?;
        Ok(rule)
    }

    /// # Errors
    /// [`RecordsError::Unknown`], [`RecordsError::Store`].
    pub fn remove_rule(&self, id: &str) -> Result<(), RecordsError> {
        self.store.remove_rule(id)
    }

    // --- calls. None of these waits for the disk: a full queue loses timeline entries, never a CDR, and
    // counts them. (A disk that stands still for a minute of full load does hold up `begin` and `end` in
    // the end: there is nowhere left to keep a CDR.)

    /// A call is up. `cdr` is what is known so far: it is what a crash leaves.
    pub fn begin(&self, cdr: &Cdr) {
        self.queue.push(Message::Up(Box::new(cdr.clone())));
    }

    /// More is known of it: what a crash would leave from now on.
    pub fn update(&self, cdr: &Cdr) {
        self.queue.push_if_room(Message::Up(Box::new(cdr.clone())));
    }

    /// Something happened to it. Also before `begin` and shortly after `end`.
    pub fn append(&self, call: &str, entry: Entry) {
        self.queue.push_if_room(Message::Entry(call.into(), entry));
    }

    /// It is over.
    pub fn end(&self, cdr: Cdr) {
        self.queue.push(Message::End(Box::new(cdr)));
    }

    /// Timeline entries that were lost because the disk did not keep up or failed.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.queue.lost()
    }

    // --- reading (blocking; for the control side). What was said before is seen.

    /// Ended calls, newest first.
    ///
    /// # Errors
    /// [`RecordsError::Store`].
    pub fn cdrs(&self, most: usize) -> Result<Vec<Cdr>, RecordsError> {
        self.flush();
        self.store.newest(most)
    }

    /// One call by its id or SIP Call-ID (a unique prefix is enough): up or ended. Of several calls with
    /// one SIP Call-ID, the newest.
    ///
    /// # Errors
    /// [`RecordsError::Unknown`]; [`RecordsError::Invalid`]: the prefix of several; [`RecordsError::Store`].
    pub fn cdr(&self, id: &str) -> Result<Cdr, RecordsError> {
        Ok(self.known(id)?.cdr)
    }

    /// What happened to a call, in order; `id` as in [`Records::cdr`]. Entries that were pruned are left out.
    ///
    /// # Errors
    /// As [`Records::cdr`], and [`RecordsError::Io`].
    pub fn timeline(&self, id: &str) -> Result<Vec<Entry>, RecordsError> {
        let known = self.known(id)?;
        segment::entries(&self.journal, &known.cdr.id, &known.extents)
    }

    /// Waits until all that was said so far is on disk.
    pub fn flush(&self) {
        let (done, wait) = std::sync::mpsc::sync_channel(1);
        self.queue.push(Message::Flush(done));
        // An error says that the writer is gone, and with it whatever could be waited for.
        let _ = wait.recv();
    }

    fn known(&self, name: &str) -> Result<Known, RecordsError> {
        self.flush();
        // In this order: a call goes from the index to the store, never back.
        let mut found = self.index.lock().unwrap_or_else(PoisonError::into_inner).named(name);
        found.extend(self.store.named(name)?);
        index::the_one(name, found, |id, started| self.store.call(id, started))
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
