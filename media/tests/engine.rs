//! The engine over real sockets on the loopback. Nothing here waits a fixed time: each test waits for what it
//! is about, and gives up after a time that says "never".

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::f64::consts::TAU;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use trunkline_media::engine::{Engine, EngineConfig, EngineError, Events, InbandDtmf, LegConfig};
use trunkline_media::event::{LegCommand, LegEvent, LegId, LegReport};
use trunkline_media::port::{AudioPort, audio_port};
use trunkline_media::session::{Codec, Direction, Session};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NEVER: Duration = Duration::from_secs(20);

/// An engine and what its legs say.
struct Stage {
    engine: Engine,
    events: Events,
    bell: Arc<(Mutex<bool>, Condvar)>,
}

impl Stage {
    fn new(ports: RangeInclusive<u16>) -> Self {
        let bell = Arc::new((Mutex::new(false), Condvar::new()));
        let rung = Arc::clone(&bell);
        let wake = Arc::new(move || {
            *rung.0.lock().unwrap() = true;
            rung.1.notify_all();
        });
        let (engine, events) = Engine::start(EngineConfig { threads: 2, ports, wake }).unwrap();
        Self { engine, events, bell }
    }

    /// The first event of this leg that `wanted` makes something of.
    fn wait<T>(&mut self, leg: LegId, mut wanted: impl FnMut(LegEvent) -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            while let Some((id, event)) = self.events.try_next() {
                if id == leg
                    && let Some(found) = wanted(event)
                {
                    return found;
                }
            }
            assert!(since.elapsed() < NEVER, "it never happened");
            let rung = self.bell.0.lock().unwrap();
            let (mut rung, _) =
                self.bell.1.wait_timeout_while(rung, Duration::from_millis(100), |rung| !*rung).unwrap();
            *rung = false;
        }
    }

    fn closed(&mut self, leg: LegId) -> LegReport {
        self.engine.close(leg);
        self.wait(leg, |event| match event {
            LegEvent::Closed { report } => Some(report),
            _ => None,
        })
    }

    /// Two legs that send to each other, and whom they talk with.
    fn pair(&self, codec: Codec) -> [(LegId, AudioPort); 2] {
        let one = self.engine.reserve(LOCALHOST).unwrap();
        let other = self.engine.reserve(LOCALHOST).unwrap();
        let (to_one, to_other) = (session(codec, one.port()), session(codec, other.port()));
        [(one, to_other), (other, to_one)].map(|(reservation, session)| {
            let (port, company) = audio_port(codec.rate(), 25);
            let id = self.engine.open(reservation, config(session, Some(company))).unwrap();
            (id, port)
        })
    }
}

fn session(codec: Codec, port: u16) -> Session {
    let payload_type = match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 96,
    };
    Session {
        remote: Some(SocketAddr::new(LOCALHOST, port)),
        remote_rtcp: Some(SocketAddr::new(LOCALHOST, port + 1)),
        rtcp_mux: false,
        codec,
        payload_type,
        receive: vec![(payload_type, codec)],
        dtmf: Some((101, 101)),
        dtmf_clock: 8_000,
        comfort_noise: false,
        ptime_ms: 20,
        direction: Direction::SendRecv,
    }
}

fn config(session: Session, company: Option<trunkline_media::port::LegPort>) -> LegConfig {
    LegConfig {
        session,
        company,
        timeout_initial: Duration::from_secs(30),
        timeout: Duration::from_secs(15),
        inband_dtmf: InbandDtmf::Fallback,
        symmetric: true,
    }
}

/// A tone that goes on and on.
struct Tone {
    hertz: f64,
    at: usize,
}

impl Tone {
    fn new(hertz: f64) -> Self {
        Self { hertz, at: 0 }
    }

