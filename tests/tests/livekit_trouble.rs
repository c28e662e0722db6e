//! What goes wrong around a LiveKit room, and what caller, API and operator hear of it. After each the next call
//! works, and the process is the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::json;
use std::process::Command;
use std::time::Duration;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::livekit::House;
use trunkline_tests::place::Place;
use trunkline_tests::sipp;
use trunkline_tests::terminal::Terminal;

const NUMBER: &str = "+15550100";

/// Without Redis, with a rule of our own: number 4000 leads into the lobby.
fn lobby(house: &House) -> Gateway {
    let gateway = Gateway::with(&house.yaml_without_redis());
    let added = gateway.cli(&["rule", "add", "--room", "lobby", "--number", "4000"]);
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    gateway
}

/// Everything that is known of the one call so far.
fn told_of_the_call(gateway: &Gateway) -> String {
    String::from_utf8_lossy(&gateway.cli(&["calls", "show", "--json", "SCL_"]).stdout).into_owned()
}

/// Somebody is in the lobby, and a call gets through to them.
fn the_next_call_works(house: &House, gateway: &mut Gateway) {
    let mut person = house.person("lobby", "next");
    let telephone = Terminal::tone(gateway, "bob", "4000", 6, &[]);
    person.wait_for_tone("sip_bob", 440.0);
    assert!(telephone.finish().success);
    gateway.wait_until_idle();
}

#[test]
fn a_server_that_is_killed_in_mid_call_and_comes_back_has_the_caller_again() {
    let mut house = House::start();
    let mut gateway = lobby(&house);
    let mut person = house.person("lobby", "person");
    let telephone = Terminal::tone(&gateway, "ann", "4000", 28, &[]);
    person.wait_for_tone("sip_ann", 440.0);
    house.kill_server();
    drop(person);
    house.start_server();
    let patience = Duration::from_secs(20);
    gateway.wait(patience, "the call is in the room anew", |g| told_of_the_call(g).contains("joined anew"));
    let mut person = house.person("lobby", "person");
    person.tone(1_000);
    person.wait_for_tone("sip_ann", 440.0);
    assert_eq!(
        person.attributes_of("sip_ann")["sip.callStatus"],
        "active",
        "attributes of now, not of the ringing"
    );
    person.tell("key 3");
    gateway.wait(Duration::from_secs(45), "the end of the call", |g| g.number("counts", "calls") == 0);
    let called = telephone.finish();
    assert!(called.success && called.printed.contains("pressed 3"), "{}", called.printed);
    let told = gateway.last_call().to_string();
    assert!(told.contains("room lost") && told.contains("joined anew"), "{told}");
}

#[test]
fn a_server_that_stays_away_ends_the_call_and_says_why() {
    let mut house = House::start();
    let mut gateway = lobby(&house);
    let mut person = house.person("lobby", "person");
    let telephone = Terminal::tone(&gateway, "ann", "4000", 60, &[]);
    person.wait_for_tone("sip_ann", 440.0);
    house.kill_server();
    drop(person);
    let called = telephone.finish();
    assert!(called.printed.contains("hung up"), "{}", called.printed);
    gateway.wait_until_idle();
    let cdr = gateway.last_call();
    assert!(cdr["cdr"]["end"].as_str().is_some_and(|end| end.contains("CONNECTION_TIMEOUT")), "{cdr}");
    house.start_server();
    the_next_call_works(&house, &mut gateway);
}

#[test]
fn a_server_that_says_nothing_any_more_ends_the_call_and_refuses_the_next_in_seconds() {
    let house = House::start();
    let mut gateway = lobby(&house);
    let mut person = house.person("lobby", "person");
    let telephone = Terminal::tone(&gateway, "ann", "4000", 60, &[]);
    person.wait_for_tone("sip_ann", 440.0);
    house.freeze_server(true);
    let refused = Terminal::tone(&gateway, "carl", "4000", 3, &[]).finish();
    assert!(!refused.success && refused.printed.contains("503"), "{}", refused.printed);
    let called = telephone.finish();
    assert!(called.printed.contains("hung up"), "{}", called.printed);
    house.freeze_server(false);
    drop(person);
    gateway.wait_until_idle();
    the_next_call_works(&house, &mut gateway);
}

