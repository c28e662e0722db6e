//! Trunks and rules are set up from the command line, whether the program runs or not; a test of a rule
//! says who would take a call and why the others would not; livekit's files are taken as they stand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use trunkline_tests::gateway::{Gateway, binary};
use trunkline_tests::terminal::Terminal;

/// A verb on a state folder that no program holds.
fn stopped(folder: &Path, arguments: &[&str]) -> Output {
    let config = format!("state_dir: {}\n", folder.join("state").display());
    Command::new(binary())
        .args(["--config-body", &config])
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn parsed(output: &Output) -> Value {
    assert!(output.status.success(), "{}{}", said(output), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|x| x["id"].as_str().expect("an id")).collect()
}

#[test]
fn trunks_and_rules_are_the_same_with_and_without_a_running_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let offline = |arguments: &[&str]| stopped(folder.path(), arguments);
    assert!(said(&offline(&["trunk", "list"])).contains("no trunk is set up"));
    assert!(said(&offline(&["rule", "list"])).contains("no rule is set up"));
    let trunk = parsed(&offline(&[
        "trunk",
        "add",
        "--id",
        "ST_first",
        "--name",
        "first",
        "--number",
        "+1555",
        "--username",
        "u",
        "--password",
        "unsaid-secret",
        "--json",
    ]));
    assert_eq!(trunk["id"], "ST_first");
    let rule = parsed(&offline(&[
        "rule",
        "add",
        "--id",
        "SDR_first",
        "--room",
        "lobby",
        "--trunk",
        "ST_first",
        "--json",
    ]));
    assert_eq!(rule["id"], "SDR_first");

    let mut gateway = Gateway::within(folder, "");
    assert_eq!(ids(&gateway.json(&["trunk", "list"])), ["ST_first"]);
    assert_eq!(ids(&gateway.json(&["rule", "list"])), ["SDR_first"]);
    let table = said(&gateway.cli(&["trunk", "list"]));
    assert!(table.contains("+1555") && !table.contains("unsaid-secret"), "{table}");
    assert!(gateway.cli(&["trunk", "add", "--id", "ST_second", "--number", "+1777"]).status.success());
    let second = gateway.cli(&["rule", "add", "--id", "SDR_second", "--agent", "--trunk", "ST_second"]);
    assert!(second.status.success(), "{}", complaint(&second));
    assert!(gateway.cli(&["rule", "remove", "SDR_first"]).status.success());
    assert!(gateway.cli(&["trunk", "remove", "ST_first"]).status.success());
    let again = gateway.cli(&["trunk", "remove", "ST_first"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(complaint(&again).contains("ST_first"), "{}", complaint(&again));
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(), Some(0));

    assert_eq!(ids(&parsed(&gateway.cli(&["trunk", "list", "--json"]))), ["ST_second"]);
    assert_eq!(ids(&parsed(&gateway.cli(&["rule", "list", "--json"]))), ["SDR_second"]);
    assert!(gateway.cli(&["rule", "remove", "SDR_second"]).status.success());
    assert!(said(&gateway.cli(&["rule", "list"])).contains("no rule is set up"));
}

#[test]
fn a_rule_test_says_who_would_take_the_call_and_why_each_other_would_not() {
    let gateway = Gateway::start();
    for arguments in [
        &["trunk", "add", "--id", "ST_office", "--number", "+15550100", "--allow-address", "192.0.2.0/24"][..],
        &["trunk", "add", "--id", "ST_shop", "--number", "+15550200"],
        &["rule", "add", "--id", "SDR_office", "--room", "office", "--trunk", "ST_office", "--pin", "8031"],
        &["rule", "add", "--id", "SDR_vip", "--room", "vip", "--caller", "+15559999"],
        &["rule", "add", "--id", "SDR_shop", "--agent", "--trunk", "ST_shop"],
    ] {
        let output = gateway.cli(arguments);
        assert!(output.status.success(), "{}", complaint(&output));
    }
    let test = |more: &[&str]| said(&gateway.cli(&[&["rule", "test"], more].concat()));
    let line =
        |text: &str, id: &str| text.lines().skip(1).find(|l| l.contains(id)).unwrap_or_default().to_owned();

    let from_inside = ["--from", "+15551234", "--to", "+15550100", "--source", "192.0.2.7"];
    let right = test(&[&from_inside[..], &["--pin", "8031"]].concat());
    assert!(right.starts_with("room \"office\""), "{right}");
    assert!(line(&right, "trunk ST_office").starts_with('*'), "{right}");
    assert!(line(&right, "trunk ST_shop").contains("not among its numbers"), "{right}");
    assert!(line(&right, "rule SDR_office").starts_with('*'), "{right}");
    assert!(line(&right, "rule SDR_vip").contains("+15559999"), "{right}");
    assert!(line(&right, "rule SDR_shop").contains("ST_shop"), "{right}");

    let asked = test(&from_inside);
    assert!(asked.to_lowercase().contains("pin") && !asked.contains("8031"), "{asked}");

    let stranger = test(&["--from", "+15551234", "--to", "+15550100", "--source", "198.51.100.1"]);
    assert!(line(&stranger, "trunk ST_office").contains("198.51.100.1"), "{stranger}");
    assert!(!stranger.lines().any(|l| l.starts_with("* ")), "{stranger}");

    let machine = gateway.json(&["rule", "test", "--from", "1", "--to", "+15550200"]);
    assert!(machine["verdict"].as_str().is_some_and(|v| v.contains("SDR_shop")), "{machine}");
    let odd = gateway.cli(&["rule", "test", "--from", "1", "--to", "2", "--source", "nowhere"]);
    assert_eq!(odd.status.code(), Some(1));
    assert!(complaint(&odd).contains("expected an IP address"), "{}", complaint(&odd));
}

fn seed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dialplan/tests/data").join(name)
}

