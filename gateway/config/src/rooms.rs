//! Reads what the program lives with: LiveKit, Redis, rooms.

use crate::ConfigError;
use crate::environment::{self, Environment};
use crate::house::{Answer, Api, Backend, LiveKit, Redis, RedisTls, RoomCodec, Rooms, Secret};
use crate::section::Section;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;
use trunkline_yaml::{Node, Value};

const MINUTE: Duration = Duration::from_secs(60);

/// `ws_url`, `api_key`, `api_secret`: all of them, or none.
pub(crate) fn livekit(
    root: &mut Section<'_>,
    environment: Environment<'_>,
) -> Result<Option<LiveKit>, ConfigError> {
    let from = |value: Option<&str>, names: &[&str]| {
        let set = value.filter(|text| !text.is_empty()).map(str::to_owned);
        set.or_else(|| names.iter().find_map(|name| environment::set(environment, name)))
    };
    let url = from(root.text("ws_url")?, &["LIVEKIT_WS_URL", "LIVEKIT_URL"]);
    let key = from(root.text("api_key")?, &["LIVEKIT_API_KEY"]);
    let secret = from(root.text("api_secret")?, &["LIVEKIT_API_SECRET"]);
    let missing = |key: &str, variable: &str, has: &str| {
        let at = root.line_of("ws_url").or(root.line_of("api_key")).or(root.line_of("api_secret"));
        let what = format!("expected it (or {variable}) beside {has}, found none");
        Err(root.fault(at.unwrap_or(0), key, &what))
    };
    match (url, key, secret) {
        (None, None, None) => Ok(None),
        (Some(url), Some(api_key), Some(api_secret)) => {
            let known = ["ws://", "wss://", "http://", "https://"];
            if !known.iter().any(|scheme| url.starts_with(scheme) && url.len() > scheme.len()) {
                let shown: String = url.escape_debug().take(60).collect();
                let what = format!("expected a URL such as ws://127.0.0.1:7880, found \"{shown}\"");
                return Err(root.fault(root.line_of("ws_url").unwrap_or(1), "ws_url", &what));
            }
            Ok(Some(LiveKit { url, api_key, api_secret: Secret::new(api_secret) }))
        }
        (None, ..) => missing("ws_url", "LIVEKIT_URL", "api_key and api_secret"),
        (_, None, _) => missing("api_key", "LIVEKIT_API_KEY", "ws_url"),
        (.., None) => missing("api_secret", "LIVEKIT_API_SECRET", "api_key"),
    }
}

/// `redis`, or REDIS_URL where the file has none.
pub(crate) fn redis(
    root: &mut Section<'_>,
    environment: Environment<'_>,
) -> Result<Option<Redis>, ConfigError> {
    if root.line_of("redis").is_none() {
        root.know("redis");
        return match environment::set(environment, "REDIS_URL") {
            Some(url) => from_url(&url).map(Some),
            None => Ok(None),
        };
    }
    let at = root.line_of("redis").unwrap_or(1);
    let mut redis = root.section("redis")?;
    let use_tls = redis.flag("use_tls")?.unwrap_or(false);
    let tls = tls(&mut redis)?;
    let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let read = Redis {
        address: owned(redis.text("address")?),
        username: owned(redis.text("username")?),
        password: Secret::new(owned(redis.text("password")?)),
        db: redis.number("db", 0, 1_000)?.and_then(|n| i64::try_from(n).ok()).unwrap_or(0),
        tls: tls.or_else(|| use_tls.then(RedisTls::default)),
        sentinel_master_name: owned(redis.text("sentinel_master_name")?),
        sentinel_username: owned(redis.text("sentinel_username")?),
        sentinel_password: Secret::new(owned(redis.text("sentinel_password")?)),
        sentinel_addresses: texts(&mut redis, "sentinel_addresses")?,
        cluster_addresses: texts(&mut redis, "cluster_addresses")?,
        dial_timeout: milliseconds(&mut redis, "dial_timeout")?,
        read_timeout: milliseconds(&mut redis, "read_timeout")?,
        write_timeout: milliseconds(&mut redis, "write_timeout")?,
    };
    // Of Go's pool: one connection carries everything here.
    for key in ["max_redirects", "pool_timeout", "pool_size"] {
        redis.take(key);
    }
    redis.finish()?;
    let ways =
        [!read.address.is_empty(), !read.sentinel_addresses.is_empty(), !read.cluster_addresses.is_empty()];
    match ways.into_iter().filter(|way| *way).count() {
        0 => Err(root.fault(
            at,
            "redis",
            "expected address, sentinel_addresses or cluster_addresses, found none",
        )),
        1 if !read.sentinel_addresses.is_empty() && read.sentinel_master_name.is_empty() => Err(root.fault(
            at,
            "redis.sentinel_master_name",
            "expected it beside sentinel_addresses, found none",
        )),
        1 => Ok(Some(read)),
        _ => Err(root.fault(
            at,
            "redis",
            "expected one of address, sentinel_addresses and cluster_addresses, found more",
        )),
    }
}

