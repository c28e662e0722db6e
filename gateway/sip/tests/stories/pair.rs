//! Two endpoints, a network between them, and a clock that only the test moves.

use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use trunkline_sip::{CallHandle, Config, Endpoint, Event, Flow, Invite, Message, Output, Transport};

pub const SDP_A: &[u8] = b"v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\n";
pub const SDP_B: &[u8] = b"v=0\r\no=b 1 1 IN IP4 192.0.2.2\r\n";

/// What happens to a message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Arrives,
    Lost,
    Twice,
    Late(Duration),
}

pub struct Side {
    pub endpoint: Endpoint,
    pub events: VecDeque<Event>,
    pub traced: usize,
    /// Everything it sent, in order, with its time.
    pub sent: Vec<(Duration, Message)>,
    pub at: SocketAddr,
}

pub struct Pair {
    pub now: Duration,
    pub a: Side,
    pub b: Side,
    wire: Vec<(Duration, u64, SocketAddr, Flow, Bytes)>,
    order: u64,
    pub transport: Transport,
    /// Decides over each message, by its first line.
    pub fate: Box<dyn FnMut(&str) -> Fate>,
}

fn side(at: &str, seed: u8, config: Config) -> Side {
    Side {
        endpoint: Endpoint::new(config, [seed; 32]),
        events: VecDeque::new(),
        traced: 0,
        sent: Vec::new(),
        at: at.parse().unwrap(),
    }
}

pub fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|b| *b == b'\r').next().unwrap()).into_owned()
}

/// `INVITE` or `200 INVITE`.
pub fn name(message: &Message) -> String {
    match message.status() {
        Some(status) => format!("{status} {}", message.cseq().unwrap().method),
        None => message.method().unwrap().to_string(),
    }
}

impl Pair {
    pub fn new() -> Self {
        Self::with(Config { session_expires: 0, ..Config::default() })
    }

    pub fn with(config: Config) -> Self {
        Self::of(config.clone(), config)
    }

    pub fn of(a: Config, b: Config) -> Self {
        Self {
            now: Duration::from_secs(1000),
            a: side("192.0.2.1:5060", 1, a),
            b: side("192.0.2.2:5060", 2, b),
            wire: Vec::new(),
            order: 0,
            transport: Transport::Udp,
            fate: Box::new(|_| Fate::Arrives),
        }
    }

    pub fn flow(&self) -> Flow {
        Flow { transport: self.transport, local: self.a.at, remote: self.b.at, connection: None }
    }

    pub fn invite(&mut self) -> Invite {
        Invite {
            uri: "sip:bob@192.0.2.2".into(),
            flow: self.flow(),
            from: "\"Alice\" <sip:alice@192.0.2.1>".into(),
            to: String::new(),
            contact_user: "alice".into(),
            route: Vec::new(),
            headers: Vec::new(),
            sdp: Some(Bytes::from_static(SDP_A)),
            credentials: None,
            ring_timeout: Duration::from_secs(180),
        }
    }

    /// Takes what the endpoints have to say, to and fro, until nothing moves at this moment.
    pub fn settle(&mut self) {
        loop {
            let mut moved = false;
            for first in [true, false] {
                let side = if first { &mut self.a } else { &mut self.b };
                while let Some(output) = side.endpoint.poll() {
                    moved = true;
                    match output {
                        Output::Event(event) => side.events.push_back(event),
                        Output::Trace { .. } => side.traced += 1,
                        Output::Send { flow, bytes } => {
                            assert_eq!(flow.local, side.at);
                            side.sent.push((self.now, Message::parse(bytes.clone()).unwrap()));
                            let back = Flow { local: flow.remote, remote: flow.local, ..flow };
                            let times = match (self.fate)(&first_line(&bytes)) {
                                Fate::Lost => vec![],
                                Fate::Arrives => vec![self.now],
                                Fate::Twice => vec![self.now; 2],
                                Fate::Late(by) => vec![self.now + by],
                            };
                            for at in times {
                                self.order += 1;
                                self.wire.push((at, self.order, flow.remote, back, bytes.clone()));
                            }
                        }
                    }
                }
            }
            moved |= self.deliver();
            if !moved {
                return;
            }
        }
    }

    fn deliver(&mut self) -> bool {
        self.wire.sort_by_key(|w| (w.0, w.1));
        let due = self.wire.partition_point(|w| w.0 <= self.now);
        let arrived: Vec<_> = self.wire.drain(..due).collect();
        for (_, _, to, flow, bytes) in &arrived {
            for side in [&mut self.a, &mut self.b] {
                if side.at == *to {
                    side.endpoint.receive(self.now, *flow, bytes.clone());
                }
            }
        }
        !arrived.is_empty()
    }

    /// Moves the clock by as much, stopping wherever somebody wants to be woken.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        loop {
            let wire = self.wire.iter().map(|w| w.0).min();
            let wakes = [self.a.endpoint.poll_timeout(), self.b.endpoint.poll_timeout(), wire];
            let next = wakes.into_iter().flatten().min().filter(|t| *t <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            self.a.endpoint.handle_timeout(self.now);
            self.b.endpoint.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// Everything that B was called with: its handle and the INVITE.
    pub fn incoming(&mut self) -> (CallHandle, Message) {
        match self.b.events.pop_front() {
            Some(Event::Incoming { call, invite, .. }) => (call, invite),
            other => panic!("expected Incoming, had {other:?}"),
        }
    }

    /// A calls B, B answers, the ACK has arrived. Returns both handles.
    pub fn connected(&mut self) -> (CallHandle, CallHandle) {
        let invite = self.invite();
        self.connected_by(invite)
    }

    pub fn connected_by(&mut self, invite: Invite) -> (CallHandle, CallHandle) {
        let ours = self.a.endpoint.invite(self.now, invite).unwrap();
        self.settle();
        let (theirs, _) = self.incoming();
        self.b.endpoint.answer(self.now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
        self.settle();
        self.a.events.clear();
        self.b.events.clear();
        (ours, theirs)
    }

    /// Names of what a side sent, `INVITE`, `200 INVITE`, from the `from`th on.
    pub fn names(side: &Side, from: usize) -> Vec<String> {
        side.sent.iter().skip(from).map(|(_, m)| name(m)).collect()
    }

    /// When a side sent messages of this name, in milliseconds since the clock began.
    pub fn times_of(side: &Side, wanted: &str) -> Vec<u128> {
        side.sent.iter().filter(|(_, m)| name(m) == wanted).map(|(t, _)| t.as_millis() - 1_000_000).collect()
    }

    /// After all timers nothing may be left.
    pub fn assert_empty(&mut self) {
        self.pass(Duration::from_secs(200));
        assert_eq!(self.a.endpoint.counts(), trunkline_sip::Counts::default());
        assert_eq!(self.b.endpoint.counts(), trunkline_sip::Counts::default());
        // What is left in the heap belongs to nobody and goes by itself.
        self.pass(Duration::from_secs(2000));
        assert_eq!(self.a.endpoint.poll_timeout(), None);
        assert_eq!(self.b.endpoint.poll_timeout(), None);
    }
}
