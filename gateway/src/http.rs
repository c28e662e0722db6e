//! The pages for machines that watch, health and metrics, and the API. Strangers may reach them, so a connection
//! holds one of a few places, and not for long.

mod places;

use crate::control::server::ControlError;
use crate::control::{Desk, Request};
use crate::metrics::Metrics;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use places::{Bounds, Places};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// A page takes milliseconds.
const PAGES: Bounds = Bounds { places: 64, stay: Duration::from_secs(10) };
/// A call that is waited for until it is answered holds its place so long.
const CALLS: Bounds = Bounds { places: 1_024, stay: Duration::from_secs(600) };
/// The head of a request to the API is here within this.
const HEAD: Duration = Duration::from_secs(10);

/// An API that is to be served.
#[derive(Debug)]
pub struct Api {
    pub listener: TcpListener,
    pub pages: Router,
}

/// Listens on a port of one address.
///
/// # Errors
/// [`ControlError::Port`] names the key.
pub fn listen_at(key: &'static str, ip: IpAddr, port: u16) -> Result<TcpListener, ControlError> {
    TcpListener::bind((ip, port)).map_err(|source| ControlError::Port { key, port, source })
}

/// Serves an API; one request a connection, so that a client never meets one that has just been closed.
///
/// # Errors
/// The runtime does not take the socket.
pub fn serve_api(api: Api) -> io::Result<()> {
    let mut places = Places::new(api.listener, CALLS)?;
    tokio::spawn(async move {
        loop {
            let (guest, peer) = places.accept().await;
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .keep_alive(false)
                .serve_connection(TokioIo::new(guest), TowerToHyperService::new(api.pages.clone()));
            tokio::spawn(async move {
                if let Err(error) = served.await {
                    tracing::debug!(%peer, "a connection to the API ended early: {error}");
                }
            });
        }
    });
    Ok(())
}

/// Listens on a port of all addresses, as livekit/sip does: a probe reaches a node by any of them.
///
/// # Errors
/// [`ControlError::Port`] names the key.
pub fn listen(key: &'static str, port: u16) -> Result<Option<TcpListener>, ControlError> {
    if port == 0 {
        return Ok(None);
    }
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|error| match error.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
            _ => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)),
        })
        .map(Some)
        .map_err(|source| ControlError::Port { key, port, source })
}

/// Serves the health page; any path.
///
/// # Errors
/// The runtime does not take the socket.
pub fn serve_health(listener: TcpListener, desk: Desk) -> io::Result<()> {
    let places = Places::new(listener, PAGES)?;
    let pages = Router::new().fallback(get(health)).with_state(desk);
    tokio::spawn(async move { axum::serve(places, pages).await });
    Ok(())
}

/// Serves `/metrics`.
///
/// # Errors
/// The runtime does not take the socket.
pub fn serve_metrics(listener: TcpListener, metrics: Arc<Metrics>, desk: Desk) -> io::Result<()> {
    let places = Places::new(listener, PAGES)?;
    let pages = Router::new().route("/metrics", get(scrape)).with_state((metrics, desk));
    tokio::spawn(async move { axum::serve(places, pages).await });
    Ok(())
}

/// livekit/sip's words: `OK` with 200, `UnderLoad` with 429, `Stopped` with 503. Who accepts JSON gets the word in it.
async fn health(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let (status, word) = match desk.ask(Request::Status).await {
        Ok(now) if now.draining => (StatusCode::SERVICE_UNAVAILABLE, "Stopped"),
        Ok(now) if now.full => (StatusCode::TOO_MANY_REQUESTS, "UnderLoad"),
        Ok(_) => (StatusCode::OK, "OK"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "Unresponsive"),
    };
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("application/json") {
        (status, axum::Json(serde_json::json!({ "status": word }))).into_response()
    } else {
        (status, word).into_response()
    }
}

async fn scrape(State((metrics, desk)): State<(Arc<Metrics>, Desk)>) -> Response {
    let status = desk.ask(Request::Status).await.ok();
    match metrics.text(status) {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