#[test]
fn a_media_path_that_dies_is_made_anew_and_a_caller_without_one_is_not_kept() {
    let Some(mut place) = Place::new("192.0.2.77") else {
        eprintln!("an address of its own for livekit-server wants root");
        return;
    };
    let house = House::at(&place);
    let mut gateway = Gateway::with(&format!("{}  answer: when_joined\n", house.yaml_without_redis()));
    let _ = gateway.cli(&["rule", "add", "--room", "lobby", "--number", "4000"]);
    let telephone = Terminal::tone(&gateway, "ann", "4000", 90, &[]);
    gateway.wait(Duration::from_secs(20), "a call in the room", |g| g.number("counts", "participants") == 1);
    std::thread::sleep(Duration::from_secs(2));
    place.vanish();
    gateway
        .wait(Duration::from_secs(30), "the loss is noticed", |g| g.log().contains("room connection lost"));
    place.come_back();
    gateway.wait(Duration::from_secs(30), "the call is in the room anew", |g| {
        told_of_the_call(g).contains("joined anew")
    });
    place.vanish();
    let called = telephone.finish();
    assert!(called.printed.contains("hung up"), "{}", called.printed);
    place.come_back();
    gateway.wait_until_idle();
    let cdr = gateway.last_call();
    assert!(cdr["cdr"]["end"].as_str().is_some_and(|end| end.contains("CONNECTION_TIMEOUT")), "{cdr}");
}

#[test]
fn a_room_that_is_full_refuses_the_call_and_the_log_says_that_it_is() {
    let house = House::start();
    let mut gateway = lobby(&house);
    let _ = house.room("create_room", &json!({"name": "lobby", "max_participants": 1, "empty_timeout": 60}));
    let person = house.person("lobby", "person");
    let refused = Terminal::tone(&gateway, "ann", "4000", 4, &[]).finish();
    assert!(!refused.success && refused.printed.contains("503"), "{}", refused.printed);
    assert!(gateway.log().contains("a room could not be joined"), "{}", gateway.log());
    drop(person);
    let _ = house.room("delete_room", &json!({"room": "lobby"}));
    the_next_call_works(&house, &mut gateway);
}

#[test]
fn a_room_that_does_not_exist_where_rooms_are_not_made_by_themselves_refuses_the_call() {
    let house = House::with("room: { auto_create: false }\n");
    let mut gateway = lobby(&house);
    let refused = Terminal::tone(&gateway, "ann", "4000", 4, &[]).finish();
    assert!(!refused.success && refused.printed.contains("503"), "{}", refused.printed);
    assert!(gateway.log().contains("404"), "{}", gateway.log());
    let _ = house.room("create_room", &json!({"name": "lobby", "empty_timeout": 60}));
    the_next_call_works(&house, &mut gateway);
}

#[test]
fn a_clock_that_is_two_days_slow_refuses_the_call_with_the_servers_own_words() {
    let house = House::start();
    let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
    let slow = [("LD_PRELOAD", library), ("FAKETIME", "-2d"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::in_environment(folder, &house.yaml_without_redis(), &slow);
    let _ = gateway.cli(&["rule", "add", "--room", "lobby", "--number", "4000"]);
    let refused = Terminal::tone(&gateway, "ann", "4000", 4, &[]).finish();
    assert!(!refused.success && refused.printed.contains("503"), "{}", refused.printed);
    assert!(gateway.log().contains("401") && gateway.log().contains("clock"), "{}", gateway.log());
    gateway.wait_until_idle();
}

#[test]
fn garbage_on_the_bus_harms_neither_the_calls_nor_the_api() {
    let house = House::start();
    house.number_into_room(NUMBER, "lobby");
    let mut gateway = Gateway::with(&house.yaml());
    let pid = gateway.pid();
    let redis = |arguments: &[&str]| {
        let port = house.redis_port.to_string();
        let output =
            Command::new("redis-cli").args(["-p", &port]).args(arguments).output().expect("redis-cli");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let channels = redis(&["PUBSUB", "CHANNELS", "*SIPInternal*"]);
    assert!(channels.lines().count() >= 2, "the gateway listens: {channels}");
    for channel in channels.lines() {
        for garbage in ["", "x", "\u{8}\u{1}", "{\"json\": true}", &"\u{7f}".repeat(70_000)] {
            let _ = redis(&["PUBLISH", channel, garbage]);
        }
    }
    let mut person = house.person("lobby", "person");
    let telephone = Terminal::tone(&gateway, "+15550111", NUMBER, 6, &[]);
    person.wait_for_tone("sip_+15550111", 440.0);
    assert!(telephone.finish().success);
    let phone = sipp::Server::start("uas-busy.xml");
    let trunk =
        json!({"name": "out", "address": format!("127.0.0.1:{}", phone.port), "numbers": ["+15550199"]});
    let trunk = house.sip("create_outbound_trunk", &json!({ "trunk": trunk }));
    let order = json!({"sip_trunk_id": trunk["sip_trunk_id"], "sip_call_to": "+15550177", "room_name": "lobby",
        "wait_until_answered": true});
    let busy = house.api(&["create_participant", &order.to_string()]);
    assert_eq!(busy["error"]["metadata"]["sip_status_code"], "486", "{busy}");
    phone.finish();
    assert_eq!(gateway.pid(), pid);
    gateway.wait_until_idle();
}
