//! Trouble: what cannot be started says why and ends with 1, what can goes on without what is missing, and
//! what dies loses no call from the records.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use trunkline_tests::gateway::{Gateway, binary};
use trunkline_tests::wire::{Peer, header, sdp, status};

/// Starts the program with this configuration; it must end by itself with 1. What it said.
fn refuses_to_start(folder: &Path, yaml: &str) -> String {
    let config = folder.join("trunkline.yaml");
    fs::write(&config, yaml).unwrap();
    let (out, said) = (folder.join("said.txt"), || fs::read_to_string(folder.join("said.txt")).unwrap());
    let file = fs::File::create(&out).unwrap();
    let mut child = Command::new(binary())
        .args(["--config".as_ref(), config.as_os_str()])
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(1), "{}", said());
            assert!(!said().contains("panicked"), "{}", said());
            return said();
        }
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it goes on, half alive: {}", said());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A configuration with a state folder and a port of its own.
fn yaml(folder: &Path, port: u16, more: &str) -> String {
    format!("sip_port: {port}\nlisten_ip: 127.0.0.1\nstate_dir: {}\n{more}", folder.join("state").display())
}

fn says(said: &str, all: &[&str]) {
    for one in all {
        assert!(said.contains(one), "{one:?} is not in: {said}");
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let port = trunkline_tests::free_port();
    let taken = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    says(
        &refuses_to_start(folder.path(), &yaml(folder.path(), port, "")),
        &[&port.to_string(), "UDP", "taken"],
    );
    drop(taken);
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    says(
        &refuses_to_start(folder.path(), &yaml(folder.path(), port, "")),
        &[&port.to_string(), "TCP", "taken"],
    );
    let health = format!("health_port: {port}\n");
    let said = refuses_to_start(folder.path(), &yaml(folder.path(), trunkline_tests::free_port(), &health));
    says(&said, &["health_port", &port.to_string()]);
    drop(taken);
}

#[test]
fn an_error_of_the_configuration_names_file_line_key_and_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trunkline.yaml").display().to_string();
    let said = refuses_to_start(folder.path(), "sip_port: 5060\nlimits:\n  calls: many\n");
    says(&said, &[&format!("{file}:3:"), "limits.calls", "expected a whole number", "many"]);
    let said = refuses_to_start(folder.path(), "sip_port: 5060\n\nlimits: {cals: 3}\n");
    says(&said, &[&format!("{file}:3:"), "limits.cals", "limits.calls"]);
    says(&refuses_to_start(folder.path(), "sip_port: [\n"), &[&file]);
}

#[test]
fn a_dialogue_with_an_error_names_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let dialogue = folder.path().join("desk.yaml");
    let more = format!("agent: {{dialogue: {}}}\n", dialogue.display());
    let text = yaml(folder.path(), trunkline_tests::free_port(), &more);
    says(&refuses_to_start(folder.path(), &text), &["agent.dialogue", "desk.yaml"]);
    fs::write(&dialogue, "start: hello\nstates:\n  hello:\n    sya: Good day\n").unwrap();
    says(&refuses_to_start(folder.path(), &text), &["desk.yaml:"]);
}

#[test]
fn a_damaged_store_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("state/trunkline.redb");
    let text = yaml(folder.path(), trunkline_tests::free_port(), "");
    fs::create_dir_all(store.parent().unwrap()).unwrap();
    let garbage: Vec<u8> = (0..40_000_u32).map(|n| (n * 7 + n / 256) as u8).collect();
    fs::write(&store, &garbage).unwrap();
    says(&refuses_to_start(folder.path(), &text), &["trunkline.redb"]);
    assert_eq!(fs::read(&store).unwrap(), garbage);
    // One that was cut off, as by a disk that was full or a copy that broke.
    let whole = Gateway::start();
    assert!(whole.cli(&["rule", "add", "--room", "lobby"]).status.success());
    let other = whole.kill_9();
    let bytes = fs::read(other.path().join("state/trunkline.redb")).unwrap();
    fs::write(&store, &bytes[..bytes.len() / 3]).unwrap();
    says(&refuses_to_start(folder.path(), &text), &["trunkline.redb"]);
}

#[test]
fn a_state_folder_that_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("state"), "a file").unwrap();
    let text = yaml(folder.path(), trunkline_tests::free_port(), "");
    says(&refuses_to_start(folder.path(), &text), &[&folder.path().join("state").display().to_string()]);
}

