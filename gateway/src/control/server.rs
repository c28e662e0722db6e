//! The control thread: the socket of the verbs, the health page and the metrics, on a small runtime of
//! their own, so that nobody who asks slows the signalling.

use super::desk::Desk;
use super::{CallEvent, Request, calls, events, plan, socket};
use crate::http;
use crate::metrics::Metrics;
use axum::Router;
use axum::routing::{delete, get, post};
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc as sync;
use std::thread::{self, JoinHandle};
use tokio::sync::{broadcast, mpsc, oneshot};
use trunkline_config::Config;
use trunkline_records::Records;

/// Why there is no control.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another process serves this state folder.
    #[error("already running{}: {path} is answered", pid.map_or_else(String::new, |pid| format!(", pid {pid}")))]
    AlreadyRunning { pid: Option<i32>, path: String },
    /// The socket's file.
    #[error("cannot make the control socket {path}: {source}; its folder is state_dir")]
    Socket { path: String, source: io::Error },
    /// `health_port`, `prometheus_port` or `api.port`.
    #[error("{key}: cannot listen on TCP port {port}: {source}")]
    Port { key: &'static str, port: u16, source: io::Error },
    /// No name for the node.
    #[error("no randomness from the kernel: {0}")]
    Random(getrandom::Error),
    /// No thread, or no runtime on it.
    #[error("cannot start the control thread: {0}")]
    Thread(io::Error),
}

/// The control thread; dropping it stops it and removes the socket.
#[derive(Debug)]
pub struct Control {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Stops it; whoever watches sees the end of the stream.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the thread serves.
struct Doors {
    api: Option<http::Api>,
    socket: PathBuf,
    health: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

/// Starts the thread. When this returns, the socket can be spoken to. `api`: what is served beside it.
///
/// # Errors
/// [`ControlError`] says who or what is in the way.
pub fn start(
    config: &Config,
    records: Arc<Records>,
    requests: mpsc::Sender<Request>,
    events: broadcast::Sender<CallEvent>,
    api: Option<http::Api>,
) -> Result<Control, ControlError> {
    let doors = Doors {
        api,
        socket: socket::path_in(&config.state_dir),
        health: http::listen("health_port", config.health_port)?,
        metrics: http::listen("prometheus_port", config.prometheus_port)?,
    };
    let desk = Desk::new(config, records, requests, events);
    let (ready, told) = sync::sync_channel(1);
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("control".into())
        .spawn(move || run(doors, desk, &ready, stopped))
        .map_err(ControlError::Thread)?;
    let control = Control { stop: Some(stop), thread: Some(thread) };
    match told.recv() {
        Ok(Ok(())) => Ok(control),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ControlError::Thread(io::Error::other("it ended at once"))),
    }
}

fn run(
    doors: Doors,
    desk: Desk,
    ready: &sync::SyncSender<Result<(), ControlError>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(ControlError::Thread(error)));
            return;
        }
    };
    let path = doors.socket.clone();
    let served = runtime.block_on(async {
        if let Err(error) = open(doors, desk).await {
            let _ = ready.send(Err(error));
            return false;
        }
        let _ = ready.send(Ok(()));
        let _ = stopped.await;
        true
    });
    if served {
        let _ = std::fs::remove_file(path);
    }
    // Whoever waits on a slow disk or a silent peer is not waited for.
    runtime.shutdown_background();
}

async fn open(doors: Doors, desk: Desk) -> Result<(), ControlError> {
    let listener = socket::bind(&doors.socket).await?;
    if let Some(health) = doors.health {
        http::serve_health(health, desk.clone()).map_err(ControlError::Thread)?;
    }
    if let Some(api) = doors.api {
        http::serve_api(api).map_err(ControlError::Thread)?;
    }
    if let Some(listener) = doors.metrics {
        let metrics = Arc::new(Metrics::new(&node()?));
        http::serve_metrics(listener, Arc::clone(&metrics), desk.clone()).map_err(ControlError::Thread)?;
        tokio::spawn(crate::metrics::observe(metrics, desk.clone()));
    }
    tokio::spawn(async move { axum::serve(listener, router(desk)).await });
    Ok(())
}

/// `NE_` and twelve characters, as livekit/sip names a node for its life.
fn node() -> Result<String, ControlError> {
    let mut chance = [0; 6];
    getrandom::fill(&mut chance).map_err(ControlError::Random)?;
    Ok(chance.iter().fold("NE_".to_owned(), |name, byte| format!("{name}{byte:02x}")))
}

/// The requests of docs/control.md.
fn router(desk: Desk) -> Router {
    Router::new()
        .route("/status", get(calls::status))
        .route("/calls", get(calls::list))
        .route("/calls/{id}", get(calls::show).delete(calls::hang_up))
        .route("/calls/{id}/pcap", get(calls::pcap))
        .route("/events", get(events::stream))
        .route("/trunks", get(plan::trunks).post(plan::add_trunk))
        .route("/trunks/{id}", delete(plan::remove_trunk))
        .route("/outbound", get(plan::outbound).post(plan::add_outbound))
        .route("/outbound/{id}", delete(plan::remove_outbound))
        .route("/rules", get(plan::rules).post(plan::add_rule))
        .route("/rules/test", post(plan::test))
        .route("/rules/{id}", delete(plan::remove_rule))
        .route("/drain", post(calls::drain))
        .with_state(desk)
}
