//! `trunkline call --mic` through a sound card: PulseAudio with two sinks that are no devices, of which one
//! is the microphone's far side and the other the loudspeaker.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use trunkline_tests::ears;
use trunkline_tests::gateway::{Gateway, binary};

/// A PulseAudio of its own, in a folder of its own.
struct SoundServer {
    folder: tempfile::TempDir,
    _daemon: Running,
}

impl SoundServer {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(
            folder.path().join(".asoundrc"),
            "pcm.!default { type pulse }\nctl.!default { type pulse }\n",
        )
        .expect("written");
        let daemon = within(folder.path(), "pulseaudio")
            .args([
                "-n",
                "--exit-idle-time=-1",
                "--daemonize=no",
                "--use-pid-file=no",
                "-L",
                "module-native-protocol-unix",
            ])
            .args(["-L", "module-null-sink sink_name=ear", "-L", "module-null-sink sink_name=mouth"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pulseaudio runs; Debian package pulseaudio");
        let server = Self { folder, _daemon: Running(daemon) };
        let end = Instant::now() + Duration::from_secs(15);
        while !server.control(&["set-default-sink", "ear"]) {
            assert!(Instant::now() < end, "pulseaudio does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(server.control(&["set-default-source", "mouth.monitor"]));
        server
    }

    fn control(&self, arguments: &[&str]) -> bool {
        let done = within(self.folder.path(), "pactl").args(arguments).stderr(Stdio::null()).status();
        done.expect("pactl runs; Debian package pulseaudio-utils").success()
    }
}

/// A program that ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn within(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("XDG_RUNTIME_DIR", folder)
        .env("HOME", folder)
        .env_remove("PULSE_SERVER")
        .stdin(Stdio::null());
    command
}

#[test]
fn a_person_at_the_sound_card_is_heard_and_hears() {
    if trunkline_tests::is_quick() {
        return;
    }
    let card = SoundServer::start();
    let mut gateway = Gateway::start();
    let question = ears::speak(card.folder.path(), &[(0.0, "What are your opening hours?")], 0.3);
    let heard = card.folder.path().join("heard.raw");
    let loudspeaker = within(card.folder.path(), "parec")
        .args(["-d", "ear.monitor", "--format=s16le", "--rate=16000", "--channels=1"])
        .stdout(std::fs::File::create(&heard).expect("a file"))
        .spawn()
        .expect("parec runs; Debian package pulseaudio-utils");
    let call = within(card.folder.path(), binary().to_str().expect("a path"))
        .args(["--config".as_ref(), gateway.config().as_os_str()])
        .args(["call", &format!("sip:agent@127.0.0.1:{}", gateway.port), "--mic", "--longest", "40"])
        .spawn()
        .expect("the program runs");
    let (call, loudspeaker) = (Running(call), Running(loudspeaker));
    gateway.wait_until("the agent has greeted", |g| states(g).iter().any(|s| s == "listening"));
    ask_until_heard(&card, &question, &gateway);
    // What the words were is the affair of other tests: a sound card's two resamplers lie between.
    gateway.wait_until("the person was heard", |g| !said(g, true).is_empty());
    gateway.wait_until("the person was answered", |g| said(g, false).matches("; ").count() >= 2);
    drop((call, loudspeaker));
    let sound: Vec<i16> = std::fs::read(&heard)
        .expect("what was heard")
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let loud = sound.chunks(16_000).filter(|second| ears::rms(second) > 300.0).count();
    assert!(loud >= 4, "the loudspeaker spoke for only {loud} of {} s", sound.len() / 16_000);
}

/// Asks, and asks again as a person would who gets no answer.
fn ask_until_heard(card: &SoundServer, question: &Path, gateway: &Gateway) {
    for _ in 0..3 {
        let asked = within(card.folder.path(), "paplay").args(["-d", "mouth"]).arg(question).status();
        assert!(asked.is_ok_and(|s| s.success()), "paplay runs; Debian package pulseaudio-utils");
        let end = Instant::now() + Duration::from_secs(6);
        while Instant::now() < end {
            if !said(gateway, true).is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn timeline(gateway: &Gateway) -> Vec<serde_json::Value> {
    let calls = gateway.json(&["calls"]);
    let Some(id) = calls["up"][0]["id"].as_str() else { return Vec::new() };
    gateway.json(&["calls", "show", id])["timeline"].as_array().cloned().unwrap_or_default()
}

fn states(gateway: &Gateway) -> Vec<String> {
    timeline(gateway).iter().filter_map(|e| Some(e["state"].as_str()?.to_owned())).collect()
}

fn said(gateway: &Gateway, caller: bool) -> String {
    timeline(gateway)
        .iter()
        .filter(|e| e["kind"] == "transcript" && e["caller"] == caller)
        .filter_map(|e| Some(e["text"].as_str()?.to_owned() + "; "))
        .collect()
}
