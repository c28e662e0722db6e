//! A caller's voice against the agent with its own engines, in real time: what was understood, and how long
//! the caller waited, from the last sound of the question to the first of the answer.
//! `cargo run --release --example voice_to_voice`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example that prints its figures")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trunkline_agent::dialogue::Dialogue;
use trunkline_agent::host::{AgentEvent, AgentHost, Events, SessionConfig, SessionId};
use trunkline_engines::flite::{Flite, Voice};
use trunkline_engines::resample::Halver;
use trunkline_media::port::{LegPort, audio_port};

const FRAME: usize = 160;
const LOUD: u16 = 200;
const SAYS: [(&str, &str); 10] = [
    ("what are your opening hours", "intent hours"),
    ("where are you", "intent address"),
    ("what time is it", "intent time"),
    ("tell me a joke", "intent joke"),
    ("my name is Clara", "intent name"),
    ("what is my name", "intent who"),
    ("can you say that again please", "intent again"),
    ("I would like to make an appointment", "intent remember"),
    ("Robert", "slot name filled"),
    ("goodbye", "intent goodbye"),
];

struct Talk {
    leg: LegPort,
    events: Events,
    next: Instant,
    quiet_frames: usize,
    told: Vec<AgentEvent>,
}

impl Talk {
    /// 20 ms; was the agent heard?
    fn step(&mut self, caller: &mut VecDeque<i16>) -> bool {
        let n = self.leg.spoken.slots().min(FRAME);
        let agent = self.leg.spoken.read_chunk(n).unwrap();
        let loud = agent.into_iter().filter(|s| s.unsigned_abs() > LOUD).count() > 0;
        self.quiet_frames = if loud { 0 } else { self.quiet_frames + 1 };
        for _ in 0..FRAME {
            let _full = self.leg.heard.push(caller.pop_front().unwrap_or(0));
        }
        while let Some((_, event)) = self.events.try_next() {
            self.told.push(event);
        }
        self.next += Duration::from_millis(20);
        std::thread::sleep(self.next.saturating_duration_since(Instant::now()));
        loud
    }

    /// Until the agent has been silent for a second.
    fn listen(&mut self) {
        self.quiet_frames = 0;
        while self.quiet_frames < 50 {
            self.step(&mut VecDeque::new());
        }
    }

    /// Says it; the wait between its last sound and the agent's first.
    fn ask(&mut self, sound: Vec<i16>) -> Option<Duration> {
        let end = sound.iter().rposition(|s| s.unsigned_abs() > LOUD)? / FRAME + 1;
        let mut caller = VecDeque::from(sound);
        for frame in 0..end + 150 {
            if self.step(&mut caller) && frame > end {
                return Some(Duration::from_millis(20 * (frame - end) as u64));
            }
        }
        None
    }
}

fn caller(voice: Voice) -> impl Fn(&str) -> Vec<i16> {
    let flite = Flite::open_voice(voice).unwrap();
    move |text| {
        let sound = flite.speak(text).unwrap();
        if flite.rate() == 16_000 { Halver::whole(&sound) } else { sound }
    }
}

fn main() {
    let mut waits = Vec::new();
    let mut understood = 0;
    for voice in [Voice::Slt, Voice::Rms, Voice::Awb] {
        let (host, events) = AgentHost::start(1, Arc::new(|| {})).unwrap();
        let dialogue = Arc::new(Dialogue::example());
        host.prepare(&dialogue);
        std::thread::sleep(Duration::from_secs(2));
        let (port, leg) = audio_port(8_000, 10);
        host.open(SessionId(1), SessionConfig { dialogue, facts: Vec::new() }, port).unwrap();
        let mut talk = Talk { leg, events, next: Instant::now(), quiet_frames: 0, told: Vec::new() };
        let say = caller(voice);
        talk.listen();
        for (text, wanted) in SAYS {
            talk.told.clear();
            let wait = talk.ask(say(text));
            talk.listen();
            let right =
                talk.told.iter().any(|e| matches!(e, AgentEvent::Decision { what, .. } if what == wanted));
            understood += usize::from(right);
            let heard = talk.told.iter().find_map(|e| match e {
                AgentEvent::Transcript { caller: true, text, .. } => Some(text.as_str()),
                _ => None,
            });
            let agent = talk.told.iter().find_map(|e| match e {
                AgentEvent::Latency { end_of_turn, first_sound } => {
                    Some((end_of_turn.as_millis(), first_sound.as_millis()))
                }
                _ => None,
            });
            let sign = if right { "+" } else { "-" };
            println!(
                "{sign} {voice:?} {text:?} heard as {heard:?}: {wait:?}; turn and sound in ms: {agent:?}"
            );
            waits.extend(wait);
        }
    }
    waits.sort();
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
    println!(
        "{understood} of {} understood; voice to voice p50 {:?}, p95 {:?}",
        3 * SAYS.len(),
        at(50),
        at(95)
    );
}
