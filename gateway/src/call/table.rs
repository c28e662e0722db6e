//! The table of calls: everything that happens comes in here, finds its call, and leaves as datagrams.

use super::chronicle::{Wire, hide_key};
use super::desk::{Desk, Errand, House};
use super::inbound::{self, Early};
use super::{Call, State, outbound, words};
use crate::control::{Counts, Request, Status};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap, VecDeque};
use tracing::{info, warn};
use trunkline_agent::host::{AgentEvent, SessionId};
use trunkline_media::event::{LegEvent, LegId};
use trunkline_records::{Cdr, RecordsError, What};
use trunkline_room::{Room, RoomEvent};
use trunkline_sip::{CallHandle, Event, Flow, Output, Time};

/// Messages of calls that are not known yet: an INVITE and its 100, for a moment.
const EARLY: usize = 64;
/// What a refused peer is told while we go down.
const RETRY_AFTER_DRAIN: u32 = 30;
/// After the limit of a drain, BYEs that nobody answers are waited for this long.
const LAST_BYES: Time = Time::from_secs(3);

/// The address of a host was found, or not.
pub struct LookedUp {
    /// Whose.
    pub serial: u64,
    /// The whole address, as it was asked for.
    pub to: String,
    /// The way there.
    pub flow: Result<Flow, String>,
}

/// How far the program is on its way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drain {
    No,
    /// Calls go on until then.
    Until(Time),
    /// All calls were ended; their last messages are awaited until then.
    Ending(Time),
}

/// Every call, and the one door to them.
pub struct Calls {
    desk: Desk,
    calls: HashMap<u64, Box<Call>>,
    deadlines: BTreeSet<(Time, u64)>,
    early: VecDeque<(CallHandle, Time, What)>,
    wire: Wire,
    drain: Drain,
    sip: Vec<String>,
    connections: usize,
}

impl Calls {
    /// `sip` is what is listened on, for people.
    ///
    /// # Errors
    /// Trunks and rules cannot be read.
    pub fn new(house: House, now: Time, seed: u64, sip: Vec<String>) -> Result<Self, RecordsError> {
        Ok(Self {
            desk: Desk::new(house, now, seed)?,
            calls: HashMap::new(),
            deadlines: BTreeSet::new(),
            early: VecDeque::new(),
            wire: Wire::default(),
            drain: Drain::No,
            sip,
            connections: 0,
        })
    }

    /// Bytes came in.
    pub fn receive(&mut self, now: Time, flow: Flow, bytes: Bytes) {
        self.desk.now = now;
        self.desk.endpoint.receive(now, flow, bytes);
    }

    /// Bytes did not leave, or a connection is gone.
    pub fn transport_failed(&mut self, now: Time, flow: Flow) {
        self.desk.now = now;
        self.desk.endpoint.transport_failed(now, flow);
    }

    /// What is to be sent; drain it after every input. Events go to their calls on the way.
    pub fn poll(&mut self, now: Time) -> Option<(Flow, Bytes)> {
        self.desk.now = now;
        loop {
            match self.desk.endpoint.poll() {
                Some(Output::Send { flow, bytes }) => return Some((flow, bytes)),
                Some(Output::Trace { call, at, sent, flow, bytes }) => {
                    let what = self.wire.sip(sent, &flow, &bytes);
                    self.trace(call, at, what);
                }
                Some(Output::Event(event)) => self.on_event(event),
                None if self.desk.errands.is_empty() => return None,
                None => self.run_errands(),
            }
        }
    }

