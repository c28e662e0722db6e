//! One connection, of TCP or of TLS over it: a task that reads messages out of the stream and writes what is queued for it.

use super::Arrival;
use super::tcp::{Shared, TcpLimits};
use super::tls::Tls;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use trunkline_sip::message::{Framed, Framer, ParseError};
use trunkline_sip::{ConnId, Flow};

/// Bytes asked of the kernel at a time; an INVITE with SDP fits.
const READ: usize = 4096;
/// What is still queued when the program ends has this long to leave.
const FLUSH: Duration = Duration::from_secs(1);

/// Why a connection is gone.
#[derive(Debug, thiserror::Error)]
pub enum Closing {
    /// The peer closed it.
    #[error("the peer closed the connection")]
    Peer,
    /// The network or the peer broke it.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// It could not be opened.
    #[error("the connection could not be opened: {0}")]
    Refused(io::Error),
    /// The peer did not answer in time when it was opened.
    #[error("the peer did not take the connection in time")]
    ConnectTimeout,
    /// TLS was not agreed on: no certificate that we believe, or for another name, or no TLS at all.
    #[error("TLS failed: {0}")]
    Handshake(String),
    /// Our limit of connections left no room to open one.
    #[error("too many connections are open (limit of all or of this peer)")]
    Limit,
    /// Nothing passed for long.
    #[error("nothing was heard for too long")]
    Idle,
    /// A message began and did not end in time.
    #[error("a message was left half sent")]
    HalfMessage,
    /// The stream has lost its framing.
    #[error("the stream holds no SIP: {0}")]
    Framing(ParseError),
    /// The peer does not read what we send.
    #[error("the peer does not read what is sent to it")]
    NotReading,
    /// The program ends.
    #[error("the program ends")]
    Shutdown,
}

/// What a connection needs to know.
pub(super) struct Connection {
    pub id: ConnId,
    /// As it is told with [`Arrival::Closed`].
    pub asked: Flow,
    pub limits: TcpLimits,
    pub shared: Arc<Shared>,
    pub arrivals: mpsc::Sender<Arrival>,
    /// Ends with its sender, when the program does.
    pub closing: watch::Receiver<()>,
    pub queue: mpsc::Receiver<Bytes>,
    /// TLS, where the connection is to have it.
    pub tls: Option<Arc<Tls>>,
    /// Weak, so that the queue ends when the table forgets the connection.
    pub pongs: mpsc::WeakSender<Bytes>,
    /// Held, so that the end of the last task can be waited for.
    pub _alive: mpsc::Sender<()>,
}

impl Connection {
    /// Serves a connection that was accepted.
    pub async fn accepted(mut self, stream: TcpStream) {
        better(&stream);
        let why = match self.tls.clone() {
            None => {
                let (reader, writer) = stream.into_split();
                self.serve(reader, writer).await
            }
            Some(tls) => match tls.acceptor() {
                None => Closing::Handshake("there is no certificate of ours".to_owned()),
                Some(acceptor) => match timeout(self.limits.half_message, acceptor.accept(stream)).await {
                    Err(_) => Closing::Handshake("the peer did not finish it in time".to_owned()),
                    Ok(Err(error)) => Closing::Handshake(error.to_string()),
                    Ok(Ok(stream)) => {
                        let (reader, writer) = tokio::io::split(stream);
                        self.serve(reader, writer).await
                    }
                },
            },
        };
        self.end(why).await;
    }

    /// Opens a connection and serves it.
    pub async fn open(mut self) {
        let socket = match self.shared.outgoing(self.asked.remote) {
            Ok(socket) => socket,
            Err(e) => return self.end(Closing::Refused(e)).await,
        };
        let why = match timeout(self.limits.connect, socket.connect(self.asked.remote)).await {
            Err(_) => Closing::ConnectTimeout,
            Ok(Err(e)) => Closing::Refused(e),
            Ok(Ok(stream)) => self.opened(stream).await,
        };
        self.end(why).await;
    }

    async fn opened(&mut self, stream: TcpStream) -> Closing {
        better(&stream);
        let Some(tls) = self.tls.clone() else {
            let (reader, writer) = stream.into_split();
            return self.serve(reader, writer).await;
        };
        let name = tls.name_of(self.asked.remote);
        let connector = match tls.connector() {
            Ok(connector) => connector,
            Err(why) => return Closing::Handshake(why),
        };
        match timeout(self.limits.connect, connector.connect(name, stream)).await {
            Err(_) => Closing::ConnectTimeout,
            Ok(Err(error)) => Closing::Handshake(error.to_string()),
            Ok(Ok(stream)) => {
                let (reader, writer) = tokio::io::split(stream);
                self.serve(reader, writer).await
            }
        }
    }

