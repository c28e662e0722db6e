//! Metrics: livekit/sip's names where it has one, `trunkline_…` for ours. Calls are counted from the
//! stream of call events, what is held from the status at the time of a scrape.
//!
//! livekit/sip's label `to` (the host called) is left out: it grows with every host that strangers name.

mod held;
mod observe;

pub use observe::observe;

use crate::control::Status;
use held::Held;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, prometheus_text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// `dir`: `in` or `out`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Dir {
    pub dir: &'static str,
}

/// Why an INVITE came to nothing, in livekit/sip's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Why {
    pub dir: &'static str,
    pub reason: String,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Ending {
    pub dir: &'static str,
    pub result: &'static str,
    pub reason: String,
}

/// A count that only grows, under exactly its name: the crate's own counter adds `_total`, which
/// livekit/sip's names do not have and dashboards would not find. Its type is told as `untyped`.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// One more.
    pub fn inc(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl EncodeMetric for Tally {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&i64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(i64::MAX))
    }
    fn metric_type(&self) -> MetricType {
        MetricType::Unknown
    }
}

impl TypedMetric for Tally {
    const TYPE: MetricType = MetricType::Unknown;
}

type Histograms<S> = Family<S, Histogram, fn() -> Histogram>;

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    held: Held,
    requests: Family<Dir, Tally>,
    accepted: Family<Dir, Tally>,
    errors: Family<Why, Tally>,
    active: Family<Dir, Gauge>,
    terminated: Family<Ending, Tally>,
    session: Histograms<Dir>,
    talk: Histograms<Dir>,
    setup: Histograms<Dir>,
    mos: Histogram,
    loss: Histogram,
    jitter: Histogram,
}

const LONG: [f64; 9] = [1.0, 10.0, 60.0, 600.0, 1800.0, 3600.0, 21_600.0, 43_200.0, 86_400.0];
const SETUP: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];
const MOS: [f64; 8] = [1.5, 2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2];
const LOSS: [f64; 8] = [0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
const JITTER: [f64; 8] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];

impl Metrics {
    /// None has counted anything yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let metrics = Self {
            held: Held::default(),
            requests: Family::default(),
            accepted: Family::default(),
            errors: Family::default(),
            active: Family::default(),
            terminated: Family::default(),
            session: Family::new_with_constructor(|| Histogram::new(LONG)),
            talk: Family::new_with_constructor(|| Histogram::new(LONG)),
            setup: Family::new_with_constructor(|| Histogram::new(SETUP)),
            mos: Histogram::new(MOS),
            loss: Histogram::new(LOSS),
            jitter: Histogram::new(JITTER),
            registry: Registry::default(),
        };
        let m = &metrics;
        let r = &mut registry;
        r.register("livekit_sip_invite_requests", "INVITEs that began a call", m.requests.clone());
        r.register("livekit_sip_invite_accepted", "Calls that were answered", m.accepted.clone());
        r.register("livekit_sip_invite_error", "Calls that were not answered", m.errors.clone());
        r.register("livekit_sip_calls_active", "Calls that are up", m.active.clone());
        r.register("livekit_sip_calls_terminated", "Calls that ended", m.terminated.clone());
        r.register("livekit_sip_dur_session_sec", "Seconds from INVITE to the end", m.session.clone());
        r.register("livekit_sip_dur_call_sec", "Seconds from answer to the end", m.talk.clone());
        r.register("trunkline_setup_seconds", "Seconds from INVITE to answer", m.setup.clone());
        r.register("trunkline_mos", "Mean opinion score of ended calls", m.mos.clone());
        r.register("trunkline_loss_ratio", "Share of RTP that never came, of ended calls", m.loss.clone());
        r.register("trunkline_jitter_seconds", "RTP jitter at the end of calls", m.jitter.clone());
        r.register_collector(Box::new(m.held.clone()));
        Self { registry, ..metrics }
    }

    /// The page. `None`: the signalling thread does not answer, and what is held is left out.
    ///
    /// # Errors
    /// Writing into a string does not fail.
    pub fn text(&self, status: Option<Status>) -> Result<String, fmt::Error> {
        self.held.set(status);
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
