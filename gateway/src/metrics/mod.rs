//! Metrics: livekit/sip's names where it has one, `trunkline_…` for ours; docs/metrics.md has them all. Calls are
//! counted from the stream of call events, what is held from the status at the time of a scrape.
//!
//! No label grows with what strangers name ([`labels`]), and nothing is counted per packet: a leg tells its
//! figures at its end.

mod held;
mod labels;
mod observe;
mod offered;
#[cfg(test)]
mod tests;

pub use observe::observe;

use crate::control::Status;
use held::Held;
use labels::{Dir, Ending, Failed, Kind, Offered, Packets, Part, Party, Provider, Why};
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count that only grows, under exactly its name: the crate's own counter adds `_total`, which some of
/// livekit/sip's names do not have and dashboards would not find. Its type is told as `untyped`.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, many: u64) {
        self.0.fetch_add(many, Ordering::Relaxed);
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
    accepted: Family<Party, Tally>,
    errors: Family<Why, Tally>,
    active: Family<Party, Gauge>,
    terminated: Family<Ending, Tally>,
    unconfirmed: Family<Dir, Tally>,
    packets: Family<Packets, Tally>,
    session: Histograms<Dir>,
    talk: Histograms<Dir>,
    check: Histograms<Dir>,
    join: Histograms<Dir>,
    stage: Histograms<Part>,
    sdp_size: Histograms<Kind>,
    sdp_parsed: Family<Provider, Counter>,
    offered: Family<Offered, Counter>,
    transfers: Family<Dir, Counter>,
    transferred: Family<Dir, Counter>,
    not_transferred: Family<Failed, Counter>,
    moving: Family<Dir, Gauge>,
    setup: Histograms<Dir>,
    mos: Histogram,
    loss: Histogram,
    jitter: Histogram,
}

const LONG: [f64; 9] = [1.0, 10.0, 60.0, 600.0, 1800.0, 3600.0, 21_600.0, 43_200.0, 86_400.0];
/// livekit/sip's, and finer ones below: most of what it has in its first bucket takes us milliseconds.
const PART: [f64; 15] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 180.0];
const SIZE: [f64; 7] = [100.0, 250.0, 500.0, 750.0, 1_000.0, 1_250.0, 1_500.0];
const SETUP: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];
const MOS: [f64; 8] = [1.5, 2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2];
const LOSS: [f64; 8] = [0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
const JITTER: [f64; 8] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];

impl Metrics {
    /// None has counted anything yet. `node`: `NE_…`, the label `node_id` of all.
    #[must_use]
    pub fn new(node: &str) -> Self {
        let label = ("node_id".into(), node.to_owned().into());
        let metrics = Self {
            registry: Registry::with_labels(std::iter::once(label)),
            held: Held::default(),
            requests: Family::default(),
            accepted: Family::default(),
            errors: Family::default(),
            active: Family::default(),
            terminated: Family::default(),
            unconfirmed: Family::default(),
            packets: Family::default(),
            session: Family::new_with_constructor(|| Histogram::new(LONG)),
            talk: Family::new_with_constructor(|| Histogram::new(LONG)),
            check: Family::new_with_constructor(|| Histogram::new(PART)),
            join: Family::new_with_constructor(|| Histogram::new(PART)),
            stage: Family::new_with_constructor(|| Histogram::new(PART)),
            sdp_size: Family::new_with_constructor(|| Histogram::new(SIZE)),
            sdp_parsed: Family::default(),
            offered: Family::default(),
            transfers: Family::default(),
            transferred: Family::default(),
            not_transferred: Family::default(),
            moving: Family::default(),
            setup: Family::new_with_constructor(|| Histogram::new(SETUP)),
            mos: Histogram::new(MOS),
            loss: Histogram::new(LOSS),
            jitter: Histogram::new(JITTER),
        };
        metrics.registered().begun()
    }

    /// The names. Where the crate adds `_total`, it is left out here.
    fn registered(mut self) -> Self {
        let mut r = std::mem::take(&mut self.registry);
        let m = &self;
        r.register("livekit_sip_invite_requests", "INVITEs that began a call", m.requests.clone());
        r.register("livekit_sip_invite_accepted", "Calls that were answered", m.accepted.clone());
        r.register("livekit_sip_invite_error", "Calls that were not answered", m.errors.clone());
        r.register("livekit_sip_calls_active", "Calls that are up", m.active.clone());
        r.register("livekit_sip_calls_terminated", "Calls that ended", m.terminated.clone());
        r.register(
            "livekit_sip_calls_termination_failures",
            "Calls whose end the peer never confirmed",
            m.unconfirmed.clone(),
        );
        r.register("livekit_sip_packets_rtp", "RTP packets of ended calls", m.packets.clone());
        r.register("livekit_sip_dur_session_sec", "Seconds from INVITE to the end", m.session.clone());
        r.register("livekit_sip_dur_call_sec", "Seconds from answer to the end", m.talk.clone());
        r.register("livekit_sip_dur_check_sec", "Seconds from INVITE to the decision", m.check.clone());
        r.register("livekit_sip_dur_join_sec", "Seconds from INVITE to the room or agent", m.join.clone());
        r.register("livekit_sip_stage_dur_sec", "Seconds of a part of the set-up", m.stage.clone());
        r.register("livekit_sip_sdp_size_bytes", "Bytes of a description", m.sdp_size.clone());
        r.register("livekit_sip_sdp_parsed", "Descriptions of peers", m.sdp_parsed.clone());
        r.register("livekit_sip_codec_offered", "Codecs in descriptions of peers", m.offered.clone());
        r.register("livekit_sip_transfers", "Transfers that began", m.transfers.clone());
        r.register("livekit_sip_transfers_succeeded", "Transfers that arrived", m.transferred.clone());
        r.register("livekit_sip_transfers_failed", "Transfers that did not", m.not_transferred.clone());
        r.register("livekit_sip_transfers_active", "Transfers under way", m.moving.clone());
        r.register("trunkline_setup_seconds", "Seconds from INVITE to answer", m.setup.clone());
        r.register("trunkline_mos", "Mean opinion score of ended calls", m.mos.clone());
        r.register("trunkline_loss_ratio", "Share of RTP that never came, of ended calls", m.loss.clone());
        r.register("trunkline_jitter_seconds", "RTP jitter at the end of calls", m.jitter.clone());
        r.register_collector(Box::new(m.held.clone()));
        self.registry = r;
        self
    }

    /// What is counted by direction alone is there from the start, as 0: a rate needs a value to rise from.
    fn begun(self) -> Self {
        for dir in ["in", "out"] {
            let dir = Dir { dir };
            let _ = self.requests.get_or_create(&dir);
            let _ = self.unconfirmed.get_or_create(&dir);
            let _ = self.transfers.get_or_create(&dir);
            let _ = self.transferred.get_or_create(&dir);
            let _ = self.moving.get_or_create(&dir);
        }
        self
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
