//! Call events, counted.

use super::labels::{
    Dir, Ending, Failed, Kind, Offered, Packets, Part, Party, Provider, Trunks, Why, reason,
};
use super::{Metrics, offered};
use crate::control::{CallEvent, Desk, Figure, Request, Stage};
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
pub(super) struct Up {
    calls: HashMap<String, Known>,
    trunks: Trunks,
}

/// What is known of one.
#[derive(Debug, Clone)]
struct Known {
    party: Party,
    accepted: bool,
    /// It is being sent elsewhere.
    moving: bool,
}

impl Up {
    /// Counts one event.
    pub(super) fn count(&mut self, metrics: &Metrics, event: &CallEvent) {
        match event {
            CallEvent::Began(cdr) => self.began(metrics, cdr),
            CallEvent::Updated(cdr) => self.accepted(metrics, cdr),
            CallEvent::Ended(cdr) => {
                // The end of a call whose beginning was missed.
                if !self.calls.contains_key(&cdr.id) {
                    self.began(metrics, cdr);
                }
                self.accepted(metrics, cdr);
                if let Some(known) = self.calls.remove(&cdr.id) {
                    metrics.active.get_or_create(&known.party).dec();
                    if known.moving {
                        metrics.moving.get_or_create(&Dir { dir: known.party.dir }).dec();
                    }
                    ended(metrics, cdr, known.party);
                }
            }
            CallEvent::Measured { call, outbound, figure } => {
                self.measured(metrics, call, way(*outbound), figure);
            }
            CallEvent::Entry { .. } => {}
        }
    }

    fn known(&mut self, cdr: &Cdr) -> Known {
        let to = self.trunks.label(cdr.trunk.as_deref());
        let party = Party { dir: way(cdr.direction == "outbound"), to };
        Known { party, accepted: false, moving: false }
    }

    fn began(&mut self, metrics: &Metrics, cdr: &Cdr) {
        // After a lag it may be known from the list already.
        if self.calls.contains_key(&cdr.id) {
            return;
        }
        let known = self.known(cdr);
        metrics.requests.get_or_create(&Dir { dir: known.party.dir }).inc();
        metrics.active.get_or_create(&known.party).inc();
        self.calls.insert(cdr.id.clone(), known);
    }

    fn accepted(&mut self, metrics: &Metrics, cdr: &Cdr) {
        let (Some(known), Some(answered)) = (self.calls.get_mut(&cdr.id), cdr.answered) else { return };
        if !std::mem::replace(&mut known.accepted, true) {
            metrics.accepted.get_or_create(&known.party).inc();
            let dir = Dir { dir: known.party.dir };
            metrics.setup.get_or_create(&dir).observe(seconds(cdr.started, answered));
        }
    }

    /// What is up, after events were missed.
    pub(super) fn replace(&mut self, metrics: &Metrics, calls: &[Cdr]) {
        let before = std::mem::take(&mut self.calls);
        metrics.active.clear();
        for cdr in calls {
            match before.get(&cdr.id) {
                Some(known) => {
                    metrics.active.get_or_create(&known.party).inc();
                    self.calls.insert(cdr.id.clone(), known.clone());
                }
                None => self.began(metrics, cdr),
            }
        }
        for dir in ["in", "out"] {
            let moving = self.calls.values().filter(|known| known.moving && known.party.dir == dir).count();
            metrics.moving.get_or_create(&Dir { dir }).set(i64::try_from(moving).unwrap_or(i64::MAX));
        }
    }

