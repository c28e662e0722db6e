//! Signalling with a LiveKit server: protobuf messages over one WebSocket.
//!
//! [`Signal::connect`] joins (everything in one request: `/rtc/v1?join_request=…`), [`Signal::resume`] comes back
//! under the same participant. [`Signal::next`] gives what the server says and pings it meanwhile; a server that
//! answers no ping within the time that it named itself is lost.

mod dial;
mod tls;

pub(crate) use dial::Dial;
pub(crate) use tls::client_config;

use crate::JoinError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use dial::Socket;
use futures_util::{SinkExt, StreamExt};
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::signal_response::Message as Response;
use livekit_protocol::{
    JoinRequest, JoinResponse, LeaveRequest, Ping, ReconnectResponse, SignalRequest, SignalResponse,
    WrappedJoinRequest, leave_request,
};
use prost::Message as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message as Frame;

/// The server answers a join within a few milliseconds; one that takes longer than a caller waits is as good
/// as none.
const JOIN: Duration = Duration::from_secs(5);
/// Nobody waits long for a server that is leaving anyway.
const GOODBYE: Duration = Duration::from_millis(500);
/// What the server says of itself may be nonsense: pings go out at least and at most so often.
const PING: std::ops::RangeInclusive<u64> = 1..=60;

/// A connection with a server, joined.
pub(crate) struct Signal {
    socket: Socket,
    pings: tokio::time::Interval,
    /// Without a word from the server until then it is lost.
    silent_at: Instant,
    patience: Duration,
}

/// The connection is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signalling was lost: {0}")]
pub(crate) struct Lost(pub String);

impl Signal {
    /// Joins a room.
    pub(crate) async fn connect(
        dial: &Dial,
        join: &JoinRequest,
    ) -> Result<(Self, Box<JoinResponse>), JoinError> {
        let mut signal = Self::open(dial, join).await?;
        match signal.first().await? {
            Response::Join(joined) => {
                signal.ping_as(joined.ping_interval, joined.ping_timeout);
                Ok((signal, Box::new(joined)))
            }
            Response::Leave(leave) => Err(refused(&leave)),
            _ => Err(JoinError::Protocol("its first message is no JoinResponse".into())),
        }
    }

    /// Comes back after the connection was lost; the participant is still in the room.
    pub(crate) async fn resume(
        dial: &Dial,
        join: &JoinRequest,
    ) -> Result<(Self, Box<ReconnectResponse>), JoinError> {
        let mut signal = Self::open(dial, join).await?;
        match signal.first().await? {
            Response::Reconnect(back) => Ok((signal, Box::new(back))),
            Response::Leave(leave) => Err(refused(&leave)),
            _ => Err(JoinError::Protocol("its first message is no ReconnectResponse".into())),
        }
    }

    async fn open(dial: &Dial, join: &JoinRequest) -> Result<Self, JoinError> {
        let wrapped = WrappedJoinRequest { compression: 0, join_request: join.encode_to_vec() };
        let query = format!("join_request={}", URL_SAFE.encode(wrapped.encode_to_vec()));
        let socket = dial.open("rtc/v1", &query).await?;
        let patience = Duration::from_secs(15);
        let mut signal =
            Self { socket, pings: interval(patience), silent_at: Instant::now() + patience, patience };
        signal.ping_as(5, 15);
        Ok(signal)
    }

    async fn first(&mut self) -> Result<Response, JoinError> {
        let silent = || JoinError::Silent { seconds: JOIN.as_secs(), waited_for: "JoinResponse" };
        let first = timeout(JOIN, self.next()).await.map_err(|_| silent())?;
        first.map_err(|lost| JoinError::Protocol(format!("{lost}, before it said anything")))
    }

    fn ping_as(&mut self, every: i32, patience: i32) {
        let bounded = |seconds: i32, default: u64| {
            let seconds = u64::try_from(seconds).ok().filter(|s| *s > 0).unwrap_or(default);
            Duration::from_secs(seconds.clamp(*PING.start(), *PING.end()))
        };
        self.pings = interval(bounded(every, 5));
        self.pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.pings.reset();
        self.patience = bounded(patience, 15);
        self.silent_at = Instant::now() + self.patience;
    }

    /// Says something.
    pub(crate) async fn send(&mut self, request: Request) -> Result<(), Lost> {
        let bytes = SignalRequest { message: Some(request) }.encode_to_vec();
        match timeout(self.patience, self.socket.send(Frame::Binary(bytes.into()))).await {
            Ok(sent) => sent.map_err(|error| Lost(error.to_string())),
            Err(_) => Err(Lost("the server takes no more bytes".into())),
        }
    }

    /// What the server says next. May be given up at any await, and called again.
    pub(crate) async fn next(&mut self) -> Result<Response, Lost> {
        loop {
            let silent_at = self.silent_at;
            tokio::select! {
                frame = self.socket.next() => {
                    self.silent_at = Instant::now() + self.patience;
                    match message(frame)? {
                        None | Some(Response::Pong(_) | Response::PongResp(_)) => {}
                        Some(other) => return Ok(other),
                    }
                },
                _ = self.pings.tick() => self.send(Request::PingReq(Ping { timestamp: millis(), rtt: 0 })).await?,
                () = tokio::time::sleep_until(silent_at) => {
                    return Err(Lost(format!("no word of the server for {} s", self.patience.as_secs())));
                }
            }
        }
    }

    /// Leaves the room for good.
    pub(crate) async fn leave(&mut self, reason: i32) {
        let leave = LeaveRequest {
            reason,
            action: leave_request::Action::Disconnect as i32,
            ..LeaveRequest::default()
        };
        let goodbye = async {
            let _ = self.send(Request::Leave(leave)).await;
            let _ = self.socket.close(None).await;
        };
        // A server that does not listen finds out by its own timers.
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

/// What a frame says; `None`: nothing that this version needs.
fn message(
    frame: Option<Result<Frame, tokio_tungstenite::tungstenite::Error>>,
) -> Result<Option<Response>, Lost> {
    let closed = || Lost("the server closed it".into());
    let frame = frame.ok_or_else(closed)?.map_err(|error| Lost(error.to_string()))?;
    match frame {
        Frame::Binary(bytes) => SignalResponse::decode(bytes)
            .map(|response| response.message)
            .map_err(|error| Lost(format!("a message that cannot be read: {error}"))),
        Frame::Close(_) => Err(closed()),
        _ => Ok(None),
    }
}

fn refused(leave: &LeaveRequest) -> JoinError {
    JoinError::Refused { status: 0, why: format!("it said goodbye at once ({:?})", leave.reason()) }
}

fn millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or_default()
}