    async fn end(self, why: Closing) {
        self.shared.forget(self.id, self.asked.remote);
        if !matches!(why, Closing::Shutdown) {
            // Refused only when nobody listens any more.
            let _ = self.arrivals.send(Arrival::Closed { flow: self.asked, connection: self.id, why }).await;
        }
    }

    async fn serve(
        &mut self,
        reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
    ) -> Closing {
        let flow = Flow { connection: Some(self.id), ..self.asked };
        let inward = Inward {
            reader,
            flow,
            limits: self.limits,
            arrivals: self.arrivals.clone(),
            pongs: self.pongs.clone(),
        };
        let patience = self.limits.write;
        let why = tokio::select! {
            why = inward.run() => why,
            why = write(&mut writer, &mut self.queue, patience) => why,
            _ = self.closing.changed() => Closing::Shutdown,
        };
        if matches!(why, Closing::Shutdown) {
            self.queue.close();
            let _ = timeout(FLUSH, write(&mut writer, &mut self.queue, FLUSH)).await;
        }
        why
    }
}

/// Both only make things better; a socket that refuses them works.
fn better(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let keepalive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60));
    let _ = socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

/// Writes what is queued until the queue is closed, the peer stops reading, or the stream breaks.
async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    queue: &mut mpsc::Receiver<Bytes>,
    patience: Duration,
) -> Closing {
    while let Some(bytes) = queue.recv().await {
        match timeout(patience, flushed(writer, &bytes)).await {
            Err(_) => return Closing::NotReading,
            Ok(Err(e)) => return Closing::Broken(e),
            Ok(Ok(())) => {}
        }
    }
    // The table drops the sender of a queue that has overflowed.
    Closing::NotReading
}

/// TLS keeps what it is given until it is flushed; for TCP it is nothing.
async fn flushed(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}

/// The reading half.
struct Inward<R> {
    reader: R,
    flow: Flow,
    limits: TcpLimits,
    arrivals: mpsc::Sender<Arrival>,
    pongs: mpsc::WeakSender<Bytes>,
}

impl<R: AsyncRead + Unpin> Inward<R> {
    async fn run(mut self) -> Closing {
        let mut framer = Framer::default();
        let mut pace = Pace::new(self.limits.per_second, self.flow.remote.ip().is_loopback());
        let mut deadline = Instant::now() + self.limits.first;
        let mut was_partial = false;
        loop {
            let mut whole = false;
            loop {
                match framer.frame() {
                    Err(e) => return Closing::Framing(e),
                    Ok(None) => break,
                    Ok(Some(framed)) => {
                        whole = true;
                        pace.wait().await;
                        if !self.hand_on(framed).await {
                            return Closing::Shutdown;
                        }
                    }
                }
            }
            // A half message has one deadline from its first byte: sending it slowly does not move it.
            match (framer.is_partial(), was_partial && !whole) {
                (true, false) => deadline = Instant::now() + self.limits.half_message,
                (false, _) if whole => deadline = Instant::now() + self.limits.idle,
                _ => {}
            }
            was_partial = framer.is_partial();
            framer.buffer().reserve(READ);
            match timeout_at(deadline, self.reader.read_buf(framer.buffer())).await {
                Err(_) if was_partial => return Closing::HalfMessage,
                Err(_) => return Closing::Idle,
                Ok(Err(e)) => return Closing::Broken(e),
                Ok(Ok(0)) => return Closing::Peer,
                Ok(Ok(_)) => {}
            }
        }
    }

    async fn hand_on(&self, framed: Framed) -> bool {
        match framed {
            // A full channel stops the reading, and with it the peer.
            Framed::Message(bytes) => {
                self.arrivals.send(Arrival::Message { flow: self.flow, bytes }).await.is_ok()
            }
            Framed::Ping => {
                if let Some(queue) = self.pongs.upgrade() {
                    // A full queue is judged where messages meet it.
                    let _ = queue.try_send(Bytes::from_static(b"\r\n"));
                }
                true
            }
            Framed::Pong => true,
        }
    }
}

/// Slows a stream down to its rate: what a dropped datagram is to UDP.
struct Pace {
    cost: Duration,
    whole_at: Instant,
}

impl Pace {
    fn new(per_second: u32, loopback: bool) -> Self {
        let per_second = per_second.saturating_mul(if loopback { 10 } else { 1 });
        let cost = Duration::from_secs(1).checked_div(per_second).unwrap_or_default();
        Self { cost, whole_at: Instant::now() }
    }

    async fn wait(&mut self) {
        let now = Instant::now();
        self.whole_at = self.whole_at.max(now) + self.cost;
        let burst = now + Duration::from_secs(1);
        if self.whole_at > burst {
            sleep_until(now + (self.whole_at - burst)).await;
        }
    }
}
