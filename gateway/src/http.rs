//! The pages for machines that watch: health, and metrics. Strangers may reach them, so a connection
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
use places::Places;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;

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
    let places = Places::new(listener)?;
    let pages = Router::new().fallback(get(health)).with_state(desk);
    tokio::spawn(async move { axum::serve(places, pages).await });
    Ok(())
}

/// Serves `/metrics`.
///
/// # Errors
/// The runtime does not take the socket.
pub fn serve_metrics(listener: TcpListener, metrics: Arc<Metrics>, desk: Desk) -> io::Result<()> {
    let places = Places::new(listener)?;
    let pages = Router::new().route("/metrics", get(scrape)).with_state((metrics, desk));
    tokio::spawn(async move { axum::serve(places, pages).await });
    Ok(())
}

/// livekit/sip's words: `OK` with 200, `Stopped` with 503. Who accepts JSON gets the word in it.
async fn health(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let (status, word) = match desk.ask(Request::Status).await {
        Ok(now) if !now.draining => (StatusCode::OK, "OK"),
        Ok(_) => (StatusCode::SERVICE_UNAVAILABLE, "Stopped"),
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
