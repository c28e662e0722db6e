//! The agent's thread with the real engines: flite plays the caller too. The thread has a clock of its own,
//! so these calls take as long as calls take.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};
use trunkline_agent::dialogue::Dialogue;
use trunkline_agent::host::{AgentEvent, AgentHost, AgentInput, Events, HostError, SessionConfig, SessionId};
use trunkline_media::port::{LegPort, audio_port};

const FRAME: usize = 160;

struct Call {
    host: AgentHost,
    events: Events,
    leg: LegPort,
    id: SessionId,
    opened: Instant,
    said: Vec<AgentEvent>,
}

fn host(sessions: usize) -> (AgentHost, Events) {
    let (host, events) = AgentHost::start(sessions, Arc::new(|| {})).unwrap();
    assert_eq!(host.engine_fault(), None);
    (host, events)
}

fn example() -> SessionConfig {
    SessionConfig { dialogue: Arc::new(Dialogue::example()), facts: Vec::new() }
}

impl Call {
    fn open() -> Self {
        let (host, events) = host(4);
        let config = example();
        host.prepare(&config.dialogue);
        let (port, leg) = audio_port(8_000, 10);
        let id = SessionId(7);
        host.open(id, config, port).unwrap();
        Self { host, events, leg, id, opened: Instant::now(), said: Vec::new() }
    }

    /// Says this (or nothing) and listens, until `enough` or a minute has passed.
    fn until(&mut self, words: &str, enough: impl Fn(&[AgentEvent]) -> bool) {
        let caller = self.host.render(words).unwrap();
        self.until_with(words, caller, enough);
    }

    fn until_with(&mut self, words: &str, caller: Vec<i16>, enough: impl Fn(&[AgentEvent]) -> bool) {
        let mut caller = caller.into_iter();
        let begun = Instant::now();
        let mut next = begun;
        while !enough(&self.said) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{words:?}: {:?}", self.said);
            let n = self.leg.spoken.slots().min(FRAME);
            self.leg.spoken.read_chunk(n).unwrap().commit_all();
            for _ in 0..FRAME {
                let _full = self.leg.heard.push(caller.next().unwrap_or(0));
            }
            while let Some((id, event)) = self.events.try_next() {
                assert_eq!(id, self.id);
                self.said.push(event);
            }
            next += Duration::from_millis(20);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
}

fn decided(said: &[AgentEvent], wanted: &str) -> bool {
    said.iter().any(|event| matches!(event, AgentEvent::Decision { what, .. } if what == wanted))
}

#[test]
fn a_caller_who_talks_over_the_greeting_is_answered_and_hung_up_on_after_goodbye() {
    let mut call = Call::open();
    while call.leg.spoken.slots() < FRAME {
        assert!(call.opened.elapsed() < Duration::from_secs(5), "no greeting");
        std::thread::yield_now();
    }
    println!("first sample of the greeting after {:?}", call.opened.elapsed());
    call.until("", |said| said.contains(&AgentEvent::State("speaking")));
    call.until("what are your opening hours", |said| decided(said, "intent hours"));
    call.until("goodbye", |said| said.iter().any(|event| matches!(event, AgentEvent::HangUp { .. })));
    for event in &call.said {
        println!("{event:?}");
    }
    assert!(call.said.iter().any(|event| matches!(event, AgentEvent::Interrupted { .. })));
    assert!(decided(&call.said, "intent goodbye"));
    call.host.close(call.id);
    while call.host.count() > 0 {
        assert!(call.opened.elapsed() < Duration::from_secs(90), "the session stays");
        std::thread::yield_now();
    }
}

#[test]
fn a_door_that_slams_during_the_greeting_does_not_end_it() {
    let mut call = Call::open();
    call.until("", |said| said.contains(&AgentEvent::State("speaking")));
    let mut seed = 1u32;
    let mut slam = vec![0; 8_000];
    slam.extend((0..4_800).map(|n| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let fading = 12_000 - 2 * n;
        ((i64::from(seed >> 16) - 32_768) * fading / 32_768) as i16
    }));
    call.until_with("a slam", slam, |said| said.iter().any(|e| matches!(e, AgentEvent::Transcript { .. })));
    println!("{:?}", call.said);
    let whole =
        |e: &AgentEvent| matches!(e, AgentEvent::Transcript { caller: false, interrupted: false, .. });
    assert!(call.said.iter().any(whole), "{:?}", call.said);
}

#[test]
fn a_key_is_answered() {
    let mut call = Call::open();
    call.host.input(call.id, AgentInput::Dtmf('1'));
    call.until("", |said| decided(said, "menu main"));
}

#[test]
fn the_limit_is_kept_and_a_place_is_free_after_a_call() {
    let (host, _events) = host(1);
    let (port, _leg) = audio_port(8_000, 10);
    host.open(SessionId(1), example(), port).unwrap();
    let (port, _leg) = audio_port(8_000, 10);
    assert!(matches!(host.open(SessionId(2), example(), port), Err(HostError::Full(1))));
    host.close(SessionId(1));
    let begun = Instant::now();
    while host.count() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the session stays");
        std::thread::yield_now();
    }
    let (port, _leg) = audio_port(16_000, 10);
    host.open(SessionId(3), example(), port).unwrap();
}
