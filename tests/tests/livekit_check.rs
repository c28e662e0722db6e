//! `trunkline check` says what is wrong with Redis, keys and URL before the first call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::Command;
use trunkline_tests::gateway::binary;
use trunkline_tests::livekit::House;

/// What it says of this file, and whether it is content.
fn check(yaml: &str) -> (String, bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let port = trunkline_tests::free_port();
    let file = folder.path().join("trunkline.yaml");
    let own = format!(
        "sip_port: {port}\nlisten_ip: 127.0.0.1\nrtp_port: 42000-42100\nstate_dir: {}\n",
        folder.path().join("state").display()
    );
    std::fs::write(&file, own + yaml).expect("written");
    let said =
        Command::new(binary()).arg("--config").arg(&file).arg("check").output().expect("the program runs");
    (String::from_utf8_lossy(&said.stdout).into_owned(), said.status.success())
}

#[test]
fn a_house_in_order_is_told_line_by_line() {
    let house = House::start();
    let (said, well) = check(&house.yaml());
    assert!(well, "{said}");
    for word in ["takes our key", "as the LiveKit server's", "version"] {
        assert!(said.contains(word), "{word} is not in:\n{said}");
    }
    assert!(!said.contains(trunkline_tests::livekit::SECRET), "{said}");
}

#[test]
fn what_is_wrong_is_named_with_what_mends_it() {
    let mut house = House::start();
    let yaml = house.yaml();
    let (said, well) =
        check(&yaml.replace(trunkline_tests::livekit::SECRET, "another-secret-of-thirty-two-letters"));
    assert!(!well && said.contains("is api_key or api_secret another one there?"), "{said}");
    let (said, well) = check(&yaml.replace("ws_url: ws://127.0.0.1", "ws_url: wss://127.0.0.1"));
    assert!(!well && said.contains("certificate or TLS"), "{said}");
    house.kill_redis();
    let (said, well) = check(&yaml);
    assert!(!well && said.contains("FAIL  Redis") && said.contains(&house.redis_port.to_string()), "{said}");
    house.kill_server();
    let (said, well) = check(&yaml);
    assert!(!well && said.contains("cannot reach the LiveKit server"), "{said}");
}

#[test]
fn the_address_that_the_world_sees_is_asked_of_a_stun_server_and_announced() {
    let port = trunkline_tests::free_port();
    let folder = tempfile::tempdir().unwrap();
    let mut coturn = Command::new("turnserver")
        .args([
            "-n",
            "--no-auth",
            "--no-tls",
            "--no-dtls",
            "--no-cli",
            "--listening-ip",
            "127.0.0.1",
            "--listening-port",
        ])
        .args([&port.to_string(), "--pidfile"])
        .arg(folder.path().join("pid"))
        .args(["--log-file", "stdout"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("turnserver runs; Debian package coturn");
    let yaml = format!("use_external_ip: true\nstun_servers: [\"127.0.0.1:{port}\"]\n");
    let (mut said, mut well) = check(&yaml);
    for _ in 0..10 {
        if well {
            break;
        }
        (said, well) = check(&yaml);
    }
    assert!(said.contains("127.0.0.1, as 127.0.0.1:"), "{said}");
    let gateway = trunkline_tests::gateway::Gateway::with(&yaml);
    let log = gateway.log();
    assert!(log.contains("peers are told this address") && log.contains("address=127.0.0.1"), "{log}");
    let _ = coturn.kill();
    let _ = coturn.wait();
    let (said, well) = check(&yaml);
    assert!(!well && said.contains("no STUN server says which address"), "{said}");
}
