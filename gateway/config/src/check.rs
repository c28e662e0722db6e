//! Pairs of values that cannot be together, though each of them can.

use crate::section::Section;
use crate::{Config, ConfigError, Limits, Sip, value};

pub(crate) fn pairs(root: &Section<'_>, config: &Config) -> Result<(), ConfigError> {
    if config.health_port != 0 && config.health_port == config.prometheus_port {
        let what = format!("expected another port than health_port, found {} for both", config.health_port);
        return Err(root.fault(line(root, &["prometheus_port"]), "prometheus_port", &what));
    }
    if config.redis.is_some() && config.livekit.is_none() {
        let what =
            "redis leads to a livekit-server: expected ws_url, api_key and api_secret beside it, found none";
        return Err(root.fault(line(root, &["redis"]), "redis", what));
    }
    for (key, port) in [("health_port", config.health_port), ("prometheus_port", config.prometheus_port)] {
        if port != 0 && port == config.sip_port {
            let what = format!("expected another port than sip_port's TCP, found {port} for both");
            return Err(root.fault(line(root, &[key]), key, &what));
        }
    }
    if let Some(api) = config.api {
        api_alone(root, config, api.port)?;
    }
    if let Some(tls) = &config.tls {
        for (key, port) in [
            ("sip_port", config.sip_port),
            ("health_port", config.health_port),
            ("prometheus_port", config.prometheus_port),
        ] {
            if port == tls.port_listen {
                let what = format!("expected another port than {key}, found {port} for both");
                return Err(root.fault(line(root, &["tls"]), "tls.port", &what));
            }
        }
    }
    if let (Some(listen), Some(nat)) = (config.listen_ip, config.nat_1_to_1_ip)
        && listen.is_ipv4() != nat.is_ipv4()
    {
        let what = format!("expected an address of listen_ip's family ({listen}), found {nat}");
        return Err(root.fault(line(root, &["nat_1_to_1_ip"]), "nat_1_to_1_ip", &what));
    }
    if let (Some(at), Some(_)) = (root.line_of("nat_1_to_1_ip"), config.nat_1_to_1_ip)
        && config.use_external_ip
    {
        let what = "use_external_ip finds the address that this one gives: expected one of them, found both";
        return Err(root.fault(at, "nat_1_to_1_ip", what));
    }
    Ok(())
}

/// LiveKit's API has a port of its own, keys to know its clients by, and no livekit-server that serves it already.
fn api_alone(root: &Section<'_>, config: &Config, port: u16) -> Result<(), ConfigError> {
    let fault = |what: &str| Err(root.fault(line(root, &["api"]), "api.port", what));
    for (other, taken) in [
        ("health_port", config.health_port),
        ("prometheus_port", config.prometheus_port),
        ("sip_port's TCP", config.sip_port),
    ] {
        if port == taken {
            return fault(&format!("expected another port than {other}, found {port} for both"));
        }
    }
    if config.livekit.is_none() {
        return fault(
            "its clients show tokens: expected ws_url, api_key and api_secret beside it, found none",
        );
    }
    if config.redis.is_some() {
        return fault(
            "with redis livekit-server keeps trunks and rules and serves this API itself: expected one of the two, found both",
        );
    }
    Ok(())
}

pub(crate) fn limits(section: &Section<'_>, limits: &Limits) -> Result<(), ConfigError> {
    if limits.drain > limits.call_duration && section.line_of("drain").is_some() {
        let what = format!(
            "expected at most limits.call_duration ({}), which ends every call, found {}",
            value::show(limits.call_duration),
            value::show(limits.drain)
        );
        return Err(section.fault(line(section, &["drain"]), "drain", &what));
    }
    Ok(())
}

pub(crate) fn sip(section: &Section<'_>, sip: &Sip) -> Result<(), ConfigError> {
    if sip.session_expires != 0 && sip.session_expires < sip.min_se {
        let what = format!(
            "expected 0 (no session timer) or at least sip.min_se ({}), found {}",
            sip.min_se, sip.session_expires
        );
        let at = line(section, &["session_expires", "min_se"]);
        return Err(section.fault(at, "session_expires", &what));
    }
    Ok(())
}

/// The first of the keys that the file has.
fn line(section: &Section<'_>, keys: &[&str]) -> u64 {
    keys.iter().find_map(|key| section.line_of(key)).unwrap_or(1)
}
