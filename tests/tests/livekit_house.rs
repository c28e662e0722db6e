//! The house of the LiveKit tests stands by itself: two strangers hear each other in a room, so that what a
//! later test does not hear is the gateway's fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::json;
use trunkline_tests::livekit::House;

#[test]
fn two_people_in_a_room_hear_each_other_and_a_key() {
    let house = House::start();
    let mut first = house.person("lobby", "first");
    let mut second = house.person("lobby", "second");
    first.tone(440);
    second.wait_for_tone("first", 440.0);
    second.tell("key 7");
    let key = first.wait_for("key", |_| true);
    assert_eq!((key["digit"].as_str(), key["code"].as_u64()), (Some("7"), Some(7)));
    let rooms = house.room("list_rooms", &json!({}));
    assert_eq!(rooms["rooms"][0]["name"], "lobby");
}

#[test]
fn a_browser_and_a_person_hear_each_other() {
    let house = House::start();
    let mut person = house.person("lobby", "person");
    let mut browser = house.browser("lobby", "browser");
    browser.tone(440);
    person.wait_for_tone("browser", 440.0);
    person.tone(660);
    browser.wait_for_tone("person", 660.0);
}

#[test]
fn a_trunk_and_a_rule_that_were_made_are_listed() {
    let house = House::start();
    let (trunk, rule) = house.number_into_room("+15550100", "lobby");
    let trunks = house.sip("list_inbound_trunk", &json!({}));
    assert_eq!(trunks["items"][0]["sip_trunk_id"], trunk.as_str());
    let rules = house.sip("list_dispatch_rule", &json!({}));
    assert_eq!(rules["items"][0]["sip_dispatch_rule_id"], rule.as_str());
}