fn tls(redis: &mut Section<'_>) -> Result<Option<RedisTls>, ConfigError> {
    let mut tls = redis.section("tls")?;
    let file = |text: Option<&str>| text.filter(|t| !t.is_empty()).map(PathBuf::from);
    let enabled = tls.flag("enabled")?.unwrap_or(false);
    let read = RedisTls {
        insecure: tls.flag("insecure")?.unwrap_or(false),
        server_name: tls.text("server_name")?.unwrap_or_default().to_owned(),
        ca_cert_file: file(tls.text("ca_cert_file")?),
        client_cert_file: file(tls.text("client_cert_file")?),
        client_key_file: file(tls.text("client_key_file")?),
    };
    tls.finish()?;
    Ok(enabled.then_some(read))
}

/// livekit counts these in milliseconds; 0 is the default.
fn milliseconds(section: &mut Section<'_>, key: &'static str) -> Result<Option<Duration>, ConfigError> {
    let number = section.number(key, 0, 600_000)?;
    Ok(number.filter(|n| *n > 0).map(Duration::from_millis))
}

/// `redis://[user][:password@]host[:port][/db]`, `rediss://` with TLS.
fn from_url(url: &str) -> Result<Redis, ConfigError> {
    // The value may hold a password, so it is not shown.
    let wrong = || ConfigError {
        file: "environment".into(),
        line: 0,
        message: "REDIS_URL: expected redis://[user:password@]host:port[/db] or rediss://".into(),
    };
    let (tls, rest) = match (url.strip_prefix("redis://"), url.strip_prefix("rediss://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(wrong()),
    };
    let (rest, db) = rest.trim_end_matches('/').split_once('/').unwrap_or((rest.trim_end_matches('/'), ""));
    let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (username, password) = user.split_once(':').unwrap_or((user, ""));
    if host.is_empty() {
        return Err(wrong());
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(Redis {
        address: if has_port { host.to_owned() } else { format!("{host}:6379") },
        username: username.to_owned(),
        password: Secret::new(password),
        db: if db.is_empty() { 0 } else { db.parse().map_err(|_| wrong())? },
        tls: tls.then(RedisTls::default),
        ..Redis::default()
    })
}

/// `api.port`: none, or 0: it is not served.
pub(crate) fn api(root: &mut Section<'_>) -> Result<Option<Api>, ConfigError> {
    let mut api = root.section("api")?;
    let port = api.port("port", 0)?.unwrap_or(0);
    let listen_ip = api.address("listen_ip")?.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    api.finish()?;
    Ok((port != 0).then_some(Api { listen_ip, port }))
}

pub(crate) fn rooms(root: &mut Section<'_>, has_livekit: bool) -> Result<Rooms, ConfigError> {
    let at = root.line_of("rooms").unwrap_or(1);
    let mut rooms = root.section("rooms")?;
    let backend = match word(&mut rooms, "backend", &["auto", "local", "livekit"])? {
        Some("local") => Backend::Local,
        Some("livekit") if !has_livekit => {
            let what = "livekit needs ws_url, api_key and api_secret (or LIVEKIT_URL and so on), found none";
            return Err(rooms.fault(at, "backend", what));
        }
        Some("livekit") => Backend::LiveKit,
        _ if has_livekit => Backend::LiveKit,
        _ => Backend::Local,
    };
    const CODECS: [&str; 4] = ["auto", "opus", "pcmu", "pcma"];
    let answer = match word(&mut rooms, "answer", &["when_heard", "when_joined", "at_once"])? {
        Some("when_joined") => Answer::WhenJoined,
        Some("at_once") => Answer::AtOnce,
        _ => Answer::WhenHeard,
    };
    let read = Rooms {
        backend,
        room_codec: word(&mut rooms, "room_codec", &CODECS)?.map(codec).unwrap_or_default(),
        room_codecs: each(&mut rooms, "room_codecs", |section, node, key| {
            match node.scalar().filter(|word| CODECS.contains(word)) {
                Some(word) => Ok(codec(word)),
                None => Err(section.wrong(node, key, "one of auto, opus, pcmu, pcma")),
            }
        })?,
        answer,
        ringback: rooms.flag("ringback")?.unwrap_or(true),
        unique_identity: rooms.flag("unique_identity")?.unwrap_or(true),
        bind: rooms.address("bind")?,
        roots: texts(&mut rooms, "roots")?.into_iter().map(PathBuf::from).collect(),
    };
    rooms.finish()?;
    Ok(read)
}

fn codec(word: &str) -> RoomCodec {
    match word {
        "opus" => RoomCodec::Opus,
        "pcmu" => RoomCodec::Pcmu,
        "pcma" => RoomCodec::Pcma,
        _ => RoomCodec::Auto,
    }
}

/// `stun_servers`: two public ones where the file names none.
pub(crate) fn stun_servers(root: &mut Section<'_>) -> Result<Vec<String>, ConfigError> {
    let named = texts(root, "stun_servers")?;
    let public = ["stun.l.google.com:19302", "global.stun.twilio.com:3478"];
    Ok(if named.is_empty() { public.map(str::to_owned).to_vec() } else { named })
}

/// `prompts`: what is said to callers, as files.
pub(crate) fn prompts(root: &mut Section<'_>) -> Result<BTreeMap<String, PathBuf>, ConfigError> {
    const PROMPTS: [&str; 6] =
        ["enter_pin", "wrong_pin", "last_wrong_pin", "no_agent", "room_join", "ringback"];
    let mut section = root.section("prompts")?;
    let mut found = BTreeMap::new();
    for key in PROMPTS {
        if let Some(path) = section.text(key)?.filter(|path| !path.is_empty()) {
            found.insert(key.to_owned(), PathBuf::from(path));
        }
    }
    section.finish()?;
    Ok(found)
}

/// `sip_ringing_interval`: 1 s, from 1 s to 60 s as in livekit/sip.
pub(crate) fn ringing_interval(root: &mut Section<'_>) -> Result<Duration, ConfigError> {
    let interval = root.duration("sip_ringing_interval", Duration::ZERO, MINUTE)?;
    Ok(interval.filter(|i| !i.is_zero()).unwrap_or(Duration::from_secs(1)).max(Duration::from_secs(1)))
}

/// `max_cpu_utilization`: livekit/sip takes what is not in 0..=1 as 0.9.
pub(crate) fn cpu(root: &mut Section<'_>) -> Result<f32, ConfigError> {
    let Some(node) = root.take("max_cpu_utilization") else { return Ok(0.9) };
    let Value::Number(text) = &node.value else {
        return Err(root.wrong(node, "max_cpu_utilization", "a share such as 0.9"));
    };
    Ok(text.parse::<f32>().ok().filter(|share| *share > 0.0 && *share <= 1.0).unwrap_or(0.9))
}

fn word<'a>(
    section: &mut Section<'a>,
    key: &'static str,
    words: &[&str],
) -> Result<Option<&'a str>, ConfigError> {
    let Some(node) = section.take(key) else { return Ok(None) };
    match node.scalar() {
        Some(word) if words.contains(&word) => Ok(Some(word)),
        _ => Err(section.wrong(node, key, &format!("one of {}", words.join(", ")))),
    }
}

fn texts(section: &mut Section<'_>, key: &'static str) -> Result<Vec<String>, ConfigError> {
    let Some(node) = section.take(key) else { return Ok(Vec::new()) };
    let Value::List(items) = &node.value else { return Err(section.wrong(node, key, "a list of texts")) };
    let text =
        |item: &Node| item.scalar().map(str::to_owned).ok_or_else(|| section.wrong(item, key, "a text"));
    items.iter().map(text).collect()
}

fn each<T>(
    section: &mut Section<'_>,
    key: &'static str,
    read: impl Fn(&Section<'_>, &Node, &str) -> Result<T, ConfigError>,
) -> Result<BTreeMap<String, T>, ConfigError> {
    let Some(node) = section.take(key) else { return Ok(BTreeMap::new()) };
    let Value::Map(entries) = &node.value else { return Err(section.wrong(node, key, "names and values")) };
    let mut found = BTreeMap::new();
    for entry in entries {
        let shown: String = entry.key.escape_debug().take(60).collect();
        found.insert(entry.key.clone(), read(section, &entry.value, &format!("{key}.{shown}"))?);
    }
    Ok(found)
}
