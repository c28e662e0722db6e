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

/// Runs a scenario file of `tests/sipp` against a gateway: `calls` calls, `rate` a second.
#[must_use]
pub fn run(scenario: &str, gateway_port: u16, calls: u32, rate: u32, more: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp").join(scenario);
    let media = crate::free_port();
    let errors: PathBuf = folder.path().join("errors.log");
    let output = Command::new("sipp")
        .arg(format!("127.0.0.1:{gateway_port}"))
        .args(["-sf".as_ref(), file.as_os_str()])
        .args(["-i", "127.0.0.1", "-p", &crate::free_port().to_string(), "-mi", "127.0.0.1"])
        .args(["-min_rtp_port", &media.to_string(), "-max_rtp_port", &(media + 1000).to_string()])
        .args(["-m", &calls.to_string(), "-r", &rate.to_string(), "-s", "agent", "-nostdin"])
        .args(["-timeout", "60s", "-timeout_error", "-trace_err", "-error_file"])
        .arg(&errors)
        .args(more)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("sipp runs; Debian package sip-tester");
    let printed = String::from_utf8_lossy(&output.stdout);
    let tail: Vec<&str> = printed.lines().rev().take(60).collect();
    let account = format!(
        "exit {:?}\n{}\n{}",
        output.status.code(),
        tail.into_iter().rev().collect::<Vec<_>>().join("\n"),
        std::fs::read_to_string(&errors).unwrap_or_default()
    );
    Outcome { passed: output.status.success(), account }
}

/// Time that a scenario with `milliseconds` of pauses may take.
#[must_use]
pub fn patience(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds + 10_000)
}
