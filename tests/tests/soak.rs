//! Many calls at a time for long, with sound both ways: nothing is lost on the way, and nothing is left.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use trunkline_tests::gateway::Gateway;

/// Calls at a time, and how long each lasts: `tests/run --soak` means it.
fn size() -> (u32, u32) {
    match std::env::var("TRUNKLINE_TEST_MODE").as_deref() {
        Ok("soak") => (500, 300),
        Ok("quick") => (20, 3),
        _ => (150, 25),
    }
}

#[test]
fn many_calls_to_the_agent_lose_nothing_and_leave_nothing() {
    let (calls, seconds) = size();
    let folder = tempfile::tempdir().expect("a folder");
    // An agent that asks again and again, and hangs up on nobody.
    let asks = vec!["Are you still there?"; 60].join(", ");
    let dialogue = folder.path().join("patient.yaml");
    let text = format!(
        "greeting: Hello. I am waiting.\n\
         intents:\n  goodbye: {{ phrases: [goodbye], reply: {{ say: Goodbye., hangup: true }} }}\n\
         no_input: {{ after_seconds: 10, say: [{asks}] }}\n"
    );
    std::fs::write(&dialogue, text).expect("a dialogue");
    let mut gateway = Gateway::with(&format!(
        "agent: {{dialogue: {}}}\nlimits: {{calls: 2000, calls_per_second: 500, source_packets_per_second: 100000}}\n",
        dialogue.display()
    ));
    let uri = format!("sip:agent@127.0.0.1:{}", gateway.port);
    let (calls_text, hold) = (calls.to_string(), seconds.to_string());
    let load = gateway.cli(&[
        "load",
        &uri,
        "--calls",
        &calls_text,
        "--rate",
        "50",
        "--hold",
        &hold,
        "--media",
        "--json",
    ]);
    let report: Value = serde_json::from_slice(&load.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}{}", String::from_utf8_lossy(&load.stdout), String::from_utf8_lossy(&load.stderr))
    });
    assert_eq!(report["answered"], calls, "{report:#}");
    assert_eq!(report["failures"].as_object().map(serde_json::Map::len), Some(0), "{report:#}");
    assert!(report["most_at_a_time"].as_u64().unwrap() >= u64::from(calls) * 9 / 10, "{report:#}");
    let towards_the_caller = report["packets"]["loss_percent"].as_f64().unwrap();
    assert!(towards_the_caller < 0.1, "lost on the way to the callers: {report:#}");
    gateway.wait_until_idle();
    let (received, lost) = heard(&gateway, calls);
    assert!(
        received > u64::from(calls) * u64::from(seconds) * 4,
        "the callers sent too little to judge: {received}"
    );
    assert!((lost as f64) < received as f64 * 0.001, "lost on the way to the gateway: {lost} of {received}");
    println!(
        "{calls} calls of {seconds} s: {received} packets heard, {lost} lost; towards the callers {towards_the_caller} %"
    );
    gateway.wait_until_nothing_is_left();
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(), Some(0));
}

/// Packets that the gateway's legs received and lost, by their CDRs.
fn heard(gateway: &Gateway, calls: u32) -> (u64, u64) {
    let most = calls.to_string();
    let cdrs = gateway.json(&["calls", "list", "--most", &most]);
    let sum = |what: &str| -> u64 {
        cdrs["ended"].as_array().unwrap().iter().map(|c| c["media"][what].as_u64().unwrap_or(0)).sum()
    };
    (sum("received"), sum("lost"))
}
