//! What a scrape says after calls of every kind.

use super::Metrics;
use super::observe::Up;
use crate::control::{CallEvent, Counts, Figure, Stage, Status, Totals};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use trunkline_records::{Cdr, Entry};

fn metrics() -> (Metrics, Up) {
    (Metrics::new("NE_test"), Up::default())
}

/// The page, without the label that is the same everywhere.
fn page(metrics: &Metrics, status: Option<Status>) -> String {
    let text = metrics.text(status).expect("text");
    text.replace("node_id=\"NE_test\",", "").replace("{node_id=\"NE_test\"}", "")
}

fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "no line {line} in\n{text}");
    }
}

fn cdr(id: &str, status: u16, answered: Option<u64>) -> Arc<Cdr> {
    Arc::new(Cdr {
        id: id.into(),
        direction: "inbound".into(),
        trunk: Some("ST_1".into()),
        started: 1_000_000,
        answered,
        ended: Some(31_000_000),
        status,
        codec: Some("PCMU".into()),
        media: answered.map(|_| {
            serde_json::json!({ "mos": 4.3, "lost": 1, "received": 999, "sent": 1_000, "jitter_ms": 1.5 })
        }),
        ..Cdr::default()
    })
}

fn measured(call: &str, figure: Figure) -> CallEvent {
    CallEvent::Measured { call: call.into(), outbound: false, figure }
}

fn status() -> Status {
    Status {
        version: "0",
        pid: 1,
        uptime_s: 1,
        draining: false,
        full: false,
        cpu: 0.25,
        sip: Vec::new(),
        agent: String::new(),
        open: true,
        counts: Counts { calls: 1, ..Counts::default() },
        totals: Totals { inbound: 7, ..Totals::default() },
    }
}

const OFFER: &[u8] = b"v=0\r\nm=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 opus/48000/2\r\n";

/// Something for every metric.
fn busy_day() -> Metrics {
    let (metrics, mut up) = metrics();
    let description = Figure::Description { offer: true, theirs: true, sdp: Bytes::from_static(OFFER) };
    for event in [
        CallEvent::Began(cdr("a", 0, None)),
        CallEvent::Began(cdr("b", 0, None)),
        CallEvent::Began(cdr("c", 0, None)),
        measured("a", description),
        measured("a", Figure::Stage(Stage::Check, Duration::from_millis(3))),
        measured("a", Figure::Stage(Stage::Join, Duration::from_millis(30))),
        measured("a", Figure::Stage(Stage::LkConnect, Duration::from_millis(20))),
        CallEvent::Updated(cdr("a", 200, Some(1_004_000))),
        CallEvent::Updated(cdr("a", 200, Some(1_004_000))),
        measured("a", Figure::TransferBegan),
        measured("a", Figure::TransferFailed { status: 603, code: "permission_denied".into() }),
        measured("a", Figure::TransferBegan),
        measured("a", Figure::TransferDone),
        CallEvent::Ended(cdr("a", 200, Some(1_004_000))),
        CallEvent::Ended(cdr("b", 404, None)),
        measured("b", Figure::Unconfirmed),
    ] {
        up.count(&metrics, &event);
    }
    metrics
}

#[test]
fn a_scrape_after_a_talk_and_a_refusal_reads_as_livekit_would_tell_it() {
    let text = page(&busy_day(), Some(status()));
    has(
        &text,
        &[
            "livekit_sip_invite_requests_raw 7",
            "livekit_sip_invite_requests{dir=\"in\"} 3",
            "livekit_sip_invite_requests{dir=\"out\"} 0",
            "livekit_sip_invite_accepted{dir=\"in\",to=\"ST_1\"} 1",
            "livekit_sip_invite_error{dir=\"in\",to=\"ST_1\",reason=\"not-found\"} 1",
            "livekit_sip_calls_active{dir=\"in\",to=\"ST_1\"} 1",
            "livekit_sip_calls_terminated{dir=\"in\",to=\"ST_1\",result=\"success\",reason=\"success\"} 1",
            "livekit_sip_calls_terminated{dir=\"in\",to=\"ST_1\",result=\"client_error\",reason=\"not-found\"} 1",
            "livekit_sip_calls_termination_failures{dir=\"in\"} 1",
            "livekit_sip_packets_rtp{dir=\"in\",to=\"ST_1\",op=\"recv\",payload=\"0\"} 999",
            "livekit_sip_packets_rtp{dir=\"in\",to=\"ST_1\",op=\"send\",payload=\"0\"} 1000",
            "livekit_sip_dur_call_sec_bucket{dir=\"in\",le=\"60\"} 1",
            "livekit_sip_dur_check_sec_bucket{dir=\"in\",le=\"0.005\"} 1",
            "livekit_sip_dur_join_sec_bucket{dir=\"in\",le=\"0.025\"} 0",
            "livekit_sip_dur_join_sec_bucket{dir=\"in\",le=\"0.05\"} 1",
            "livekit_sip_stage_dur_sec_count{dir=\"in\",stage=\"lk-connect\"} 1",
            "livekit_sip_sdp_size_bytes_count{type=\"offer\"} 1",
            "livekit_sip_sdp_parsed_total{dir=\"in\",provider=\"ST_1\"} 1",
            "livekit_sip_codec_offered_total{dir=\"in\",provider=\"ST_1\",codec=\"PCMU\"} 1",
            "livekit_sip_codec_offered_total{dir=\"in\",provider=\"ST_1\",codec=\"opus\"} 1",
            "livekit_sip_transfers_total{dir=\"in\"} 2",
            "livekit_sip_transfers_succeeded_total{dir=\"in\"} 1",
            "livekit_sip_transfers_failed_total{dir=\"in\",reason=\"global-decline-603\"} 1",
            "livekit_sip_transfers_active{dir=\"in\"} 0",
            "livekit_sip_available 1",
            "livekit_node_cpu_load{node_type=\"SIP\"} 0.25",
            "trunkline_setup_seconds_bucket{dir=\"in\",le=\"0.005\"} 1",
            "trunkline_setup_seconds_bucket{dir=\"in\",le=\"0.002\"} 0",
            "trunkline_mos_bucket{le=\"4.2\"} 0",
            "trunkline_mos_count 1",
            "trunkline_loss_ratio_bucket{le=\"0.001\"} 1",
        ],
    );
}

