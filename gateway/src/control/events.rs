//! `/events`: one JSON object a line, as things happen.

use super::CallEvent;
use super::desk::{Desk, Refused};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{broadcast, mpsc};

/// Lines that wait for a slow watcher; beyond it the watcher is told how many events it missed.
const WAITING: usize = 256;

#[derive(Debug, Deserialize)]
pub struct Of {
    call: Option<String>,
}

pub async fn stream(State(desk): State<Desk>, Query(of): Query<Of>) -> Result<Response, Refused> {
    // Subscribed before the call is looked up: nothing that happens meanwhile is missed.
    let events = desk.events.subscribe();
    let only = match of.call {
        Some(id) => {
            let cdr = desk.records(move |records| records.cdr(&id)).await?;
            if cdr.ended.is_some() {
                let sentence = format!("call {} is over; trunkline calls show {0} tells what it was", cdr.id);
                return Err(Refused::Invalid(sentence));
            }
            Some(cdr.id)
        }
        None => None,
    };
    let (lines, body) = mpsc::channel(WAITING);
    tokio::spawn(forward(events, only, lines));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::new(Lines(body))).into_response())
}

/// Until the watcher goes, the process stops, or the one call that is watched has ended.
async fn forward(
    mut events: broadcast::Receiver<CallEvent>,
    only: Option<String>,
    lines: mpsc::Sender<Bytes>,
) {
    loop {
        let received = tokio::select! {
            received = events.recv() => received,
            () = lines.closed() => return,
        };
        let event = match received {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                let line = json!({ "at": now_us(), "kind": "missed", "events": missed });
                if lines.send(line_of(&line)).await.is_err() {
                    return;
                }
                continue;
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if only.as_deref().is_some_and(|id| id != event.call()) {
            continue;
        }
        let Some(line) = describe(&event) else { continue };
        if lines.send(line_of(&line)).await.is_err() {
            return;
        }
        if only.is_some() && matches!(event, CallEvent::Ended(_)) {
            return;
        }
    }
}

fn line_of(value: &Value) -> Bytes {
    format!("{value}\n").into()
}

/// `{"at","call","kind",…}`: an entry as it is, a CDR under `cdr`. Nothing of what is only counted.
fn describe(event: &CallEvent) -> Option<Value> {
    Some(match event {
        CallEvent::Began(cdr) => {
            json!({ "at": cdr.started, "call": cdr.id, "kind": "began", "cdr": **cdr })
        }
        CallEvent::Updated(cdr) => {
            json!({ "at": now_us(), "call": cdr.id, "kind": "updated", "cdr": **cdr })
        }
        CallEvent::Ended(cdr) => {
            let at = cdr.ended.unwrap_or_else(now_us);
            json!({ "at": at, "call": cdr.id, "kind": "ended", "cdr": **cdr })
        }
        CallEvent::Entry { call, entry } => {
            let mut line = serde_json::to_value(entry.as_ref()).unwrap_or_default();
            if let Some(object) = line.as_object_mut() {
                object.insert("call".into(), Value::from(call.as_ref()));
            }
            line
        }
        CallEvent::Measured { .. } => return None,
    })
}

/// Microseconds since 1970, UTC.
fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A body that ends when its sender is dropped.
struct Lines(mpsc::Receiver<Bytes>);

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
