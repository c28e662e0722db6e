//! What a configuration file says, and how it is told that it cannot be.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;
use trunkline_config::{Answer, Backend, Config, ConfigError, RoomCodec};

fn parse(yaml: &str) -> Result<Config, ConfigError> {
    with(yaml, &[("HOME", "/home/ann")])
}

fn with(yaml: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::parse("t.yaml", yaml, &|name| {
        environment.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
    })
}

#[test]
fn an_empty_file_is_a_configuration() {
    for text in ["", "# nothing\n", "---\n", "limits:\nsip_port:\n"] {
        let config = parse(text).unwrap();
        assert_eq!((config.sip_port, config.rtp_port), (5060, (10_000, 20_000)));
        assert_eq!((config.listen_ip, config.health_port, config.prometheus_port), (None, 0, 0));
        assert_eq!(config.codecs, ["G722", "PCMU", "PCMA", "opus"]);
        assert_eq!((config.logging.level.as_str(), config.logging.json), ("info", false));
        assert_eq!((config.media_timeout_initial.as_secs(), config.media_timeout.as_secs()), (30, 15));
        assert!(config.symmetric_rtp && config.dialplan.default_agent && !config.recording.enabled);
        assert_eq!((config.limits.calls, config.agent.sessions, config.dialplan.pin_tries), (1000, 1000, 3));
        assert_eq!((config.limits.drain.as_secs(), config.limits.call_duration.as_secs()), (60, 86_400));
        assert_eq!((config.sip.session_expires, config.sip.min_se), (1800, 90));
        assert_eq!(config.state_dir, Path::new("/home/ann/.local/state/trunkline"));
        assert_eq!(config.recording.folder, config.state_dir.join("recordings"));
        assert!(config.notes.is_empty());
    }
}

#[test]
fn the_example_file_says_the_defaults() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/trunkline.yaml"));
    let mut said = parse(&text.unwrap()).unwrap();
    let mut silent = parse("").unwrap();
    // The file names the place of a service; a person's is another.
    said.state_dir = silent.state_dir.clone();
    said.recording.folder = silent.recording.folder.clone();
    silent.notes.clear();
    assert_eq!(said, silent);
}

