//! Telephones in a local room, over real sockets: phone ⇄ leg ⇄ room, each phone being a leg itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::f64::consts::TAU;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use trunkline_media::engine::{Engine, EngineConfig, InbandDtmf, LegConfig};
use trunkline_media::port::{AudioPort, LegPort, audio_port};
use trunkline_media::session::{Codec, Direction, Session};
use trunkline_room::{LocalRooms, Participant, ParticipantId, Room};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NEVER: Duration = Duration::from_secs(20);

/// A telephone: what it says and what it hears.
struct Phone {
    port: AudioPort,
    hertz: f64,
    at: usize,
    heard: Vec<i16>,
}

impl Phone {
    fn talk(&mut self) {
        let rate = f64::from(self.port.rate);
        let frame = self.port.rate as usize / 50;
        while self.port.speak.buffer().capacity() - self.port.speak.slots() < 3 * frame {
            let sound: Vec<i16> = (self.at..self.at + frame)
                .map(|n| ((n as f64 * self.hertz * TAU / rate).sin() * 5_000.0) as i16)
                .collect();
            self.at += frame;
            self.port.speak.push_entire_slice(&sound).unwrap();
        }
        while let Ok(sample) = self.port.hear.pop() {
            self.heard.push(sample);
        }
    }

    /// Amplitude of a tone in the last 200 ms, against what a phone says.
    fn hears(&self, hertz: f64) -> f64 {
        let newest = self.heard.len().saturating_sub(self.port.rate as usize / 5);
        let sound = &self.heard[newest..];
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in sound.iter().enumerate() {
            let angle = n as f64 * hertz * TAU / f64::from(self.port.rate);
            re += f64::from(*sample) * angle.cos();
            im += f64::from(*sample) * angle.sin();
        }
        2.0 * f64::hypot(re, im) / sound.len().max(1) as f64 / 5_000.0
    }
}

fn config(codec: Codec, to: u16, company: LegPort) -> LegConfig {
    let payload_type = if codec == Codec::G722 { 9 } else { 0 };
    let session = Session {
        remote: Some(SocketAddr::new(LOCALHOST, to)),
        remote_rtcp: Some(SocketAddr::new(LOCALHOST, to + 1)),
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
    };
    LegConfig {
        session,
        company: Some(company),
        timeout_initial: NEVER,
        timeout: NEVER,
        inband_dtmf: InbandDtmf::Fallback,
        symmetric: true,
    }
}

#[test]
fn each_phone_hears_the_others_and_not_itself() {
    let config_of = EngineConfig { threads: 1, ports: 23_000..=23_099, wake: Arc::new(|| ()) };
    let (engine, _events) = Engine::start(config_of).unwrap();
    let (rooms, _room_events) = LocalRooms::start(10, Arc::new(|| ())).unwrap();
    let tones = [500.0, 800.0, 1_300.0];
    let mut phones: Vec<Phone> = tones
        .iter()
        .zip([Codec::Pcmu, Codec::G722, Codec::Pcmu])
        .enumerate()
        .map(|(n, (hertz, codec))| {
            let (outside, inside) = (engine.reserve(LOCALHOST).unwrap(), engine.reserve(LOCALHOST).unwrap());
            let (to_inside, to_outside) = (inside.port(), outside.port());
            let (port, company) = audio_port(codec.rate(), 10);
            engine.open(outside, config(codec, to_inside, company)).unwrap();
            let (room_port, company) = audio_port(codec.rate(), 10);
            engine.open(inside, config(codec, to_outside, company)).unwrap();
            let who = Participant {
                id: ParticipantId(n as u64),
                identity: format!("sip_{n}"),
                name: String::new(),
                attributes: Vec::new(),
            };
            rooms.join("meeting", who, room_port).unwrap();
            Phone { port, hertz: *hertz, at: 0, heard: Vec::new() }
        })
        .collect();
    let since = Instant::now();
    loop {
        for phone in &mut phones {
            phone.talk();
        }
        let right = phones.iter().all(|phone| {
            tones.iter().all(|tone| {
                let level = phone.hears(*tone);
                if *tone == phone.hertz { level < 0.1 } else { (0.85..1.15).contains(&level) }
            })
        });
        if right {
            break;
        }
        let levels: Vec<_> = phones.iter().map(|phone| tones.map(|tone| phone.hears(tone))).collect();
        assert!(since.elapsed() < NEVER, "{levels:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    for n in 0..3 {
        rooms.leave(ParticipantId(n));
    }
    assert_eq!(rooms.counts(), (0, 0));
}
