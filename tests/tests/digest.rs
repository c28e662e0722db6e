//! Trunks that ask for credentials, and telephones of three makers that have them or have not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;
use trunkline_tests::baresip::Baresip;
use trunkline_tests::gateway::Gateway;
use trunkline_tests::wire::{Peer, sdp, status};
use trunkline_tests::{ears, sipp};

/// Calls into a room, from who knows the password of trunk T1.
fn gateway(yaml: &str) -> Gateway {
    let gateway = Gateway::with(yaml);
    let trunk = ["trunk", "add", "--id", "T1", "--username", "ann", "--password", "sesame"];
    for arguments in [&["rule", "add", "--room", "lobby"][..], &trunk] {
        assert!(gateway.cli(arguments).status.success());
    }
    gateway
}

#[test]
fn sipp_with_the_right_password_is_taken_by_the_trunk() {
    let mut gateway = gateway("");
    sipp::run("digest.xml", gateway.port, 1, 10, &["-au", "ann", "-ap", "sesame"]).assert_passed();
    gateway.wait_until_idle();
    assert_eq!(gateway.last_call()["cdr"]["trunk"], "T1");
}

#[test]
fn sipp_with_a_wrong_password_gets_403_and_the_log_keeps_the_secret() {
    let mut gateway = gateway("");
    sipp::run("digest_refused.xml", gateway.port, 1, 10, &["-au", "ann", "-ap", "guess"]).assert_passed();
    gateway.wait_until_idle();
    assert_eq!(gateway.last_call()["cdr"]["status"], 403);
    assert!(!gateway.log().contains("sesame") && !gateway.log().contains("guess"));
}

#[test]
fn baresip_answers_the_challenge() {
    let mut gateway = gateway("");
    let folder = tempfile::tempdir().unwrap();
    let tone = ears::tone(folder.path(), 440, 3);
    let uri = format!("sip:agent@127.0.0.1:{}", gateway.port);
    let phone = Baresip::call_as(&uri, &tone, 2, "ann", "sesame");
    let (_, printed, _folder) = phone.finish(Duration::from_secs(30));
    gateway.wait_until_idle();
    let call = gateway.last_call();
    assert_eq!((&call["cdr"]["status"], &call["cdr"]["trunk"]), (&200.into(), &"T1".into()), "{printed}");
}

#[test]
fn sha_256_stands_before_md5_where_it_is_switched_on() {
    let gateway = gateway("sip: {digest_sha256: true}\n");
    let peer = Peer::new(gateway.port);
    peer.send(peer.request("INVITE", "one", 1, None, Some(&sdp("127.0.0.1", 40_000))).as_bytes());
    let challenge = peer.expect(Duration::from_secs(10), |m| status(m) == Some(401)).expect("a 401");
    let algorithms: Vec<_> = challenge.lines().filter_map(|l| l.split_once("algorithm=")).collect();
    assert!(algorithms[0].1.starts_with("SHA-256,") && algorithms[1].1.starts_with("MD5,"), "{challenge}");
}

#[test]
fn our_own_telephone_answers_sha_256() {
    let mut gateway = gateway("sip: {digest_sha256: true}\n");
    let output = std::process::Command::new(trunkline_tests::gateway::binary())
        .args(["call", &format!("sip:agent@127.0.0.1:{}", gateway.port), "--username", "ann"])
        .args(["--password-env", "PASSWORD_OF_ANN", "--patience", "1", "--wav"])
        .arg(ears::tone(gateway.folder.path(), 440, 1))
        .env("PASSWORD_OF_ANN", "sesame")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    gateway.wait_until_idle();
    let call = gateway.last_call();
    assert_eq!((&call["cdr"]["status"], &call["cdr"]["trunk"]), (&200.into(), &"T1".into()));
    assert!(call["timeline"].to_string().contains("algorithm=SHA-256"));
}