#[test]
fn every_key_is_read() {
    let config = parse(
        "sip_port: 5070\nlisten_ip: 192.0.2.1\nnat_1_to_1_ip: 203.0.113.9\nrtp_port: {start: 30000, end: 30999}\n\
         health_port: 8080\nprometheus_port: 9090\nlogging: {level: debug, json: true}\nstate_dir: /srv/t\n\
         codecs: {\"G722/8000\": false, \"opus/48000\": false}\nmedia_timeout_initial: 1m\nmedia_timeout: 15000000000\n\
         symmetric_rtp: no\nagent: {dialogue: d.yaml, sessions: 7}\n\
         limits: {calls: 5, calls_per_second: 6, source_packets_per_second: 7, source_calls: 8, call_duration: 2h, drain: 1h, ringing: 90s}\n\
         recording: {enabled: true, folder: /rec}\ndialplan: {default: reject, pin_tries: 2}\n\
         sip: {session_expires: 0, min_se: 120, digest_sha256: true, user_agent: gate}\n",
    )
    .unwrap();
    assert_eq!((config.sip_port, config.rtp_port), (5070, (30_000, 30_999)));
    assert_eq!(config.listen_ip, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(config.nat_1_to_1_ip, Some("203.0.113.9".parse().unwrap()));
    assert_eq!((config.health_port, config.prometheus_port), (8080, 9090));
    assert_eq!((config.logging.level.as_str(), config.logging.json), ("debug", true));
    assert_eq!(config.codecs, ["PCMU", "PCMA"]);
    assert_eq!((config.media_timeout_initial.as_secs(), config.media_timeout.as_secs()), (60, 15));
    assert!(!config.symmetric_rtp && config.recording.enabled && !config.dialplan.default_agent);
    assert_eq!(config.agent.dialogue.as_deref(), Some(Path::new("d.yaml")));
    assert_eq!(config.agent.sessions, 7);
    let limits = &config.limits;
    assert_eq!((limits.calls, limits.calls_per_second, limits.source_packets_per_second), (5, 6, 7));
    assert_eq!((limits.source_calls, limits.ringing), (8, Duration::from_secs(90)));
    assert_eq!((limits.call_duration.as_secs(), limits.drain.as_secs()), (7200, 3600));
    assert_eq!(config.recording.folder, Path::new("/rec"));
    assert_eq!((config.sip.session_expires, config.sip.min_se, &*config.sip.user_agent), (0, 120, "gate"));
    assert!(config.sip.digest_sha256);
}

#[test]
fn a_range_of_ports_is_written_in_three_ways() {
    for (text, ports) in [
        ("rtp_port: 10000-10099", (10_000, 10_099)),
        ("rtp_port: {start: 4000, end: 4001}", (4000, 4001)),
        ("rtp_port: 4000", (4000, 4001)),
    ] {
        assert_eq!(parse(text).unwrap().rtp_port, ports, "{text}");
    }
}

#[test]
fn a_fault_names_file_line_key_and_what_was_expected() {
    for (text, expected) in [
        ("a: [", "t.yaml:1: "),
        ("- 1", "t.yaml:1: expected keys and values, found a list"),
        ("sip_port: 5060\nsip_prot: 1", "t.yaml:2: sip_prot: unknown key; did you mean sip_port?"),
        ("log_level: debug", "t.yaml:1: log_level: unknown key; did you mean logging.level?"),
        ("limits:\n  cals: 1", "t.yaml:2: limits.cals: unknown key; did you mean limits.calls?"),
        ("sip_port: many", "t.yaml:1: sip_port: expected a whole number from 1 to 65535, found \"many\""),
        ("sip_port: 70000", "t.yaml:1: sip_port: expected a whole number from 1 to 65535, found 70000"),
        ("sip_port: \"5060\"", "t.yaml:1: sip_port: expected a whole number from 1 to 65535, found \"5060\""),
        ("limits:\n  calls: 0", "t.yaml:2: limits.calls: expected a whole number from 1 to 100000, found 0"),
        ("limits: 7", "t.yaml:1: limits: expected keys and values, found 7"),
        ("symmetric_rtp: 1", "t.yaml:1: symmetric_rtp: expected true or false, found 1"),
        ("media_timeout: 15", "t.yaml:1: media_timeout: expected a duration such as 30s or 1h30m"),
        ("listen_ip: here", "t.yaml:1: listen_ip: expected an IP address such as 192.0.2.7"),
        ("rtp_port: 20000-10000", "t.yaml:1: rtp_port: expected at least an even port and the odd one"),
        ("rtp_port: 10001-10002", "t.yaml:1: rtp_port: expected at least an even port and the odd one"),
        ("rtp_port: ten", "t.yaml:1: rtp_port: expected a range such as 10000-20000"),
        ("logging:\n  level: loud", "t.yaml:2: logging.level: expected one of error, warn, info"),
        ("codecs:\n  G722: false", "t.yaml:2: codecs.G722: unknown codec; expected G722/8000"),
        ("codecs: {G723/8000: true}", "t.yaml:1: codecs.G723/8000: unknown codec (did you mean G722/8000?)"),
        ("codecs: {G722/8000: 1}", "t.yaml:1: codecs.G722/8000: expected true or false, found 1"),
        (
            "dialplan:\n  default: drop",
            "t.yaml:2: dialplan.default: expected agent or reject, found \"drop\"",
        ),
        ("sip:\n  min_se: 60", "t.yaml:2: sip.min_se: expected a whole number from 90 to 86400, found 60"),
        ("sip: {user_agent: \"a\\r\\nb\"}", "t.yaml:1: sip.user_agent: expected a text of one line, found"),
        ("api_secret: [hush]", "t.yaml:1: api_secret: expected a text of one line, found a list"),
        ("redis:\n  adress: x", "t.yaml:2: redis.adress: unknown key; did you mean redis.address?"),
        ("sip_port: 1\n---\nsip_port: 2", "t.yaml:3: expected one document"),
    ] {
        let told = parse(text).unwrap_err().to_string();
        assert!(told.starts_with(expected), "{text:?}: {told}");
    }
}

#[test]
fn a_pair_that_cannot_be_is_refused() {
    for (text, expected) in [
        ("health_port: 80\nprometheus_port: 80", "t.yaml:2: prometheus_port: expected another port"),
        ("sip_port: 80\nhealth_port: 80", "t.yaml:2: health_port: expected another port than sip_port"),
        ("limits:\n  call_duration: 1h\n  drain: 2h", "t.yaml:3: limits.drain: expected at most limits.call"),
        ("sip:\n  session_expires: 100\n  min_se: 120", "t.yaml:2: sip.session_expires: expected 0"),
        ("listen_ip: 192.0.2.1\nnat_1_to_1_ip: 2001:db8::1", "t.yaml:2: nat_1_to_1_ip: expected an address"),
        ("use_external_ip: true\nnat_1_to_1_ip: 192.0.2.1", "t.yaml:2: nat_1_to_1_ip: use_external_ip"),
        (
            "codecs: {PCMU/8000: false, PCMA/8000: false, G722/8000: false, opus/48000: false}",
            "t.yaml:1: codecs: ",
        ),
    ] {
        let told = parse(text).unwrap_err().to_string();
        assert!(told.starts_with(expected), "{text:?}: {told}");
    }
}

/// What livekit/sip's own documentation shows, and what its users add.
const LIVEKIT_SIP: &str = "api_key: key\napi_secret: hush\nws_url: wss://rooms.example\nredis:\n  address: r:6379\n  \
    password: hush\n  db: 3\n  dial_timeout: 2000\nsip_port: 5060\nrtp_port: 10000-20000\nuse_external_ip: false\n\
    health_port: 8080\nprometheus_port: 6789\nsip_ringing_interval: 2s\nhide_inbound_port: true\nlogging:\n  \
    level: debug\n  sample: true\n";

#[test]
fn a_file_that_was_written_for_livekits_gateway_is_taken_as_it_is() {
    let config = parse(LIVEKIT_SIP).unwrap();
    let livekit = config.livekit.as_ref().unwrap();
    assert_eq!((livekit.url.as_str(), livekit.api_key.as_str()), ("wss://rooms.example", "key"));
    let redis = config.redis.as_ref().unwrap();
    assert_eq!((redis.address.as_str(), redis.db), ("r:6379", 3));
    assert_eq!(redis.dial_timeout, Some(Duration::from_secs(2)));
    assert_eq!(config.rooms.backend, Backend::LiveKit);
    assert_eq!(config.ringing_interval, Duration::from_secs(2));
    assert_eq!(config.dialplan.pin_tries, 1, "one try, as it has");
    let told = config.notes.join("\n");
    assert_eq!(config.notes.len(), 2, "{told}");
    assert!(told.contains("logging.sample") && told.contains("hide_inbound_port"), "{told}");
    let all = format!("{config:?}");
    assert!(!all.contains("hush"), "{all}");
}

#[test]
fn rooms_lead_to_livekit_as_soon_as_there_is_one_unless_the_file_says_otherwise() {
    let keys = "api_key: k\napi_secret: s\nws_url: ws://x\n";
    assert_eq!(parse("").unwrap().rooms.backend, Backend::Local);
    assert_eq!(parse(keys).unwrap().rooms.backend, Backend::LiveKit);
    assert_eq!(parse(&format!("{keys}rooms: {{backend: local}}")).unwrap().rooms.backend, Backend::Local);
    let set =
        format!("{keys}rooms:\n  room_codec: opus\n  room_codecs: {{SDR_1: pcmu}}\n  answer: at_once\n");
    let rooms = parse(&set).unwrap().rooms;
    assert_eq!((rooms.room_codec, rooms.answer), (RoomCodec::Opus, Answer::AtOnce));
    assert_eq!(rooms.room_codecs.get("SDR_1"), Some(&RoomCodec::Pcmu));
}

#[test]
fn what_livekit_needs_is_missed_by_name() {
    for (text, expected) in [
        ("ws_url: ws://x", "t.yaml:1: api_key: expected it (or LIVEKIT_API_KEY) beside ws_url"),
        ("api_key: a\nws_url: ws://x", "t.yaml:2: api_secret: expected it (or LIVEKIT_API_SECRET)"),
        ("api_key: a\napi_secret: b", "t.yaml:1: ws_url: expected it (or LIVEKIT_URL) beside api_key"),
        ("api_key: a\napi_secret: b\nws_url: x", "t.yaml:3: ws_url: expected a URL such as ws://"),
        ("redis:\n  address: r:1", "t.yaml:1: redis: redis leads to a livekit-server"),
        ("redis:\n  db: 1", "t.yaml:1: redis: expected address, sentinel_addresses or cluster_addresses"),
        ("redis: {sentinel_addresses: [a]}", "t.yaml:1: redis.sentinel_master_name: expected it beside"),
        ("redis: {address: a, cluster_addresses: [b]}", "t.yaml:1: redis: expected one of address"),
        ("rooms: {e2ee: {SDR_1: key}}", "t.yaml:1: rooms.e2ee: unknown key; expected one of backend"),
        ("rooms: {backend: livekit}", "t.yaml:1: rooms.backend: livekit needs ws_url"),
        ("rooms: {room_codec: g729}", "t.yaml:1: rooms.room_codec: expected one of auto, opus, pcmu, pcma"),
        ("rooms: {answer: never}", "t.yaml:1: rooms.answer: expected one of when_heard"),
    ] {
        let told = parse(text).unwrap_err().to_string();
        assert!(told.starts_with(expected), "{text:?}: {told}");
    }
}

#[test]
fn livekits_api_is_served_where_the_file_says_so_and_keys_are_there() {
    let keys = "api_key: a\napi_secret: b\nws_url: ws://x\n";
    assert_eq!(parse(keys).unwrap().api, None);
    assert_eq!(parse(&format!("{keys}api: {{port: 0}}\n")).unwrap().api, None);
    let api = parse(&format!("{keys}api: {{port: 7890}}\n")).unwrap().api.unwrap();
    assert_eq!((api.listen_ip.to_string().as_str(), api.port), ("127.0.0.1", 7890));
    let api = parse(&format!("{keys}api: {{port: 7890, listen_ip: '::'}}\n")).unwrap().api.unwrap();
    assert_eq!(api.listen_ip.to_string(), "::");
    for (yaml, told) in [
        ("api: {port: 7890}".to_owned(), "t.yaml:1: api.port: its clients show tokens: expected ws_url"),
        (format!("{keys}redis: {{address: 'r:1'}}\napi: {{port: 7890}}"), "t.yaml:5: api.port: with redis"),
        (
            format!("{keys}health_port: 7890\napi: {{port: 7890}}"),
            "t.yaml:5: api.port: expected another port",
        ),
        (format!("{keys}api: {{prot: 7890}}"), "t.yaml:4: api.prot: unknown key"),
    ] {
        let fault = parse(&yaml).unwrap_err().to_string();
        assert!(fault.starts_with(told), "{yaml}: {fault}");
    }
}

#[test]
fn redis_urls_of_the_environment_are_read_with_and_without_a_password() {
    let livekit = [("LIVEKIT_URL", "ws://x"), ("LIVEKIT_API_KEY", "k"), ("LIVEKIT_API_SECRET", "s")];
    let of = |url| with("", &[&livekit[..], &[("REDIS_URL", url)]].concat()).map(|c| c.redis.unwrap());
    let redis = of("rediss://ann:hush@r.example:6380/2").unwrap();
    assert_eq!((redis.address.as_str(), redis.username.as_str(), redis.db), ("r.example:6380", "ann", 2));
    assert_eq!((redis.password.reveal(), redis.tls.is_some()), ("hush", true));
    assert_eq!(of("redis://r").unwrap().address, "r:6379");
    let told = of("http://:hush@r").unwrap_err().to_string();
    assert!(
        told.starts_with("environment: REDIS_URL: expected redis://") && !told.contains("hush"),
        "{told}"
    );
}

#[test]
fn the_environment_fills_what_the_file_leaves_open() {
    let environment = [("SIP_PORT", "5099"), ("REDIS_URL", "redis://:hush@r"), ("OLLAMA_URL", "")];
    let config = with("", &environment).unwrap();
    assert_eq!(config.sip_port, 5099);
    assert_eq!(config.notes.len(), 1);
    assert!(config.notes[0].contains("REDIS_URL") && !config.notes[0].contains("hush"));
    assert_eq!(with("sip_port: 5061", &environment).unwrap().sip_port, 5061);
    let told = with("", &[("SIP_PORT", "x")]).unwrap_err().to_string();
    assert_eq!(told, "environment: SIP_PORT: expected a port from 1 to 65535, found \"x\"");
}

#[test]
fn the_processors_that_are_ours_are_a_number() {
    let many = |text| with("", &[("LIVEKIT_CPU_REQUEST", text)]).map(|config| config.cpu_request);
    assert_eq!(many("1.5").unwrap(), Some(1.5));
    assert_eq!(many("").unwrap(), None);
    for wrong in ["0", "-1", "two", "inf", "NaN"] {
        let error = many(wrong).unwrap_err().to_string();
        assert!(error.contains("LIVEKIT_CPU_REQUEST") && error.contains("such as 2 or 0.5"), "{error}");
    }
}

#[test]
fn the_state_lies_where_the_machine_keeps_state() {
    for (environment, folder) in [
        (&[("XDG_STATE_HOME", "/x")][..], "/x/trunkline"),
        (&[("STATE_DIRECTORY", "/var/lib/trunkline"), ("HOME", "/home/ann")], "/var/lib/trunkline"),
        (&[("HOME", "/root")], "/var/lib/trunkline"),
        (&[], "/var/lib/trunkline"),
    ] {
        assert_eq!(with("", environment).unwrap().state_dir, Path::new(folder));
    }
}

#[test]
fn tls_is_read_with_livekits_keys_and_its_faults_are_named() {
    let tls =
        |more: &str| parse(&format!("tls:\n  certs: [{{cert_file: /a.pem, key_file: /a.key}}]\n{more}"));
    let read = tls("").unwrap().tls.unwrap();
    assert_eq!((read.port, read.port_listen, read.alpn), (5061, 5061, vec!["sip".to_owned()]));
    assert_eq!(read.certs, [("/a.pem".into(), "/a.key".into())]);
    let read =
        tls("  port: 443\n  port_listen: 8443\n  alpn: []\n  min_version: tls1.3\n").unwrap().tls.unwrap();
    assert_eq!((read.port, read.port_listen, read.alpn.len(), read.only_1_3), (443, 8443, 0, true));
    assert!(tls("  key_log: /k\n").unwrap().notes[0].contains("tls.key_log"));
    assert_eq!(parse("tls:\n").unwrap().tls, None);
    for (yaml, why) in [
        ("tls: {port: 5061}\n", "tls.certs: expected at least one"),
        ("tls: {certs: [{cert_file: /a}]}\n", "both cert_file and key_file"),
        ("tls: {certs: [{cert_file: /a, key: /b}]}\n", "unknown key"),
        ("tls: {port: 5060, certs: [{cert_file: /a, key_file: /b}]}\n", "another port than sip_port"),
        ("tls: {max_version: ssl3, certs: [{cert_file: /a, key_file: /b}]}\n", "tls1.2 or tls1.3"),
    ] {
        let said = parse(yaml).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
}
