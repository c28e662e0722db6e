//! `trunkline call`, our own telephone, as a process that others watch while it is in its call.

use crate::gateway::{Gateway, binary};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A call that is going on in another process.
pub struct Terminal {
    child: Child,
    folder: TempDir,
}

/// What it came to.
#[derive(Debug)]
pub struct Called {
    pub success: bool,
    /// Everything it printed.
    pub printed: String,
    pub folder: TempDir,
}

impl Terminal {
    /// Calls a user of the gateway with more arguments of `trunkline call`, and records both sides.
    #[must_use]
    pub fn call(gateway: &Gateway, user: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let out = fs::File::create(folder.path().join("printed.txt")).expect("a file");
        let child = Command::new(binary())
            .args(["--config".as_ref(), gateway.config().as_os_str()])
            .args(["call", &format!("sip:{user}@127.0.0.1:{}", gateway.port), "--record"])
            .arg(folder.path().join("call.wav"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a file"))
            .stderr(out)
            .spawn()
            .expect("the program runs");
        Self { child, folder }
    }

    /// A call of so many seconds by somebody who says 440 Hz.
    #[must_use]
    pub fn tone(gateway: &Gateway, from: &str, user: &str, seconds: u32, more: &[&str]) -> Self {
        let tone = crate::ears::tone(gateway.folder.path(), 440, seconds);
        let (longest, tone) = (seconds.to_string(), tone.display().to_string());
        let mut words = vec!["--from", from, "--longest", &longest, "--at-once", "--wav", &tone];
        words.extend(more);
        Self::call(gateway, user, &words)
    }

    /// What it printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        printed(self.folder.path())
    }

    /// Waits for its end; the test fails when it is not over within a minute.
    #[must_use]
    pub fn finish(mut self) -> Called {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                let folder =
                    std::mem::replace(&mut self.folder, tempfile::tempdir().expect("another folder"));
                return Called { success: status.success(), printed: printed(folder.path()), folder };
            }
            assert!(Instant::now() < end, "trunkline call does not end:\n{}", self.printed());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Called {
    /// The stereo recording: left the far party, right this end.
    #[must_use]
    pub fn recording(&self) -> PathBuf {
        self.folder.path().join("call.wav")
    }

    /// What it printed with `--json`.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.printed).unwrap_or_else(|e| panic!("{e}: {}", self.printed))
    }
}

fn printed(folder: &Path) -> String {
    fs::read_to_string(folder.join("printed.txt")).unwrap_or_default()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
