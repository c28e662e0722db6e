//! LiveKit's SIP API served by trunkline itself: a livekit-server without Redis, LiveKit's SDKs with another URL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines
)]

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use trunkline_tests::baresip::Baresip;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::livekit::{House, SECRET, api_at, javascript_at, twirp_at};
use trunkline_tests::terminal::Terminal;
use trunkline_tests::{ears, sipp};

const NUMBER: &str = "+15550100";

/// A livekit-server that has no Redis, and a trunkline that serves its SIP API.
struct Alone {
    house: House,
    gateway: Gateway,
    url: String,
    yaml: String,
}

impl Alone {
    fn start() -> Self {
        Self::beside(House::without_redis())
    }

    fn beside(house: House) -> Self {
        let port = trunkline_tests::free_port();
        let yaml = format!("{}max_cpu_utilization: 1\napi:\n  port: {port}\n", house.yaml_without_redis());
        let gateway = Gateway::with(&yaml);
        Self { house, gateway, url: format!("http://127.0.0.1:{port}"), yaml }
    }

    /// By the Python package.
    fn python(&self, arguments: &[&str]) -> Value {
        api_at(&self.url, arguments)
    }

    fn sip(&self, method: &str, request: &Value) -> Value {
        let answer = self.python(&[method, &request.to_string()]);
        assert!(answer.get("error").is_none(), "{method} {request}: {answer}\n{}", self.gateway.log());
        answer
    }

    /// By the JavaScript package.
    fn javascript(&self, method: &str, arguments: &Value) -> Value {
        let answer = javascript_at(&self.url, method, arguments);
        assert!(answer.get("error").is_none(), "{method} {arguments}: {answer}\n{}", self.gateway.log());
        answer
    }

    fn number_into_room(&self, more: &Value) -> (String, String) {
        let mut trunk = json!({"name": "test", "numbers": [NUMBER], "allowed_addresses": ["127.0.0.0/8"]});
        for (name, value) in more.as_object().expect("an object") {
            trunk[name] = value.clone();
        }
        let trunk = id(&self.sip("create_inbound_trunk", &json!({ "trunk": trunk })), "sip_trunk_id");
        let rule = json!({"name": "test", "trunk_ids": [trunk], "metadata": "of the rule",
            "attributes": {"team": "sales"}, "rule": {"dispatch_rule_direct": {"room_name": "lobby"}}});
        let made = self.sip("create_dispatch_rule", &json!({ "dispatch_rule": rule }));
        (trunk, id(&made, "sip_dispatch_rule_id"))
    }

    fn trunk_to(&self, port: u16, more: &Value) -> String {
        let mut trunk =
            json!({"name": "out", "address": format!("127.0.0.1:{port}"), "numbers": ["+15550199"]});
        for (name, value) in more.as_object().expect("an object") {
            trunk[name] = value.clone();
        }
        id(&self.sip("create_outbound_trunk", &json!({ "trunk": trunk })), "sip_trunk_id")
    }
}

fn id(made: &Value, name: &str) -> String {
    made[name].as_str().unwrap_or_else(|| panic!("no {name}: {made}")).to_owned()
}

#[test]
fn a_trunk_and_a_rule_made_by_the_python_sdk_bring_a_caller_into_the_room() {
    let mut alone = Alone::start();
    let (trunk, rule) = alone.number_into_room(&json!({}));
    let mut person = alone.house.person("lobby", "person");
    person.tone(1_000);
    let call = Terminal::tone(&alone.gateway, "+15550111", NUMBER, 9, &[]);
    let joined = person.wait_for("joined", |e| e["identity"] == "sip_+15550111");
    assert_eq!(joined["kind"].as_u64(), Some(3), "{joined}");
    person.wait_for_tone("sip_+15550111", 440.0);
    let attributes = person.attributes_of("sip_+15550111");
    for (name, value) in [
        ("sip.callStatus", "active"),
        ("sip.phoneNumber", "+15550111"),
        ("sip.trunkPhoneNumber", NUMBER),
        ("sip.trunkID", trunk.as_str()),
        ("sip.ruleID", rule.as_str()),
        ("team", "sales"),
    ] {
        assert_eq!(attributes[name], value, "{name} of {attributes}");
    }
    let people = alone.house.room("list_participants", &json!({"room": "lobby"}));
    let phone = people["participants"].as_array().unwrap().iter().find(|p| p["identity"] != "person");
    assert_eq!(phone.expect("the caller")["metadata"], "of the rule", "{people}");
    let called = call.finish();
    assert!(ears::tone_heard(&called.recording(), 0, 1_000.0) > 0.8, "{}", called.printed);
    alone.gateway.wait_until_idle();
}

