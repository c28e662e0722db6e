//! The program under test, started as a user would start it.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where the built program is: `TRUNKLINE_BIN`, or the release build of this tree.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("TRUNKLINE_BIN") {
        return path.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests has a parent");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("release/trunkline")
}

/// A running trunkline with ports and state of its own.
pub struct Gateway {
    pub port: u16,
    pub folder: TempDir,
    child: Child,
    log: PathBuf,
}

impl Gateway {
    /// Starts with only the keys that a test must set (ports, state).
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts with more lines of YAML.
    pub fn with(yaml: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::within(folder, yaml)
    }

    /// Starts in a folder that an earlier one used.
    pub fn within(folder: TempDir, yaml: &str) -> Self {
        Self::in_environment(folder, yaml, &[])
    }

    /// The same, with variables in its environment.
    pub fn in_environment(folder: TempDir, yaml: &str, variables: &[(&str, &str)]) -> Self {
        let port = crate::free_port();
        let first = 20_000 + (port % 20_000) / 2 * 2;
        let mut text = format!("sip_port: {port}\nstate_dir: {}\n", folder.path().join("state").display());
        if !yaml.contains("listen_ip") {
            text.push_str("listen_ip: 127.0.0.1\n");
        }
        if !yaml.contains("rtp_port") {
            text.push_str(&format!("rtp_port: {first}-{}\n", first + 3999));
        }
        text.push_str(yaml);
        let config = folder.path().join("trunkline.yaml");
        fs::write(&config, text).expect("configuration written");
        let log = folder.path().join("log.txt");
        let out = fs::OpenOptions::new().create(true).append(true).open(&log).expect("log");
        let child = Command::new(binary())
            .args(["--config".as_ref(), config.as_os_str()])
            .envs(variables.iter().copied())
            .stdout(out.try_clone().expect("log"))
            .stderr(out)
            .stdin(Stdio::null())
            .spawn()
            .expect("the program starts; TRUNKLINE_BIN or cargo build --release");
        let mut gateway = Self { port, folder, child, log };
        gateway.wait_until("ready", |g| g.cli(&["status", "--json"]).status.success());
        gateway
    }

    /// The file that it was started with.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("trunkline.yaml")
    }

    /// Everything it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs a verb of the program against this process.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .args(["--config".as_ref(), self.config().as_os_str()])
            .args(arguments)
            .output()
            .expect("the program runs")
    }

    /// A verb with `--json`, parsed.
    #[must_use]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.cli(&[arguments, &["--json"]].concat());
        assert!(
            output.status.success(),
            "{arguments:?} failed: {}{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Waits until a condition holds; the test fails with the log when it does not within 20 s.
    pub fn wait_until(&mut self, what: &str, holds: impl FnMut(&Self) -> bool) {
        self.wait(Duration::from_secs(20), what, holds);
    }

    /// [`Gateway::wait_until`] with a limit of its own.
    pub fn wait(&mut self, patience: Duration, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + patience;
        while !holds(self) {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the program ended ({status}) while waiting for: {what}\n{}", self.log());
            }
            assert!(Instant::now() < end, "not within {patience:?}: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until no call, leg, port, room or agent session is left. Transactions linger for 32 s after
    /// the last call (timers H, I and J of RFC 3261): [`Gateway::wait_until_nothing_is_left`] waits for them.
    pub fn wait_until_idle(&mut self) {
        const KINDS: [&str; 7] = ["calls", "dialogs", "legs", "ports", "agents", "rooms", "participants"];
        self.wait_until("no call is left", |g| {
            g.counts().iter().all(|(k, n)| *n == 0 || !KINDS.contains(&k.as_str()))
        });
    }

    /// Waits until everything that the program counts is zero: transactions and connections, too.
    pub fn wait_until_nothing_is_left(&mut self) {
        self.wait(Duration::from_secs(60), "nothing is left", |g| g.counts().iter().all(|(_, n)| *n == 0));
    }

    /// One number of `trunkline status`: `counts` or `totals`, and which.
    #[must_use]
    pub fn number(&self, group: &str, key: &str) -> u64 {
        self.json(&["status"])[group][key].as_u64().unwrap_or_else(|| panic!("status has no {group}.{key}"))
    }

    /// What the program holds, by kind.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, u64)> {
        let status = self.json(&["status"]);
        let counts = status["counts"].as_object().expect("counts");
        counts.iter().map(|(kind, n)| (kind.clone(), n.as_u64().expect("a number"))).collect()
    }

    /// The call that ended last, with its timeline: `cdr` and `timeline` of `calls show`.
    pub fn last_call(&mut self) -> Value {
        self.wait_until("a call has ended and is recorded", |g| {
            g.json(&["calls"])["ended"].as_array().is_some_and(|calls| !calls.is_empty())
        });
        let id = self.json(&["calls"])["ended"][0]["id"].as_str().expect("an id").to_owned();
        self.json(&["calls", "show", &id])
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(done.is_ok_and(|s| s.success()), "kill -{name}");
    }

    /// Waits for the end of the process and gives its exit code.
    pub fn wait_for_exit(&mut self) -> Option<i32> {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the program did not end within a minute\n{}", self.log());
    }

    /// CPU seconds (user and system) and resident kB of the process.
    #[must_use]
    pub fn usage(&self) -> (f64, u64) {
        usage(self.pid())
    }

    /// Ends the process without ceremony and keeps its folder.
    pub fn kill_9(mut self) -> TempDir {
        self.signal("KILL");
        let _ = self.child.wait();
        std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"))
    }
}

/// CPU seconds (user and system) and resident kB of a process.
#[must_use]
pub fn usage(pid: u32) -> (f64, u64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit(") ").next().unwrap_or_default();
    let field = |n: usize| after.split(' ').nth(n).and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0);
    let status = fs::File::open(format!("/proc/{pid}/status"))
        .map(|f| BufReader::new(f).lines().map_while(Result::ok).collect::<Vec<_>>())
        .unwrap_or_default();
    let resident = status
        .iter()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .and_then(|v| v.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0);
    ((field(11) + field(12)) / 100.0, resident)
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the program under test\n{}", self.log());
        }
    }
}