    /// Keeps three frames ahead in the port, as who speaks should.
    fn speak(&mut self, port: &mut AudioPort) {
        let frame = port.rate as usize / 50;
        while port.speak.buffer().capacity() - port.speak.slots() < 3 * frame {
            let sound: Vec<i16> = (self.at..self.at + frame)
                .map(|n| ((n as f64 * self.hertz * TAU / f64::from(port.rate)).sin() * 8_000.0) as i16)
                .collect();
            self.at += frame;
            port.speak.push_entire_slice(&sound).unwrap();
        }
    }
}

/// How much of the sound is this tone, 0..=1 (Goertzel over energy).
fn purity(sound: &[i16], rate: u32, hertz: f64) -> f64 {
    let (mut re, mut im, mut energy) = (0.0, 0.0, 0.0);
    for (n, sample) in sound.iter().enumerate() {
        let (angle, sample) = (n as f64 * hertz * TAU / f64::from(rate), f64::from(*sample));
        re += sample * angle.cos();
        im += sample * angle.sin();
        energy += sample * sample;
    }
    if energy == 0.0 { 0.0 } else { 2.0 * (re * re + im * im) / (energy * sound.len() as f64) }
}

/// Speaks both tones until each end hears a fifth of a second of the other's.
fn talk(legs: &mut [(LegId, AudioPort); 2], tones: [f64; 2]) {
    let since = Instant::now();
    let [(_, a), (_, b)] = legs;
    let (mut from_a, mut from_b) = (Tone::new(tones[0]), Tone::new(tones[1]));
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    loop {
        from_a.speak(a);
        from_b.speak(b);
        let heard =
            [(&mut *a, &mut at_a, tones[1]), (&mut *b, &mut at_b, tones[0])].map(|(port, at, hertz)| {
                while let Ok(sample) = port.hear.pop() {
                    at.push(sample);
                }
                let newest = at.len().saturating_sub(port.rate as usize / 5);
                newest > 0 && purity(&at[newest..], port.rate, hertz) > 0.95
            });
        if heard == [true, true] {
            return;
        }
        assert!(since.elapsed() < NEVER, "the tones are not heard: {heard:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn two_legs_of_every_codec_hear_each_other() {
    let mut stage = Stage::new(22_000..=22_099);
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        let mut legs = stage.pair(codec);
        talk(&mut legs, [1_000.0, 700.0]);
        for (id, _) in legs {
            let report = stage.closed(id);
            assert_eq!((report.codec, report.strangers, report.lost), (codec, 0, 0), "{report:?}");
            assert!(report.sent > 10 && report.received > 10, "{report:?}");
        }
    }
    assert_eq!(stage.engine.counts(), (0, 0));
}

#[test]
fn when_the_ports_are_used_up_the_error_says_so_and_closing_a_leg_makes_room() {
    let mut stage = Stage::new(22_100..=22_101);
    let reservation = stage.engine.reserve(LOCALHOST).unwrap();
    assert_eq!(stage.engine.counts(), (0, 1));
    let id = stage.engine.open(reservation, config(session(Codec::Pcmu, 22_999), None)).unwrap();
    let error = stage.engine.reserve(LOCALHOST).unwrap_err();
    assert!(matches!(error, EngineError::NoPort { first: 22_100, last: 22_101, used: 1 }), "{error}");
    stage.closed(id);
    assert_eq!(stage.engine.counts(), (0, 0));
    assert!(stage.engine.reserve(LOCALHOST).is_ok());
}

#[test]
fn a_changed_codec_is_heard_in_the_middle_of_the_call() {
    let mut stage = Stage::new(22_120..=22_139);
    let mut legs = stage.pair(Codec::Pcmu);
    talk(&mut legs, [1_000.0, 700.0]);
    let ports: Vec<u16> = (0..2).map(|n| 22_120 + 2 * n).collect();
    for ((id, _), port) in legs.iter().zip(ports.iter().rev()) {
        let changed = session(Codec::G722, *port);
        stage.engine.command(*id, LegCommand::Session(changed)).unwrap();
    }
    talk(&mut legs, [900.0, 600.0]);
    let report = stage.closed(legs[0].0);
    assert_eq!(report.codec, Codec::G722);
}