#[test]
fn headers_become_attributes_and_come_back_as_the_trunk_says() {
    let mut alone = Alone::start();
    alone.number_into_room(&json!({"headers": {"X-Trunk": "main"},
        "headers_to_attributes": {"X-Customer": "customer"}, "attributes_to_headers": {"customer": "X-Back"},
        "include_headers": "SIP_X_HEADERS"}));
    let mut person = alone.house.person("lobby", "person");
    let port = alone.gateway.port;
    let call = std::thread::spawn(move || sipp::run("mapped_headers.xml", port, 1, 1, &["-s", NUMBER]));
    person.wait_for("joined", |e| e["identity"] == "sip_sipp");
    let attributes = person.attributes_of("sip_sipp");
    assert_eq!((&attributes["customer"], &attributes["sip.h.x-other"]), (&json!("4711"), &json!("more")));
    call.join().expect("sipp ran").assert_passed();
    alone.gateway.wait_until_idle();
}

#[test]
fn what_a_trunk_or_rule_asks_for_beyond_the_room_has_its_effect() {
    let mut alone = Alone::start();
    let (trunk, rule) = alone.number_into_room(&json!({"ringing_timeout": "3s", "krisp_enabled": true}));
    let told = alone.gateway.log();
    assert!(told.contains("krisp_enabled is kept, and has no effect"), "{told}");
    let called = Terminal::tone(&alone.gateway, "+15550111", NUMBER, 9, &[]).finish();
    assert!(!called.success && called.printed.contains("486"), "{}", called.printed);
    let media = json!({"name": "srtp", "numbers": [NUMBER], "allowed_addresses": ["127.0.0.0/8"],
        "media": {"encryption": "SIP_MEDIA_ENCRYPT_REQUIRE"}});
    let changed = alone.python(&["update_inbound_trunk", &media.to_string(), &trunk]);
    assert_eq!(changed["name"], "srtp", "{changed}");
    let called = Terminal::tone(&alone.gateway, "+15550111", NUMBER, 3, &[]).finish();
    assert!(!called.success && called.printed.contains("488"), "{}", called.printed);
    let gone = alone.sip("delete_dispatch_rule", &json!({"sip_dispatch_rule_id": rule}));
    assert_eq!(gone["sip_dispatch_rule_id"], rule.as_str());
    alone.gateway.wait_until_idle();
}

#[test]
fn behind_a_pin_a_caller_has_the_attributes_of_his_headers_and_the_rules_agent_is_sent_for() {
    let mut alone = Alone::start();
    let trunk = json!({"numbers": [NUMBER], "include_headers": "SIP_ALL_HEADERS"});
    let trunk = id(&alone.sip("create_inbound_trunk", &json!({ "trunk": trunk })), "sip_trunk_id");
    let rule = json!({"trunk_ids": [trunk], "rule": {"dispatch_rule_direct": {"room_name": "vault", "pin": "4711"}},
        "room_config": {"agents": [{"agent_name": "helper", "metadata": "m"}]}});
    let _ = alone.sip("create_dispatch_rule", &json!({ "dispatch_rule": rule }));
    let dialled = ["--from", "+15550111", "--longest", "12", "--at-once", "--keys", "4711#"];
    let call = Terminal::call(&alone.gateway, NUMBER, &dialled);
    let mut found = Value::Null;
    let end = std::time::Instant::now() + Duration::from_secs(15);
    while found != json!(["helper"]) && std::time::Instant::now() < end {
        found = alone.house.api(&["dispatches", "vault"]);
    }
    assert_eq!(found, json!(["helper"]), "{}", alone.gateway.log());
    let people = alone.house.room("list_participants", &json!({"room": "vault"}));
    let attributes = &people["participants"][0]["attributes"];
    assert!(
        attributes["sip.h.user-agent"].as_str().is_some_and(|name| name.starts_with("trunkline")),
        "{people}"
    );
    assert!(call.finish().success);
    alone.gateway.wait_until_idle();
    assert!(!alone.gateway.log().contains("4711"), "a PIN is in the log");
}

