//! `trunkline call` against a server that we did not write: SIPp as the one who is called.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::Output;
use trunkline_tests::gateway::binary;
use trunkline_tests::sipp;

fn call(port: u16, more: &[&str]) -> (Output, serde_json::Value) {
    let state = tempfile::tempdir().expect("a folder");
    let output = std::process::Command::new(binary())
        .args(["--config-body", &format!("state_dir: {}", state.path().display())])
        .args(["call", &format!("sip:somebody@127.0.0.1:{port}"), "--json", "--patience", "1"])
        .args(more)
        .env("TRUNKLINE_TEST_PASSWORD", "s3cret")
        .output()
        .expect("the program runs");
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output, report)
}

#[test]
fn it_shows_its_credentials_where_it_is_asked_for_them() {
    let server = sipp::Server::start("uas-digest.xml");
    let (output, report) =
        call(server.port, &["--username", "alice", "--password-env", "TRUNKLINE_TEST_PASSWORD"]);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    server.finish();
}

#[test]
fn a_busy_line_is_told_and_the_exit_code_is_1() {
    let server = sipp::Server::start("uas-busy.xml");
    let (output, report) = call(server.port, &[]);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert_eq!(report["status"], 486);
    assert!(report["end"].as_str().unwrap().contains("486"), "{report}");
    server.finish();
}

#[test]
fn reliable_ringing_is_acknowledged_before_the_answer() {
    let server = sipp::Server::start("uas-100rel.xml");
    let (output, report) = call(server.port, &[]);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    server.finish();
}

#[test]
fn a_line_that_only_rings_is_given_up_with_a_cancel() {
    let server = sipp::Server::start("uas-cancelled.xml");
    let (output, report) = call(server.port, &["--ring", "2"]);
    assert_eq!(output.status.code(), Some(1), "{report}");
    server.finish();
}
