//! The sockets that serving needs: bound, and let go again.

use super::{Came, Report};
use crate::http;
use crate::transport::{Listen, Sockets};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use trunkline_config::Config;

/// What a gateway has open besides its calls: sockets, the store, journals, TCP connections.
const OTHER_FILES: usize = 200;
/// RTP and RTCP.
const FILES_A_CALL: usize = 2;

/// SIP, RTP, health, metrics, the API.
pub fn look(report: &mut Report, config: &Config) {
    report.result("SIP port", sip(config));
    report.result("RTP ports", rtp(config));
    for (check, key, port) in [
        ("health port", "health_port", config.health_port),
        ("metrics port", "prometheus_port", config.prometheus_port),
    ] {
        match http::listen(key, port) {
            Ok(None) => {}
            Ok(Some(_)) => report.add(Came::Ok, check, format!("TCP {port}")),
            Err(error) => report.add(Came::Fail, check, error.to_string()),
        }
    }
    if let Some(api) = config.api {
        let opened = http::listen_at("api.port", api.listen_ip, api.port);
        let told = opened.map(|_| format!("TCP {} on {}", api.port, api.listen_ip));
        report.result("API port", told.map_err(|error| error.to_string()));
    }
}

fn sip(config: &Config) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let listen = Listen {
        ip: config.listen_ip,
        port: config.sip_port,
        tls: config.tls.as_ref().map(crate::serve::listen_tls),
        ..Listen::default()
    };
    // Sockets register with the runtime that they are bound in.
    runtime.block_on(async { Sockets::bind(&listen).map(drop) }).map_err(|error| error.to_string())?;
    let on = config.listen_ip.map_or_else(|| "all addresses".into(), |ip| ip.to_string());
    let tls = config.tls.as_ref().map_or_else(String::new, |tls| format!(", TLS {}", tls.port_listen));
    Ok(format!("UDP and TCP {}{tls} on {on}", config.sip_port))
}

fn rtp(config: &Config) -> Result<String, String> {
    let ip = config.listen_ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let (first, last) = config.rtp_port;
    let even = first.saturating_add(first % 2);
    let pairs = (even..last).step_by(2);
    let all = pairs.clone().count();
    let free = |port: u16| UdpSocket::bind(SocketAddr::new(ip, port)).is_ok();
    // One that can be had shows that the address is right; what others take is the pool's affair.
    for port in pairs {
        if free(port) && free(port.saturating_add(1)) {
            return Ok(format!("UDP {first}-{last}, {all} pairs"));
        }
    }
    Err(format!("no free pair in UDP {first}-{last} on {ip}; set rtp_port to a range that nothing else uses"))
}

/// Each call takes two sockets; the usual limit of 1,024 files ends at about 400 calls.
pub fn open_files(report: &mut Report, config: &Config) {
    let Some(limit) = limit_of_open_files() else { return };
    let wanted = config.limits.calls * FILES_A_CALL + OTHER_FILES;
    if limit < wanted {
        let calls = limit.saturating_sub(OTHER_FILES) / FILES_A_CALL;
        let found = format!(
            "{limit} allow about {calls} calls, limits.calls is {}; `ulimit -n {wanted}` or LimitNOFILE= raises it",
            config.limits.calls
        );
        report.add(Came::Note, "open files", found);
    }
}

/// The soft limit, which is the one that counts.
fn limit_of_open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
