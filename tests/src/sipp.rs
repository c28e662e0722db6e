//! SIPp, the telephone industry's call generator, with scenarios of `tests/sipp`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

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

/// SIPp as the one who is called, for one call.
pub struct Server {
    pub port: u16,
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Starts a scenario of `tests/sipp` at a free port of loopback and waits until it listens.
    #[must_use]
    pub fn start(scenario: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp").join(scenario);
        let (port, media) = (crate::free_port(), crate::free_port());
        let printed = std::fs::File::create(folder.path().join("printed.txt")).expect("a file");
        let child = Command::new("sipp")
            .args(["-sf".as_ref(), file.as_os_str()])
            .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-mi", "127.0.0.1"])
            .args(["-mp", &media.to_string()])
            .args(["-m", "1", "-nostdin", "-timeout", "60s", "-timeout_error", "-trace_err", "-error_file"])
            .arg(folder.path().join("errors.log"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(printed.try_clone().expect("a file"))
            .stdout(printed)
            .spawn()
            .expect("sipp runs; Debian package sip-tester");
        let server = Self { port, child, folder };
        let end = Instant::now() + Duration::from_secs(10);
        // It listens once nobody else can bind its port.
        while std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            assert!(Instant::now() < end, "sipp does not listen: {}", server.account());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Waits for its end; fails with what it printed when the call was not what the scenario asks for.
    pub fn finish(mut self) {
        let end = Instant::now() + Duration::from_secs(70);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return assert!(status.success(), "{}", self.account()),
                Ok(None) => assert!(Instant::now() < end, "sipp does not end: {}", self.account()),
                Err(error) => panic!("sipp: {error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn account(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let printed = read("printed.txt");
        let tail: Vec<&str> = printed.lines().rev().take(40).collect();
        format!("{}\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"), read("errors.log"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Time that a scenario with `milliseconds` of pauses may take.
#[must_use]
pub fn patience(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds + 10_000)
}
