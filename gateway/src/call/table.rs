//! The table of calls: everything that happens comes in here, finds its call, and leaves as datagrams.

use super::chronicle::{Wire, hide_key};
use super::command::Drain;
use super::desk::{Desk, Errand, House};
use super::dialling::Dialling;
use super::inbound::{self, Early};
use super::{Call, State, outbound, words};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap, VecDeque};
use trunkline_agent::host::{AgentEvent, SessionId};
use trunkline_media::event::{LegEvent, LegId};
use trunkline_records::{RecordsError, What};
use trunkline_room::RoomEvent;
use trunkline_sip::{CallHandle, Event, Flow, Output, Time};

/// Messages of calls that are not known yet: an INVITE and its 100, for a moment.
const EARLY: usize = 64;

/// The address of a host was found, or not.
pub struct LookedUp {
    /// Whose.
    pub serial: u64,
    /// The whole address, as it was asked for.
    pub to: String,
    /// The way there.
    pub flow: Result<Flow, String>,
}

/// Every call, and the one door to them.
pub struct Calls {
    pub(super) desk: Desk,
    pub(super) calls: HashMap<u64, Box<Call>>,
    pub(super) deadlines: BTreeSet<(Time, u64)>,
    early: VecDeque<(CallHandle, Time, What)>,
    wire: Wire,
    pub(super) drain: Drain,
    /// Calls that are to be placed, until their INVITE goes out.
    pub(super) dialling: HashMap<u64, Dialling>,
    pub(super) sip: Vec<String>,
    pub(super) connections: usize,
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
            dialling: HashMap::new(),
            sip,
            connections: 0,
        })
    }

    /// Bytes came in.
    pub fn receive(&mut self, now: Time, flow: Flow, bytes: Bytes) {
        self.desk.now = now;
        let full = self.desk.is_full();
        self.desk.endpoint.set_full(full);
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
        let serial = self.desk.of_handle.get(&handle).copied().unwrap_or_default();
        let known = self.calls.get(&serial);
        match known {
            // The CDR of a call that is over has left.
            Some(call) if call.state == State::Over => {}
            // Nothing is written of it yet.
            Some(call) if call.early.is_some() => {
                if let Some(call) = self.calls.get_mut(&serial)
                    && let Some(early) = call.early.as_mut().filter(|early| early.len() < EARLY)
                {
                    early.push((at, what));
                }
            }
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

    /// Puts a new call into the table, unless it is over already.
    fn keep(&mut self, call: Box<Call>) {
        if call.is_gone() {
            self.desk.of_handle.remove(&call.sip);
            return;
        }
        self.deadlines.insert((call.deadline(), call.serial));
        if self.desk.live.is_some() {
            self.desk.door.enter(&call.id);
        }
        self.calls.insert(call.serial, call);
    }

    /// Something happens to a call; afterwards its deadline stands anew, or it is forgotten.
    pub(super) fn with(&mut self, serial: u64, what: impl FnOnce(&mut Call, &mut Desk)) {
        let Some(call) = self.calls.get_mut(&serial) else { return };
        let before = call.deadline();
        what(call, &mut self.desk);
        let after = call.deadline();
        if call.is_gone() {
            self.desk.of_handle.remove(&call.sip);
            self.deadlines.remove(&(before, serial));
            if self.desk.live.is_some() {
                self.desk.door.leave(&call.id);
            }
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
                for serial in self.desk.calls_in(room) {
                    self.with(serial, |call, desk| call.on_room(desk, event));
                }
            }
            _ => {}
        }
    }

    /// A LiveKit room says something.
    pub fn on_live(&mut self, now: Time, event: trunkline_livekit::Event) {
        self.desk.now = now;
        if let Some(serial) = self.desk.of_participant.get(&event.who()).copied() {
            if let Some(dialling) = self.dialling.get_mut(&serial) {
                if let Err(error) = dialling.on_live(&mut self.desk, event) {
                    self.do_not_dial(serial, error);
                }
                return;
            }
            self.with(serial, |call, desk| call.on_live(desk, event));
        }
    }

    /// livekit-server decided about a call.
    pub fn told(&mut self, now: Time, told: crate::authority::Told) {
        self.desk.now = now;
        self.with(told.serial, |call, desk| call.told(desk, told.said));
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
        if let Some(dialling) = self.dialling.remove(&found.serial) {
            self.deadlines.remove(&(dialling.until, found.serial));
            match found.flow {
                Ok(flow) => {
                    if let Some(call) = dialling.place(&mut self.desk, flow) {
                        self.keep(call);
                    }
                }
                Err(why) => dialling.fail(
                    &mut self.desk,
                    trunkline_psrpc::PsrpcError::new(trunkline_psrpc::code::INVALID_ARGUMENT, why),
                ),
            }
            return;
        }
        let Some(near) = self.calls.get(&found.serial) else { return };
        if near.state >= State::Ending {
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
        self.deadlines.remove(&(far.deadline(), far.serial));
        self.with(near, |call, desk| call.join(desk, &mut far));
        self.keep(far);
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
            if self.dialling.contains_key(&serial) {
                let late = trunkline_psrpc::PsrpcError::new(
                    trunkline_psrpc::code::DEADLINE_EXCEEDED,
                    "the room was not joined, or the address not found, in time",
                );
                self.do_not_dial(serial, late);
                continue;
            }
            self.with(serial, |call, desk| call.on_time(desk));
            if let Some(call) = self.calls.get(&serial) {
                self.deadlines.insert((call.deadline().max(now + Time::from_millis(1)), serial));
            }
        }
        if matches!(self.drain, Drain::Until(t) if t <= now) {
            self.end_all(now, "limits.drain is over");
        }
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
        | Event::ReferAnswered { call, .. }
        | Event::ReferProgress { call, .. }
        | Event::Ended { call, .. } => *call,
        _ => return None,
    })
}
