//! The file, section by section.

use crate::environment::{self, Environment};
use crate::section::Section;
use crate::{
    Agent, Config, ConfigError, Dialplan, Limits, Logging, Recording, Sip, check, livekit, rooms, tls, value,
};
use std::path::PathBuf;
use std::time::Duration;
use trunkline_yaml::{Value, nearest};

const DAY: Duration = Duration::from_secs(24 * 3600);
const SECOND: Duration = Duration::from_secs(1);

/// What can be switched, best first: wideband before narrowband; Opus last, because it costs fifty times
/// what G.711 does and the telephone network has nothing to win by it.
const CODECS: [&str; 4] = ["G722/8000", "PCMU/8000", "PCMA/8000", "opus/48000"];

pub(crate) fn config(file: &str, yaml: &str, environment: Environment<'_>) -> Result<Config, ConfigError> {
    let documents = trunkline_yaml::parse(yaml).map_err(|fault| ConfigError {
        file: file.into(),
        line: fault.line.max(1),
        message: fault.message,
    })?;
    if let [_, second, ..] = documents.as_slice() {
        let message = "expected one document, found a second one (---)".into();
        return Err(ConfigError { file: file.into(), line: second.line, message });
    }
    let mut root = Section::root(file, documents.first())?;
    let mut notes = Vec::new();

    let sip_port = match root.port("sip_port", 1)? {
        Some(port) => Some(port),
        None => environment::sip_port(environment)?,
    };
    let state_dir = match root.text("state_dir")? {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => environment::state_dir(environment),
    };
    let limits = limits(&mut root)?;
    let livekit = rooms::livekit(&mut root, environment)?;
    let mut redis = rooms::redis(&mut root, environment)?;
    if livekit.is_none() && root.line_of("redis").is_none() && redis.take().is_some() {
        // Other programs of a stack need it; without a LiveKit server it leads us to nobody.
        notes.push("environment: REDIS_URL has no effect: there is no LIVEKIT_URL with its keys".into());
    }
    let config = Config {
        sip_port: sip_port.unwrap_or(5060),
        listen_ip: root.address("listen_ip")?,
        nat_1_to_1_ip: root.address("nat_1_to_1_ip")?,
        rtp_port: rtp_port(&mut root)?,
        health_port: root.port("health_port", 0)?.unwrap_or(0),
        prometheus_port: root.port("prometheus_port", 0)?.unwrap_or(0),
        logging: logging(&mut root, &mut notes)?,
        codecs: codecs(&mut root)?,
        media_timeout_initial: media_timeout(&mut root, "media_timeout_initial", 30)?,
        media_timeout: media_timeout(&mut root, "media_timeout", 15)?,
        symmetric_rtp: root.flag("symmetric_rtp")?.unwrap_or(true),
        agent: agent(&mut root, limits.calls)?,
        recording: recording(&mut root, &state_dir)?,
        dialplan: dialplan(&mut root, redis.is_some())?,
        sip: sip(&mut root)?,
        tls: tls::tls(&mut root, &mut notes)?,
        rooms: rooms::rooms(&mut root, livekit.is_some())?,
        use_external_ip: root.flag("use_external_ip")?.unwrap_or(false),
        stun_servers: rooms::stun_servers(&mut root)?,
        prompts: rooms::prompts(&mut root)?,
        api: rooms::api(&mut root)?,
        cluster_id: root.text("cluster_id")?.unwrap_or_default().to_owned(),
        ringing_interval: rooms::ringing_interval(&mut root)?,
        max_cpu_utilization: rooms::cpu(&mut root)?,
        cpu_request: environment::cpu_request(environment)?,
        livekit,
        redis,
        limits,
        state_dir,
        notes: Vec::new(),
    };
    livekit::not_yet(&mut root, &mut notes)?;
    check::pairs(&root, &config)?;
    root.finish()?;
    notes.extend(environment::notes(environment));
    Ok(Config { notes, ..config })
}

fn rtp_port(root: &mut Section<'_>) -> Result<(u16, u16), ConfigError> {
    let Some(node) = root.take("rtp_port") else { return Ok((10_000, 20_000)) };
    let Some((start, end)) = value::ports(node) else {
        return Err(root.wrong(
            node,
            "rtp_port",
            "a range such as 10000-20000 or {start: 10000, end: 20000}",
        ));
    };
    // RFC 3550 §11: RTP on an even port, RTCP on the next.
    if u32::from(start).next_multiple_of(2) + 1 > u32::from(end) {
        let what = format!("expected at least an even port and the odd one after it, found {start}-{end}");
        return Err(root.fault(node.line, "rtp_port", &what));
    }
    Ok((start, end))
}

fn logging(root: &mut Section<'_>, notes: &mut Vec<String>) -> Result<Logging, ConfigError> {
    const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
    let mut logging = root.section("logging")?;
    let level = match logging.take("level") {
        None => "info".into(),
        Some(node) => match node.scalar().map(str::to_ascii_lowercase) {
            Some(level) if level == "warning" => "warn".into(),
            Some(level) if LEVELS.contains(&level.as_str()) => level,
            _ => return Err(logging.wrong(node, "level", &format!("one of {}", LEVELS.join(", ")))),
        },
    };
    let json = logging.flag("json")?.unwrap_or(false);
    livekit::logging_not_yet(&mut logging, notes)?;
    logging.finish()?;
    Ok(Logging { level, json })
}

