//! Two legs on a virtual clock and a network in memory: every codec at every packet time, loss, jitter, drift.
#![allow(clippy::unwrap_used)]

use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::time::Duration;
use trunkline_media::event::{LegCommand, LegEvent};
use trunkline_media::leg::{InbandDtmf, Leg, LegConfig, Seed, Sink, TICK};
use trunkline_media::port::{AudioPort, audio_port};
use trunkline_media::session::{Codec, Direction, Session};

const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

/// What is under way: when it comes, whether by the RTCP port, and what it is.
#[derive(Default)]
struct Wire {
    under_way: Vec<(Duration, bool, Vec<u8>)>,
    now: Duration,
    /// Packets of sound that were sent.
    sent: u64,
    /// How long packet `n` takes; `None`: for ever.
    transit: Option<fn(u64) -> Option<u64>>,
}

impl Wire {
    /// What has come by now.
    fn due(&mut self, now: Duration) -> Vec<(Duration, bool, Vec<u8>)> {
        self.under_way.sort_by_key(|(at, ..)| *at);
        let due = self.under_way.partition_point(|(at, ..)| *at <= now);
        self.under_way.drain(..due).collect()
    }
}

impl Sink for Wire {
    fn rtp(&mut self, _to: SocketAddr, datagram: &[u8]) {
        let n = self.sent;
        self.sent += 1;
        if let Some(millis) = self.transit.map_or(Some(0), |transit| transit(n)) {
            self.under_way.push((self.now + Duration::from_millis(millis), false, datagram.to_vec()));
        }
    }

    fn rtcp(&mut self, _to: SocketAddr, datagram: &[u8]) {
        self.under_way.push((self.now + Duration::from_millis(30), true, datagram.to_vec()));
    }
}

struct End {
    leg: Leg,
    port: AudioPort,
    wire: Wire,
    heard: Vec<i16>,
    events: Vec<LegEvent>,
}

struct Call {
    ends: [End; 2],
    now: Duration,
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 4_000))
}

fn session(codec: Codec, ptime_ms: u8, peer: u8) -> Session {
    let payload_type = match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 96,
    };
    Session {
        remote: Some(address(peer)),
        remote_rtcp: Some(SocketAddr::new(address(peer).ip(), 4_001)),
        rtcp_mux: false,
        codec,
        payload_type,
        receive: vec![(payload_type, codec)],
        dtmf: Some((101, 101)),
        dtmf_clock: codec.clock(),
        comfort_noise: true,
        ptime_ms,
        direction: Direction::SendRecv,
        security: None,
    }
}

impl Call {
    /// The first end sends packets of `ptime_ms`, the second of 20 ms.
    fn new(codec: Codec, ptime_ms: u8) -> Self {
        Self::of([(0, ptime_ms), (1, 20)].map(|(me, ptime)| session(codec, ptime, 1 - me)))
    }

    fn without_events(codec: Codec) -> Self {
        Self::of([1, 0].map(|peer| Session { dtmf: None, ..session(codec, 20, peer) }))
    }

    fn of(sessions: [Session; 2]) -> Self {
        let ends = sessions.map(|session| {
            let (port, company) = audio_port(session.codec.rate(), 25);
            let random = session.remote.map_or(0, |peer| peer.to_string().bytes().map(u64::from).sum());
            let config = LegConfig {
                session,
                company: Some(company),
                timeout_initial: Duration::from_secs(30),
                timeout: Duration::from_secs(15),
                inband_dtmf: InbandDtmf::Fallback,
                symmetric: true,
            };
            let seed = Seed {
                random: [0x1234_5678_ffff_0000 + random; 2],
                wall: Duration::from_secs(1_700_000_000),
            };
            let leg = Leg::new(config, &seed, Duration::ZERO).unwrap();
            End { leg, port, wire: Wire::default(), heard: vec![], events: vec![] }
        });
        Self { ends, now: Duration::ZERO }
    }

    fn tick(&mut self, hertz: f64) {
        self.now += TICK;
        let now = self.now;
        let [a, b] = &mut self.ends;
        let (from_a, from_b) = (a.wire.due(now), b.wire.due(now));
        for (me, from, datagrams) in [(&mut *a, 1, from_b), (&mut *b, 0, from_a)] {
            for (_, control, datagram) in datagrams {
                if control {
                    me.leg.receive_control(now, SocketAddr::new(address(from).ip(), 4_001), &datagram);
                } else {
                    me.leg.receive(now, address(from), &datagram, &mut me.events);
                }
            }
        }
        for end in [a, b] {
            end.wire.now = now;
            end.leg.tick(now, &mut end.wire, &mut end.events);
            while let Ok(sample) = end.port.hear.pop() {
                end.heard.push(sample);
            }
        }
        if hertz > 0.0 {
            let end = &mut self.ends[0];
            let rate = f64::from(end.port.rate);
            let at = now.as_secs_f64() * rate;
            let sound: Vec<i16> = (0..end.port.rate / 50)
                .map(|n| (((at + f64::from(n)) * hertz * TAU / rate).sin() * 8_000.0) as i16)
                .collect();
            let _ = end.port.speak.push_entire_slice(&sound);
        }
    }

