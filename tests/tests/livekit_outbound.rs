//! Calls that LiveKit's API asks for: `CreateSIPParticipant` reaches us over psrpc, a telephone rings, and the API
//! hears what became of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::time::Duration;
use trunkline_tests::baresip::Baresip;
use trunkline_tests::ears;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::livekit::House;
use trunkline_tests::sipp;

fn trunk_to(house: &House, port: u16, more: Value) -> String {
    let mut trunk = json!({"name": "out", "address": format!("127.0.0.1:{port}"), "numbers": ["+15550199"]});
    for (name, value) in more.as_object().expect("an object") {
        trunk[name] = value.clone();
    }
    let made = house.sip("create_outbound_trunk", &json!({ "trunk": trunk }));
    made["sip_trunk_id"].as_str().expect("an id").to_owned()
}

fn dial(house: &House, trunk: &str, more: Value) -> Value {
    let mut request = json!({"sip_trunk_id": trunk, "sip_call_to": "+15550177", "room_name": "lobby",
        "participant_identity": "callee", "participant_name": "Callee"});
    for (name, value) in more.as_object().expect("an object") {
        request[name] = value.clone();
    }
    house.api(&["create_participant", &request.to_string()])
}

#[test]
fn a_telephone_that_livekits_api_calls_is_heard_and_hears_in_the_room() {
    let house = House::start();
    let mut gateway = Gateway::with(&house.yaml());
    let mut person = house.person("lobby", "person");
    person.tone(1_000);
    let port = trunkline_tests::free_port();
    let speech = ears::tone(gateway.folder.path(), 440, 20);
    let phone = Baresip::answer(port, &speech, 8);
    let trunk = trunk_to(&house, port, json!({}));
    // A telephone answers to its own name only.
    let placed = dial(&house, &trunk, json!({"wait_until_answered": true, "sip_call_to": "baresip"}));
    assert_eq!(placed["participant_identity"], "callee", "{placed}\n{}", gateway.log());
    assert!(placed["sip_call_id"].as_str().is_some_and(|id| id.starts_with("SCL_")), "{placed}");
    person.wait_for("joined", |e| e["identity"] == "callee" && e["kind"] == 3);
    person.wait_for_tone("callee", 440.0);
    let attributes = person.attributes_of("callee");
    assert_eq!(attributes["sip.callStatus"], "active", "{attributes}");
    assert_eq!(attributes["sip.trunkID"], trunk.as_str(), "{attributes}");
    person.tell("key 7");
    let (heard, printed, _folder) = phone.finish(Duration::from_secs(20));
    let timeline = gateway.last_call();
    let share = ears::tone_heard(&heard, 0, 1_000.0);
    assert!(share > 0.8, "the telephone hears the room: {share}\n{printed}\n{timeline}");
    person.wait_for("left", |e| e["identity"] == "callee");
    gateway.wait_until_idle();
    let cdr = gateway.last_call();
    assert_eq!(
        (cdr["cdr"]["direction"].as_str(), cdr["cdr"]["status"].as_u64()),
        (Some("outbound"), Some(200))
    );
}

#[test]
fn a_busy_line_is_told_with_its_status_and_nobody_stays_in_the_room() {
    let house = House::start();
    let mut gateway = Gateway::with(&house.yaml());
    let phone = sipp::Server::start("uas-busy.xml");
    let trunk = trunk_to(&house, phone.port, json!({}));
    let busy = dial(&house, &trunk, json!({"wait_until_answered": true}));
    assert_eq!(busy["error"]["code"], "resource_exhausted", "{busy}\n{}", gateway.log());
    assert_eq!(busy["error"]["metadata"]["sip_status_code"], "486", "{busy}");
    phone.finish();
    gateway.wait_until_idle();
}

#[test]
fn credentials_of_the_trunk_are_used_and_the_call_ends_when_the_participant_is_removed() {
    let house = House::start();
    let mut gateway = Gateway::with(&house.yaml());
    let phone = sipp::Server::start("uas-digest.xml");
    let trunk = trunk_to(&house, phone.port, json!({"auth_username": "office", "auth_password": "hush"}));
    let placed = dial(&house, &trunk, json!({"wait_until_answered": true}));
    let refused = placed.get("error").is_some();
    assert!(!gateway.log().contains("hush"), "a password is in the log");
    if !refused {
        let _ = house.room("remove_participant", &json!({"room": "lobby", "identity": "callee"}));
    }
    gateway.wait_until_idle();
    let cdr = gateway.last_call();
    assert_eq!(cdr["cdr"]["direction"], "outbound", "{cdr}");
    // The name is free again: the next call has it, and no other.
    let again = dial(&house, &trunk, json!({"wait_until_answered": false}));
    assert_eq!(again["participant_identity"], "callee", "{again}");
}

#[test]
fn an_address_that_cannot_be_is_told_at_once() {
    let house = House::start();
    let mut gateway = Gateway::with(&house.yaml());
    let trunk = trunk_to(&house, 5099, json!({"address": "no-such-host.invalid"}));
    let refused = dial(&house, &trunk, json!({"wait_until_answered": true}));
    assert_eq!(refused["error"]["code"], "invalid_argument", "{refused}");
    gateway.wait_until_idle();
}

#[test]
fn a_caller_is_transferred_by_the_api_and_the_telephone_is_with_the_other_one() {
    let house = House::start();
    let mut gateway = Gateway::with(&house.yaml());
    let person = house.person("lobby", "person");
    let speech = ears::tone(gateway.folder.path(), 440, 30);
    let (near, far) = (trunkline_tests::free_port(), trunkline_tests::free_port());
    let phone = Baresip::answer(near, &speech, 20);
    let other = Baresip::answer(far, &speech, 20);
    let trunk = trunk_to(&house, near, json!({}));
    let placed = dial(&house, &trunk, json!({"wait_until_answered": true, "sip_call_to": "baresip"}));
    assert_eq!(placed["participant_identity"], "callee", "{placed}\n{}", gateway.log());
    let request = json!({"participant_identity": "callee", "room_name": "lobby",
        "transfer_to": format!("sip:baresip@127.0.0.1:{far}")});
    let moved = house.api(&["transfer_participant", &request.to_string()]);
    assert!(moved.get("error").is_none(), "{moved}\n{}", gateway.log());
    gateway.wait_until_idle();
    drop(person);
    let (heard, printed, _folder) = other.finish(Duration::from_secs(30));
    assert!(ears::tone_heard(&heard, 0, 440.0) > 0.8, "the two telephones talk\n{printed}");
    drop(phone);
    let unknown =
        json!({"participant_identity": "nobody", "room_name": "lobby", "transfer_to": "sip:a@127.0.0.1"});
    let refused = house.api(&["transfer_participant", &unknown.to_string()]);
    assert!(refused.get("error").is_some(), "{refused}");
}
