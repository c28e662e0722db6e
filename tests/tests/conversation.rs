//! Somebody calls, and a conversation takes place. The caller is a telephone that we did not write, or ours;
//! what each side said is judged by what the other side heard, transcribed by Whisper.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use trunkline_tests::baresip::Baresip;
use trunkline_tests::ears;
use trunkline_tests::gateway::{Gateway, binary};

/// Does the text hold every one of these words?
fn holds(text: &str, words: &[&str]) -> bool {
    words.iter().all(|word| text.contains(word))
}

#[test]
fn baresip_calls_and_has_a_conversation_that_ends_with_goodbye() {
    let mut gateway = Gateway::with("recording: {enabled: true}\n");
    let folder = tempfile::tempdir().expect("a folder");
    let speech =
        ears::speak(folder.path(), &[(11.5, "What are your opening hours?"), (9.0, "Goodbye.")], 20.0);
    let uri = format!("sip:agent@127.0.0.1:{}", gateway.port);
    let phone = Baresip::call(&uri, &speech, 60, "PCMU/8000/1", "udp");
    let (heard, printed, _kept) = phone.finish(Duration::from_secs(70));
    assert!(heard.exists(), "baresip recorded nothing:\n{printed}");
    let text = ears::transcribe(&heard, 0);
    assert!(holds(&text, &["opening hours"]), "the greeting was not heard: {text}");
    assert!(holds(&text, &["we are open"]), "the answer was not heard: {text}");
    gateway.wait_until_idle();
    let call = &gateway.json(&["calls"])["ended"][0];
    let end = call["end"].as_str().unwrap_or_default();
    assert!(holds(&text, &["for calling", "goodbye"]), "the goodbye was not heard: {text}");
    assert!(!end.contains("caller hung up"), "the agent was to hang up after the goodbye, but: {end}");
    // What the agent's side recorded: left is the caller.
    let recording = PathBuf::from(call["recording"].as_str().expect("a recording"));
    let said = ears::transcribe(&recording, 0);
    assert!(holds(&said, &["opening", "hours"]), "the caller is not in the recording: {said}");
}

#[test]
fn trunkline_call_has_a_conversation_and_prints_what_it_was_like() {
    let mut gateway = Gateway::start();
    let folder = tempfile::tempdir().expect("a folder");
    let question = ears::speak(folder.path(), &[(0.0, "What are your opening hours?")], 0.3);
    let recording = folder.path().join("call.wav");
    let output = Command::new(binary())
        .args(["--config".as_ref(), gateway.config().as_os_str()])
        .args(["call", &format!("sip:agent@127.0.0.1:{}", gateway.port), "--patience", "3", "--wav"])
        .arg(&question)
        .arg("--record")
        .arg(&recording)
        .output()
        .expect("the program runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    for row in ["set-up", "codec", "loss", "jitter", "MOS", "transcript", "they", "you"] {
        assert!(printed.lines().any(|l| l.starts_with(row)), "no {row} in:\n{printed}");
    }
    let they = ears::transcribe(&recording, 0);
    assert!(holds(&they, &["opening hours", "we are open"]), "heard: {they}\nprinted: {printed}");
    let we = ears::transcribe(&recording, 1);
    assert!(holds(&we, &["opening", "hours"]), "our side of the recording: {we}");
    gateway.wait_until_idle();
}

#[test]
fn a_caller_who_talks_over_the_agent_stops_it() {
    let mut gateway = Gateway::start();
    let folder = tempfile::tempdir().expect("a folder");
    let question = ears::speak(folder.path(), &[(2.0, "What are your opening hours?")], 0.3);
    let uri = format!("sip:agent@127.0.0.1:{}", gateway.port);
    let call = gateway.cli(&[
        "call",
        &uri,
        "--at-once",
        "--patience",
        "3",
        "--json",
        "--wav",
        &question.display().to_string(),
    ]);
    assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stderr));
    gateway.wait_until_idle();
    let timeline = first_timeline(&gateway);
    let interrupted = timeline
        .iter()
        .any(|e| e["kind"] == "transcript" && e["interrupted"] == true && e["caller"] == false);
    assert!(interrupted, "the greeting was not interrupted: {timeline:#?}");
}

#[test]
fn a_key_in_the_menu_is_answered() {
    let mut gateway = Gateway::start();
    let uri = format!("sip:agent@127.0.0.1:{}", gateway.port);
    let call = gateway.cli(&["call", &uri, "--keys", "1", "--patience", "3", "--json"]);
    assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stderr));
    gateway.wait_until_idle();
    let timeline = first_timeline(&gateway);
    assert!(timeline.iter().any(|e| e["kind"] == "dtmf" && e["digit"] == "1" && e["received"] == true));
    let said: String = timeline
        .iter()
        .filter(|e| e["kind"] == "transcript" && e["caller"] == false)
        .map(|e| e["text"].as_str().unwrap_or_default().to_lowercase())
        .collect();
    assert!(said.contains("open"), "key 1 asks for the opening hours, but the agent said: {said}");
}

/// The timeline of the newest call that ended.
fn first_timeline(gateway: &Gateway) -> Vec<serde_json::Value> {
    let calls = gateway.json(&["calls"]);
    let id = calls["ended"][0]["id"].as_str().expect("a call").to_owned();
    gateway.json(&["calls", "show", &id])["timeline"].as_array().expect("a timeline").clone()
}