    fn run(&mut self, ticks: u32, hertz: f64) {
        for _ in 0..ticks {
            self.tick(hertz);
        }
    }
}

/// How much of the sound is this tone, 0..=1.
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

/// The last second of what the second end heard.
fn last_second(call: &Call) -> &[i16] {
    let end = &call.ends[1];
    &end.heard[end.heard.len() - end.port.rate as usize..]
}

#[test]
fn a_tone_is_whole_in_every_codec_at_every_packet_time() {
    for codec in CODECS {
        for ptime in [10, 20, 30, 40, 50, 60] {
            let mut call = Call::new(codec, ptime);
            call.run(150, 600.0);
            let clean = purity(last_second(&call), codec.rate(), 600.0);
            assert!(clean > 0.97, "{codec:?} at {ptime} ms: {clean}");
            let report = call.ends[1].leg.report();
            // The call begins with a pause of which nobody knows yet how long it is.
            assert!(report.concealed <= 5, "{codec:?} at {ptime} ms: {report:?}");
            assert_eq!((report.lost, report.late, report.overrun), (0, 0, 0), "{codec:?} at {ptime} ms");
            assert_eq!(report.jitter_max_ms, 0.0, "{codec:?} at {ptime} ms");
            assert!(report.mos > 4.2, "{codec:?} at {ptime} ms: {report:?}");
        }
    }
}

#[test]
fn every_20_ms_of_the_far_party_come_out_whatever_the_packet_time() {
    for ptime in [10, 30, 60] {
        let mut call = Call::new(Codec::Pcmu, ptime);
        call.run(500, 600.0);
        assert_eq!(call.ends[1].heard.len(), 500 * 160, "{ptime} ms");
    }
}

#[test]
fn five_percent_of_loss_is_counted_concealed_and_costs_score() {
    for (codec, ptime) in [(Codec::Pcmu, 20), (Codec::G722, 30), (Codec::Opus, 20)] {
        let mut call = Call::new(codec, ptime);
        call.ends[0].wire.transit = Some(|n| if n % 20 == 7 { None } else { Some(15) });
        call.run(1_000, 600.0);
        let report = call.ends[1].leg.report();
        let sent = call.ends[0].wire.sent;
        assert!(report.lost.abs_diff(sent / 20) <= 1, "{codec:?}: {report:?}");
        assert!(report.concealed >= report.lost, "{codec:?}: {report:?}");
        assert!(report.concealed <= report.lost * 2 + 5, "{codec:?}: {report:?}");
        assert!((2.5..4.2).contains(&report.mos), "{codec:?}: {report:?}");
        let clean = purity(last_second(&call), codec.rate(), 600.0);
        assert!(clean > 0.8, "{codec:?}: a tone with holes mended is still that tone: {clean}");
    }
}

#[test]
fn jitter_of_40_ms_is_ridden_out() {
    for codec in CODECS {
        let mut call = Call::new(codec, 20);
        call.ends[0].wire.transit = Some(|n| Some(((n * 2_654_435_761) >> 7) % 40));
        call.run(1_500, 600.0);
        let report = call.ends[1].leg.report();
        assert_eq!(report.lost, 0);
        assert!(report.late + report.concealed <= 30, "{codec:?}: {report:?}");
        assert!(report.jitter_ms > 3.0, "{codec:?}: {report:?}");
        assert!(purity(last_second(&call), codec.rate(), 600.0) > 0.9, "{codec:?}");
    }
}

fn press(call: &mut Call, digit: char) {
    let command = LegCommand::Dtmf { digit, length: Duration::from_millis(200), how: None };
    let end = &mut call.ends[0];
    end.leg.command(call.now, command, &mut end.events);
}

fn keys(call: &Call) -> Vec<(char, u128)> {
    let key = |event: &LegEvent| match event {
        LegEvent::Dtmf { digit, length, .. } => Some((*digit, length.as_millis())),
        _ => None,
    };
    call.ends[1].events.iter().filter_map(key).collect()
}

