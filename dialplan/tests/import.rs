//! Texts that livekit's users have, and what is made of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use trunkline_dialplan::import::import;
use trunkline_dialplan::{Destination, Facts, Plan, TrunkTransport, Verdict, evaluate};

#[test]
fn the_example_of_a_users_documentation_is_imported_as_it_stands() {
    for text in [include_str!("data/trunk_and_rule.yaml"), include_str!("data/trunk_and_rule.md")] {
        let imported = import(text).unwrap();
        let ([trunk], [rule]) = (imported.trunks.as_slice(), imported.rules.as_slice()) else {
            panic!("{imported:?}")
        };
        assert_eq!((trunk.name.as_str(), trunk.id.as_str()), ("Main Trunk", "trunk_id_here"));
        assert_eq!(
            (&trunk.numbers[..], &trunk.allowed_addresses[..]),
            (&["+1234567890".into()][..], &["0.0.0.0/0".into()][..])
        );
        assert_eq!(
            rule.destination,
            Destination::Direct { room_name: "incoming-calls".into(), pin: String::new() }
        );
        assert_eq!(
            (rule.trunk_ids[0].as_str(), rule.metadata.as_str()),
            ("trunk_id_here", r#"{"type": "sip"}"#)
        );
        assert!(
            imported.notes.iter().any(|note| note.contains("gets the id trunk_id_here")),
            "{:?}",
            imported.notes
        );
        // And it does what its author meant.
        let plan = Plan { trunks: imported.trunks, rules: imported.rules, ..Plan::default() };
        let facts = Facts { from: "+4930", from_host: "x", to: "1234567890", source: None, pin: None };
        assert!(
            matches!(evaluate(&plan, &facts, None, "r").verdict, Verdict::Room { room, .. } if room == "incoming-calls")
        );
    }
}

#[test]
fn what_the_command_line_of_livekit_takes_is_imported() {
    for text in [
        r#"{"trunk": {"name": "t", "numbers": ["+15550100"], "allowed_addresses": ["192.0.2.0/24"]}}"#,
        r#"{"trunk": {"name": "t", "numbers": ["+15550100"], "allowedAddresses": ["192.0.2.0/24"]}}"#,
        r#"{"name": "t", "numbers": ["+15550100"], "allowedAddresses": ["192.0.2.0/24"]}"#,
        r#"{"items": [{"sipTrunkId": "", "name": "t", "numbers": ["+15550100"], "allowedAddresses": ["192.0.2.0/24"]}]}"#,
        "trunks:\n- name: t\n  numbers: +15550100\n  allowed_addresses: 192.0.2.0/24\n",
        "sip:\n  inboundTrunks:\n    - {name: t, numbers: [+15550100], allowed_addresses: [192.0.2.0/24]}\n",
    ] {
        let imported = import(text).unwrap();
        let [trunk] = imported.trunks.as_slice() else { panic!("{text}: {imported:?}") };
        assert_eq!((trunk.name.as_str(), trunk.numbers[0].as_str()), ("t", "+15550100"), "{text}");
        assert_eq!(trunk.allowed_addresses, ["192.0.2.0/24"], "{text}");
        assert!(imported.notes.is_empty(), "{text}: {:?}", imported.notes);
    }
}

#[test]
fn every_kind_of_rule_is_imported_in_every_spelling() {
    let direct = |pin: &str| Destination::Direct { room_name: "lobby".into(), pin: pin.into() };
    let individual =
        Destination::Individual { room_prefix: "call-".into(), pin: String::new(), no_randomness: true };
    let callee = Destination::Callee { room_prefix: "n".into(), pin: "0042".into(), randomize: true };
    for (text, destination) in [
        (r#"{"rule": {"dispatchRuleDirect": {"roomName": "lobby", "pin": ""}}}"#, direct("")),
        (
            r#"{"dispatch_rule": {"rule": {"dispatchRuleDirect": {"roomName": "lobby", "pin": "77"}}, "name": "x"}}"#,
            direct("77"),
        ),
        ("dispatch_rule_direct: {room_name: lobby}", direct("")),
        ("dispatchRule:\n  roomName: lobby\n", direct("")),
        ("rule:\n  name: x\n  room_name: lobby\n", direct("")),
        ("rules:\n- destination: {type: direct, room_name: lobby, pin: '77'}\n", direct("77")),
        (
            r#"{"rule": {"dispatch_rule_individual": {"room_prefix": "call-", "no_randomness": true}}, "trunk_ids": []}"#,
            individual,
        ),
        ("rule: {dispatch_rule_callee: {room_prefix: n, pin: 0042, randomize: true}}", callee),
        ("rules: [{destination: {type: agent}}]", Destination::Agent { dialogue: String::new() }),
    ] {
        let imported = import(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(imported.rules.len(), 1, "{text}");
        assert_eq!(imported.rules[0].destination, destination, "{text}");
    }
}

#[test]
fn agents_and_what_else_is_not_served_is_told() {
    let imported = import(
        "livekit:\n  url: ws://x\n---\ndispatch_rule:\n  rule: {dispatchRuleIndividual: {roomPrefix: call-}}\n  \
         room_config:\n    agents:\n    - agent_name: bot\n  attributes: {a: 1}\n  hide_phone_number: true\n\
         outbound_trunk: {name: o, address: sip.example.com, numbers: ['+1']}\nreplicas: 2\n",
    )
    .unwrap();
    assert!(imported.rules[0].hide_phone_number);
    assert_eq!(imported.rules[0].attributes["a"], "1");
    assert_eq!(
        (imported.outbound[0].address.as_str(), imported.outbound[0].numbers.len()),
        ("sip.example.com", 1)
    );
    let notes = imported.notes.join("\n");
    for told in ["line 1: left out", "line 6: rule.room_config has no effect", "line 12: replicas: left out"]
    {
        assert!(notes.contains(told), "{told}: {notes}");
    }
}

#[test]
fn livekits_old_kind_of_trunk_is_imported() {
    let imported = import(
        r#"{"sipTrunkId": "ST_1", "kind": "TRUNK_INBOUND", "inboundAddresses": ["192.0.2.1"], "outboundNumber": "+15550100",
            "inboundNumbers": ["+4930"], "inboundUsername": "u", "inboundPassword": "p"}"#,
    )
    .unwrap();
    let trunk = &imported.trunks[0];
    assert_eq!(
        (trunk.id.as_str(), trunk.numbers[0].as_str(), trunk.allowed_numbers[0].as_str()),
        ("ST_1", "+15550100", "+4930")
    );
    assert!(trunk.wants_credentials());
}

#[test]
fn a_trunk_for_calls_that_go_out_is_imported_with_all_that_it_says() {
    let imported = import(
        r#"{"trunk": {"name": "o", "address": "sip.example.com:5070", "transport": "SIP_TRANSPORT_TCP", "numbers": ["+1"],
            "authUsername": "u", "authPassword": "p", "headers": {"X-A": "b"}, "includeHeaders": "SIP_X_HEADERS",
            "mediaEncryption": "SIP_MEDIA_ENCRYPT_REQUIRE"}}"#,
    )
    .unwrap();
    let trunk = &imported.outbound[0];
    assert_eq!((trunk.transport, trunk.auth_password.as_str()), (TrunkTransport::Tcp, "p"));
    assert_eq!((trunk.mapping.headers["X-A"].as_str(), trunk.media.requires_encryption()), ("b", true));
    let wrong = import("outbound_trunk: {address: 'sip:x', numbers: ['+1']}").unwrap_err().to_string();
    assert!(wrong.starts_with("line 1: outbound_trunk: trunk address should be a hostname"), "{wrong}");
}

