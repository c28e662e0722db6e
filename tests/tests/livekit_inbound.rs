//! Calls that come in and become participants of LiveKit rooms, in place of livekit/sip: a file that was written
//! for it, livekit-server with Redis, trunk and rule made by LiveKit's API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines
)]

use serde_json::json;
use trunkline_tests::ears;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::livekit::House;
use trunkline_tests::terminal::Terminal;

const NUMBER: &str = "+15550100";

fn gateway(house: &House) -> Gateway {
    Gateway::with(&house.yaml())
}

#[test]
fn a_caller_is_heard_and_hears_in_the_room_with_every_attribute() {
    let house = House::start();
    let (trunk, rule) = house.number_into_room(NUMBER, "lobby");
    let mut gateway = gateway(&house);
    let mut person = house.person("lobby", "person");
    person.tone(1_000);
    let tone = ears::tone(gateway.folder.path(), 440, 12);
    let call = Terminal::call(
        &gateway,
        NUMBER,
        &["--from", "+15550111", "--longest", "9", "--at-once", "--wav", tone.to_str().unwrap()],
    );
    let joined = person.wait_for("joined", |e| e["identity"] == "sip_+15550111");
    assert_eq!(
        (joined["kind"].as_u64(), joined["name"].as_str()),
        (Some(3), Some("Phone +15550111")),
        "{joined}"
    );
    person.wait_for_tone("sip_+15550111", 440.0);
    let attributes = person.attributes_of("sip_+15550111");
    for (name, value) in [
        ("sip.callStatus", "active"),
        ("sip.phoneNumber", "+15550111"),
        ("sip.trunkPhoneNumber", NUMBER),
        ("sip.trunkID", trunk.as_str()),
        ("sip.ruleID", rule.as_str()),
    ] {
        assert_eq!(attributes[name], value, "{name} of {attributes}");
    }
    assert!(attributes["sip.callID"].as_str().is_some_and(|id| id.starts_with("SCL_")), "{attributes}");
    assert!(attributes["sip.callIDFull"].as_str().is_some_and(|id| !id.is_empty()), "{attributes}");
    person.tell("key 5");
    let called = call.finish();
    assert!(called.success, "{}", called.printed);
    assert!(ears::tone_heard(&called.recording(), 0, 1_000.0) > 0.9, "the caller hears the room");
    person.wait_for("left", |e| e["identity"] == "sip_+15550111");
    gateway.wait_until_idle();
    let cdr = gateway.last_call();
    assert_eq!(cdr["cdr"]["destination"], "room lobby", "{cdr}");
}

#[test]
fn a_number_that_nobody_has_is_refused_and_the_log_says_why() {
    let house = House::start();
    house.number_into_room(NUMBER, "lobby");
    let mut gateway = gateway(&house);
    let called = Terminal::tone(&gateway, "+15550111", "+15550999", 4, &[]).finish();
    assert!(!called.success && called.printed.contains("404"), "{}", called.printed);
    assert!(gateway.log().contains("no dispatch rule for this call"), "{}", gateway.log());
    gateway.wait_until_idle();
}

#[test]
fn a_room_behind_a_pin_opens_to_the_right_one_and_to_no_other() {
    let house = House::start();
    let trunk = house.sip(
        "create_inbound_trunk",
        &json!({"trunk": {"name": "test", "numbers": [NUMBER], "allowed_addresses": ["127.0.0.0/8"]}}),
    );
    let rule = json!({"name": "pin", "trunk_ids": [trunk["sip_trunk_id"]],
        "rule": {"dispatch_rule_direct": {"room_name": "vault", "pin": "4711"}}});
    let _ = house.sip("create_dispatch_rule", &json!({ "dispatch_rule": rule }));
    let mut gateway = gateway(&house);
    let mut person = house.person("vault", "person");
    person.tone(900);
    let dialled = ["--from", "+15550111", "--longest", "10", "--at-once", "--keys", "4711#"];
    let right = Terminal::call(&gateway, NUMBER, &dialled);
    person.wait_for("joined", |e| e["identity"] == "sip_+15550111");
    let called = right.finish();
    assert!(ears::tone_heard(&called.recording(), 0, 900.0) > 0.8, "{}", called.printed);
    let dialled = ["--from", "+15550112", "--longest", "12", "--at-once", "--keys", "1234#"];
    let _ = Terminal::call(&gateway, NUMBER, &dialled).finish();
    assert!(!person.has_seen("joined", |e| e["identity"] == "sip_+15550112"), "a wrong PIN opened the room");
    gateway.wait_until_idle();
    assert!(!gateway.log().contains("4711"), "a PIN is in the log");
}