    fn measured(&mut self, metrics: &Metrics, call: &str, dir: &'static str, figure: &Figure) {
        let by_dir = Dir { dir };
        match figure {
            Figure::Stage(Stage::Check, took) => {
                metrics.check.get_or_create(&by_dir).observe(took.as_secs_f64());
            }
            Figure::Stage(Stage::Join, took) => {
                metrics.join.get_or_create(&by_dir).observe(took.as_secs_f64());
            }
            Figure::Stage(stage, took) => {
                let part = Part { dir, stage: name(*stage) };
                metrics.stage.get_or_create(&part).observe(took.as_secs_f64());
            }
            Figure::Description { offer, theirs, sdp } => {
                let kind = Kind { r#type: if *offer { "offer" } else { "answer" } };
                let bytes = u32::try_from(sdp.len()).unwrap_or(u32::MAX);
                metrics.sdp_size.get_or_create(&kind).observe(f64::from(bytes));
                if *theirs {
                    let known = self.calls.get(call);
                    let provider = known.map_or_else(|| "none".to_owned(), |known| known.party.to.clone());
                    for codec in offered::codecs(sdp) {
                        let offered = Offered { dir, provider: provider.clone(), codec };
                        metrics.offered.get_or_create(&offered).inc();
                    }
                    metrics.sdp_parsed.get_or_create(&Provider { dir, provider }).inc();
                }
            }
            Figure::TransferBegan => {
                metrics.transfers.get_or_create(&by_dir).inc();
                self.moves(metrics, call, true);
            }
            Figure::TransferDone => {
                metrics.transferred.get_or_create(&by_dir).inc();
                self.moves(metrics, call, false);
            }
            Figure::TransferFailed { status, code } => {
                let reason = if *status > 0 { reason(*status) } else { code.clone() };
                metrics.not_transferred.get_or_create(&Failed { dir, reason }).inc();
                self.moves(metrics, call, false);
            }
            Figure::Unconfirmed => metrics.unconfirmed.get_or_create(&by_dir).inc(),
        }
    }

    fn moves(&mut self, metrics: &Metrics, call: &str, moving: bool) {
        let Some(known) = self.calls.get_mut(call) else { return };
        let gauge = metrics.moving.get_or_create_owned(&Dir { dir: known.party.dir });
        match (std::mem::replace(&mut known.moving, moving), moving) {
            (false, true) => gauge.inc(),
            (true, false) => gauge.dec(),
            (true, true) | (false, false) => 0,
        };
    }
}

fn way(outbound: bool) -> &'static str {
    if outbound { "out" } else { "in" }
}

/// livekit/sip's name of a part.
fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Check => "check",
        Stage::Join => "join",
        Stage::GetAuth => "get-auth",
        Stage::EvalDispatch => "eval-dispatch",
        Stage::StartMedia => "start-media",
        Stage::CallAccept => "call-accept",
        Stage::SipAccept => "sip-accept",
        Stage::LkConnect => "lk-connect",
        Stage::TrackPublish => "track-publish",
        Stage::JoinRoom => "join-room",
        Stage::TrackSubscribe => "track-subscribe",
        Stage::WaitSubscribe => "wait-subscribe",
        Stage::WaitMedia => "wait-media",
    }
}

fn ended(metrics: &Metrics, cdr: &Cdr, party: Party) {
    let Party { dir, to } = party;
    let end = cdr.ended.unwrap_or(cdr.started);
    metrics.session.get_or_create(&Dir { dir }).observe(seconds(cdr.started, end));
    let reason = match cdr.answered {
        Some(answered) => {
            metrics.talk.get_or_create(&Dir { dir }).observe(seconds(answered, end));
            "success".to_owned()
        }
        None => {
            let reason = reason(cdr.status);
            metrics.errors.get_or_create(&Why { dir, to: to.clone(), reason: reason.clone() }).inc();
            reason
        }
    };
    let result = match cdr.status {
        _ if cdr.answered.is_some() => "success",
        400..=499 | 600..=699 => "client_error",
        500..=599 => "server_error",
        _ => "indeterminate",
    };
    metrics.terminated.get_or_create(&Ending { dir, to: to.clone(), result, reason }).inc();
    if let Some(media) = &cdr.media {
        quality(metrics, media);
        packets(metrics, cdr, media, dir, &to);
    }
}

/// The packets of a leg, by what was agreed last.
fn packets(metrics: &Metrics, cdr: &Cdr, media: &Value, dir: &'static str, to: &str) {
    let payload = match cdr.codec.as_deref() {
        Some("PCMU") => "0",
        Some("PCMA") => "8",
        Some("G722") => "9",
        _ => "dynamic",
    };
    for (op, key) in [("recv", "received"), ("send", "sent")] {
        if let Some(many) = media.get(key).and_then(Value::as_u64) {
            let labels = Packets { dir, to: to.to_owned(), op, payload };
            metrics.packets.get_or_create(&labels).add(many);
        }
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
