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
                metrics.requests.get_or_create(&Dir { dir }).inc();
                // After a lag it may be known from the list already.
                if self.0.insert(cdr.id.clone(), dir).is_none() {
                    metrics.active.get_or_create(&Dir { dir }).inc();
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_records::Entry;

    fn cdr(id: &str, status: u16, answered: Option<u64>) -> Arc<Cdr> {
        Arc::new(Cdr {
            id: id.into(),
            direction: "inbound".into(),
            started: 1_000_000,
            answered,
            ended: Some(31_000_000),
            status,
            media: answered
                .map(|_| serde_json::json!({ "mos": 4.3, "lost": 1, "received": 999, "jitter_ms": 1.5 })),
            ..Cdr::default()
        })
    }

    #[test]
    fn a_scrape_after_a_talk_and_a_refusal_reads_as_livekit_would_tell_it() {
        let (metrics, mut up) = (Metrics::new(), Up::default());
        for event in [
            CallEvent::Began(cdr("a", 0, None)),
            CallEvent::Began(cdr("b", 0, None)),
            CallEvent::Began(cdr("c", 0, None)),
            CallEvent::Ended(cdr("a", 200, Some(1_004_000))),
            CallEvent::Ended(cdr("b", 404, None)),
        ] {
            up.count(&metrics, &event);
        }
        let text = metrics.text(None).expect("text");
        for line in [
            "livekit_sip_invite_requests{dir=\"in\"} 3",
            "livekit_sip_invite_accepted{dir=\"in\"} 1",
            "livekit_sip_invite_error{dir=\"in\",reason=\"not-found\"} 1",
            "livekit_sip_calls_active{dir=\"in\"} 1",
            "livekit_sip_calls_terminated{dir=\"in\",result=\"success\",reason=\"success\"} 1",
            "livekit_sip_calls_terminated{dir=\"in\",result=\"client_error\",reason=\"not-found\"} 1",
            "livekit_sip_dur_call_sec_bucket{dir=\"in\",le=\"60\"} 1",
            "trunkline_setup_seconds_bucket{dir=\"in\",le=\"0.005\"} 1",
            "trunkline_setup_seconds_bucket{dir=\"in\",le=\"0.002\"} 0",
            "trunkline_mos_bucket{le=\"4.2\"} 0",
            "trunkline_mos_count 1",
            "trunkline_loss_ratio_bucket{le=\"0.001\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
        }
        assert!(!text.contains("trunkline_legs"), "what is held is left out when nobody says it");
    }

    #[test]
    fn a_call_that_is_known_from_the_list_and_begins_after_it_counts_once() {
        let (metrics, mut up) = (Metrics::new(), Up::default());
        up.replace(&metrics, &[Cdr::clone(&cdr("a", 0, None))]);
        up.count(&metrics, &CallEvent::Began(cdr("a", 0, None)));
        let text = metrics.text(None).expect("text");
        assert!(text.contains("livekit_sip_calls_active{dir=\"in\"} 1"), "{text}");
    }

    #[test]
    fn an_entry_of_a_timeline_changes_no_figure() {
        let (metrics, mut up) = (Metrics::new(), Up::default());
        let before = metrics.text(None).expect("text");
        let what = trunkline_records::What::Fault { text: "x".into() };
        up.count(&metrics, &CallEvent::Entry { call: "a".into(), entry: Arc::new(Entry { at: 0, what }) });
        assert_eq!(metrics.text(None).expect("text"), before);
    }
}
