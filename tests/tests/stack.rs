//! `deploy/`: the files of a LiveKit stack are what they say, and `deploy/stack` starts it from them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use trunkline_tests::gateway::binary;
use trunkline_tests::livekit::server_binary;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests has a parent").to_owned()
}

fn deploy(script: &str, arguments: &[&str]) -> Output {
    Command::new(root().join("deploy").join(script))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{script}: {error}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A copy of the compose folder with ports of its own, and a folder for its state.
struct Stack {
    folder: tempfile::TempDir,
}

impl Stack {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["compose.yaml", "livekit.yaml", "trunkline.yaml"] {
            fs::copy(root().join("deploy/compose").join(file), folder.path().join(file)).expect("copied");
        }
        let (sip, redis, livekit) =
            (trunkline_tests::free_port(), trunkline_tests::free_port(), trunkline_tests::free_port());
        let (media, health, metrics) =
            (trunkline_tests::free_port(), trunkline_tests::free_port(), trunkline_tests::free_port());
        let secrets = text(&deploy("secrets", &[]).stdout);
        let env = format!(
            "LIVEKIT_NODE_IP=127.0.0.1\nSIP_PORT={sip}\nREDIS_PORT={redis}\nLIVEKIT_PORT={livekit}\n\
             LIVEKIT_RTC_TCP_PORT={}\nLIVEKIT_RTC_UDP_PORT={media}\nLIVEKIT_URL=ws://127.0.0.1:{livekit}\n\
             REDIS_URL=redis://127.0.0.1:{redis}\nTRUNKLINE_HEALTH_PORT={health}\n{secrets}",
            media + 1
        );
        fs::write(folder.path().join(".env"), env).expect("written");
        let own = fs::read_to_string(folder.path().join("trunkline.yaml")).expect("a file");
        let own = own.replace("8086", &health.to_string()).replace("8087", &metrics.to_string());
        fs::write(folder.path().join("trunkline.yaml"), own).expect("written");
        Self { folder }
    }

    fn run(&self, verb: &str, more: &[&str]) -> Output {
        let path = |program: PathBuf| program.parent().map(Path::to_owned).unwrap_or_default();
        let old = std::env::var_os("PATH").unwrap_or_default();
        let folders = [path(binary()), path(server_binary())];
        let path =
            std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&old))).expect("a PATH");
        Command::new(root().join("deploy/stack"))
            .arg(verb)
            .args(more)
            .arg("-f")
            .arg(self.folder.path().join("compose.yaml"))
            .arg("--state")
            .arg(self.folder.path().join("state"))
            .env("PATH", path)
            .stdin(Stdio::null())
            .output()
            .expect("python runs")
    }

    fn health(&self) -> Output {
        deploy("health_check.sh", &[&self.folder.path().join(".env").display().to_string()])
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.run("down", &[]);
    }
}

#[test]
fn the_stack_comes_up_from_the_compose_file_and_the_health_check_says_who_is_missing() {
    let stack = Stack::new();
    let before = stack.health();
    assert_eq!(before.status.code(), Some(4), "{}", text(&before.stdout));
    let up = stack.run("up", &["-d"]);
    assert!(up.status.success(), "{}{}", text(&up.stdout), text(&up.stderr));
    let ps = stack.run("ps", &[]);
    assert!(ps.status.success() && text(&ps.stdout).matches("healthy").count() == 3, "{}", text(&ps.stdout));
    let well = stack.health();
    assert!(well.status.success(), "{}", text(&well.stdout));
    let down = stack.run("down", &[]);
    assert!(down.status.success(), "{}", text(&down.stderr));
    assert_eq!(stack.health().status.code(), Some(4));
}

#[test]
fn a_service_that_wants_what_nobody_set_is_named() {
    let stack = Stack::new();
    fs::write(stack.folder.path().join(".env"), "LIVEKIT_NODE_IP=127.0.0.1\n").expect("written");
    let refused = stack.run("up", &["-d"]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("LIVEKIT_API_KEY is not set"), "{}", text(&refused.stderr));
}

#[test]
fn secrets_differ_each_time_and_the_firewall_shows_what_it_would_do() {
    let (one, two) = (text(&deploy("secrets", &[]).stdout), text(&deploy("secrets", &[]).stdout));
    assert!(one != two && one.contains("LIVEKIT_API_SECRET=") && one.lines().count() == 2, "{one}");
    let shown = text(&deploy("firewall", &["--show", "--sip-from", "203.0.113.0/24"]).stdout);
    assert!(shown.contains("203.0.113.0/24") && shown.contains("7882") && !shown.contains("6379"), "{shown}");
    assert_eq!(deploy("firewall", &["--sip-from", "here; rm"]).status.code(), Some(2));
}

#[test]
fn the_dockerfile_has_no_fault_that_hadolint_finds() {
    let python = std::env::var("TRUNKLINE_TEST_PYTHON").expect("TRUNKLINE_TEST_PYTHON");
    let hadolint = Path::new(&python).with_file_name("hadolint");
    let found = Command::new(hadolint).arg(root().join("deploy/Dockerfile")).output().expect("hadolint runs");
    assert!(found.status.success(), "{}", text(&found.stdout));
}
