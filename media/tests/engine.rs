//! The engine over real sockets on the loopback. Nothing here waits a fixed time: each test waits for what it
//! is about, and gives up after a time that says "never".

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::f64::consts::TAU;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use trunkline_media::engine::{Engine, EngineConfig, EngineError, Events, InbandDtmf, LegConfig};
use trunkline_media::event::{DtmfHow, LegCommand, LegEvent, LegId, LegReport};
use trunkline_media::port::{AudioPort, audio_port};
use trunkline_media::rtp::RtpSender;
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
    fn wait<T>(&mut self, leg: LegId, wanted: impl FnMut(LegEvent) -> Option<T>) -> T {
        self.wait_for(Some(leg), wanted)
    }

    /// The same, of whatever leg.
    fn wait_any<T>(&mut self, wanted: impl FnMut(LegEvent) -> Option<T>) -> T {
        self.wait_for(None, wanted)
    }

    fn wait_for<T>(&mut self, leg: Option<LegId>, mut wanted: impl FnMut(LegEvent) -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            while let Some((id, event)) = self.events.try_next() {
                if leg.is_none_or(|leg| leg == id)
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
        security: None,
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

#[test]
fn keys_go_each_way() {
    let mut stage = Stage::new(22_140..=22_159);
    let legs = stage.pair(Codec::Pcmu);
    for (from, to, digit) in [(0, 1, '5'), (1, 0, '#')] {
        let press = LegCommand::Dtmf { digit, length: Duration::from_millis(100), how: None };
        stage.engine.command(legs[from].0, press).unwrap();
        let heard = stage.wait(legs[to].0, |event| match event {
            LegEvent::Dtmf { digit, how, .. } => Some((digit, how)),
            _ => None,
        });
        assert_eq!(heard, (digit, DtmfHow::Rfc4733));
    }
}

#[test]
fn packets_of_a_stranger_are_counted_and_not_heard() {
    let mut stage = Stage::new(22_160..=22_179);
    let mut legs = stage.pair(Codec::Pcmu);
    talk(&mut legs, [1_000.0, 700.0]);
    let stranger = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    let mut noise = RtpSender::new(0xbad, 1, 0);
    for _ in 0..50 {
        let mut packet = noise.header(0, false, 160, 160).to_vec();
        packet.extend([0x80; 160]);
        stranger.send_to(&packet, (LOCALHOST, 22_160)).unwrap();
    }
    talk(&mut legs, [1_000.0, 700.0]);
    let [one, other] = legs.map(|(id, _)| stage.closed(id));
    assert_eq!((one.strangers, other.strangers), (50, 0));
}

#[test]
fn behind_a_nat_the_leg_finds_its_peer_over_real_sockets() {
    let mut stage = Stage::new(22_180..=22_199);
    let reservation = stage.engine.reserve(LOCALHOST).unwrap();
    let to = SocketAddr::new(LOCALHOST, reservation.port());
    // The peer announced an address at which nobody is.
    let (port, company) = audio_port(8_000, 25);
    let leg = stage.engine.open(reservation, config(session(Codec::Pcmu, 9), Some(company))).unwrap();
    let peer = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    peer.set_read_timeout(Some(NEVER)).unwrap();
    let mut stream = RtpSender::new(7, 1, 0);
    for _ in 0..5 {
        let mut packet = stream.header(0, false, 160, 160).to_vec();
        packet.extend([0xff; 160]);
        peer.send_to(&packet, to).unwrap();
    }
    let source = stage.wait(leg, |event| match event {
        LegEvent::Latched { source, .. } => Some(source),
        _ => None,
    });
    assert_eq!(source, peer.local_addr().unwrap());
    let mut answer = [0; 2_000];
    assert_eq!(peer.recv_from(&mut answer).unwrap(), (172, to));
    drop(port);
}

#[test]
fn a_recording_holds_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.wav");
    let stage = Stage::new(22_200..=22_219);
    let mut legs = stage.pair(Codec::Pcmu);
    talk(&mut legs, [1_000.0, 700.0]);
    stage.engine.command(legs[0].0, LegCommand::Record(path.clone())).unwrap();
    for _ in 0..3 {
        talk(&mut legs, [1_000.0, 700.0]);
    }
    stage.engine.close(legs[0].0);
    // Whole when the engine is gone.
    drop(stage);
    let samples: Vec<i16> = hound::WavReader::open(path).unwrap().samples().map(Result::unwrap).collect();
    let side = |side| samples.iter().skip(side).step_by(2).copied().collect::<Vec<_>>();
    let (far, near) = (side(0), side(1));
    assert!(far.len() >= 1_600, "{}", far.len());
    let best = |sound: &[i16], hertz| {
        sound.chunks_exact(800).map(|part| purity(part, 8_000, hertz)).fold(0.0, f64::max)
    };
    assert!(best(&far, 700.0) > 0.95 && best(&far, 1_000.0) < 0.05);
    assert!(best(&near, 1_000.0) > 0.95 && best(&near, 700.0) < 0.05);
}

#[test]
fn a_recording_that_cannot_be_written_is_told_and_the_call_goes_on() {
    let mut stage = Stage::new(22_220..=22_239);
    let mut legs = stage.pair(Codec::Pcmu);
    let nowhere = std::path::PathBuf::from("/proc/no/such/place.wav");
    stage.engine.command(legs[0].0, LegCommand::Record(nowhere)).unwrap();
    stage.wait(legs[0].0, |event| matches!(event, LegEvent::RecordFailed { .. }).then_some(()));
    talk(&mut legs, [1_000.0, 700.0]);
}

#[test]
fn many_legs_come_and_go_and_nothing_is_left() {
    let mut stage = Stage::new(22_300..=22_499);
    for round in 0..5 {
        let legs: Vec<_> = (0..80)
            .map(|_| {
                let reservation = stage.engine.reserve(LOCALHOST).unwrap();
                let port = reservation.port();
                stage.engine.open(reservation, config(session(Codec::Pcmu, port), None)).unwrap()
            })
            .collect();
        assert_eq!(stage.engine.counts(), (80, 80), "round {round}");
        for leg in &legs {
            stage.engine.close(*leg);
        }
        for _ in 0..legs.len() {
            stage.wait_any(|event| matches!(event, LegEvent::Closed { .. }).then_some(()));
        }
        assert_eq!(stage.engine.counts(), (0, 0), "round {round}");
    }
}
