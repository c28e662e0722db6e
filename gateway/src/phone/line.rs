//! The line of a telephone: endpoint, sockets and media engine, and what happens on them.

use super::PhoneError;
use crate::transport::{Arrival, Closing, Listen, Sockets, TcpLimits};
use bytes::Bytes;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;
use trunkline_media::engine::{Engine, EngineConfig, Events};
use trunkline_media::event::{LegEvent, LegId};
use trunkline_media::sdp::Preferences;
use trunkline_sip::{Endpoint, Event, Flow, Output, Time};

/// Ports for the sound of a telephone; those that others hold are passed over.
const PORTS: std::ops::RangeInclusive<u16> = 40_000..=59_998;

/// How a line is opened.
#[derive(Debug, Clone)]
pub struct LineConfig {
    /// Our address; `None`: whichever leads to the peer.
    pub ip: Option<IpAddr>,
    /// Our SIP port; 0: any.
    pub port: u16,
    /// Calls at a time.
    pub calls: usize,
}

/// Something happened.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // one at a time, and consumed at once
pub enum Happening {
    /// The protocol says something.
    Sip(Event),
    /// A leg says something.
    Leg(LegId, LegEvent),
    /// The time that was asked for has come.
    Time,
}

/// The line.
pub struct Line {
    pub endpoint: Endpoint,
    pub engine: Engine,
    sockets: Sockets,
    legs: Events,
    woken: Arc<Notify>,
    began: Instant,
}

impl Line {
    /// Opens it; must be called inside a runtime.
    ///
    /// # Errors
    /// A port is taken, or a thread cannot be started.
    pub fn open(config: &LineConfig) -> Result<Self, PhoneError> {
        let listen = Listen {
            ip: config.ip,
            port: config.port,
            announced: None,
            packets_per_second: 0,
            tcp: TcpLimits::default(),
            tls: None,
        };
        let sockets = Sockets::bind(&listen)?;
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let threads = usize::from(config.calls == 1);
        let (engine, legs) =
            Engine::start(EngineConfig { threads, ports: PORTS, wake: Arc::new(move || wake.notify_one()) })?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(PhoneError::Random)?;
        let endpoint = trunkline_sip::Config {
            session_expires: 0,
            calls: config.calls.saturating_mul(2).max(16),
            transactions: 1_000_000,
            ..trunkline_sip::Config::default()
        };
        Ok(Self {
            endpoint: Endpoint::new(endpoint, seed),
            engine,
            sockets,
            legs,
            woken,
            began: Instant::now(),
        })
    }

    /// The time of the line.
    pub fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// The way to a SIP address.
    ///
    /// # Errors
    /// It is no SIP address, or its host cannot be found.
    pub async fn flow_to(&mut self, uri: &str) -> Result<Flow, PhoneError> {
        let (host, port) = crate::call::host_of(uri).map_err(PhoneError::Address)?;
        let address = crate::serve::address_of(&host, port).await.map_err(PhoneError::Address)?;
        Ok(self.sockets.flow_to(crate::serve::transport(uri), address, &host))
    }

    /// What happens next, at `until` at the latest.
    pub async fn next(&mut self, until: Option<Time>) -> Happening {
        loop {
            if let Some(event) = self.poll() {
                return Happening::Sip(event);
            }
            if let Some((leg, event)) = self.legs.try_next() {
                return Happening::Leg(leg, event);
            }
            let now = self.now();
            if until.is_some_and(|t| t <= now) {
                return Happening::Time;
            }
            let deadline = [self.endpoint.poll_timeout(), until].into_iter().flatten().min();
            let wait = deadline.map_or(Time::from_secs(3600), |t| t.saturating_sub(now));
            let arrival = tokio::select! {
                arrival = self.sockets.next() => Some(arrival),
                () = self.woken.notified() => None,
                () = tokio::time::sleep(wait) => None,
            };
            let now = self.now();
            match arrival {
                Some(Arrival::Message { flow, bytes }) => self.endpoint.receive(now, flow, bytes),
                Some(Arrival::Closed { flow, why, .. }) => {
                    if matches!(why, Closing::Handshake(_)) {
                        tracing::warn!(remote = %flow.remote, "{why}");
                    }
                    self.endpoint.transport_failed(now, flow);
                }
                None if self.endpoint.poll_timeout().is_some_and(|t| t <= now) => {
                    self.endpoint.handle_timeout(now)
                }
                None => {}
            }
        }
    }

    /// Sends what is to be sent; the next event of the protocol.
    fn poll(&mut self) -> Option<Event> {
        loop {
            match self.endpoint.poll()? {
                Output::Send { flow, bytes } => self.send(flow, bytes),
                Output::Event(event) => return Some(event),
                Output::Trace { .. } => {}
            }
        }
    }

    fn send(&mut self, flow: Flow, bytes: Bytes) {
        if self.sockets.send(&flow, bytes).is_err() {
            let now = self.now();
            self.endpoint.transport_failed(now, flow);
        }
    }

    /// Closes it; what is queued leaves.
    pub async fn close(self) {
        self.sockets.close().await;
    }
}

/// The codecs of a telephone, best first.
pub fn preferences(codecs: &[trunkline_media::session::Codec]) -> Preferences {
    Preferences { codecs: codecs.to_vec(), dtmf: true, comfort_noise: true }
}