#[test]
fn a_trunk_that_wants_tls_is_not_called_in_the_clear() {
    let alone = Alone::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let datagrams = std::net::UdpSocket::bind(("127.0.0.1", port)).expect("the same port");
    let first = std::thread::spawn(move || {
        let mut octet = [0];
        let (mut stream, _) = listener.accept().expect("a connection");
        std::io::Read::read_exact(&mut stream, &mut octet).expect("an octet");
        octet[0]
    });
    let trunk = alone.trunk_to(port, &json!({"transport": "SIP_TRANSPORT_TLS"}));
    let request = json!({"sip_trunk_id": trunk, "sip_call_to": "+15550177", "room_name": "lobby",
        "wait_until_answered": true});
    let refused = alone.python(&["create_participant", &request.to_string()]);
    assert_eq!(refused["error"]["code"], "unavailable", "{refused}");
    assert_eq!(first.join().expect("an octet"), 0x16, "a handshake of TLS, and nothing else");
    datagrams.set_nonblocking(true).expect("set");
    assert!(datagrams.recv(&mut [0; 2_048]).is_err(), "nothing by UDP");
}

#[test]
fn strangers_who_send_half_a_request_or_too_much_keep_nobody_out() {
    let alone = Alone::start();
    let address = alone.url.trim_start_matches("http://").to_owned();
    let open = || TcpStream::connect(&address).expect("connected");
    let silent: Vec<TcpStream> = (0..200).map(|_| open()).collect();
    let mut half = open();
    half.write_all(b"POST /twirp/livekit.SIP/ListSIPTrunk HTTP/1.1\r\nHost: x\r\n").expect("sent");
    let mut bodiless = open();
    bodiless
        .write_all(
            b"POST /twirp/livekit.SIP/ListSIPTrunk HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\
            Content-Type: application/json\r\n\r\n{",
        )
        .expect("sent");
    let large = json!({"trunk": {"numbers": ["+1"], "metadata": "x".repeat(400_000)}});
    let answers = twirp_at(
        &alone.url,
        &json!([{"method": "CreateSIPInboundTrunk", "body": large}, {"method": "ListSIPTrunk", "body": {}}]),
    );
    assert_eq!((&answers[0]["status"], &answers[0]["body"]["code"]), (&json!(400), &json!("malformed")));
    assert_eq!(answers[1], json!({"status": 200, "body": {"items": []}}));
    for mut stream in [half, bodiless] {
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        let mut told = Vec::new();
        stream.read_to_end(&mut told).expect("it is closed in time");
    }
    drop(silent);
}

