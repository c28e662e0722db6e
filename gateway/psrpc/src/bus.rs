//! The connection with Redis: subscribed, watched, made again.

use crate::client::Pending;
use crate::envelope::{Envelope, channel};
use crate::redis_link::{Commands, RedisSettings, told};
use crate::server::{Gate, Incoming, Server};
use crate::{PsrpcError, code};
use futures_util::StreamExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

pub(crate) const SIP: &str = "SIPInternal";
pub(crate) const IO: &str = "IOInfo";
pub(crate) const CREATE: &str = "CreateSIPParticipant";
pub(crate) const TRANSFER: &str = "TransferSIPParticipant";

/// A command that Redis does not answer by then.
const COMMAND: Duration = Duration::from_secs(3);
/// Between two tries to connect, at first and at most.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_MOST: Duration = Duration::from_secs(2);
/// A subscription that says nothing for so long is asked whether it is alive.
const ALIVE: Duration = Duration::from_secs(10);

/// Is Redis there?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusState {
    /// Not yet.
    Connecting,
    /// Subscribed.
    Up,
    /// Away; why.
    Down(String),
}

/// The bus. Cloning it is cheap; when the last one is dropped its task ends.
#[derive(Clone)]
pub struct Bus {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    settings: RedisSettings,
    pub cluster_id: String,
    /// `CLI_…` of our requests, `SRV_…` of our claims.
    pub client_id: String,
    pub server_id: String,
    commands: Mutex<Option<Commands>>,
    pub pending: Pending,
    state: watch::Sender<BusState>,
    closed: AtomicBool,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("redis", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Bus {
    /// Starts the bus on this runtime. It connects by itself, and again whenever it has to.
    ///
    /// # Errors
    /// The kernel gives no random numbers for its names.
    pub fn start(
        settings: RedisSettings,
        cluster_id: String,
        gate: Arc<dyn Gate>,
        calls: mpsc::Sender<Incoming>,
    ) -> Result<Self, getrandom::Error> {
        let inner = Arc::new(Inner {
            settings,
            cluster_id,
            client_id: format!("CLI_{}", name()?),
            server_id: format!("SRV_{}", name()?),
            commands: Mutex::default(),
            pending: Pending::default(),
            state: watch::Sender::new(BusState::Connecting),
            closed: AtomicBool::new(false),
        });
        let server = Arc::new(Server::new(gate, calls));
        tokio::spawn(live(Arc::downgrade(&inner), server));
        Ok(Self { inner })
    }

    /// Whether Redis is there, and every change of it.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<BusState> {
        self.inner.state.subscribe()
    }

    /// No new calls any more (drain): requests for them are left to others.
    pub fn close(&self) {
        self.inner.closed.store(true, Ordering::Relaxed);
    }
}

impl Inner {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn held(&self) -> MutexGuard<'_, Option<Commands>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One command, within its time.
    pub(crate) async fn command<T: redis::FromRedisValue>(
        &self,
        command: &redis::Cmd,
    ) -> Result<T, PsrpcError> {
        let commands = self.held().clone();
        let away = |why: String| PsrpcError::new(code::UNAVAILABLE, why);
        let mut commands =
            commands.ok_or_else(|| away(format!("Redis at {} is away", self.settings.place())))?;
        match tokio::time::timeout(COMMAND, commands.query(command)).await {
            Ok(answer) => answer.map_err(|error| away(told(&error))),
            Err(_) => Err(away(format!("Redis did not answer within {} s", COMMAND.as_secs()))),
        }
    }

    /// Publishes an envelope.
    pub(crate) async fn publish(&self, channel: &str, envelope: &Envelope) -> Result<(), PsrpcError> {
        let mut command = redis::cmd("PUBLISH");
        command.arg(channel).arg(envelope.pack());
        self.command::<i64>(&command).await.map(|_| ())
    }

