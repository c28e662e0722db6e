//! The signalling loop: whatever comes first is handed to the calls, and what they say goes out.

use super::start::Program;
use crate::authority::Told;
use crate::call::{LookUp, LookedUp};
use crate::transport::{Arrival, Closing, Sockets};
use std::net::SocketAddr;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};
use trunkline_psrpc::Incoming;
use trunkline_sip::message::{Scheme, Uri};
use trunkline_sip::{Time, Transport};

/// Arrivals that are taken in one go before anybody else gets a turn.
const BATCH: usize = 64;
/// Events of media, agents and rooms, likewise.
const EVENTS: usize = 512;
/// Host names that are looked up at a time; more wait, and beyond that are told that there are too many.
const LOOK_UPS: usize = 16;
/// Without any deadline the loop looks up once in this time, at the drain and the counters.
const IDLE: Time = Time::from_secs(1);

/// What came first.
enum Turn {
    Arrival(Arrival),
    Woken,
    Request(crate::control::Request),
    LookUp(LookUp),
    LookedUp(Found),
    Told(Told),
    Incoming(Incoming),
    Reread,
    Stop,
    Time,
}

/// An address that was looked up.
struct Found {
    asked: LookUp,
    address: Result<SocketAddr, String>,
}

/// Turns until the program may end, then ends it.
pub(super) async fn turn(mut program: Program) {
    let (found, mut finds) = mpsc::channel::<Found>(LOOK_UPS);
    let mut looking = 0;
    let (mut terminate, mut interrupt) =
        (stop_signal(SignalKind::terminate()), stop_signal(SignalKind::interrupt()));
    // Without certificates a hangup is what it is to every program: its terminal is gone.
    let mut hangup = program.sockets.has_certificates().then(|| stop_signal(SignalKind::hangup())).flatten();
    loop {
        let now = program.began.elapsed();
        if program.calls.is_drained(now) {
            break;
        }
        let wait = program.calls.deadline().map_or(IDLE, |t| t.saturating_sub(now).min(IDLE));
        let turn = tokio::select! {
            arrival = program.sockets.next() => Turn::Arrival(arrival),
            () = program.woken.notified() => Turn::Woken,
            Some(request) = program.requests.recv() => Turn::Request(request),
            Some(wanted) = program.look_ups.recv(), if looking < LOOK_UPS => Turn::LookUp(wanted),
            Some(done) = finds.recv() => Turn::LookedUp(done),
            Some(told) = some(&mut program.told) => Turn::Told(told),
            Some(incoming) = some(&mut program.incoming) => Turn::Incoming(incoming),
            () = next(&mut terminate) => Turn::Stop,
            () = next(&mut interrupt) => Turn::Stop,
            () = next(&mut hangup) => Turn::Reread,
            () = tokio::time::sleep(wait) => Turn::Time,
        };
        let now = program.began.elapsed();
        match turn {
            Turn::Arrival(arrival) => arrivals(&mut program, now, arrival),
            Turn::Woken | Turn::Time => {}
            Turn::Request(request) => {
                let sockets = &program.sockets;
                program.calls.count_sockets(sockets.dropped(), sockets.connections().open);
                program.calls.request(now, request);
            }
            Turn::LookUp(wanted) => {
                looking += 1;
                tokio::spawn(look_up(wanted, found.clone()));
            }
            Turn::LookedUp(Found { asked, address }) => {
                looking -= 1;
                let flow = address.map(|a| program.sockets.flow_to(transport(&asked.to), a, &asked.host));
                program.calls.looked_up(now, LookedUp { serial: asked.serial, to: asked.to, flow });
            }
            Turn::Told(told) => program.calls.told(now, told),
            Turn::Incoming(incoming) => program.calls.incoming(now, incoming),
            Turn::Reread => match program.sockets.reread_certificates() {
                Ok(()) => info!("the certificates of tls.certs were read anew"),
                Err(error) => warn!("the certificates stay as they were: {error}"),
            },
            Turn::Stop => {
                if let Some(bus) = &program.bus {
                    bus.close();
                }
                program.calls.drain(now);
            }
        }
        events(&mut program, now);
        if program.calls.deadline().is_some_and(|t| t <= now) {
            program.calls.on_time(now);
        }
        flush(&mut program.calls, &mut program.sockets, now);
    }
    end(program).await;
}