#[test]
fn what_is_held_is_left_out_when_nobody_says_it_and_full_is_not_available() {
    let (metrics, _) = metrics();
    let text = page(&metrics, None);
    assert!(!text.contains("trunkline_legs") && !text.contains("livekit_sip_available"), "{text}");
    has(&page(&metrics, Some(Status { full: true, ..status() })), &["livekit_sip_available 0"]);
}

#[test]
fn a_call_is_accepted_when_it_is_answered_and_not_only_at_its_end() {
    let (metrics, mut up) = metrics();
    up.count(&metrics, &CallEvent::Began(cdr("a", 0, None)));
    up.count(&metrics, &CallEvent::Updated(cdr("a", 200, Some(1_004_000))));
    has(&page(&metrics, None), &["livekit_sip_invite_accepted{dir=\"in\",to=\"ST_1\"} 1"]);
}

#[test]
fn a_call_that_is_known_from_the_list_and_begins_after_it_counts_once() {
    let (metrics, mut up) = metrics();
    up.replace(&metrics, &[Cdr::clone(&cdr("a", 0, None))]);
    up.count(&metrics, &CallEvent::Began(cdr("a", 0, None)));
    has(
        &page(&metrics, None),
        &["livekit_sip_calls_active{dir=\"in\",to=\"ST_1\"} 1", "livekit_sip_invite_requests{dir=\"in\"} 1"],
    );
}

#[test]
fn after_missed_events_nothing_stays_that_is_not_up() {
    let (metrics, mut up) = metrics();
    for id in ["a", "b"] {
        up.count(&metrics, &CallEvent::Began(cdr(id, 0, None)));
        up.count(&metrics, &measured(id, Figure::TransferBegan));
    }
    up.replace(&metrics, &[Cdr::clone(&cdr("b", 0, None))]);
    has(
        &page(&metrics, None),
        &["livekit_sip_calls_active{dir=\"in\",to=\"ST_1\"} 1", "livekit_sip_transfers_active{dir=\"in\"} 1"],
    );
    up.count(&metrics, &CallEvent::Ended(cdr("b", 200, Some(2_000_000))));
    has(
        &page(&metrics, None),
        &["livekit_sip_calls_active{dir=\"in\",to=\"ST_1\"} 0", "livekit_sip_transfers_active{dir=\"in\"} 0"],
    );
}

#[test]
fn an_entry_of_a_timeline_changes_no_figure() {
    let (metrics, mut up) = metrics();
    let before = page(&metrics, None);
    let what = trunkline_records::What::Fault { text: "x".into() };
    up.count(&metrics, &CallEvent::Entry { call: "a".into(), entry: Arc::new(Entry { at: 0, what }) });
    assert_eq!(page(&metrics, None), before);
}

#[test]
fn whatever_thousands_of_strangers_name_there_are_no_more_series() {
    let (metrics, mut up) = metrics();
    let stranger = |n: u16| {
        let id = format!("SCL_{n}");
        let status = 300 + n % 400;
        let offer = format!("m=audio 1 RTP/AVP 96\r\na=rtpmap:96 codec{n}/8000\r\n");
        let call = Arc::new(Cdr {
            id: id.clone(),
            direction: if n.is_multiple_of(2) { "inbound" } else { "outbound" }.into(),
            from: format!("+1555{n}"),
            to: format!("{n}@host{n}.example"),
            source: format!("192.0.2.1:{n}"),
            started: 1,
            ended: Some(2),
            status,
            codec: Some(format!("codec{n}")),
            media: Some(serde_json::json!({ "sent": 1, "received": 1 })),
            ..Cdr::default()
        });
        let sdp = Bytes::from(offer);
        let failed = Figure::TransferFailed { status, code: "unknown".into() };
        [
            CallEvent::Began(Arc::clone(&call)),
            measured(&id, Figure::Description { offer: true, theirs: true, sdp }),
            measured(&id, failed),
            CallEvent::Ended(call),
        ]
    };
    let mut lines = Vec::new();
    for n in 0..8_000 {
        for event in stranger(n) {
            up.count(&metrics, &event);
        }
        if matches!(n, 799 | 7_999) {
            lines.push(page(&metrics, None).lines().count());
        }
    }
    assert_eq!(lines.first(), lines.last(), "the first 800 strangers made all there is");
    assert!(lines[0] < 900, "{lines:?}");
}

#[test]
fn every_metric_of_the_docs_is_in_a_scrape_and_the_other_way_round() {
    let text = page(&busy_day(), Some(status()));
    let scraped: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(|name| name.strip_suffix("_total").unwrap_or(name))
        .collect();
    let docs = include_str!("../../../docs/metrics.md");
    let told: BTreeSet<&str> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.starts_with("livekit_") || name.starts_with("trunkline_"))
        .map(|name| name.strip_suffix("_total").unwrap_or(name))
        .collect();
    assert_eq!(scraped, told);
}
