//! Calls that come in and become participants of LiveKit rooms, in place of livekit/sip: a file that was written
//! for it, livekit-server with Redis, trunk and rule made by LiveKit's API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines
)]

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
