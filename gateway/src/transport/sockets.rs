//! The door of the transport: every socket of the signalling behind `next` and `send`.

use super::tls::{Certificates, Tls};
use super::{Arrival, BindError, Budget, Closing, LocalAddresses, Tcp, TcpCounts, TcpLimits, Udp};
use bytes::Bytes;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use trunkline_sip::{Flow, Time, Transport};

/// Ports that are tried when the kernel is to choose one that is free for UDP and TCP alike.
const TRIES: usize = 32;
/// Datagrams over budget that are thrown away in one go before other work gets its turn.
const DROPS: usize = 512;

/// What to listen on.
#[derive(Debug, Clone, Default)]
pub struct Listen {
    /// One address; `None`: all of IPv4 and, where the machine has it, IPv6.
    pub ip: Option<IpAddr>,
    /// The port of UDP and TCP; 0: the kernel chooses.
    pub port: u16,
    /// What peers outside are told instead of our own address (`nat_1_to_1_ip`).
    pub announced: Option<IpAddr>,
    /// Datagrams a second and source; 0: no limit.
    pub packets_per_second: u32,
    /// What TCP connections may cost.
    pub tcp: TcpLimits,
    /// TLS beside them; `None`: no listener. Connections of ours may be of TLS in either case.
    pub tls: Option<ListenTls>,
}

/// A listener of TLS.
#[derive(Debug, Clone, Default)]
pub struct ListenTls {
    pub port: u16,
    /// The port that peers are told.
    pub announced: u16,
    pub certificates: Certificates,
}

/// Why bytes did not leave. What it means for the call: `Endpoint::transport_failed` for this flow.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No socket of that address family is open.
    #[error("no socket for the address family of {0}")]
    NoSocket(SocketAddr),
    /// The kernel refused the datagram.
    #[error("the datagram could not be sent: {0}")]
    Udp(#[from] io::Error),
    /// The connection is not to be had.
    #[error("{0}")]
    Closed(Closing),
}

/// UDP, TCP and TLS of both families.
#[derive(Debug)]
pub struct Sockets {
    udp: Vec<Udp>,
    tcp: Tcp,
    streams: Tcp,
    tls: Arc<Tls>,
    port: u16,
    tls_port: u16,
    listen_ip: Option<IpAddr>,
    local: LocalAddresses,
    budget: Budget,
    /// The clock of the budget; no other decision depends on it.
    began: Instant,
    /// Which source of arrivals is looked at first: each in turn, so that none starves.
    turn: usize,
}

impl Sockets {
    /// Binds everything; must be called inside a runtime.
    ///
    /// # Errors
    /// [`BindError`] says who or what is in the way.
    pub fn bind(listen: &Listen) -> Result<Self, BindError> {
        let mut tries = if listen.port == 0 { TRIES } else { 1 };
        loop {
            tries -= 1;
            match Self::bind_once(listen) {
                Err(BindError::Taken { .. }) if tries > 0 => {}
                result => return result,
            }
        }
    }

