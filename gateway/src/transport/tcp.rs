//! TCP, plain or under TLS: listeners, the table of connections, and the way from a [`Flow`] to one of them.

use super::budget::neighbourhood;
use super::connection::Connection;
use super::tls::Tls;
use super::{Arrival, BindError, Closing, SendError};
use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use trunkline_sip::{ConnId, Flow, Transport};

/// Messages that wait for the signalling; beyond it the connections are not read.
const ARRIVALS: usize = 1024;
/// Connections that the kernel holds for us until they are accepted.
const BACKLOG: i32 = 1024;
/// When the process is out of file descriptors, accepting again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
pub struct TcpLimits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one source (IPv6: of one /64); ten times as many of loopback.
    pub per_source: usize,
    /// Messages a second and connection, a second's worth in a burst; ten times as many from loopback; 0: no limit.
    pub per_second: u32,
    /// Messages queued for one connection.
    pub queue: usize,
    /// From the connection to the first whole message.
    pub first: Duration,
    /// From the first byte of a message to its last.
    pub half_message: Duration,
    /// Between messages or pings.
    pub idle: Duration,
    /// For a peer to take a connection of ours.
    pub connect: Duration,
    /// For a peer to take what is written.
    pub write: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_source: 256,
            per_second: 1000,
            queue: 256,
            first: Duration::from_secs(30),
            half_message: Duration::from_secs(10),
            // Twice the usual refresh of a session (RFC 4028: half of 1800 s).
            idle: Duration::from_secs(1800),
            connect: Duration::from_secs(5),
            write: Duration::from_secs(10),
        }
    }
}

/// How many connections there are and were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpCounts {
    /// Open or being opened.
    pub open: usize,
    /// Turned away at a limit since the start.
    pub refused: u64,
}

/// The table of connections, shared between the signalling and the tasks; held for a look-up at a time.
#[derive(Debug)]
pub(super) struct Shared {
    table: Mutex<Table>,
    limits: TcpLimits,
    /// Connections that we open come from here, where the operator chose an address.
    from: Option<IpAddr>,
}

#[derive(Debug, Default)]
struct Table {
    queues: HashMap<ConnId, (SocketAddr, mpsc::Sender<Bytes>)>,
    by_remote: HashMap<SocketAddr, ConnId>,
    sources: HashMap<IpAddr, usize>,
    open: usize,
    last: u64,
    refused: u64,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        // No code panics while it holds the table; if one did, the table is still sound.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for one more connection with this peer, and its queue.
    fn admit(&self, remote: SocketAddr) -> Option<(ConnId, mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>)> {
        let mut table = self.table();
        let source = neighbourhood(remote.ip());
        let of_source = table.sources.get(&source).copied().unwrap_or(0);
        let factor = if remote.ip().is_loopback() { 10 } else { 1 };
        if table.open >= self.limits.connections || of_source >= self.limits.per_source.saturating_mul(factor)
        {
            table.refused += 1;
            return None;
        }
        table.last += 1;
        table.open += 1;
        let id = ConnId(table.last);
        let (queue, outgoing) = mpsc::channel(self.limits.queue.max(1));
        table.queues.insert(id, (remote, queue.clone()));
        table.by_remote.insert(remote, id);
        *table.sources.entry(source).or_default() += 1;
        Some((id, queue, outgoing))
    }

    /// The task of a connection is over.
    pub fn forget(&self, id: ConnId, remote: SocketAddr) {
        let mut table = self.table();
        table.unlist(id, remote);
        table.open = table.open.saturating_sub(1);
        let source = neighbourhood(remote.ip());
        if let Some(count) = table.sources.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                table.sources.remove(&source);
            }
        }
    }

    /// A socket to open a connection with.
    pub fn outgoing(&self, remote: SocketAddr) -> io::Result<TcpSocket> {
        let socket = if remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(ip) = self.from.filter(|ip| ip.is_ipv4() == remote.is_ipv4()) {
            socket.bind((ip, 0).into())?;
        }
        Ok(socket)
    }
}

impl Table {
    fn find(&self, flow: &Flow) -> Option<(ConnId, SocketAddr, mpsc::Sender<Bytes>)> {
        let id = flow
            .connection
            .filter(|id| self.queues.contains_key(id))
            .or_else(|| self.by_remote.get(&flow.remote).copied())?;
        let (remote, queue) = self.queues.get(&id)?;
        Some((id, *remote, queue.clone()))
    }

    /// No more messages for this connection; its queue ends, and with it the task.
    fn unlist(&mut self, id: ConnId, remote: SocketAddr) {
        self.queues.remove(&id);
        if self.by_remote.get(&remote) == Some(&id) {
            self.by_remote.remove(&remote);
        }
    }
}

/// What every connection is given.
#[derive(Debug, Clone)]
struct Ground {
    shared: Arc<Shared>,
    tls: Option<Arc<Tls>>,
    arrivals: mpsc::Sender<Arrival>,
    closing: watch::Receiver<()>,
    alive: mpsc::Sender<()>,
}

