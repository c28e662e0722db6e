//! What customers of livekit/sip tuned for: headers and attributes both ways, the room methods, prompts, ringing,
//! agents of a rule, and who is turned away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::time::Duration;
use trunkline_tests::ears;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::livekit::House;
use trunkline_tests::terminal::Terminal;
use trunkline_tests::wire::{Peer, header, status, to_tag};

const NUMBER: &str = "+15550100";

/// A trunk for the number and a rule into the lobby, with more fields of each.
fn number_into_lobby(house: &House, trunk: Value, rule: Value) {
    let with = |mut base: Value, more: Value| {
        for (name, value) in more.as_object().unwrap() {
            base[name] = value.clone();
        }
        base
    };
    let base = json!({"name": "in", "numbers": [NUMBER], "allowed_addresses": ["127.0.0.0/8"]});
    let trunk = house.sip("create_inbound_trunk", &json!({ "trunk": with(base, trunk) }));
    let base = json!({"name": "in", "trunk_ids": [trunk["sip_trunk_id"]],
        "rule": {"dispatch_rule_direct": {"room_name": "lobby"}}});
    let _ = house.sip("create_dispatch_rule", &json!({ "dispatch_rule": with(base, rule) }));
}

#[test]
fn headers_become_attributes_and_attributes_headers_on_the_200_and_on_the_bye() {
    let house = House::start();
    number_into_lobby(
        &house,
        json!({"headers": {"X-Served": "yes"}, "headers_to_attributes": {"X-Order": "order"},
            "attributes_to_headers": {"desk": "X-Desk"}, "include_headers": "SIP_X_HEADERS"}),
        json!({"attributes": {"desk": "7"}}),
    );
    let mut gateway = Gateway::with(&house.yaml());
    let mut person = house.person("lobby", "person");
    person.tone(1_000);
    let peer = Peer::new(gateway.port);
    peer.send(peer.invite(NUMBER, "details", "X-Order: 4711\r\nX-Twilio-CallSid: CA1\r\n").as_bytes());
    let ok = peer.final_answer("details", "1 INVITE").expect("a final answer");
    assert_eq!(status(&ok), Some(200), "{ok}\n{}", gateway.log());
    assert_eq!((header(&ok, "X-Served"), header(&ok, "X-Desk")), (Some("yes"), Some("7")), "{ok}");
    peer.send(peer.request("ACK", "details", 1, to_tag(&ok).as_deref(), None).as_bytes());
    let joined = person.wait_for("joined", |e| e["kind"] == 3);
    let who = joined["identity"].as_str().unwrap().to_owned();
    let attributes = person.attributes_of(&who);
    for (name, value) in
        [("order", "4711"), ("sip.h.x-order", "4711"), ("sip.twilio.callSid", "CA1"), ("desk", "7")]
    {
        assert_eq!(attributes[name], value, "{name} of {attributes}");
    }
    let asked =
        person.ask(&format!("rpc {who} lk.sip.GetRemoteHeaders {{\"include\":[\"X-Order\"]}}"), "rpc");
    assert_eq!(asked["answer"], "{\"headers\":{\"x-order\":\"4711\"}}", "{asked}");
    let unknown = person.ask(&format!("rpc {who} make.coffee x"), "rpc");
    assert_eq!(unknown["code"], 1_400, "{unknown}");
    let ended =
        person.ask(&format!("rpc {who} lk.sip.EndCall {{\"headers\":{{\"X-Why\":\"done\"}}}}"), "rpc");
    assert_eq!(ended["answer"], "{}", "{ended}");
    let bye = peer.expect(Duration::from_secs(5), |m| m.starts_with("BYE ")).expect("a BYE");
    assert_eq!((header(&bye, "X-Why"), header(&bye, "X-Desk")), (Some("done"), Some("7")), "{bye}");
    peer.respond(&bye, "200 OK");
    gateway.wait_until_idle();
}

#[test]
fn agents_of_a_rule_are_dispatched_to_the_room_that_the_call_opens() {
    let house = House::start();
    let agents = json!({"room_config": {"agents": [{"agent_name": "receptionist", "metadata": "m"}]}});
    number_into_lobby(&house, json!({}), agents);
    let mut gateway = Gateway::with(&format!("{}rooms:\n  answer: when_joined\n", house.yaml()));
    let telephone = Terminal::tone(&gateway, "+15550111", NUMBER, 6, &[]);
    gateway.wait(Duration::from_secs(15), "a call in the room", |g| g.number("counts", "participants") == 1);
    let mut found = Value::Null;
    gateway.wait(Duration::from_secs(15), "the dispatch", |_| {
        found = house.api(&["dispatches", "lobby"]);
        found == json!(["receptionist"])
    });
    assert!(telephone.finish().success);
    gateway.wait_until_idle();
}