    fn bind_once(listen: &Listen) -> Result<Self, BindError> {
        let mut udp =
            vec![Udp::bind((listen.ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), listen.port).into())?];
        let port = udp.first().map_or(listen.port, |u| u.local().port());
        if listen.ip.is_none() {
            match Udp::bind((Ipv6Addr::UNSPECIFIED, port).into()) {
                Ok(socket) => udp.push(socket),
                Err(e) if is_family_missing(&e) => {}
                Err(e) => return Err(e),
            }
        }
        let addresses: Vec<SocketAddr> = udp.iter().map(Udp::local).collect();
        let listen_ip = listen.ip.filter(|ip| !ip.is_unspecified());
        let tcp = Tcp::listen(&addresses, listen_ip, listen.tcp, None)?;
        let tls = Arc::new(Tls::new(listen.tls.as_ref().map(|tls| &tls.certificates))?);
        let at = |tls: &ListenTls| addresses.iter().map(|a| (a.ip(), tls.port).into()).collect();
        let encrypted: Vec<SocketAddr> = listen.tls.as_ref().map(at).unwrap_or_default();
        let streams = Tcp::listen(&encrypted, listen_ip, listen.tcp, Some(Arc::clone(&tls)))?;
        Ok(Self {
            udp,
            tcp,
            streams,
            tls,
            port,
            tls_port: listen.tls.as_ref().map_or(port, |tls| tls.announced),
            listen_ip,
            local: LocalAddresses::new(listen.announced.or(listen_ip)),
            budget: Budget::new(listen.packets_per_second),
            began: Instant::now(),
            turn: 0,
        })
    }

    /// The port of UDP and TCP.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What is listened on, for people: `udp 0.0.0.0:5060`, `tcp [::]:5060`.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        let udp = self.udp.iter().map(|socket| format!("udp {}", socket.local()));
        let tcp = self.tcp.local().iter().map(|a| format!("tcp {a}"));
        udp.chain(tcp).chain(self.streams.local().iter().map(|a| format!("tls {a}"))).collect()
    }

    /// Our address and port as this peer is to be told them: for a [`Flow`] that begins with us.
    pub fn local_towards(&mut self, peer: IpAddr) -> SocketAddr {
        let ip = match self.listen_ip {
            // Nobody listens on loopback then.
            Some(ip) if peer.is_loopback() && ip.is_ipv4() == peer.is_ipv4() => ip,
            _ => self.local.towards(peer),
        };
        (ip, self.port).into()
    }

    fn local_of(&mut self, transport: Transport, peer: IpAddr) -> SocketAddr {
        let mut local = self.local_towards(peer);
        if transport == Transport::Tls {
            local.set_port(self.tls_port);
        }
        local
    }

    /// A flow to `remote` that begins with us. `host` led there: under TLS the peer's certificate must be for it.
    pub fn flow_to(&mut self, transport: Transport, remote: SocketAddr, host: &str) -> Flow {
        if transport == Transport::Tls {
            self.tls.expect(remote, host);
        }
        Flow { transport, local: self.local_of(transport, remote.ip()), remote, connection: None }
    }

    /// The next message or end of a connection. Cancel-safe. Drain [`Sockets::try_next`] after it.
    pub async fn next(&mut self) -> Arrival {
        loop {
            if let Some(arrival) = self.try_next() {
                return arrival;
            }
            let (first, second) = (self.udp.first(), self.udp.get(1));
            let arrival = tokio::select! {
                () = readable(first) => None,
                () = readable(second) => None,
                arrival = self.tcp.next() => Some(arrival),
                arrival = self.streams.next() => Some(arrival),
            };
            if let Some(arrival) = arrival {
                return self.told(arrival);
            }
        }
    }

    /// What has arrived already; `None` when there is nothing, or only what is over budget.
    pub fn try_next(&mut self) -> Option<Arrival> {
        let datagrams = self.udp.len();
        let sources = datagrams + 2;
        self.turn = (self.turn + 1) % sources;
        for n in 0..sources {
            let index = (self.turn + n) % sources;
            let arrival = match index.checked_sub(datagrams) {
                None => self.datagram(index),
                Some(0) => self.tcp.try_next(),
                Some(_) => self.streams.try_next(),
            };
            if let Some(arrival) = arrival {
                return Some(self.told(arrival));
            }
        }
        None
    }

    fn datagram(&mut self, index: usize) -> Option<Arrival> {
        let now: Time = self.began.elapsed();
        let socket = self.udp.get_mut(index)?;
        for _ in 0..DROPS {
            let (remote, bytes) = socket.receive()?;
            if self.budget.take(now, remote.ip()) {
                let flow =
                    Flow { transport: Transport::Udp, local: socket.local(), remote, connection: None };
                return Some(Arrival::Message { flow, bytes });
            }
        }
        None
    }

    fn told(&mut self, mut arrival: Arrival) -> Arrival {
        let (Arrival::Message { flow, .. } | Arrival::Closed { flow, .. }) = &mut arrival;
        flow.local = self.local_of(flow.transport, flow.remote.ip());
        arrival
    }

    /// Sends a message. Nothing is waited for: a connection that must be opened first is opened meanwhile.
    ///
    /// # Errors
    /// [`SendError`]: the bytes did not leave.
    pub fn send(&mut self, flow: &Flow, bytes: Bytes) -> Result<(), SendError> {
        match flow.transport {
            Transport::Tcp => return self.tcp.send(flow, bytes),
            Transport::Tls => return self.streams.send(flow, bytes),
            Transport::Udp => {}
        }
        let socket = self
            .udp
            .iter()
            .find(|s| s.local().is_ipv4() == flow.remote.is_ipv4())
            .ok_or(SendError::NoSocket(flow.remote))?;
        socket.send(flow.remote, &bytes).map_err(SendError::Udp)
    }

    /// Are there certificates of ours?
    #[must_use]
    pub fn has_certificates(&self) -> bool {
        self.tls.listens()
    }

    /// Reads our certificates anew, for connections that come from now on.
    ///
    /// # Errors
    /// [`BindError::Certificate`]; the old ones are shown as before.
    pub fn reread_certificates(&self) -> Result<(), BindError> {
        self.tls.reread()
    }

    /// Datagrams over budget that were thrown away unread.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.budget.dropped()
    }

    /// Connections of this moment, of TCP and TLS.
    #[must_use]
    pub fn connections(&self) -> TcpCounts {
        let (tcp, tls) = (self.tcp.counts(), self.streams.counts());
        TcpCounts { open: tcp.open + tls.open, refused: tcp.refused + tls.refused }
    }

    /// Lets what is queued leave (a second at most) and closes everything.
    pub async fn close(self) {
        tokio::join!(self.tcp.close(), self.streams.close());
    }
}

async fn readable(socket: Option<&Udp>) {
    match socket {
        Some(socket) => {
            // An error means that the runtime is going away, and this task with it.
            if socket.readable().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        None => std::future::pending().await,
    }
}

/// The machine has no IPv6: not compiled in, or switched off.
fn is_family_missing(error: &BindError) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    const EPROTONOSUPPORT: i32 = 93;
    match error {
        BindError::Other { source, .. } => {
            source.kind() == io::ErrorKind::AddrNotAvailable
                || matches!(source.raw_os_error(), Some(EAFNOSUPPORT | EPROTONOSUPPORT))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