#[test]
fn a_second_process_on_the_same_state_says_that_it_is_already_running() {
    let mut first = Gateway::start();
    let folder = tempfile::tempdir().unwrap();
    for port in [first.port, trunkline_tests::free_port()] {
        let said = refuses_to_start(folder.path(), &yaml(first.folder.path(), port, ""));
        says(&said, &["already running", &format!("pid {}", first.pid())]);
    }
    Peer::new(first.port).short_call("still-there").unwrap();
    first.wait_until_idle();
}

#[test]
fn without_a_free_rtp_port_a_call_gets_503_until_another_ends() {
    let port = trunkline_tests::free_port();
    let even = 30_000 + port % 20_000 / 2 * 2;
    let mut gateway = Gateway::with(&format!("rtp_port: {even}\n"));
    let peer = Peer::new(gateway.port);
    let first = peer.dial("first", 40_000).unwrap();
    let invite = peer.request("INVITE", "second", 1, None, Some(&sdp("127.0.0.1", 40_002)));
    let answer = peer.ask(&invite, "second", "1 INVITE").unwrap();
    assert_eq!(status(&answer), Some(503), "{answer}");
    assert!(header(&answer, "Retry-After").is_some(), "{answer}");
    says(&gateway.log(), &["no free RTP port", &even.to_string()]);
    gateway.wait_until("it is in the records", |g| g.cli(&["calls", "show", "second"]).status.success());
    says(&gateway.json(&["calls", "show", "second"]).to_string(), &["no free RTP port"]);
    peer.hang_up(&first).unwrap();
    gateway.wait_until_idle();
    peer.short_call("third").unwrap();
}

#[test]
fn without_speech_engines_the_agent_gets_503_and_rooms_go_on() {
    // A file of that name comes before the system's libraries, and is none.
    let hidden = tempfile::tempdir().unwrap();
    for library in ["libflite.so.1", "libpocketsphinx.so.3"] {
        fs::write(hidden.path().join(library), "").unwrap();
    }
    let path = hidden.path().display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::in_environment(folder, "", &[("LD_LIBRARY_PATH", &path)]);
    let fault = gateway.json(&["status"])["agent"].as_str().unwrap().to_owned();
    says(&fault, &["install the Debian package"]);
    let start = gateway.log();
    says(&start, &["The agent cannot talk", "install the Debian package lib", "503"]);

    let peer = Peer::new(gateway.port);
    let invite = peer.request("INVITE", "agent", 1, None, Some(&sdp("127.0.0.1", 40_000)));
    assert_eq!(peer.ask(&invite, "agent", "1 INVITE").as_deref().and_then(status), Some(503));
    says(&gateway.log(), &["call refused", "status=503"]);
    assert!(gateway.cli(&["rule", "add", "--room", "lobby"]).status.success());
    peer.short_call("room").unwrap();
    gateway.wait_until_idle();
}

#[test]
fn after_a_kill_9_the_calls_that_were_up_are_in_the_records_and_marked() {
    let mut gateway = Gateway::start();
    assert!(gateway.cli(&["rule", "add", "--room", "lobby"]).status.success());
    let peer = Peer::new(gateway.port);
    peer.short_call("over").unwrap();
    for n in 0..20 {
        peer.dial(&format!("up-{n}"), 40_000).unwrap();
    }
    gateway.wait_until("all are in the room", |g| g.number("counts", "participants") == 20);
    let folder = gateway.kill_9();
    assert!(folder.path().join("state/control.sock").exists(), "it had no time to clean up");

    let mut gateway = Gateway::within(folder, "");
    let calls = gateway.json(&["calls", "list", "--most", "100"]);
    let ended = calls["ended"].as_array().unwrap();
    let marked = |id: &str| {
        let cdr = ended.iter().find(|c| c["sip_call_id"] == id).unwrap_or_else(|| panic!("{id} is lost"));
        assert_eq!((&cdr["status"], cdr["answered"].is_u64()), (&200.into(), true), "{cdr}");
        cdr["interrupted"] == true
    };
    assert!((0..20).all(|n| marked(&format!("up-{n}"))));
    assert!(!marked("over"), "a call that had ended is not marked");
    let shown = gateway.json(&["calls", "show", "up-7"]);
    says(&shown["timeline"].to_string(), &["INVITE", "lobby"]);
    assert!(gateway.log().contains("calls=20"), "{}", gateway.log());
    // Rules outlive it, too, and calls are taken again.
    assert_eq!(gateway.json(&["rule", "list"]).as_array().map(Vec::len), Some(1));
    Peer::new(gateway.port).short_call("again").unwrap();
    gateway.wait_until_idle();
}