#[test]
fn a_fault_names_line_key_and_what_was_expected() {
    for (text, expected) in [
        (
            "trunk:\n  numbers: ['+1']\n  allowed_adresses: [x]\n",
            "line 3: trunk.allowed_adresses: unknown key; did you mean allowed_addresses?",
        ),
        ("trunk:\n  numbers: {a: 1}\n", "line 2: trunk.numbers: expected a list of texts, found a map"),
        (
            "trunk:\n  name: open\n",
            "line 2: trunk: a trunk needs numbers, allowed_addresses or auth_username",
        ),
        ("trunk: 7\n", "line 1: trunk: expected keys and values, found 7"),
        ("dispatch_rule:\n  trunk_ids: [a]\n", "line 2: rule: expected one of dispatch_rule_direct"),
        (
            "rules:\n- destination: {type: echo}\n",
            "line 2: rule.type: expected direct, individual, callee or agent, found \"echo\"",
        ),
        ("dispatch_rule:\n  room_name: a\n  pin: abc\n", "line 2: rule: pin: expected at most 16 keys"),
        (
            "dispatch_rule:\n  room_name: a\n  hide_phone_number: 3\n",
            "line 3: rule.hide_phone_number: expected true or false, found 3",
        ),
        ("dispatch_rule:\n  room_name: a\n  roomName: b\n", "line 3: rule.room_name: expected once"),
        ("a: [\n", "line 1: unclosed bracket"),
        ("services: {}\n", "line 1: expected a trunk or a dispatch rule"),
        ("", "line 1: expected a trunk or a dispatch rule"),
    ] {
        let told = import(text).unwrap_err().to_string();
        assert!(told.starts_with(expected), "{text:?}: {told}");
    }
}