    fn channels(&self) -> [String; 4] {
        let topic = self.cluster_id.as_str();
        [
            channel(&[SIP, CREATE, topic, "REQ"]),
            channel(&[SIP, CREATE, topic, "RCLAIM"]),
            channel(&[IO, &self.client_id, "CLAIM"]),
            channel(&[IO, &self.client_id, "RES"]),
        ]
    }
}

/// Connects, listens, and begins anew when the connection is gone, until the bus is.
async fn live(bus: std::sync::Weak<Inner>, server: Arc<Server>) {
    let mut pause = AGAIN;
    loop {
        let Some(inner) = bus.upgrade() else { return };
        let why = match inner.settings.connect().await {
            Ok((pubsub, commands)) => {
                *inner.held() = Some(commands);
                let (why, was_up) = listen(&bus, inner, pubsub, &server).await;
                if was_up {
                    pause = AGAIN;
                }
                why
            }
            Err(fault) => fault.to_string(),
        };
        let Some(inner) = bus.upgrade() else { return };
        *inner.held() = None;
        let known = matches!(&*inner.state.borrow(), BusState::Down(_));
        if !known {
            tracing::warn!("{why}; calls that are up go on, and it is tried again");
        }
        inner.state.send_replace(BusState::Down(why));
        drop(inner);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(AGAIN_MOST);
    }
}

/// Until the subscription ends; why, and whether it ever stood.
async fn listen(
    bus: &std::sync::Weak<Inner>,
    inner: Arc<Inner>,
    mut pubsub: redis::aio::PubSub,
    server: &Arc<Server>,
) -> (String, bool) {
    for channel in inner.channels() {
        if let Err(error) = pubsub.subscribe(&channel).await {
            return (told(&error), false);
        }
    }
    // One pattern for all calls: a subscription a call would race with the first request for it.
    for suffix in ["REQ", "RCLAIM"] {
        if let Err(error) = pubsub.psubscribe(format!("{SIP}|{TRANSFER}|*|{suffix}")).await {
            return (told(&error), false);
        }
    }
    if matches!(&*inner.state.borrow(), BusState::Down(_)) {
        tracing::info!("Redis at {} is back", inner.settings.place());
    }
    inner.state.send_replace(BusState::Up);
    drop(inner);
    let (mut sink, mut stream) = pubsub.split();
    loop {
        let message = match tokio::time::timeout(ALIVE, stream.next()).await {
            Ok(Some(message)) => message,
            Ok(None) => return ("Redis closed the subscription".to_owned(), true),
            Err(_) => {
                let ping = tokio::time::timeout(COMMAND, sink.ping::<redis::Value>()).await;
                if bus.strong_count() == 0 {
                    return ("the bus is over".to_owned(), true);
                }
                match ping {
                    Ok(Ok(_)) => continue,
                    _ => return ("Redis is silent".to_owned(), true),
                }
            }
        };
        let Some(inner) = bus.upgrade() else { return ("the bus is over".to_owned(), true) };
        dispatch(&inner, server, message.get_channel_name(), message.get_payload_bytes());
    }
}

/// To whom a message goes. Nothing here waits.
fn dispatch(inner: &Arc<Inner>, server: &Arc<Server>, channel: &str, payload: &[u8]) {
    let envelope = match Envelope::unpack(payload) {
        Ok(envelope) => envelope,
        Err(why) => {
            tracing::warn!(channel, bytes = payload.len(), "a message on the bus cannot be read: {why}");
            return;
        }
    };
    match envelope {
        Envelope::Request(request) => server.request(inner, channel, request, payload),
        Envelope::ClaimResponse(claimed) => server.claimed(claimed),
        Envelope::ClaimRequest(claim) => inner.pending.claim(claim),
        Envelope::Response(response) => inner.pending.response(response),
    }
}

/// Twelve letters and digits that no other has.
pub(crate) fn name() -> Result<String, getrandom::Error> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = [0_u8; 12];
    getrandom::fill(&mut random)?;
    let letter =
        |byte: &u8| char::from(LETTERS.get(usize::from(*byte) % LETTERS.len()).copied().unwrap_or(b'x'));
    Ok(random.iter().map(letter).collect())
}

/// Nanoseconds since 1970, as psrpc counts.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