#[test]
fn livekits_yaml_is_imported_as_it_stands_and_calls_follow_it() {
    let mut gateway = Gateway::start();
    let file = seed("trunk_and_rule.yaml").display().to_string();
    let dry = said(&gateway.cli(&["rule", "import", "--dry-run", &file]));
    assert!(dry.contains("1 trunk, 1 rule would be added"), "{dry}");
    assert_eq!(gateway.json(&["trunk", "list"]), serde_json::json!([]));
    let output = gateway.cli(&["trunk", "import", &file]);
    assert!(output.status.success(), "{}", complaint(&output));
    assert!(said(&output).contains("1 trunk, 1 rule added"), "{}", said(&output));

    let guest = Terminal::call(&gateway, "+1234567890", &["--json", "--patience", "30"]);
    gateway.wait_until("the caller is in the room that the file names", |g| {
        g.json(&["room", "list"])[0]["room"] == "incoming-calls"
    });
    let other = gateway.cli(&["call", &format!("sip:+1987@127.0.0.1:{}", gateway.port), "--json"]);
    assert_eq!(other.status.code(), Some(1), "a number of no trunk is refused: {}", said(&other));
    let up = gateway.json(&["calls"])["up"][0].clone();
    assert_eq!(up["trunk"], gateway.json(&["trunk", "list"])[0]["id"]);
    assert_eq!(up["rule"], gateway.json(&["rule", "list"])[0]["id"]);
    assert!(gateway.cli(&["calls", "hangup", up["id"].as_str().expect("an id")]).status.success());
    assert!(guest.finish().success);
    gateway.wait_until_idle();
}

#[test]
fn a_page_of_documentation_with_the_yaml_in_it_is_imported_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = seed("trunk_and_rule.md").display().to_string();
    let output = stopped(folder.path(), &["trunk", "import", &file]);
    assert!(output.status.success(), "{}", complaint(&output));
    assert!(said(&output).contains("1 trunk, 1 rule added"), "{}", said(&output));
}

#[test]
fn a_file_with_a_fault_changes_nothing_and_the_fault_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("broken.yaml");
    std::fs::write(&file, "trunk:\n  name: Main\n  numbers: {a: b}\ndispatch_rule:\n  room_name: lobby\n")
        .expect("written");
    let output = stopped(folder.path(), &["rule", "import", &file.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = complaint(&output);
    assert!(complaint.contains("broken.yaml") && complaint.contains("numbers"), "{complaint}");
    assert_eq!(parsed(&stopped(folder.path(), &["trunk", "list", "--json"])), serde_json::json!([]));
    assert_eq!(parsed(&stopped(folder.path(), &["rule", "list", "--json"])), serde_json::json!([]));
}
