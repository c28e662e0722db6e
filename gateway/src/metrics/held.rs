//! What is held, and the totals of the signalling thread: read from its status, not counted here.

use super::labels::Node;
use crate::control::Status;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The status of the last scrape.
#[derive(Debug, Clone, Default)]
pub struct Held(Arc<Mutex<Option<Status>>>);

impl Held {
    /// As of now.
    pub fn set(&self, status: Option<Status>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

impl Collector for Held {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(status) = held.as_ref() else { return Ok(()) };
        let counts = &status.counts;
        for (name, help, held) in [
            ("trunkline_calls", "Calls of the signalling thread", counts.calls),
            ("trunkline_transactions", "SIP transactions, lingering ones too", counts.transactions),
            ("trunkline_dialogs", "SIP dialogs", counts.dialogs),
            ("trunkline_legs", "RTP legs", counts.legs),
            ("trunkline_port_pairs", "Pairs of RTP ports that are taken", counts.ports),
            ("trunkline_agents", "Agent sessions", counts.agents),
            ("trunkline_rooms", "Local rooms", counts.rooms),
            ("trunkline_participants", "Participants of local rooms", counts.participants),
            ("trunkline_tcp_connections", "TCP connections of SIP peers", counts.connections),
            ("livekit_sip_available", "New calls are taken", usize::from(!status.draining && !status.full)),
        ] {
            let gauge = ConstGauge::new(i64::try_from(held).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let load = "livekit_node_cpu_load";
        let mut load = encoder.encode_descriptor(load, "Share of the processors", None, MetricType::Gauge)?;
        ConstGauge::new(status.cpu).encode(load.encode_family(&Node { node_type: "SIP" })?)?;
        let totals = &status.totals;
        // Under exactly its name, as `Tally`.
        let raw = ("livekit_sip_invite_requests_raw", "INVITEs that came, whatever became of them");
        let raw = encoder.encode_descriptor(raw.0, raw.1, None, MetricType::Unknown)?;
        ConstGauge::new(i64::try_from(totals.inbound).unwrap_or(i64::MAX)).encode(raw)?;
        for (name, help, total) in [
            ("trunkline_inbound_calls", "Calls that came in", totals.inbound),
            ("trunkline_outbound_calls", "Calls that were placed", totals.outbound),
            ("trunkline_answered_calls", "Calls that were answered", totals.answered),
            ("trunkline_refused_invites", "INVITEs refused, whatever the reason", totals.refused),
            ("trunkline_over_budget", "Datagrams over the budget of their source", totals.over_budget),
            ("trunkline_malformed", "Messages that could not be read", totals.malformed),
            (
                "trunkline_timeline_lost",
                "Timeline entries that the disk was too slow for",
                totals.timeline_lost,
            ),
        ] {
            let counter = ConstCounter::new(total);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}