#[test]
fn a_browser_in_the_room_and_a_telephone_talk_with_each_other() {
    let house = House::start();
    house.number_into_room(NUMBER, "lobby");
    let mut gateway = gateway(&house);
    let mut browser = house.browser("lobby", "browser");
    browser.tone(700);
    let telephone = Terminal::tone(&gateway, "+15550111", NUMBER, 12, &["--codecs", "PCMU"]);
    let track = browser.wait_for("subscribed", |e| e["identity"] == "sip_+15550111");
    assert_eq!(
        track["mime"].as_str().map(str::to_lowercase).as_deref(),
        Some("audio/pcmu"),
        "untranscoded: {track}"
    );
    browser.wait_for_tone("sip_+15550111", 440.0);
    let called = telephone.finish();
    assert!(ears::tone_heard(&called.recording(), 0, 700.0) > 0.8, "the telephone hears the browser");
    gateway.wait_until_idle();
}

#[test]
fn two_calls_of_one_number_are_both_in_the_room() {
    let house = House::start();
    house.number_into_room(NUMBER, "lobby");
    let mut gateway = gateway(&house);
    let mut person = house.person("lobby", "person");
    let first = Terminal::tone(&gateway, "+15550111", NUMBER, 10, &[]);
    person.wait_for_tone("sip_+15550111", 440.0);
    let second = Terminal::tone(&gateway, "+15550111", NUMBER, 6, &[]);
    let beside = person.wait_for("joined", |e| {
        e["identity"].as_str().is_some_and(|identity| identity.starts_with("sip_+15550111_"))
    });
    person.wait_for_tone(beside["identity"].as_str().unwrap(), 440.0);
    assert!(!person.has_seen("left", |e| e["identity"] == "sip_+15550111"), "the first call goes on");
    assert!(first.finish().success && second.finish().success);
    gateway.wait_until_idle();
}

#[test]
fn who_is_removed_from_the_room_hears_the_call_end() {
    let house = House::start();
    house.number_into_room(NUMBER, "lobby");
    let mut gateway = gateway(&house);
    let mut person = house.person("lobby", "person");
    let telephone = Terminal::tone(&gateway, "+15550111", NUMBER, 30, &[]);
    person.wait_for_tone("sip_+15550111", 440.0);
    let _ = house.room("remove_participant", &json!({"room": "lobby", "identity": "sip_+15550111"}));
    let called = telephone.finish();
    assert!(called.printed.contains("hung up") || called.success, "{}", called.printed);
    gateway.wait_until_idle();
    let cdr = gateway.last_call();
    assert!(cdr["cdr"]["end"].as_str().is_some_and(|end| end.contains("PARTICIPANT_REMOVED")), "{cdr}");
}

#[test]
fn redis_may_die_in_mid_call_and_the_next_call_works_when_it_is_back() {
    let mut house = House::start();
    house.number_into_room(NUMBER, "lobby");
    let mut gateway = gateway(&house);
    let mut person = house.person("lobby", "person");
    let telephone = Terminal::tone(&gateway, "+15550111", NUMBER, 14, &[]);
    person.wait_for_tone("sip_+15550111", 440.0);
    house.kill_redis();
    let refused = Terminal::tone(&gateway, "+15550112", NUMBER, 3, &[]).finish();
    assert!(!refused.success && refused.printed.contains("503"), "{}", refused.printed);
    person.tell("forget");
    person.wait_for_tone("sip_+15550111", 440.0);
    house.start_redis();
    assert!(telephone.finish().success, "the call that was up noticed nothing");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !Terminal::tone(&gateway, "+15550113", NUMBER, 3, &[]).finish().success {
        assert!(std::time::Instant::now() < end, "no call comes in after Redis is back\n{}", gateway.log());
    }
    gateway.wait_until_idle();
}

#[test]
fn without_redis_rules_of_our_own_lead_into_livekit_rooms() {
    let house = House::start();
    let mut gateway = Gateway::with(&house.yaml_without_redis());
    let added = gateway.cli(&["rule", "add", "--room", "lobby", "--number", "4000"]);
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let mut person = house.person("lobby", "person");
    let telephone = Terminal::tone(&gateway, "ann", "4000", 8, &[]);
    person.wait_for_tone("sip_ann", 440.0);
    assert!(telephone.finish().success);
    gateway.wait_until_idle();
}

