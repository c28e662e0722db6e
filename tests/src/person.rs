//! Somebody in a LiveKit room, in a process of its own: LiveKit's Python SDK, or a browser.

use crate::ears::python;
use crate::livekit::{node_folder, peer};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Somebody in a room: LiveKit's Python SDK, or a browser, in a process of its own.
pub struct Person {
    child: Child,
    commands: ChildStdin,
    events: Receiver<Value>,
    seen: Vec<Value>,
}

impl Person {
    /// Joins by the Python SDK; returns once in.
    #[must_use]
    pub fn join(url: &str, token: &str) -> Self {
        let mut command = Command::new(python());
        command.arg(peer("person.py")).args([url, token]).env("LIVEKIT_LOG_LEVEL", "error");
        Self::run(command)
    }

    /// Joins with Chromium and livekit-client; returns once in.
    #[must_use]
    pub fn browse(url: &str, token: &str) -> Self {
        let mut command = Command::new("node");
        command.arg(peer("browser.mjs")).arg(node_folder()).args([url, token]);
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} runs: {error}"));
        let commands = child.stdin.take().expect("standard input");
        let out = BufReader::new(child.stdout.take().expect("standard output"));
        let (tell, events) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str(&line) {
                    let _ = tell.send(event);
                }
            }
        });
        let mut person = Self { child, commands, events, seen: Vec::new() };
        person.wait_for("published", |_| true);
        person
    }

    /// Tells them something; see `tests/peer/person.py`.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").expect("the person listens");
    }

    /// Speaks a tone.
    pub fn tone(&mut self, hertz: u32) {
        self.tell(&format!("tone {hertz}"));
    }

    /// Waits for an event of this name that fits; earlier ones count too, each once.
    pub fn wait_for(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let fits = |event: &Value| event["event"] == name && fits(event);
        if let Some(at) = self.seen.iter().position(&fits) {
            return self.seen.remove(at);
        }
        let end = Instant::now() + Duration::from_secs(20);
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match self.events.recv_timeout(left) {
                Ok(event) if fits(&event) => return event,
                Ok(event) => self.seen.push(event),
                Err(_) => break,
            }
        }
        panic!("no event '{name}' that fits; seen: {:#?}", self.seen);
    }

    /// Asks, and waits for the answer of that name.
    pub fn ask(&mut self, command: &str, answer: &str) -> Value {
        // Whoever asks wants the newest.
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
        self.seen.retain(|event| event["event"] != answer);
        self.tell(command);
        self.wait_for(answer, |_| true)
    }

    /// Has this happened, up to now?
    pub fn has_seen(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> bool {
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
        self.seen.iter().any(|event| event["event"] == name && fits(event))
    }

    /// What was heard of somebody: `peak_hz`, `rms`, `seconds`, `quiet_windows`.
    pub fn heard(&mut self, identity: &str) -> Value {
        self.ask("heard", "heard")["by"][identity].clone()
    }

    /// Waits until a tone of somebody is heard, clearly.
    pub fn wait_for_tone(&mut self, identity: &str, hertz: f64) {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let heard = self.heard(identity);
            let at = heard["peak_hz"].as_f64().unwrap_or(0.0);
            // A browser's level is a share of full scale.
            let loud = heard["rms"].as_f64().map_or(heard["level"].as_f64() > Some(0.01), |rms| rms > 500.0);
            if (at - hertz).abs() < 5.0 && loud {
                return;
            }
            if Instant::now() >= end {
                let stats = self.ask("stats", "stats");
                panic!("{hertz} Hz of {identity} is not heard: {heard}; {stats}; seen: {:#?}", self.seen);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Attributes of somebody in the room, as they see them.
    pub fn attributes_of(&mut self, identity: &str) -> Value {
        self.ask("attributes", "attributes")["of"][identity].clone()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = writeln!(self.commands, "leave");
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
