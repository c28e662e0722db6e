//! SIPp, the telephone industry's call generator, with scenarios of `tests/sipp`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a run of SIPp came to.
#[derive(Debug)]
pub struct Outcome {
    pub passed: bool,
    /// What it printed last, and its error file: why it failed.
    pub account: String,
}

impl Outcome {
    /// The scenario went through to its end.
    pub fn assert_passed(&self) {
        assert!(self.passed, "{}", self.account);
    }
}

/// Runs a scenario file of `tests/sipp` against a gateway: `calls` calls, `rate` a second.
#[must_use]
pub fn run(scenario: &str, gateway_port: u16, calls: u32, rate: u32, more: &[&str]) -> Outcome {
    run_from("127.0.0.1", scenario, gateway_port, calls, rate, more)
}

/// The same from another address of loopback, to the same address: IPv6 (`::1`) or IPv4.
#[must_use]
pub fn run_from(
    ip: &str,
    scenario: &str,
    gateway_port: u16,
    calls: u32,
    rate: u32,
    more: &[&str],
) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp").join(scenario);
    let errors: PathBuf = folder.path().join("errors.log");
    // A second of 500 Hz in µ-law for `rtp_stream`.
    let tone: Vec<u8> = (0..8000).map(|n| if n % 16 < 8 { 0x20 } else { 0xa0 }).collect();
    std::fs::write(folder.path().join("tone.ulaw"), tone).expect("a tone");
    let to = if ip.contains(':') { format!("[{ip}]:{gateway_port}") } else { format!("{ip}:{gateway_port}") };
    let output = Command::new("sipp")
        .arg(to)
        .args(["-sf".as_ref(), file.as_os_str()])
        .args(["-i", ip, "-p", &crate::free_port().to_string()])
        .args(["-mi", ip, "-mp", &crate::free_port().to_string()])
        .args(["-m", &calls.to_string(), "-r", &rate.to_string(), "-s", "agent", "-nostdin"])
        .args(["-timeout", "90s", "-timeout_error", "-trace_err", "-error_file"])
        .arg(&errors)
        .args(more)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("sipp runs; Debian package sip-tester");
    let printed = String::from_utf8_lossy(&output.stdout);
    let tail: Vec<&str> = printed.lines().rev().take(60).collect();
    let account = format!(
        "exit {:?}\n{}\n{}\n{}",
        output.status.code(),
        tail.into_iter().rev().collect::<Vec<_>>().join("\n"),
        std::fs::read_to_string(&errors).unwrap_or_default(),
        String::from_utf8_lossy(&output.stderr)
    );
    Outcome { passed: output.status.success(), account }
}

/// Time that a scenario with `milliseconds` of pauses may take.
#[must_use]
pub fn patience(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds + 10_000)
}