    fn trace(&mut self, handle: CallHandle, at: Time, mut what: What) {
        let known = self.desk.of_handle.get(&handle).and_then(|serial| self.calls.get(serial));
        match known {
            // The CDR of a call that is over has left.
            Some(call) if call.state == State::Over => {}
            Some(call) => {
                if call.is_secret_key() {
                    hide_key(&mut what);
                }
                self.desk.chronicle.note(at, &call.id, what);
            }
            None => {
                if self.early.len() == EARLY {
                    self.early.pop_front();
                }
                self.early.push_back((handle, at, what));
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Incoming { call, invite, flow } => {
                let early = self.take_early(call);
                if let Some(call) = inbound::arrive(&mut self.desk, call, &invite, &flow, early) {
                    self.keep(call);
                }
            }
            event => {
                let Some(handle) = handle_of(&event) else { return };
                let Some(serial) = self.desk.of_handle.get(&handle).copied() else { return };
                let ends = matches!(event, Event::Ended { .. } | Event::Rejected { .. });
                self.with(serial, |call, desk| call.on_sip(desk, event));
                if ends {
                    self.desk.of_handle.remove(&handle);
                }
            }
        }
    }

    fn take_early(&mut self, handle: CallHandle) -> Early {
        let mut found = Early::new();
        self.early.retain_mut(|(of, at, what)| {
            let ours = *of == handle;
            if ours {
                found.push((*at, what.clone()));
            }
            !ours
        });
        found
    }

    /// Puts a new call into the table.
    fn keep(&mut self, call: Box<Call>) {
        self.deadlines.insert((call.deadline(), call.serial));
        self.calls.insert(call.serial, call);
    }

    /// Something happens to a call; afterwards its deadline stands anew, or it is forgotten.
    fn with(&mut self, serial: u64, what: impl FnOnce(&mut Call, &mut Desk)) {
        let Some(call) = self.calls.get_mut(&serial) else { return };
        let before = call.deadline();
        what(call, &mut self.desk);
        let after = call.deadline();
        if call.is_gone() {
            self.desk.of_handle.remove(&call.sip);
            self.deadlines.remove(&(before, serial));
            self.calls.remove(&serial);
        } else if before != after {
            self.deadlines.remove(&(before, serial));
            self.deadlines.insert((after, serial));
        }
    }

    /// A leg says something.
    pub fn on_leg(&mut self, now: Time, leg: LegId, event: LegEvent) {
        self.desk.now = now;
        let closed = matches!(event, LegEvent::Closed { .. });
        let Some(serial) = self.desk.of_leg.get(&leg).copied() else { return };
        self.with(serial, |call, desk| {
            if closed || call.owns(leg) {
                call.on_leg(desk, event);
            }
        });
        if closed {
            self.desk.of_leg.remove(&leg);
        }
    }

    /// An agent says something.
    pub fn on_agent(&mut self, now: Time, session: SessionId, event: AgentEvent) {
        self.desk.now = now;
        if let Some(serial) = self.desk.of_session.get(&session).copied() {
            self.with(serial, |call, desk| call.on_agent(desk, event));
        }
    }

    /// A room says something.
    pub fn on_room(&mut self, now: Time, event: &RoomEvent) {
        self.desk.now = now;
        match event {
            RoomEvent::Dtmf { to, .. } => {
                if let Some(serial) = self.desk.of_participant.get(to).copied() {
                    self.with(serial, |call, desk| call.on_room(desk, event));
                }
            }
            RoomEvent::Joined { room, .. } | RoomEvent::Left { room, .. } => {
                let there = |call: &Call| match &call.company {
                    super::Company::Room { room: theirs, .. } => theirs == room,
                    _ => false,
                };
                let told: Vec<u64> = self
                    .desk
                    .of_participant
                    .values()
                    .copied()
                    .filter(|s| self.calls.get(s).is_some_and(|c| there(c)))
                    .collect();
                for serial in told {
                    self.with(serial, |call, desk| call.on_room(desk, event));
                }
            }
            _ => {}
        }
    }

    fn run_errands(&mut self) {
        while let Some(errand) = self.desk.errands.pop_front() {
            match errand {
                Errand::Transfer { from, to } => outbound::look_up(&mut self.desk, from, &to),
                Errand::Answered { partner } => self.connect(partner),
                Errand::Failed { partner, why } => {
                    self.with(partner, |call, desk| call.transfer_failed(desk, &why));
                }
                Errand::HangUp { partner, why } => {
                    self.with(partner, |call, desk| {
                        call.partner = None;
                        call.hang_up(desk, words::NORMAL, &why);
                    });
                }
            }
        }
    }

    /// The address of a transfer's far party was found.
    pub fn looked_up(&mut self, now: Time, found: LookedUp) {
        self.desk.now = now;
        let Some(near) = self.calls.get(&found.serial) else { return };
        if near.state != State::Up {
            return;
        }
        let placed = found.flow.and_then(|flow| outbound::place(&mut self.desk, near, &found.to, flow));
        match placed {
            Ok(far) => {
                let partner = far.serial;
                self.with(found.serial, |call, _| call.partner = Some(partner));
                self.keep(far);
            }
            Err(why) => self.with(found.serial, |call, desk| call.transfer_failed(desk, &why)),
        }
    }

    /// The far party of this caller's transfer answered.
    fn connect(&mut self, near: u64) {
        let far = self.calls.get(&near).and_then(|call| call.partner);
        let Some(mut far) = far.and_then(|far| self.calls.remove(&far)) else { return };
        self.with(near, |call, desk| call.join(desk, &mut far));
        self.calls.insert(far.serial, far);
    }

    /// When [`Calls::on_time`] is wanted next.
    pub fn deadline(&self) -> Option<Time> {
        let drain = match self.drain {
            Drain::No => None,
            Drain::Until(t) | Drain::Ending(t) => Some(t),
        };
        let call = self.deadlines.first().map(|(t, _)| *t);
        [self.desk.endpoint.poll_timeout(), call, drain].into_iter().flatten().min()
    }

    /// The time has come.
    pub fn on_time(&mut self, now: Time) {
        self.desk.now = now;
        self.desk.endpoint.handle_timeout(now);
        while let Some((at, serial)) = self.deadlines.first().copied() {
            if at > now {
                break;
            }
            self.deadlines.pop_first();
            self.with(serial, |call, desk| call.on_time(desk));
            if let Some(call) = self.calls.get(&serial) {
                self.deadlines.insert((call.deadline().max(now + Time::from_millis(1)), serial));
            }
        }
        if matches!(self.drain, Drain::Until(t) if t <= now) {
            self.end_all(now, "limits.drain is over");
        }
    }

    /// Somebody asks for something.
    pub fn request(&mut self, now: Time, request: Request) {
        self.desk.now = now;
        // Whoever asked and went away needs no answer.
        match request {
            Request::Status(reply) => drop(reply.send(self.status(now))),
            Request::Calls(reply) => drop(reply.send(self.cdrs())),
            Request::HangUp { id, reply } => drop(reply.send(self.hang_up(&id))),
            Request::PlanChanged(reply) => {
                match self.desk.read_plan() {
                    Ok(()) => info!(
                        trunks = self.desk.plan.trunks.len(),
                        rules = self.desk.plan.rules.len(),
                        "trunks and rules were read anew"
                    ),
                    Err(error) => warn!("trunks and rules stay as they were: {error}"),
                }
                let _ = reply.send(());
            }
            Request::Drain => self.drain(now),
        }
    }

    /// New calls get 503; those that are up go on for `limits.drain`. Asked again: they end now.
    pub fn drain(&mut self, now: Time) {
        self.desk.now = now;
        match self.drain {
            Drain::No => {
                let limit = self.desk.config.limits.drain;
                info!(
                    calls = self.calls.len(),
                    limit_s = limit.as_secs(),
                    "no new calls; the program ends with the last one"
                );
                self.desk.endpoint.set_draining(Some(RETRY_AFTER_DRAIN));
                self.drain = Drain::Until(now + limit);
            }
            Drain::Until(_) => self.end_all(now, "the program was asked to stop at once"),
            Drain::Ending(_) => {}
        }
    }

    fn end_all(&mut self, now: Time, why: &str) {
        info!(calls = self.calls.len(), "calls that are up are ended: {why}");
        self.drain = Drain::Ending(now + LAST_BYES);
        let all: Vec<u64> = self.calls.keys().copied().collect();
        for serial in all {
            self.with(serial, |call, desk| call.hang_up(desk, words::OUT_OF_ORDER, why));
        }
    }

    /// May the program end?
    pub fn is_drained(&self, now: Time) -> bool {
        match self.drain {
            Drain::No => false,
            Drain::Until(_) => self.calls.is_empty(),
            Drain::Ending(until) => self.calls.is_empty() || now >= until,
        }
    }

    /// The program ends: of calls whose last message never came there is a CDR all the same.
    pub fn give_up(&mut self, now: Time) {
        self.desk.now = now;
        let all: Vec<u64> = self.calls.keys().copied().collect();
        for serial in all {
            self.with(serial, |call, desk| {
                let why = call.farewell.clone().unwrap_or_default();
                call.give_up(desk, &why);
            });
        }
    }

    fn hang_up(&mut self, id: &str) -> bool {
        let named = |call: &Call| call.id.starts_with(id) || call.cdr.sip_call_id.starts_with(id);
        let mut found = self.calls.values().filter(|call| named(call)).map(|call| call.serial);
        let (Some(serial), None) = (found.next(), found.next()) else { return false };
        drop(found);
        self.with(serial, |call, desk| call.hang_up(desk, words::NORMAL, "ended by the operator"));
        true
    }

    fn cdrs(&self) -> Vec<Cdr> {
        let mut cdrs: Vec<Cdr> =
            self.calls.values().filter(|c| c.state < State::Over).map(|c| c.cdr.clone()).collect();
        cdrs.sort_by_key(|cdr| std::cmp::Reverse(cdr.started));
        cdrs
    }

    fn status(&self, now: Time) -> Status {
        let sip = self.desk.endpoint.counts();
        let (legs, ports) = self.desk.engine.counts();
        let (rooms, participants) = self.desk.rooms.counts();
        let mut totals = self.desk.totals;
        totals.malformed = self.desk.endpoint.malformed();
        totals.timeline_lost = self.desk.records.lost();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            uptime_s: now.as_secs(),
            draining: self.drain != Drain::No,
            sip: self.sip.clone(),
            agent: self.desk.agents.engine_fault().unwrap_or_else(|| "ready".into()),
            open: self.desk.plan.trunks.is_empty(),
            counts: Counts {
                calls: self.calls.len(),
                transactions: sip.transactions,
                dialogs: sip.dialogs,
                legs,
                ports,
                agents: self.desk.agents.count(),
                rooms,
                participants,
                connections: self.connections,
            },
            totals,
        }
    }

    /// What the sockets count: datagrams over budget, TCP connections.
    pub fn count_sockets(&mut self, over_budget: u64, connections: usize) {
        self.desk.totals.over_budget = over_budget;
        self.connections = connections;
    }
}

/// The call of an event.
fn handle_of(event: &Event) -> Option<CallHandle> {
    Some(match event {
        Event::Incoming { call, .. }
        | Event::Progress { call, .. }
        | Event::Answered { call, .. }
        | Event::Rejected { call, .. }
        | Event::Confirmed { call, .. }
        | Event::ProvisionalConfirmed { call, .. }
        | Event::Offer { call, .. }
        | Event::OfferAccepted { call, .. }
        | Event::OfferRefused { call, .. }
        | Event::Info { call, .. }
        | Event::Ended { call, .. } => *call,
        _ => return None,
    })
}