#[test]
fn who_is_answered_while_nobody_is_there_hears_ringing_until_somebody_is() {
    let house = House::start();
    number_into_lobby(&house, json!({}), json!({}));
    let mut gateway = Gateway::with(&format!("{}rooms:\n  answer: at_once\n", house.yaml()));
    let telephone = Terminal::tone(&gateway, "+15550111", NUMBER, 14, &[]);
    gateway.wait(Duration::from_secs(15), "a call in the room", |g| g.number("counts", "participants") == 1);
    std::thread::sleep(Duration::from_secs(2));
    let mut person = house.person("lobby", "person");
    person.tone(1_000);
    person.wait_for_tone("sip_+15550111", 440.0);
    let called = telephone.finish();
    let (ringing, voice) =
        (ears::tone_heard(&called.recording(), 0, 425.0), ears::tone_heard(&called.recording(), 0, 1_000.0));
    assert!(ringing > 0.05, "a second of 425 Hz: {ringing}; {}", called.printed);
    assert!(voice > 0.3, "then the room: {voice}; {}", called.printed);
    gateway.wait_until_idle();
}

#[test]
fn prompts_are_files_of_the_house_where_it_has_some() {
    let house = House::start();
    let pin = json!({"rule": {"dispatch_rule_direct": {"room_name": "lobby", "pin": "4711"}}});
    number_into_lobby(&house, json!({}), pin);
    let folder = tempfile::tempdir().unwrap();
    let file = ears::tone(folder.path(), 1_200, 2);
    let yaml = format!("{}prompts:\n  enter_pin: {}\n", house.yaml(), file.display());
    let mut gateway = Gateway::with(&yaml);
    let words = ["--from", "+15550111", "--longest", "5"];
    let called = Terminal::call(&gateway, NUMBER, &words).finish();
    assert!(ears::tone_heard(&called.recording(), 0, 1_200.0) > 0.2, "{}", called.printed);
    gateway.wait_until_idle();
}

#[test]
fn a_call_without_a_trunk_is_refused_where_the_file_wants_one() {
    let house = House::start();
    let everybody = json!({"name": "all", "rule": {"dispatch_rule_direct": {"room_name": "lobby"}}});
    let _ = house.sip("create_dispatch_rule", &json!({ "dispatch_rule": everybody }));
    let mut gateway = Gateway::with(&format!("{}dialplan:\n  require_trunk: true\n", house.yaml()));
    let called = Terminal::tone(&gateway, "+15550111", NUMBER, 3, &[]).finish();
    assert!(!called.success && called.printed.contains("404"), "{}", called.printed);
    assert!(gateway.log().contains("dialplan.require_trunk"), "{}", gateway.log());
    gateway.wait_until_idle();
}

#[test]
fn a_processor_that_is_at_its_limit_takes_no_new_call() {
    let house = House::start();
    number_into_lobby(&house, json!({}), json!({}));
    // livekit-server, Redis and this test are enough to be above a thousandth.
    let yaml = house.yaml().replace("max_cpu_utilization: 1", "max_cpu_utilization: 0.001");
    let mut gateway = Gateway::with(&yaml);
    let mut refused = Terminal::tone(&gateway, "+15550111", NUMBER, 3, &[]).finish();
    for _ in 0..5 {
        if refused.printed.contains("503") {
            break;
        }
        refused = Terminal::tone(&gateway, "+15550111", NUMBER, 3, &[]).finish();
    }
    assert!(!refused.success && refused.printed.contains("503"), "{}", refused.printed);
    assert!(gateway.log().contains("max_cpu_utilization"), "{}", gateway.log());
    let order = json!({"trunk": {"hostname": "127.0.0.1:9"}, "sip_number": "+1", "sip_call_to": "+15550177",
        "room_name": "lobby"});
    let nobody = house.api(&["create_participant", &order.to_string()]);
    assert!(nobody["error"]["code"].is_string(), "nobody claims a call: {nobody}");
    gateway.wait_until_idle();
}
