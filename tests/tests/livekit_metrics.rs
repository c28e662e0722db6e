//! What a dashboard made for livekit/sip shows after a day of a house with livekit-server: a call in, a busy line, a
//! transfer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use trunkline_tests::baresip::Baresip;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::livekit::House;
use trunkline_tests::terminal::Terminal;
use trunkline_tests::{ears, sipp};

const NUMBER: &str = "+15550100";

fn page(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("prometheus_port listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("asked");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a page");
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    text
}

/// The sum of a metric over the series that have all of these labels.
fn sum(page: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let of = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'))
            && labels.iter().all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
    };
    page.lines().filter(of).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn trunk_to(house: &House, port: u16) -> String {
    let trunk = json!({"name": "out", "address": format!("127.0.0.1:{port}"), "numbers": ["+15550199"]});
    let made = house.sip("create_outbound_trunk", &json!({ "trunk": trunk }));
    made["sip_trunk_id"].as_str().expect("an id").to_owned()
}

fn dial(house: &House, trunk: &str, to: &str) -> Value {
    let request = json!({"sip_trunk_id": trunk, "sip_call_to": to, "room_name": "lobby",
        "participant_identity": "callee", "wait_until_answered": true});
    house.api(&["create_participant", &request.to_string()])
}

#[test]
fn a_call_in_a_busy_line_and_a_transfer_read_as_livekits_dashboards_expect_it() {
    let house = House::start();
    let (door, _rule) = house.number_into_room(NUMBER, "lobby");
    let port = trunkline_tests::free_port();
    let mut gateway = Gateway::with(&format!("{}prometheus_port: {port}\n", house.yaml()));
    let mut person = house.person("lobby", "person");
    person.tone(1_000);

    let called = Terminal::tone(&gateway, "+15550111", NUMBER, 3, &[]).finish();
    assert!(called.success, "{}", called.printed);

    let phone = sipp::Server::start("uas-busy.xml");
    let busy_trunk = trunk_to(&house, phone.port);
    let busy = dial(&house, &busy_trunk, "+15550177");
    assert_eq!(busy["error"]["metadata"]["sip_status_code"], "486", "{busy}");
    phone.finish();

    let speech = ears::tone(gateway.folder.path(), 440, 20);
    let (near, far) = (trunkline_tests::free_port(), trunkline_tests::free_port());
    let (phone, other) = (Baresip::answer(near, &speech, 15), Baresip::answer(far, &speech, 5));
    let trunk = trunk_to(&house, near);
    let placed = dial(&house, &trunk, "baresip");
    assert_eq!(placed["participant_identity"], "callee", "{placed}\n{}", gateway.log());
    let during = page(port);
    assert_eq!(sum(&during, "livekit_sip_calls_active", &[("dir", "out"), ("to", &trunk)]), 1.0, "{during}");
    let request = json!({"participant_identity": "callee", "room_name": "lobby",
        "transfer_to": format!("sip:baresip@127.0.0.1:{far}")});
    let moved = house.api(&["transfer_participant", &request.to_string()]);
    assert!(moved.get("error").is_none(), "{moved}\n{}", gateway.log());
    gateway.wait_until_idle();
    let _ = other.finish(Duration::from_secs(30));
    drop(phone);

    gateway
        .wait_until("all calls are counted", |_| sum(&page(port), "livekit_sip_calls_terminated", &[]) > 2.0);
    expect(&page(port), &door, &busy_trunk, &trunk);
}

fn expect(page: &str, door: &str, busy_trunk: &str, trunk: &str) {
    for (name, labels, value) in [
        ("livekit_sip_invite_requests_raw", &[][..], 1.0),
        ("livekit_sip_invite_requests", &[("dir", "in")], 1.0),
        ("livekit_sip_invite_requests", &[("dir", "out")], 2.0),
        ("livekit_sip_invite_accepted", &[("dir", "in"), ("to", door)], 1.0),
        ("livekit_sip_invite_accepted", &[("dir", "out"), ("to", trunk)], 1.0),
        ("livekit_sip_invite_error", &[("dir", "out"), ("to", busy_trunk), ("reason", "busy")], 1.0),
        ("livekit_sip_calls_active", &[], 0.0),
        ("livekit_sip_calls_terminated", &[("dir", "in"), ("result", "success")], 1.0),
        ("livekit_sip_calls_terminated", &[("dir", "out"), ("result", "success")], 1.0),
        ("livekit_sip_calls_terminated", &[("result", "client_error"), ("reason", "busy")], 1.0),
        ("livekit_sip_calls_termination_failures", &[], 0.0),
        ("livekit_sip_transfers_total", &[("dir", "out")], 1.0),
        ("livekit_sip_transfers_succeeded_total", &[("dir", "out")], 1.0),
        ("livekit_sip_transfers_active", &[], 0.0),
        ("livekit_sip_dur_call_sec_count", &[("dir", "in")], 1.0),
        ("livekit_sip_dur_session_sec_count", &[], 3.0),
        ("livekit_sip_dur_check_sec_count", &[("dir", "in")], 1.0),
        ("livekit_sip_dur_join_sec_count", &[("dir", "in")], 1.0),
        ("livekit_sip_dur_join_sec_count", &[("dir", "out")], 1.0),
        ("livekit_sip_stage_dur_sec_count", &[("dir", "out"), ("stage", "lk-connect")], 2.0),
        ("livekit_sip_sdp_parsed_total", &[("dir", "in"), ("provider", door)], 1.0),
        ("livekit_sip_sdp_size_bytes_count", &[("type", "offer")], 3.0),
        ("livekit_sip_available", &[], 1.0),
    ] {
        assert_eq!(sum(page, name, labels), value, "{name} {labels:?}\n{page}");
    }
    for stage in [
        "get-auth",
        "eval-dispatch",
        "start-media",
        "lk-connect",
        "track-publish",
        "join-room",
        "track-subscribe",
        "wait-subscribe",
        "call-accept",
        "sip-accept",
        "wait-media",
    ] {
        let times = sum(page, "livekit_sip_stage_dur_sec_count", &[("dir", "in"), ("stage", stage)]);
        assert_eq!(times, 1.0, "{stage}\n{page}");
    }
    // Three seconds of a call, fifty packets a second.
    for (dir, op) in [("in", "recv"), ("in", "send"), ("out", "recv")] {
        let packets = sum(page, "livekit_sip_packets_rtp", &[("dir", dir), ("op", op)]);
        assert!(packets > 30.0, "{dir} {op}: {packets}\n{page}");
    }
    assert!(
        sum(page, "livekit_sip_codec_offered_total", &[("dir", "in"), ("codec", "PCMU")]) > 0.0,
        "{page}"
    );
}
