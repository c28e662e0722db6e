//! `tls`: SIP over TLS, with livekit/sip's keys.

use crate::ConfigError;
use crate::section::Section;
use std::path::PathBuf;
use trunkline_yaml::{Entry, Node, Value};

/// `tls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `port`: what peers are told. 5061.
    pub port: u16,
    /// `port_listen`: what is listened on; `port` if it is not set.
    pub port_listen: u16,
    /// `certs`: chain and key, as PEM files; the first is for whoever asks for no name of ours.
    pub certs: Vec<(PathBuf, PathBuf)>,
    /// `min_version: tls1.3`.
    pub only_1_3: bool,
    /// `max_version: tls1.2`.
    pub only_1_2: bool,
    /// `cipher_suites`: IANA names; empty: all that there are.
    pub cipher_suites: Vec<String>,
    /// `alpn`: `["sip"]`; empty: none.
    pub alpn: Vec<String>,
}

pub(crate) fn tls(root: &mut Section<'_>, notes: &mut Vec<String>) -> Result<Option<Tls>, ConfigError> {
    let Some(line) = root.take("tls").map(|node| node.line) else { return Ok(None) };
    let mut tls = root.section("tls")?;
    let port = tls.port("port", 1)?.unwrap_or(5061);
    let minimum = version(&mut tls, "min_version")?.unwrap_or(2);
    let maximum = version(&mut tls, "max_version")?.unwrap_or(3);
    let read = Tls {
        port,
        port_listen: tls.port("port_listen", 1)?.unwrap_or(port),
        certs: certs(&mut tls)?,
        only_1_3: minimum == 3,
        only_1_2: maximum == 2,
        cipher_suites: texts(&mut tls, "cipher_suites")?.unwrap_or_default(),
        alpn: texts(&mut tls, "alpn")?.unwrap_or_else(|| vec!["sip".to_owned()]),
    };
    if let Some(line) = tls.line_of("key_log") {
        tls.know("key_log");
        notes.push(format!("{} has no effect: keys of TLS are not written down", tls.place(line, "key_log")));
    }
    if read.certs.is_empty() {
        return Err(tls.fault(line, "certs", "expected at least one {cert_file, key_file}, found none"));
    }
    if minimum > maximum {
        return Err(tls.fault(line, "max_version", "expected at least min_version"));
    }
    tls.finish()?;
    Ok(Some(read))
}

/// `tls1.2` or `tls1.3`, as livekit/sip writes them; the older ones are spoken by nobody here.
fn version(tls: &mut Section<'_>, key: &'static str) -> Result<Option<u8>, ConfigError> {
    let Some(node) = tls.take(key) else { return Ok(None) };
    match node.scalar().map(str::to_ascii_lowercase).as_deref() {
        Some("tls1.2" | "1.2") => Ok(Some(2)),
        Some("tls1.3" | "1.3") => Ok(Some(3)),
        Some("tls1.0" | "1.0" | "tls1.1" | "1.1") if key == "min_version" => Ok(Some(2)),
        _ => Err(tls.wrong(node, key, "tls1.2 or tls1.3")),
    }
}

fn certs(tls: &mut Section<'_>) -> Result<Vec<(PathBuf, PathBuf)>, ConfigError> {
    const EXPECTED: &str = "a list of {cert_file, key_file}";
    let Some(node) = tls.take("certs") else { return Ok(Vec::new()) };
    let Value::List(items) = &node.value else { return Err(tls.wrong(node, "certs", EXPECTED)) };
    let mut certs = Vec::new();
    for item in items {
        let Value::Map(entries) = &item.value else { return Err(tls.wrong(item, "certs", EXPECTED)) };
        if let Some(odd) =
            entries.iter().find(|entry| !matches!(entry.key.as_str(), "cert_file" | "key_file"))
        {
            return Err(tls.fault(odd.line, "certs", &format!("unknown key; expected {EXPECTED}")));
        }
        match (file(entries, "cert_file"), file(entries, "key_file")) {
            (Some(cert), Some(key)) => certs.push((cert, key)),
            _ => return Err(tls.fault(item.line, "certs", "expected both cert_file and key_file")),
        }
    }
    Ok(certs)
}

fn file(entries: &[Entry], key: &str) -> Option<PathBuf> {
    let entry = entries.iter().find(|entry| entry.key == key)?;
    entry.value.scalar().filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn texts(tls: &mut Section<'_>, key: &'static str) -> Result<Option<Vec<String>>, ConfigError> {
    let Some(node) = tls.take(key) else { return Ok(None) };
    let Value::List(items) = &node.value else { return Err(tls.wrong(node, key, "a list of names")) };
    let name = |item: &Node| item.scalar().map(str::to_owned).ok_or_else(|| tls.wrong(item, key, "a name"));
    items.iter().map(name).collect::<Result<_, _>>().map(Some)
}