#[test]
fn keys_cross_in_every_codec_and_the_sound_that_stood_back_for_them_is_no_loss() {
    for codec in CODECS {
        let mut call = Call::new(codec, 20);
        call.run(50, 600.0);
        let before = call.ends[1].leg.report();
        press(&mut call, '1');
        press(&mut call, '#');
        call.run(100, 600.0);
        assert_eq!(keys(&call), [('1', 200), ('#', 200)], "{codec:?}");
        assert!(purity(last_second(&call), codec.rate(), 600.0) > 0.95, "{codec:?}");
        let after = call.ends[1].leg.report();
        assert!(after.concealed - before.concealed <= 2, "{codec:?}: {after:?}");
    }
}

#[test]
fn keys_cross_as_tones_where_there_are_no_events() {
    for codec in CODECS {
        let mut call = Call::without_events(codec);
        call.run(20, 0.0);
        for digit in ['1', '5', '#', 'D'] {
            press(&mut call, digit);
        }
        call.run(100, 0.0);
        let digits: String = keys(&call).into_iter().map(|(digit, _)| digit).collect();
        assert_eq!(digits, "15#D", "{codec:?}");
        for (_, length) in keys(&call) {
            assert!((180..=220).contains(&length), "{codec:?}: {length}");
        }
    }
}

#[test]
fn a_silence_is_comfort_noise_and_no_loss() {
    let mut call = Call::new(Codec::Pcmu, 20);
    call.run(100, 600.0);
    let before = call.ends[1].leg.report();
    call.run(200, 0.0);
    let after = call.ends[1].leg.report();
    assert_eq!(after.lost, 0);
    assert!(after.concealed - before.concealed <= 5, "{after:?}");
    assert!(after.received - before.received < 60, "the sender was silent: {after:?}");
    let noise = last_second(&call);
    assert!(noise.iter().any(|s| *s != 0) && noise.iter().all(|s| s.unsigned_abs() < 100));
}

#[test]
fn reports_tell_the_round_trip_and_what_the_peer_loses() {
    let mut call = Call::new(Codec::Pcmu, 20);
    call.ends[0].wire.transit = Some(|n| if n % 10 == 3 { None } else { Some(0) });
    call.run(1_500, 600.0);
    let report = call.ends[0].leg.report();
    let trip = report.round_trip_ms.unwrap();
    // RTCP takes 30 ms each way here, and is read once in 20 ms.
    assert!((60.0..=100.0).contains(&trip), "{trip}");
    let loss = report.remote_loss.unwrap();
    assert!((0.08..0.12).contains(&loss), "{loss}");
}

/// A packet from the peer with these fields, or a little off.
fn datagram(kind: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let payload_type = [0, 0, 13, 101, 9, 96, 200, 0x80][usize::from(kind % 8)];
    let mut bytes = vec![if kind < 250 { 0x80 } else { kind }, payload_type];
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(timestamp.to_be_bytes());
    bytes.extend([0, 0, 0, u8::from(kind > 240)]);
    bytes.extend(payload);
    bytes
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_stream_of_datagrams_does_harm_to_a_leg(
        datagrams in proptest::collection::vec(
            (proptest::num::u8::ANY, proptest::num::u16::ANY, proptest::num::u32::ANY,
             proptest::collection::vec(proptest::num::u8::ANY, 0..600)), 0..80)
    ) {
        let mut call = Call::new(Codec::Pcmu, 20);
        let (mut sequence, mut timestamp) = (0u16, 0u32);
        for (kind, far, further, payload) in datagrams {
            sequence = sequence.wrapping_add(if kind & 0x40 == 0 { 1 } else { far });
            timestamp = timestamp.wrapping_add(if kind & 0x20 == 0 { 160 } else { further });
            let bytes = datagram(kind, sequence, timestamp, &payload);
            let end = &mut call.ends[1];
            end.leg.receive(call.now, address(0), &bytes, &mut end.events);
            end.leg.receive_control(call.now, address(0), &bytes);
            call.tick(0.0);
        }
    }
}

#[test]
fn a_peer_that_jumps_ahead_for_ever_does_no_harm() {
    let mut call = Call::new(Codec::Pcmu, 20);
    for n in 0..6_000u32 {
        let bytes = datagram(0, n as u16, n.wrapping_mul(0x7fff_ffff), &[0xff; 160]);
        let end = &mut call.ends[1];
        end.leg.receive(call.now, address(0), &bytes, &mut end.events);
        call.tick(0.0);
        if n % 10 == 0 {
            call.run(12, 0.0);
        }
    }
    assert!(call.ends[1].leg.report().received >= 6_000);
}