impl Ground {
    fn transport(&self) -> Transport {
        if self.tls.is_some() { Transport::Tls } else { Transport::Tcp }
    }

    /// A connection that was admitted, or `None` at a limit.
    fn connection(&self, asked: Flow) -> Option<(Connection, mpsc::Sender<Bytes>)> {
        let (id, sender, queue) = self.shared.admit(asked.remote)?;
        let connection = Connection {
            id,
            asked,
            limits: self.shared.limits,
            shared: Arc::clone(&self.shared),
            arrivals: self.arrivals.clone(),
            closing: self.closing.clone(),
            queue,
            tls: self.tls.clone(),
            pongs: sender.downgrade(),
            _alive: self.alive.clone(),
        };
        Some((connection, sender))
    }
}

/// All TCP of the signalling, or all TLS.
#[derive(Debug)]
pub struct Tcp {
    local: Vec<SocketAddr>,
    ground: Ground,
    inbox: mpsc::Receiver<Arrival>,
    closing: watch::Sender<()>,
    living: mpsc::Receiver<()>,
}

impl Tcp {
    /// Listens on each address; must be called inside a runtime. Connections that we open come from
    /// `from`, where it is given. With `tls` every connection, of either side, begins with its handshake.
    ///
    /// # Errors
    /// [`BindError`] of the first address that cannot be had.
    pub(super) fn listen(
        addresses: &[SocketAddr],
        from: Option<IpAddr>,
        limits: TcpLimits,
        tls: Option<Arc<Tls>>,
    ) -> Result<Self, BindError> {
        let (arrivals, inbox) = mpsc::channel(ARRIVALS);
        let (closing, closed) = watch::channel(());
        let (alive, living) = mpsc::channel(1);
        let shared = Arc::new(Shared { table: Mutex::default(), limits, from });
        let protocol = if tls.is_some() { "TLS" } else { "TCP" };
        let ground = Ground { shared, tls, arrivals, closing: closed, alive };
        let mut listeners = Vec::new();
        for address in addresses {
            listeners.push(bind(*address).map_err(|e| BindError::from_io(protocol, *address, e))?);
        }
        let local = listeners.iter().filter_map(|l| l.local_addr().ok()).collect();
        for listener in listeners {
            tokio::spawn(accept(listener, ground.clone()));
        }
        Ok(Self { local, ground, inbox, closing, living })
    }

    /// The addresses that are listened on.
    #[must_use]
    pub fn local(&self) -> &[SocketAddr] {
        &self.local
    }

    /// The next message or end of a connection.
    pub async fn next(&mut self) -> Arrival {
        match self.inbox.recv().await {
            Some(arrival) => arrival,
            // Not reached: `ground` holds a sender.
            None => std::future::pending().await,
        }
    }

    /// The same, if there is one already.
    pub fn try_next(&mut self) -> Option<Arrival> {
        self.inbox.try_recv().ok()
    }

    /// Queues a message for the connection of `flow`: the one it names, else one with its remote address,
    /// else one that is opened now (RFC 3261 §18.2.2). What fails later is told by [`Arrival::Closed`].
    ///
    /// # Errors
    /// [`SendError::Closed`]: the connection's queue is full (it is cut), or there may be no more connections.
    pub fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), SendError> {
        let found = self.ground.shared.table().find(flow);
        if let Some((id, remote, queue)) = found {
            return queue.try_send(bytes).map_err(|_| {
                self.ground.shared.table().unlist(id, remote);
                SendError::Closed(Closing::NotReading)
            });
        }
        let asked = Flow { transport: self.ground.transport(), connection: None, ..*flow };
        let Some((connection, queue)) = self.ground.connection(asked) else {
            return Err(SendError::Closed(Closing::Limit));
        };
        // Cannot be full: it was made a line ago.
        let _ = queue.try_send(bytes);
        tokio::spawn(connection.open());
        Ok(())
    }

    /// Connections of this moment.
    #[must_use]
    pub fn counts(&self) -> TcpCounts {
        let table = self.ground.shared.table();
        TcpCounts { open: table.open, refused: table.refused }
    }

    /// Stops listening, lets every connection write what is queued for it (a second at most), closes them.
    pub async fn close(self) {
        let Self { ground, inbox, closing, mut living, .. } = self;
        drop((ground, inbox, closing));
        let _ = living.recv().await;
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for the connections of the last run to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(listener: TcpListener, mut ground: Ground) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ground.closing.changed() => return,
        };
        match accepted {
            Ok((stream, remote)) => admit(&ground, stream, remote),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Beyond a limit the connection is closed by being dropped; it is counted.
fn admit(ground: &Ground, stream: TcpStream, remote: SocketAddr) {
    let Ok(local) = stream.local_addr() else { return };
    let asked = Flow { transport: ground.transport(), local, remote, connection: None };
    if let Some((mut connection, _)) = ground.connection(asked) {
        connection.asked.connection = Some(connection.id);
        tokio::spawn(connection.accepted(stream));
    }
}

#[cfg(test)]
mod tests;
