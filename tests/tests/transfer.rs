//! The agent connects its caller with somebody else: a call that trunkline places, to a phone that we did
//! not write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use trunkline_tests::baresip::Baresip;
use trunkline_tests::ears;
use trunkline_tests::gateway::Gateway;

/// A dialogue whose key 2 sends the caller to this address.
fn dialogue(folder: &Path, office: &str) -> String {
    let file = folder.join("office.yaml");
    let text = format!(
        "greeting: {{ say: Press two for the office., menu: main }}\n\
         menus:\n  main:\n    say: Press two.\n    keys:\n      2: {{ say: One moment., transfer: \"{office}\" }}\n\
         intents:\n  goodbye:\n    phrases: [goodbye]\n    reply: {{ say: Goodbye., hangup: true }}\n"
    );
    std::fs::write(&file, text).expect("a dialogue");
    format!("agent: {{dialogue: {}}}\n", file.display())
}

#[test]
fn a_caller_who_asks_for_the_office_hears_the_office() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = trunkline_tests::free_port();
    let office = Baresip::answer(port, &ears::tone(folder.path(), 700, 30), 40);
    let mut gateway = Gateway::with(&dialogue(folder.path(), &format!("sip:baresip@127.0.0.1:{port}")));
    let recording = folder.path().join("caller.wav");
    let uri = format!("sip:agent@127.0.0.1:{}", gateway.port);
    let call = gateway.cli(&[
        "call",
        &uri,
        "--keys",
        "2",
        "--codecs",
        "pcmu",
        "--patience",
        "3",
        "--json",
        "--record",
        &recording.display().to_string(),
        "--longest",
        "15",
    ]);
    assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stderr));
    let (_, printed, _kept) = office.finish(std::time::Duration::ZERO);
    let (sound, rate) = ears::channel(&recording, 0);
    let seconds: Vec<f64> = sound.chunks(rate as usize).map(|s| ears::share_at(s, rate, 700.0)).collect();
    assert!(
        seconds.iter().any(|share| *share > 0.8),
        "no second of the caller's sound is the office's tone: {seconds:?}\n{printed}"
    );
    gateway.wait_until_idle();
    let calls = gateway.json(&["calls"]);
    let directions: Vec<&str> =
        calls["ended"].as_array().unwrap().iter().map(|c| c["direction"].as_str().unwrap()).collect();
    assert!(directions.contains(&"outbound"), "{directions:?}");
}

#[test]
fn a_caller_whose_office_is_not_there_is_told_and_has_the_agent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody listens there.
    let nobody = trunkline_tests::free_port();
    let yaml = dialogue(folder.path(), &format!("sip:office@127.0.0.1:{nobody}")) + "limits: {ringing: 3s}\n";
    let mut gateway = Gateway::with(&yaml);
    let uri = format!("sip:agent@127.0.0.1:{}", gateway.port);
    let call = gateway.cli(&["call", &uri, "--keys", "2", "--patience", "5", "--json", "--longest", "60"]);
    assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stderr));
    gateway.wait_until_idle();
    let calls = gateway.json(&["calls"]);
    let inbound = calls["ended"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["direction"] == "inbound")
        .expect("the caller's");
    let shown = gateway.json(&["calls", "show", inbound["id"].as_str().unwrap()]);
    let timeline = shown["timeline"].as_array().unwrap();
    let failed =
        timeline.iter().position(|e| e["what"] == "the transfer failed").expect("told in the timeline");
    let said = |entries: &[serde_json::Value], text: &str| {
        entries
            .iter()
            .filter(|e| e["kind"] == "transcript" && e["text"].as_str().is_some_and(|t| t.contains(text)))
            .count()
    };
    assert_eq!(said(&timeline[failed..], "nobody"), 1, "the agent did not say so: {timeline:#?}");
    assert_eq!(said(timeline, "Press two for the office"), 1, "it greeted again: {timeline:#?}");
}