fn arrivals(program: &mut Program, now: Time, first: Arrival) {
    arrived(program, now, first);
    for _ in 1..BATCH {
        let Some(next) = program.sockets.try_next() else { return };
        arrived(program, now, next);
    }
}

fn arrived(program: &mut Program, now: Time, arrival: Arrival) {
    match arrival {
        Arrival::Message { flow, bytes } => program.calls.receive(now, flow, bytes),
        Arrival::Closed { flow, connection, why } => {
            // Of a connection that we opened somebody waits for the reason; strangers fail at our door all day.
            if matches!(why, Closing::Handshake(_)) && flow.connection.is_none() {
                warn!(remote = %flow.remote, "connection not made: {why}");
            } else {
                debug!(remote = %flow.remote, number = connection.0, "connection closed: {why}");
            }
            program.calls.transport_failed(now, flow);
        }
    }
    flush(&mut program.calls, &mut program.sockets, now);
}

/// What media, agents and rooms have to say.
fn events(program: &mut Program, now: Time) {
    let mut left = [EVENTS; 4];
    let [legs, agents, rooms, live] = &mut left;
    while *legs > 0
        && let Some((leg, event)) = program.legs.try_next()
    {
        *legs -= 1;
        program.calls.on_leg(now, leg, event);
    }
    while *agents > 0
        && let Some((session, event)) = program.agents.try_next()
    {
        *agents -= 1;
        program.calls.on_agent(now, session, event);
    }
    while *rooms > 0
        && let Some(event) = program.rooms.try_next()
    {
        *rooms -= 1;
        program.calls.on_room(now, &event);
    }
    while *live > 0
        && let Some(event) = program.live.as_mut().and_then(trunkline_livekit::Events::try_next)
    {
        *live -= 1;
        program.calls.on_live(now, event);
    }
    if left.contains(&0) {
        // There may be more, and whoever wrote it has woken us already.
        program.woken.notify_one();
    }
}

fn flush(calls: &mut crate::call::Calls, sockets: &mut Sockets, now: Time) {
    while let Some((flow, bytes)) = calls.poll(now) {
        if let Err(error) = sockets.send(&flow, bytes) {
            debug!(remote = %flow.remote, "not sent: {error}");
            calls.transport_failed(now, flow);
        }
    }
}

async fn look_up(asked: LookUp, found: mpsc::Sender<Found>) {
    let address = address_of(&asked.host, asked.port).await;
    // A program that ends meanwhile needs no address.
    let _ = found.send(Found { asked, address }).await;
}

/// The first address of a host, within a bound.
pub(crate) async fn address_of(host: &str, port: u16) -> Result<SocketAddr, String> {
    match tokio::time::timeout(crate::call::LOOK_UP_PATIENCE, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(mut addresses)) => addresses.next().ok_or_else(|| format!("{host} has no address")),
        Ok(Err(error)) => Err(format!("{host} cannot be looked up: {error}")),
        Err(_) => Err(format!("{host} could not be looked up in time")),
    }
}

/// `;transport=` of a SIP address, TLS for `sips:`; UDP without it (RFC 3263 §4.1, as far as it goes without DNS).
pub(crate) fn transport(uri: &str) -> Transport {
    let Ok(uri) = Uri::parse(uri) else { return Transport::Udp };
    match uri.transport() {
        _ if uri.scheme == Scheme::Sips => Transport::Tls,
        Some(name) if name.eq_ignore_ascii_case("tls") => Transport::Tls,
        Some(name) if name.eq_ignore_ascii_case("tcp") => Transport::Tcp,
        _ => Transport::Udp,
    }
}

fn stop_signal(kind: SignalKind) -> Option<Signal> {
    signal(kind).inspect_err(|error| warn!("signals cannot be caught: {error}")).ok()
}

/// What a queue that may not be there brings.
async fn some<T>(queue: &mut Option<mpsc::Receiver<T>>) -> Option<T> {
    match queue {
        Some(queue) => queue.recv().await,
        None => std::future::pending().await,
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

async fn end(program: Program) {
    let Program { began, sockets, control, records, mut calls, .. } = program;
    sockets.close().await;
    calls.give_up(began.elapsed());
    drop(calls);
    control.stop();
    records.flush();
    info!("ended");
}
