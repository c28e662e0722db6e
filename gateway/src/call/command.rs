//! What is asked of the calls from outside: what is up, the end of one, a plan read anew, the way down.

use super::dialling::{self, Answerer};
use super::table::Calls;
use super::{Call, State, words};
use crate::control::{Counts, Request, Status};
use tracing::{info, warn};
use trunkline_livekit::LiveRooms;
use trunkline_psrpc::{Incoming, InternalCreateSipParticipantRequest, PsrpcError, code};
use trunkline_records::Cdr;
use trunkline_room::Room;
use trunkline_sip::Time;

/// What a refused peer is told while we go down.
const RETRY_AFTER_DRAIN: u32 = 30;
/// After the limit of a drain, BYEs that nobody answers are waited for this long.
const LAST_BYES: Time = Time::from_secs(3);

/// How far the program is on its way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drain {
    No,
    /// Calls go on until then.
    Until(Time),
    /// All calls were ended; their last messages are awaited until then.
    Ending(Time),
}

impl Calls {
    /// Somebody asks for something.
    pub fn request(&mut self, now: Time, request: Request) {
        self.desk.now = now;
        // Whoever asked and went away needs no answer.
        match request {
            Request::Status(reply) => drop(reply.send(self.status(now))),
            Request::Calls(reply) => drop(reply.send(self.cdrs())),
            Request::CallIn { room, identity, reply } => {
                let guest = |call: &Call| {
                    let guest = call.guest.as_ref();
                    call.state < State::Ending
                        && guest.is_some_and(|guest| guest.room == room && guest.identity == identity)
                };
                let found = self.calls.values().find(|call| guest(call)).map(|call| call.id.to_string());
                drop(reply.send(found));
            }
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

    /// livekit-server wants something.
    pub fn incoming(&mut self, now: Time, incoming: Incoming) {
        self.desk.now = now;
        match incoming {
            Incoming::Create { request, reply } => {
                self.dial(now, request, Box::new(|said| reply.answer(said)))
            }
            Incoming::Transfer { request, reply } => {
                let id = request.sip_call_id.clone();
                let found = self.calls.values().find(|call| *call.id == *id).map(|call| call.serial);
                match found {
                    Some(serial) => self.with(serial, |call, desk| {
                        call.hand_over(desk, *request, Box::new(|said| reply.answer(said)));
                    }),
                    None => {
                        reply.answer(Err(PsrpcError::new(code::NOT_FOUND, format!("no call {id} is up"))))
                    }
                }
            }
        }
    }

    /// A call is to be placed, into a room.
    pub fn dial(&mut self, now: Time, order: Box<InternalCreateSipParticipantRequest>, answer: Answerer) {
        self.desk.now = now;
        if self.drain != Drain::No {
            let draining =
                PsrpcError::new(code::UNAVAILABLE, "the gateway takes no new calls: it is stopping");
            return answer(Err(draining));
        }
        if let Some(dialling) = dialling::begin(&mut self.desk, order, answer) {
            self.deadlines.insert((dialling.until, dialling.serial));
            self.dialling.insert(dialling.serial, dialling);
        }
    }

    pub(super) fn do_not_dial(&mut self, serial: u64, error: PsrpcError) {
        if let Some(dialling) = self.dialling.remove(&serial) {
            self.deadlines.remove(&(dialling.until, serial));
            dialling.fail(&mut self.desk, error);
        }
    }

    pub(super) fn end_all(&mut self, now: Time, why: &str) {
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
            Drain::Until(_) => self.calls.is_empty() && self.dialling.is_empty(),
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

    fn hang_up(&mut self, id: &str) -> usize {
        let named = |call: &Call| {
            call.state < State::Ending && (call.id.starts_with(id) || call.cdr.sip_call_id.starts_with(id))
        };
        let found: Vec<u64> =
            self.calls.values().filter(|call| named(call)).map(|call| call.serial).collect();
        if let [serial] = found.as_slice() {
            self.with(*serial, |call, desk| call.hang_up(desk, words::NORMAL, "ended by the operator"));
        }
        found.len()
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
            full: self.desk.is_full(),
            cpu: self.desk.load_share(),
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
                participants: participants + self.desk.live.as_ref().map_or(0, LiveRooms::count),
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