#[test]
fn a_telephone_rings_by_the_python_sdk_and_is_transferred() {
    let mut alone = Alone::start();
    let mut person = alone.house.person("lobby", "person");
    person.tone(1_000);
    let speech = ears::tone(alone.gateway.folder.path(), 440, 30);
    let (near, far) = (trunkline_tests::free_port(), trunkline_tests::free_port());
    let phone = Baresip::answer(near, &speech, 20);
    let other = Baresip::answer(far, &speech, 20);
    let trunk = alone.trunk_to(near, &json!({}));
    let request = json!({"sip_trunk_id": trunk, "sip_call_to": "baresip", "room_name": "lobby",
        "participant_identity": "callee", "wait_until_answered": true});
    let placed = alone.sip("create_participant", &request);
    assert_eq!((&placed["participant_identity"], &placed["room_name"]), (&json!("callee"), &json!("lobby")));
    assert!(placed["sip_call_id"].as_str().is_some_and(|id| id.starts_with("SCL_")), "{placed}");
    assert!(placed["participant_id"].as_str().is_some_and(|id| id.starts_with("PA_")), "{placed}");
    person.wait_for_tone("callee", 440.0);
    let attributes = person.attributes_of("callee");
    for (name, value) in [
        ("sip.callStatus", "active"),
        ("sip.trunkID", trunk.as_str()),
        ("sip.phoneNumber", "baresip"),
        ("sip.trunkPhoneNumber", "+15550199"),
    ] {
        assert_eq!(attributes[name], value, "{name} of {attributes}");
    }
    let unknown =
        json!({"participant_identity": "nobody", "room_name": "lobby", "transfer_to": "sip:a@127.0.0.1"});
    let refused = alone.python(&["transfer_participant", &unknown.to_string()]);
    assert_eq!(refused["error"]["code"], "not_found", "{refused}");
    let request = json!({"participant_identity": "callee", "room_name": "lobby",
        "transfer_to": format!("sip:baresip@127.0.0.1:{far}")});
    let moved = alone.python(&["transfer_participant", &request.to_string()]);
    assert!(moved.get("error").is_none(), "{moved}\n{}", alone.gateway.log());
    alone.gateway.wait_until_idle();
    let (heard, printed, _folder) = other.finish(Duration::from_secs(30));
    assert!(ears::tone_heard(&heard, 0, 440.0) > 0.8, "the two telephones talk\n{printed}");
    drop(phone);
}

#[test]
fn a_busy_line_is_told_with_its_status_to_both_sdks() {
    let mut alone = Alone::start();
    for language in ["python", "javascript"] {
        let phone = sipp::Server::start("uas-busy.xml");
        let trunk = alone.trunk_to(phone.port, &json!({}));
        let busy = match language {
            "python" => alone.python(&[
                "create_participant",
                &json!({"sip_trunk_id": trunk, "sip_call_to": "+15550177", "room_name": "lobby",
                    "wait_until_answered": true})
                .to_string(),
            ]),
            _ => javascript_at(
                &alone.url,
                "createSipParticipant",
                &json!([trunk, "+15550177", "lobby", {"waitUntilAnswered": true}]),
            ),
        };
        assert_eq!(
            busy["error"]["code"],
            "resource_exhausted",
            "{language}: {busy}\n{}",
            alone.gateway.log()
        );
        assert_eq!(busy["error"]["metadata"]["sip_status_code"], "486", "{language}: {busy}");
        phone.finish();
    }
    alone.gateway.wait_until_idle();
}