/// livekit/sip's switches: what is not named stays on.
fn codecs(root: &mut Section<'_>) -> Result<Vec<String>, ConfigError> {
    let mut on = [true; CODECS.len()];
    if let Some(node) = root.take("codecs") {
        let Value::Map(entries) = &node.value else {
            return Err(root.wrong(node, "codecs", "switches such as {\"G722/8000\": false}"));
        };
        for entry in entries {
            let Value::Bool(wanted) = entry.value.value else {
                let key = format!("codecs.{}", shown(&entry.key));
                return Err(root.wrong(&entry.value, &key, "true or false"));
            };
            // In livekit/sip's list of codecs, and ours however this is set: keys are worth nothing unheard.
            if entry.key.to_ascii_lowercase().starts_with("telephone-event/") {
                continue;
            }
            match CODECS.iter().zip(&mut on).find(|(name, _)| name.eq_ignore_ascii_case(&entry.key)) {
                Some((_, switch)) => *switch = wanted,
                None => return Err(unknown_codec(root, entry.line, &entry.key)),
            }
        }
        if !on.contains(&true) {
            return Err(root.fault(
                node.line,
                "codecs",
                "expected at least one codec that is on, found none",
            ));
        }
    }
    let names = CODECS.iter().zip(on).filter(|(_, on)| *on);
    Ok(names.map(|(name, _)| name.split('/').next().unwrap_or(name).into()).collect())
}

fn unknown_codec(root: &Section<'_>, line: u64, key: &str) -> ConfigError {
    let meant = nearest(key, CODECS).map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
    let what = format!("unknown codec{meant}; expected {}", CODECS.join(", "));
    root.fault(line, &format!("codecs.{}", shown(key)), &what)
}

fn shown(key: &str) -> String {
    key.escape_debug().take(60).collect()
}

/// As in livekit/sip, 0 means the default.
fn media_timeout(root: &mut Section<'_>, key: &'static str, default: u64) -> Result<Duration, ConfigError> {
    let timeout = root.duration(key, Duration::ZERO, DAY)?.filter(|timeout| !timeout.is_zero());
    Ok(timeout.unwrap_or(Duration::from_secs(default)))
}

fn agent(root: &mut Section<'_>, calls: usize) -> Result<Agent, ConfigError> {
    let mut agent = root.section("agent")?;
    let dialogue = agent.text("dialogue")?.filter(|path| !path.is_empty()).map(PathBuf::from);
    let sessions = agent.size("sessions", 0)?.unwrap_or(calls);
    agent.finish()?;
    Ok(Agent { dialogue, sessions })
}

fn limits(root: &mut Section<'_>) -> Result<Limits, ConfigError> {
    let mut limits = root.section("limits")?;
    let read = Limits {
        calls: limits.size("calls", 1)?.unwrap_or(1000),
        calls_per_second: limits.count("calls_per_second", 1, 100_000)?.unwrap_or(200),
        source_packets_per_second: limits.count("source_packets_per_second", 1, 1_000_000)?.unwrap_or(200),
        source_calls: limits.size("source_calls", 0)?.unwrap_or(0),
        call_duration: limits.duration("call_duration", SECOND, 30 * DAY)?.unwrap_or(DAY),
        drain: limits.duration("drain", Duration::ZERO, 30 * DAY)?.unwrap_or(60 * SECOND),
        ringing: limits.duration("ringing", SECOND, Duration::from_secs(3600))?.unwrap_or(180 * SECOND),
    };
    check::limits(&limits, &read)?;
    limits.finish()?;
    Ok(read)
}

fn recording(root: &mut Section<'_>, state_dir: &std::path::Path) -> Result<Recording, ConfigError> {
    let mut recording = root.section("recording")?;
    let enabled = recording.flag("enabled")?.unwrap_or(false);
    let folder = recording.text("folder")?.filter(|path| !path.is_empty()).map(PathBuf::from);
    recording.finish()?;
    Ok(Recording { enabled, folder: folder.unwrap_or_else(|| state_dir.join("recordings")) })
}

fn dialplan(root: &mut Section<'_>, redis: bool) -> Result<Dialplan, ConfigError> {
    let mut dialplan = root.section("dialplan")?;
    let default_agent = match dialplan.take("default").map(|node| (node, node.scalar())) {
        None | Some((_, Some("agent"))) => true,
        Some((_, Some("reject"))) => false,
        Some((node, _)) => return Err(dialplan.wrong(node, "default", "agent or reject")),
    };
    let pin_tries = dialplan.count("pin_tries", 1, 10)?.unwrap_or(if redis { 1 } else { 3 });
    let require_trunk = dialplan.flag("require_trunk")?.unwrap_or(false);
    dialplan.finish()?;
    Ok(Dialplan { default_agent, pin_tries, require_trunk })
}

fn sip(root: &mut Section<'_>) -> Result<Sip, ConfigError> {
    let mut sip = root.section("sip")?;
    let session_expires = sip.count("session_expires", 0, 86_400)?.unwrap_or(1800);
    // RFC 4028 §5: a Min-SE is never below 90 seconds.
    let min_se = sip.count("min_se", 90, 86_400)?.unwrap_or(90);
    let digest_sha256 = sip.flag("digest_sha256")?.unwrap_or(false);
    let user_agent = sip
        .text("user_agent")?
        .map_or_else(|| concat!("trunkline/", env!("CARGO_PKG_VERSION")).into(), str::to_owned);
    let read = Sip { session_expires, min_se, digest_sha256, user_agent };
    check::sip(&sip, &read)?;
    sip.finish()?;
    Ok(read)
}
