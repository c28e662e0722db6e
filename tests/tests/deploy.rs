//! `deploy/run`, as somebody meets it who has just fetched the project.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use trunkline_tests::gateway::binary;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests has a parent").to_owned()
}

fn deploy(arguments: &[&str], path: Option<OsString>) -> Output {
    let mut command = Command::new(root().join("deploy/run"));
    command.args(arguments).stdin(Stdio::null());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command.output().expect("bash runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The PATH of this process without one program: folders that have it are replaced by links to all others.
fn path_without(program: &str, folder: &Path) -> OsString {
    let path = std::env::var_os("PATH").expect("a PATH");
    let folders = std::env::split_paths(&path).enumerate().map(|(n, original)| {
        if !original.join(program).exists() {
            return original;
        }
        let shadow = folder.join(n.to_string());
        fs::create_dir(&shadow).expect("a folder");
        for entry in fs::read_dir(&original).expect("a folder of PATH").filter_map(Result::ok) {
            if entry.file_name() != program {
                std::os::unix::fs::symlink(entry.path(), shadow.join(entry.file_name())).expect("a link");
            }
        }
        shadow
    });
    std::env::join_paths(folders.collect::<Vec<_>>()).expect("a PATH")
}

#[test]
fn help_is_printed_and_an_unknown_option_is_refused() {
    let help = deploy(&["--help"], None);
    assert!(help.status.success());
    let said = text(&help.stdout);
    for word in ["--no-install", "--build-only", "--help", "sudo", "sip:anything@"] {
        assert!(said.contains(word), "{word} is not in the help:\n{said}");
    }
    let unknown = deploy(&["--no-instal"], None);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("--no-instal"), "{}", text(&unknown.stderr));
}

#[test]
fn with_no_install_it_says_what_is_missing_and_why_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = deploy(&["--no-install"], Some(path_without("cmake", folder.path())));
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    let line =
        said.lines().find(|l| l.trim_start().starts_with("cmake ")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("Opus"), "why it is needed: {line}");
    assert!(said.contains("Nothing was changed") && said.contains("apt-get install cmake"), "{said}");
    assert!(!said.contains("Building"), "it went on: {said}");
}

#[test]
fn without_root_and_without_a_way_to_become_it_nothing_is_awaited() {
    // Nothing is installed: as nobody in particular, with no terminal, sudo must fail and not ask.
    let folder = tempfile::tempdir().expect("a folder");
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    for (name, script) in [("id", "echo 1000"), ("sudo", "echo \"sudo $*\"; exit 1"), ("apt-get", "exit 0")] {
        let file = bin.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    }
    let rest = path_without("cmake", folder.path());
    let path =
        std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&rest))).expect("a PATH");
    let output = deploy(&[], Some(path));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("sudo -n apt-get update"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("apt-get update failed"), "{}", text(&output.stderr));
}

/// `deploy/run` that started the program.
struct Started {
    child: Child,
    log: PathBuf,
}

impl Started {
    fn new(folder: &Path, port: u16) -> Self {
        let config = folder.join("trunkline.yaml");
        let state = folder.join("state");
        let yaml = format!(
            "sip_port: {port}\nlisten_ip: 127.0.0.1\nstate_dir: {}\nrtp_port: 49000-49100\n",
            state.display()
        );
        fs::write(&config, yaml).expect("written");
        let log = folder.join("log.txt");
        let out = fs::File::create(&log).expect("a log");
        let child = Command::new(root().join("deploy/run"))
            .args(["--no-install", "--", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a log"))
            .stderr(out)
            .spawn()
            .expect("bash runs");
        Self { child, log }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn wait_for(&mut self, words: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.said().contains(words) {
            assert!(matches!(self.child.try_wait(), Ok(None)), "it ended:\n{}", self.said());
            assert!(Instant::now() < end, "\"{words}\" is not said:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// SIGTERM, and the exit code.
    fn end(&mut self) -> Option<i32> {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(killed.is_ok_and(|s| s.success()));
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end on SIGTERM:\n{}", self.said())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_starts_what_is_built_says_where_to_call_and_ends_on_sigterm() {
    if !binary().ends_with("release/trunkline") {
        eprintln!("not tried: deploy/run builds for release, and TRUNKLINE_BIN is another build");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let port = trunkline_tests::free_port();
    let mut first = Started::new(folder.path(), port);
    first.wait_for("ready");
    let said = first.said();
    assert!(said.contains(&format!("sip:anything@127.0.0.1:{port}")), "{said}");
    assert!(said.contains("The door is open") && said.contains("trunk add"), "{said}");
    // What it says to try next is tried, as it is written.
    let line = said.lines().find(|l| l.contains("call sip:agent@")).unwrap_or_else(|| panic!("{said}"));
    let words: Vec<&str> = line.split_whitespace().take(3).collect();
    let call = Command::new(words[0])
        .args(&words[1..])
        .args(["--at-once", "--keys", "1", "--patience", "1"])
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("the command of the start text runs");
    assert!(call.status.success(), "{}{}", text(&call.stdout), text(&call.stderr));
    assert_eq!(first.end(), Some(0));
    // Once more, with everything there: no build, no question.
    let mut second = Started::new(folder.path(), port);
    second.wait_for("ready");
    assert!(!second.said().contains("Compiling") && !second.said().contains("Missing"), "{}", second.said());
    assert_eq!(second.end(), Some(0));
}