#[test]
fn the_javascript_sdk_sets_up_changes_lists_calls_and_transfers() {
    let mut alone = Alone::start();
    let trunk = alone.javascript(
        "createSipInboundTrunk",
        &json!(["door", [NUMBER], {"allowedAddresses": ["127.0.0.0/8"], "metadata": "m"}]),
    );
    let trunk = id(&trunk, "sipTrunkId");
    let changes = json!([trunk, {"name": "gate", "numbers": {"update": {"add": ["+15550101"]}}}]);
    let changed = alone.javascript("updateSipInboundTrunkFields", &changes);
    assert_eq!((&changed["name"], &changed["metadata"]), (&json!("gate"), &json!("m")), "{changed}");
    assert_eq!(changed["numbers"], json!([NUMBER, "+15550101"]));
    let rule = alone.javascript(
        "createSipDispatchRule",
        &json!([{"type": "direct", "roomName": "lobby", "pin": ""}, {"name": "r", "trunkIds": [trunk]}]),
    );
    let rule = id(&rule, "sipDispatchRuleId");
    let speech = ears::tone(alone.gateway.folder.path(), 440, 20);
    let port = trunkline_tests::free_port();
    let out =
        alone.javascript("createSipOutboundTrunk", &json!(["out", format!("127.0.0.1:{port}"), ["+1"], {}]));
    let out = id(&out, "sipTrunkId");

    let ids = |listed: &Value, name: &str| -> Vec<String> {
        listed.as_array().expect("a list").iter().map(|item| id(item, name)).collect()
    };
    let list = |method: &str, filter: Value| alone.javascript(method, &json!([filter]));
    let inbound = |filter| ids(&list("listSipInboundTrunk", filter), "sipTrunkId");
    let outbound = |filter| ids(&list("listSipOutboundTrunk", filter), "sipTrunkId");
    let rules = |filter| ids(&list("listSipDispatchRule", filter), "sipDispatchRuleId");
    assert_eq!(inbound(json!({})), [trunk.as_str()]);
    assert_eq!(inbound(json!({"numbers": ["15550101"]})), [trunk.as_str()]);
    assert!(inbound(json!({"numbers": ["+15559999"]})).is_empty());
    assert!(inbound(json!({"trunkIds": [out]})).is_empty());
    assert_eq!(outbound(json!({"numbers": ["+1"]})), [out.as_str()]);
    assert_eq!(rules(json!({"trunkIds": [trunk]})), [rule.as_str()]);
    assert!(rules(json!({"trunkIds": ["ST_other"]})).is_empty());
    assert!(rules(json!({"dispatchRuleIds": ["SDR_other"]})).is_empty());
    assert_eq!(ids(&alone.javascript("listSipTrunk", &json!([])), "sipTrunkId").len(), 2);

    let mut person = alone.house.person("lobby", "person");
    let far = trunkline_tests::free_port();
    let phone = Baresip::answer(port, &speech, 15);
    let other = Baresip::answer(far, &speech, 15);
    let placed = alone.javascript(
        "createSipParticipant",
        &json!([out, "baresip", "lobby", {"participantIdentity": "callee", "waitUntilAnswered": true}]),
    );
    assert_eq!(placed["participantIdentity"], "callee", "{placed}");
    person.wait_for_tone("callee", 440.0);
    let nobody = json!(["lobby", "nobody", "sip:a@127.0.0.1"]);
    let refused = javascript_at(&alone.url, "transferSipParticipant", &nobody);
    assert_eq!(refused["error"]["code"], "not_found", "{refused}");
    let to = json!(["lobby", "callee", format!("sip:baresip@127.0.0.1:{far}")]);
    let _ = alone.javascript("transferSipParticipant", &to);
    person.wait_for("left", |e| e["identity"] == "callee");
    let (heard, printed, _folder) = other.finish(Duration::from_secs(25));
    assert!(ears::tone_heard(&heard, 0, 440.0) > 0.8, "the two telephones talk\n{printed}");
    drop(phone);
    let _ = alone.javascript("deleteSipTrunk", &json!([out]));
    assert!(outbound(json!({})).is_empty());
    alone.gateway.wait_until_idle();
}

#[test]
fn what_was_set_up_is_there_after_a_restart_and_calls_come_in_by_it() {
    let alone = Alone::start();
    let (trunk, _) = alone.number_into_room(&json!({"auth_username": "u", "auth_password": "hush"}));
    let out = alone.trunk_to(5_099, &json!({"auth_username": "u", "auth_password": "hush"}));
    assert!(!alone.gateway.log().contains("hush"), "a password is in the log");
    let Alone { house, gateway, url, yaml } = alone;
    let gateway = Gateway::within(gateway.kill_9(), &yaml);
    let mut alone = Alone { house, gateway, url, yaml };
    let listed = alone.sip("list_inbound_trunk", &json!({}));
    assert_eq!(
        (&listed["items"][0]["sip_trunk_id"], &listed["items"][0]["auth_password"]),
        (&json!(trunk), &json!("hush"))
    );
    let listed = alone.sip("list_outbound_trunk", &json!({"trunk_ids": [out]}));
    assert_eq!(listed["items"][0]["name"], "out", "{listed}");
    let shown = alone.gateway.json(&["trunk", "outbound"]);
    assert_eq!((&shown[0]["id"], &shown[0]["auth_password"]), (&json!(out), &json!("…")), "{shown}");
    assert!(alone.gateway.cli(&["trunk", "remove", &out]).status.success());
    assert_eq!(alone.sip("list_outbound_trunk", &json!({})), json!({}));
    let without = json!({"name": "open", "numbers": [NUMBER], "allowed_addresses": ["127.0.0.0/8"]});
    let _ = alone.python(&["update_inbound_trunk", &without.to_string(), &trunk]);
    let mut person = alone.house.person("lobby", "person");
    let call = Terminal::tone(&alone.gateway, "+15550111", NUMBER, 6, &[]);
    person.wait_for_tone("sip_+15550111", 440.0);
    assert!(call.finish().success);
    alone.gateway.wait_until_idle();
}