#[test]
fn a_server_that_is_away_is_told_to_the_caller_and_the_next_call_works() {
    let mut house = House::start();
    let mut gateway = Gateway::with(&house.yaml_without_redis());
    let _ = gateway.cli(&["rule", "add", "--room", "lobby", "--number", "4000"]);
    house.kill_server();
    let refused = Terminal::tone(&gateway, "ann", "4000", 3, &[]).finish();
    assert!(!refused.success && refused.printed.contains("503"), "{}", refused.printed);
    assert!(gateway.log().contains("cannot reach the LiveKit server"), "{}", gateway.log());
    house.start_server();
    let mut person = house.person("lobby", "person");
    let telephone = Terminal::tone(&gateway, "ann", "4000", 6, &[]);
    person.wait_for_tone("sip_ann", 440.0);
    assert!(telephone.finish().success);
    gateway.wait_until_idle();
}

#[test]
fn somebody_who_takes_the_callers_identity_does_not_end_the_call() {
    let house = House::start();
    house.number_into_room(NUMBER, "lobby");
    let mut gateway = gateway(&house);
    let mut person = house.person("lobby", "person");
    let telephone = Terminal::tone(&gateway, "+15550111", NUMBER, 14, &[]);
    person.wait_for_tone("sip_+15550111", 440.0);
    let _other = house.person("lobby", "sip_+15550111");
    let again = person.wait_for("joined", |e| {
        e["identity"].as_str().is_some_and(|identity| identity.starts_with("sip_+15550111_"))
    });
    person.wait_for_tone(again["identity"].as_str().unwrap(), 440.0);
    assert!(telephone.finish().success);
    gateway.wait_until_idle();
}

#[test]
fn a_caller_rings_in_vain_where_nobody_is_and_is_answered_where_the_file_says_so() {
    let house = House::start();
    let trunk = house.sip(
        "create_inbound_trunk",
        &json!({"trunk": {"name": "test", "numbers": [NUMBER], "allowed_addresses": ["127.0.0.0/8"], "ringing_timeout": "3s"}}),
    );
    let rule = json!({"name": "r", "trunk_ids": [trunk["sip_trunk_id"]],
        "rule": {"dispatch_rule_direct": {"room_name": "empty"}}});
    let _ = house.sip("create_dispatch_rule", &json!({ "dispatch_rule": rule }));
    let mut patient = gateway(&house);
    let called = Terminal::tone(&patient, "+15550111", NUMBER, 6, &[]).finish();
    assert!(!called.success && called.printed.contains("486"), "{}", called.printed);
    patient.wait_until_idle();
    drop(patient);
    let mut eager = Gateway::with(&format!("{}rooms:\n  answer: when_joined\n", house.yaml()));
    let called = Terminal::tone(&eager, "+15550111", NUMBER, 4, &[]).finish();
    assert!(called.success, "{}", called.printed);
    eager.wait_until_idle();
}

/// Stands between the gateway and livekit-server's signalling, and can cut it.
struct Wire {
    port: u16,
    streams: std::sync::Arc<std::sync::Mutex<Vec<std::net::TcpStream>>>,
}

impl Wire {
    fn to(server: u16) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let streams = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let kept = std::sync::Arc::clone(&streams);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = std::net::TcpStream::connect(("127.0.0.1", server)) else { continue };
                kept.lock().unwrap().push(near.try_clone().unwrap());
                for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)]
                {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        Self { port, streams }
    }

    fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

#[test]
fn signalling_that_is_cut_is_resumed_and_the_sound_goes_on() {
    let house = House::start();
    let wire = Wire::to(house.port);
    let yaml = house.yaml_without_redis().replace(&house.port.to_string(), &wire.port.to_string());
    let mut gateway = Gateway::with(&yaml);
    let _ = gateway.cli(&["rule", "add", "--room", "lobby", "--number", "4000"]);
    let mut person = house.person("lobby", "person");
    person.tone(1_000);
    let telephone = Terminal::tone(&gateway, "ann", "4000", 16, &[]);
    person.wait_for_tone("sip_ann", 440.0);
    person.tell("forget");
    std::thread::sleep(std::time::Duration::from_secs(1));
    wire.cut();
    std::thread::sleep(std::time::Duration::from_secs(3));
    let heard = person.heard("sip_ann");
    assert_eq!(heard["quiet_windows"], 0, "the sound has a hole: {heard}");
    person.tell("key 3");
    let called = telephone.finish();
    assert!(called.success && called.printed.contains("pressed 3"), "{}", called.printed);
    gateway.wait_until_idle();
    let states = gateway.last_call()["timeline"].to_string();
    assert!(states.contains("room lost") && states.contains("room back"), "{states}");
}
