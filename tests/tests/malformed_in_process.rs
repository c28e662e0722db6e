//! 100,000 malformed inputs through every parser of the program, in process: nothing may panic
//! or hang, what is shown must be harmless, and after each thousand a valid message must still be read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::{Bytes, BytesMut};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use trunkline_media::leg::{InbandDtmf, Leg, LegConfig, Seed, Sink, TICK};
use trunkline_media::sdp::{OfferAnswer, Preferences};
use trunkline_media::session::{Codec, Direction, Session};
use trunkline_sip::Message;
use trunkline_sip::message::{Builder, Escaped, Framed, Framer, HeaderName};
use trunkline_tests::malform::{Malformed, sdp};

const INPUTS: usize = 100_000;

/// Everything that can be asked of a message is asked.
fn exhaust(m: &Message) {
    let _ = (m.check(), m.method(), m.request_uri(), m.status(), m.reason(), m.cseq(), m.call_id());
    for address in [m.from(), m.to()].into_iter().flatten() {
        let _ = (
            address.display(),
            address.tag(),
            address.uri().map(|u| (u.to_string(), u.user_unescaped(), u.ip())),
        );
    }
    for address in m.contacts().chain(m.routes()).chain(m.record_routes()).flatten() {
        if let Ok(uri) = address.uri() {
            assert!(uri.same_as(&uri), "{uri}");
        }
    }
    for via in m.vias().flatten() {
        let _ = (via.branch(), via.has_unique_branch(), via.params.get("rport"));
    }
    let _ = (
        m.max_forwards(),
        m.content_type(),
        m.session_expires(),
        m.min_se(),
        m.rseq(),
        m.rack(),
        m.retry_after(),
    );
    let _ = (m.body_of("application/sdp"), m.lists(HeaderName::Require, "100rel"), m.header_named("x-none"));
    for (name, value) in m.all_headers() {
        let shown = format!("{}: {}", Escaped(name), Escaped(&value));
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    }
}

/// A request that passes the check can be answered, and its answer is sound.
fn answer(m: &Message) {
    if m.is_request() && m.check().is_ok() {
        let bytes = Builder::response_to(m, 200, "", "t", None).build().unwrap();
        let answer = Message::parse(bytes).unwrap();
        assert_eq!(answer.status(), Some(200));
        assert_eq!(answer.vias().count(), m.vias().count());
        assert_eq!(answer.cseq(), m.cseq());
    }
}

fn sip(input: &[u8]) {
    let (message, fault) = Message::parse_leniently(Bytes::copy_from_slice(input));
    if let Some(fault) = fault {
        assert!(!fault.to_string().is_empty());
    }
    if let Some(message) = message {
        exhaust(&message);
        if fault.is_none() {
            answer(&message);
        }
    }
}

/// In a stream, in two pieces; whatever comes out is no more than went in.
fn stream(input: &[u8]) {
    let mut framer = Framer::default();
    let (first, second) = input.split_at(input.len() / 2);
    let mut out = 0;
    for piece in [first, second] {
        let buffer: &mut BytesMut = framer.buffer();
        buffer.extend_from_slice(piece);
        while let Ok(Some(framed)) = framer.frame() {
            out += match framed {
                Framed::Message(m) => m.len(),
                Framed::Ping | Framed::Pong => 2,
            };
            assert!(out <= input.len());
        }
    }
}

fn preferences() -> Preferences {
    Preferences { codecs: vec![Codec::Pcmu, Codec::Pcma], dtmf: true, comfort_noise: true }
}

fn description(input: &[u8]) {
    let ip: IpAddr = [127, 0, 0, 1].into();
    if let Err(error) = OfferAnswer::new(ip, 4000, 1, preferences()).answer(input) {
        assert!((400..500).contains(&error.status()));
    }
    let mut ours = OfferAnswer::new(ip, 4000, 1, preferences());
    ours.offer(Direction::SendRecv);
    let _ = ours.accept(input);
}

/// A leg of each codec, and the peer from which everything comes.
struct Legs {
    legs: Vec<Leg>,
    now: Duration,
    sent: Sent,
}

/// Counts what a leg sends.
#[derive(Default)]
struct Sent(u64);

impl Sink for Sent {
    fn rtp(&mut self, _to: SocketAddr, datagram: &[u8]) {
        assert!(datagram.len() > 12);
        self.0 += 1;
    }

    fn rtcp(&mut self, _to: SocketAddr, _datagram: &[u8]) {
        self.0 += 1;
    }
}

fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], port))
}

fn leg(codec: Codec, payload_type: u8) -> Leg {
    let session = Session {
        remote: Some(peer(31_000)),
        remote_rtcp: Some(peer(31_001)),
        rtcp_mux: payload_type == 0,
        codec,
        payload_type,
        receive: vec![(payload_type, codec)],
        dtmf: Some((101, 101)),
        dtmf_clock: codec.clock(),
        comfort_noise: true,
        ptime_ms: 20,
        direction: Direction::SendRecv,
        security: None,
    };
    let (initial, timeout) = (Duration::from_secs(30), Duration::from_secs(15));
    let config = LegConfig {
        session,
        company: None,
        timeout_initial: initial,
        timeout,
        inband_dtmf: InbandDtmf::Always,
        symmetric: true,
    };
    let seed = Seed { random: [9; 2], wall: Duration::from_secs(1_700_000_000) };
    Leg::new(config, &seed, Duration::ZERO).unwrap()
}

impl Legs {
    fn new() -> Self {
        let codecs = [(Codec::Pcmu, 0), (Codec::Pcma, 8), (Codec::G722, 9), (Codec::Opus, 96)];
        Self {
            legs: codecs.map(|(codec, number)| leg(codec, number)).into(),
            now: Duration::ZERO,
            sent: Sent::default(),
        }
    }

    /// As RTP and as RTCP to every leg; each fourth time with a payload type that it takes. 20 ms pass for
    /// every eight datagrams.
    fn receive(&mut self, n: usize, input: &[u8]) {
        let mut events = Vec::new();
        let mut input = input.to_vec();
        for (leg, number) in self.legs.iter_mut().zip([0, 8, 9, 96]) {
            if n.is_multiple_of(4)
                && let Some(second) = input.get_mut(1)
            {
                *second = *second & 0x80 | if n.is_multiple_of(12) { 101 } else { number };
            }
            leg.receive(self.now, peer(31_000), &input, &mut events);
            leg.receive_control(self.now, peer(31_001), &input);
            if n.is_multiple_of(8) {
                leg.tick(self.now, &mut self.sent, &mut events);
            }
        }
        if n.is_multiple_of(8) {
            self.now += TICK;
        }
    }
}

#[test]
fn no_malformed_input_panics_and_a_valid_one_is_read_after_each_thousand() {
    let mut legs = Legs::new();
    for (n, input) in Malformed::new(20_261_125).take(INPUTS).enumerate() {
        sip(&input);
        stream(&input);
        description(&input);
        legs.receive(n, &input);
        if n % 1000 == 999 {
            still_alive();
        }
    }
    assert!(legs.sent.0 > 0);
}

fn still_alive() {
    let body = sdp();
    let text = format!(
        "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\n\
         Call-ID: x\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let message = Message::parse(text.into()).unwrap();
    message.check().unwrap();
    answer(&message);
    let offer = message.body_of("application/sdp").unwrap();
    OfferAnswer::new([127, 0, 0, 1].into(), 4000, 1, preferences()).answer(&offer).unwrap();
}