/// What a client can send that is refused, or that shows how an answer is written.
fn requests() -> Value {
    let text = include_str!("../peer/twirp_requests.json").replace("$wide", &"x".repeat(1_100));
    serde_json::from_str(&text).expect("JSON")
}

/// Without what differs from server to server: ids; and `media`, which livekit-server writes now empty, now null.
fn comparable(answer: &Value) -> Value {
    match answer {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| *name != "media");
            kept.map(|(name, value)| (name.clone(), comparable(value))).collect()
        }
        Value::Array(items) => items.iter().map(comparable).collect(),
        Value::String(text) => Value::String(without_ids(text)),
        other => other.clone(),
    }
}

fn without_ids(text: &str) -> String {
    let text = text.trim_start_matches("twirp error unknown: ");
    // Which of two that conflict is named depends on the order in which a map of theirs is read.
    for kind in ["Conflicting inbound SIP Trunks", "Dispatch rule for the same trunk"] {
        if text.starts_with(kind) {
            return kind.to_owned();
        }
    }
    let mut plain = String::new();
    for (at, word) in text.split('"').enumerate() {
        let mark = if at == 0 { "" } else { "\"" };
        let is_id = ["ST_", "SDR_"].iter().any(|kind| word.starts_with(kind)) && !word.ends_with("none");
        plain.push_str(mark);
        plain.push_str(if is_id { "ID" } else { word });
    }
    plain
}

#[test]
fn the_same_requests_get_the_same_answers_from_livekit_server_and_from_us() {
    let theirs = House::start();
    let ours = Alone::beside(House::without_redis());
    let requests = requests();
    let theirs = twirp_at(&theirs.url().replacen("ws", "http", 1), &requests);
    let answers = twirp_at(&ours.url, &requests);
    let mut differences = Vec::new();
    for ((request, theirs), ours) in requests.as_array().unwrap().iter().zip(&theirs).zip(&answers) {
        // Faults of tokens are JSON here and text there, where the token itself is repeated.
        let token = theirs["body"].get("text").is_some();
        // What cannot be read is told with more than livekit-server says of it; words about who is there differ.
        let more = ours["body"]["code"] == "malformed"
            || ours["body"]["msg"] == "participant does not exist, or is no call of this gateway"
            || ours["body"]["msg"]
                .as_str()
                .is_some_and(|msg| msg.starts_with("unsupported SIP Dispatch Rule"));
        let same = match (token, more) {
            (true, _) => ours["body"]["code"] == "unauthenticated",
            (_, true) => ours["body"]["code"] == theirs["body"]["code"],
            _ => comparable(&ours["body"]) == comparable(&theirs["body"]),
        };
        // A fault of its own there, a fault of the request here.
        if theirs["status"] == 500 && ours["body"]["msg"] == theirs["body"]["msg"] && ours["status"] == 400 {
            continue;
        }
        if !same || ours["status"] != theirs["status"] {
            differences.push(format!("{request}\n  theirs {theirs}\n  ours   {ours}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(!answers.iter().any(|answer| answer.to_string().contains("eyJ")), "a token is repeated");
    assert!(!ours.gateway.log().contains(SECRET), "the secret is in the log");
}
