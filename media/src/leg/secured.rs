//! A leg's SRTP: around everything that it sends and before everything that it receives.

use super::{Leg, Received, Sink};
use crate::event::LegEvent;
use crate::rtp::is_rtcp;
use crate::srtp::{NoCipher, Protect, Refusal, Security, Unprotect};
use std::net::SocketAddr;
use std::time::Duration;

/// So many packets of the peer's that are not authentic are a fault to be told; a few are a new key's.
const TOLD_AT: u64 = 10;

/// Both directions of an encrypted session.
pub(super) struct Secured {
    keys: Security,
    protect: Protect,
    receive: Unprotect,
    /// The peer's key before: until its first packet under the new one, packets under it are still on the way.
    past: Option<Unprotect>,
}

/// What was refused, over the whole call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Refused {
    pub unauthentic: u64,
    pub replayed: u64,
    of_peer: u64,
}

/// The door of a leg: what its peer may and may not see in the clear is decided here and nowhere else.
impl Leg {
    /// A datagram came to the RTP port. Of an encrypted session only an authentic one goes further.
    pub fn receive(
        &mut self,
        now: Duration,
        from: SocketAddr,
        datagram: &[u8],
        events: &mut Vec<LegEvent>,
    ) -> Received {
        if self.session.rtcp_mux && is_rtcp(datagram) {
            return self.receive_control(now, from, datagram);
        }
        let Some(mut secured) = self.secured.take() else {
            return self.packet(now, from, datagram, events);
        };
        let received = match secured.rtp(datagram) {
            Ok(datagram) => self.packet(now, from, datagram, events),
            Err(refusal) => {
                if self.refuse(refusal, from) {
                    events.push(LegEvent::Unauthentic { source: from });
                }
                self.stranger()
            }
        };
        self.secured = Some(secured);
        received
    }

    /// A datagram came to the RTCP port.
    pub fn receive_control(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Received {
        let Some(mut secured) = self.secured.take() else { return self.report_came(now, from, datagram) };
        let received = match secured.rtcp(datagram) {
            Ok(datagram) => self.report_came(now, from, datagram),
            Err(refusal) => {
                self.refuse(refusal, from);
                self.stranger()
            }
        };
        self.secured = Some(secured);
        received
    }

    /// 20 ms each way.
    pub fn tick(&mut self, now: Duration, sink: &mut impl Sink, events: &mut Vec<LegEvent>) {
        match self.secured.take() {
            None => self.turn(now, sink, events),
            Some(mut secured) => {
                self.turn(now, &mut secured.sealing(sink), events);
                self.secured = Some(secured);
            }
        }
    }

    /// The leg ends: the peer's RTCP is told.
    pub fn close(&mut self, now: Duration, sink: &mut impl Sink) {
        match &mut self.secured.take() {
            None => self.send_report(now, true, sink),
            Some(secured) => self.send_report(now, true, &mut secured.sealing(sink)),
        }
    }

    /// A packet that SRTP does not let through; is it to be told?
    fn refuse(&mut self, refusal: Refusal, from: SocketAddr) -> bool {
        let peer = self.latch.source().or(self.session.remote);
        self.refused.count(refusal, peer.is_some_and(|peer| peer.ip() == from.ip()))
    }
}

impl Secured {
    pub(super) fn new(keys: &Security) -> Result<Self, NoCipher> {
        Ok(Self {
            protect: Protect::new(&keys.ours)?,
            receive: Unprotect::new(&keys.theirs)?,
            past: None,
            keys: keys.clone(),
        })
    }

    /// The session changed. A key that stays keeps its context: its rollover counter and what came already.
    pub(super) fn renewed(this: Option<Box<Self>>, keys: &Security) -> Result<Box<Self>, Unchanged> {
        let Some(mut this) = this else {
            return Self::new(keys).map(Box::new).map_err(|_| Unchanged(None));
        };
        let protect = (keys.ours != this.keys.ours).then(|| Protect::new(&keys.ours)).transpose();
        let receive = (keys.theirs != this.keys.theirs).then(|| Unprotect::new(&keys.theirs)).transpose();
        let (Ok(protect), Ok(receive)) = (protect, receive) else { return Err(Unchanged(Some(this))) };
        if let Some(protect) = protect {
            this.protect = protect;
        }
        if let Some(receive) = receive {
            this.past = Some(std::mem::replace(&mut this.receive, receive));
        }
        this.keys = keys.clone();
        Ok(this)
    }

    pub(super) fn rtp(&mut self, packet: &[u8]) -> Result<&[u8], Refusal> {
        Self::open(&mut self.receive, &mut self.past, |with| with.rtp(packet))
    }

    pub(super) fn rtcp(&mut self, packet: &[u8]) -> Result<&[u8], Refusal> {
        Self::open(&mut self.receive, &mut self.past, |with| with.rtcp(packet))
    }

    fn open<'a>(
        now: &'a mut Unprotect,
        past: &'a mut Option<Unprotect>,
        packet: impl for<'b> Fn(&'b mut Unprotect) -> Result<&'b [u8], Refusal>,
    ) -> Result<&'a [u8], Refusal> {
        if past.is_none() {
            return packet(now);
        }
        match packet(now).map(<[u8]>::len) {
            Ok(length) => {
                *past = None;
                Ok(now.opened(length))
            }
            Err(refusal) => past.as_mut().map_or(Err(refusal), packet),
        }
    }

    /// What goes into this sink comes out protected.
    pub(super) fn sealing<'a, S: Sink>(&'a mut self, sink: &'a mut S) -> Sealing<'a, S> {
        Sealing { protect: &mut self.protect, sink }
    }
}

/// The ciphers of new keys could not be had; all is as it was.
pub(super) struct Unchanged(pub Option<Box<Secured>>);

pub(super) struct Sealing<'a, S> {
    protect: &'a mut Protect,
    sink: &'a mut S,
}

/// What cannot be protected is not sent.
impl<S: Sink> Sink for Sealing<'_, S> {
    fn rtp(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let Some(sealed) = self.protect.rtp(datagram) {
            self.sink.rtp(to, sealed);
        }
    }

    fn rtcp(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let Some(sealed) = self.protect.rtcp(datagram) {
            self.sink.rtcp(to, sealed);
        }
    }

    fn muxed(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let Some(sealed) = self.protect.rtcp(datagram) {
            self.sink.muxed(to, sealed);
        }
    }
}

impl Refused {
    /// One more; is it to be told? `of_peer`: it came from where the peer is.
    pub(super) fn count(&mut self, refusal: Refusal, of_peer: bool) -> bool {
        match refusal {
            Refusal::Unauthentic => {
                self.unauthentic += 1;
                self.of_peer += u64::from(of_peer);
                of_peer && self.of_peer == TOLD_AT
            }
            Refusal::Replayed => {
                self.replayed += 1;
                false
            }
            Refusal::Malformed => false,
        }
    }
}
