//! A leg and its sockets.

use crate::event::{LegEvent, LegId, LegReport};
use crate::leg::{Leg, Received, Sink};
use crate::ports::Pair;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// The largest datagram that is looked at: more than any Ethernet carries.
pub(super) const DATAGRAM: usize = 2_048;
/// Datagrams of one leg that one tick reads: a flood from a stranger must not stop the others' calls.
const READS: usize = 64;
/// RTCP comes every few seconds; its socket is looked at once in so many ticks. In the same tick RTP is read
/// to its end.
const TICKS_A_CONTROL_READ: u8 = 8;

/// A leg in its thread.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) id: LegId,
    pub(super) leg: Leg,
    sockets: Sockets,
    ticks: u8,
}

#[derive(Debug)]
struct Sockets {
    pair: Pair,
}

impl Seat {
    pub(super) fn new(id: LegId, leg: Leg, pair: Pair) -> Self {
        Self { id, leg, sockets: Sockets { pair }, ticks: id.0 as u8 % TICKS_A_CONTROL_READ }
    }

    /// One tick: what has come, 20 ms of sound each way, what is to go.
    pub(super) fn tick(&mut self, now: Duration, buffer: &mut [u8; DATAGRAM], events: &mut Vec<LegEvent>) {
        self.ticks += 1;
        let thorough = self.ticks >= TICKS_A_CONTROL_READ;
        self.read(now, thorough, buffer, events);
        if thorough {
            self.ticks = 0;
            self.read_control(now, buffer);
        }
        self.leg.tick(now, &mut self.sockets, events);
    }

    /// Says goodbye by RTCP; the sockets are closed and the ports free when it returns.
    pub(super) fn close(mut self, now: Duration) -> LegReport {
        self.leg.close(now, &mut self.sockets);
        self.leg.report()
    }

    fn read(
        &mut self,
        now: Duration,
        thorough: bool,
        buffer: &mut [u8; DATAGRAM],
        events: &mut Vec<LegEvent>,
    ) {
        for _ in 0..READS {
            let Some((from, datagram)) = self.sockets.receive(&self.sockets.pair.rtp, buffer) else { return };
            // A packet as fresh as any before it has none behind it: that saves the call that would say so.
            // A stream whose timestamps tell otherwise would be heard late for good; so not always.
            if self.leg.receive(now, from, datagram, events) == Received::Newest && !thorough {
                return;
            }
        }
    }

    fn read_control(&mut self, now: Duration, buffer: &mut [u8; DATAGRAM]) {
        for _ in 0..READS {
            let Some((from, datagram)) = self.sockets.receive(&self.sockets.pair.rtcp, buffer) else {
                return;
            };
            self.leg.receive_control(now, from, datagram);
        }
    }
}

impl Sockets {
    fn receive<'a>(
        &self,
        socket: &UdpSocket,
        buffer: &'a mut [u8; DATAGRAM],
    ) -> Option<(SocketAddr, &'a [u8])> {
        // An error that was reported for something sent earlier (ICMP) comes up here, too; what waits
        // behind it is read at the next tick.
        let (length, from) = socket.recv_from(buffer).ok()?;
        let from = match from.ip().to_canonical() {
            IpAddr::V4(ip) if self.pair.ipv6 => SocketAddr::new(ip.into(), from.port()),
            _ => from,
        };
        Some((from, buffer.get(..length)?))
    }

    fn send(&self, socket: &UdpSocket, to: SocketAddr, datagram: &[u8]) {
        let to = match to.ip() {
            IpAddr::V4(ip) if self.pair.ipv6 => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        };
        // What cannot be sent is lost, as on any network; the peer's RTCP tells.
        let _ = socket.send_to(datagram, to);
    }
}

impl Sink for Sockets {
    fn rtp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.send(&self.pair.rtp, to, datagram);
    }

    fn rtcp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.send(&self.pair.rtcp, to, datagram);
    }
}
