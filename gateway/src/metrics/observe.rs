//! Call events, counted.

use super::{Dir, Ending, Metrics, Why};
use crate::control::{CallEvent, Desk, Request};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::TryRecvError;
use trunkline_records::Cdr;

/// Events are read in batches: a reader that waits for each would cost the signalling thread a wake-up,
/// a system call, for every one of them.
const BATCH: Duration = Duration::from_millis(50);

/// Counts until the stream ends.
pub async fn observe(metrics: Arc<Metrics>, desk: Desk) {
    let mut events = desk.events.subscribe();
    let mut up = Up::default();
    let mut tick = tokio::time::interval(BATCH);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        loop {
            match events.try_recv() {
                Ok(event) => up.count(&metrics, &event),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Closed) => return,
                Err(TryRecvError::Lagged(_)) => {
                    // Beginnings and ends were missed: what is up is asked for, so that the gauge cannot drift.
                    if let Ok(calls) = desk.ask(Request::Calls).await {
                        up.replace(&metrics, &calls);
                    }
                }
            }
        }
    }
}

/// Calls that are up, by id.
#[derive(Debug, Default)]
pub(super) struct Up(HashMap<String, &'static str>);

impl Up {
    /// Counts one event.
    pub(super) fn count(&mut self, metrics: &Metrics, event: &CallEvent) {
        match event {
            CallEvent::Began(cdr) => {
                let dir = dir(cdr);
                self.0.insert(cdr.id.clone(), dir);
                metrics.requests.get_or_create(&Dir { dir }).inc();
                metrics.active.get_or_create(&Dir { dir }).inc();
            }
            CallEvent::Ended(cdr) => {
                if let Some(dir) = self.0.remove(&cdr.id) {
                    metrics.active.get_or_create(&Dir { dir }).dec();
                }
                ended(metrics, cdr);
            }
            CallEvent::Updated(_) | CallEvent::Entry { .. } => {}
        }
    }

    fn replace(&mut self, metrics: &Metrics, calls: &[Cdr]) {
        self.0 = calls.iter().map(|cdr| (cdr.id.clone(), dir(cdr))).collect();
        for dir in ["in", "out"] {
            let up = self.0.values().filter(|d| **d == dir).count();
            metrics.active.get_or_create(&Dir { dir }).set(i64::try_from(up).unwrap_or(i64::MAX));
        }
    }
}

fn dir(cdr: &Cdr) -> &'static str {
    if cdr.direction == "outbound" { "out" } else { "in" }
}

fn ended(metrics: &Metrics, cdr: &Cdr) {
    let dir = dir(cdr);
    let end = cdr.ended.unwrap_or(cdr.started);
    metrics.session.get_or_create(&Dir { dir }).observe(seconds(cdr.started, end));
    let reason = if let Some(answered) = cdr.answered {
        metrics.accepted.get_or_create(&Dir { dir }).inc();
        metrics.talk.get_or_create(&Dir { dir }).observe(seconds(answered, end));
        metrics.setup.get_or_create(&Dir { dir }).observe(seconds(cdr.started, answered));
        "success".to_owned()
    } else {
        let reason = reason(cdr.status);
        metrics.errors.get_or_create(&Why { dir, reason: reason.clone() }).inc();
        reason
    };
    let result = match cdr.status {
        _ if cdr.answered.is_some() => "success",
        400..=499 | 600..=699 => "client_error",
        500..=599 => "server_error",
        _ => "indeterminate",
    };
    metrics.terminated.get_or_create(&Ending { dir, result, reason }).inc();
    if let Some(media) = &cdr.media {
        quality(metrics, media);
    }
}

/// livekit/sip's word for a final status.
fn reason(status: u16) -> String {
    match status {
        401 | 407 => "auth-required".into(),
        403 => "forbidden".into(),
        404 => "not-found".into(),
        408 => "request-timeout".into(),
        480 => "unavailable".into(),
        486 => "busy".into(),
        487 => "canceled".into(),
        488 => "not-acceptable".into(),
        400..=499 => format!("client-error-{status}"),
        500..=599 => format!("server-error-{status}"),
        600..=699 => format!("global-decline-{status}"),
        _ => "no-final-response".into(),
    }
}

/// The figures of a leg, as `media` of a CDR holds them.
fn quality(metrics: &Metrics, media: &Value) {
    let figure = |key: &str| media.get(key).and_then(Value::as_f64);
    if let Some(mos) = figure("mos") {
        metrics.mos.observe(mos);
    }
    if let Some(jitter) = figure("jitter_ms") {
        metrics.jitter.observe(jitter / 1000.0);
    }
    if let (Some(lost), Some(received)) = (figure("lost"), figure("received"))
        && lost + received > 0.0
    {
        metrics.loss.observe(lost / (lost + received));
    }
}

/// Between two times in microseconds.
#[allow(clippy::cast_precision_loss)] // 2^53 µs are 285 years
fn seconds(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1e6
}
