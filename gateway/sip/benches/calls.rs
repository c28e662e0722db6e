//! A whole short call: INVITE, 100, 180, 200, ACK, BYE, 200, with SDP, through two endpoints, and the
//! end of what lingers of it. Half of the figure is one side's.
#![allow(clippy::unwrap_used, reason = "a bench")]

use bytes::Bytes;
use divan::Bencher;
use std::time::Duration;
use trunkline_sip::{CallHandle, Config, Endpoint, Event, Flow, Invite, Output, Transport};

const SDP: &[u8] = b"v=0\r\no=- 4711 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
m=audio 20000 RTP/AVP 0 8 9 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

fn main() {
    divan::main();
}

struct Pair {
    now: Duration,
    a: Endpoint,
    b: Endpoint,
}

fn carry(now: Duration, from: &mut Endpoint, to: &mut Endpoint, incoming: &mut Option<CallHandle>) -> bool {
    let mut moved = false;
    while let Some(output) = from.poll() {
        match output {
            Output::Send { flow, bytes } => {
                let back = Flow { local: flow.remote, remote: flow.local, ..flow };
                to.receive(now, back, bytes);
                moved = true;
            }
            Output::Event(Event::Incoming { call, .. }) => *incoming = Some(call),
            _ => {}
        }
    }
    moved
}

impl Pair {
    fn new() -> Self {
        let endpoint = |seed| Endpoint::new(Config::default(), [seed; 32]);
        Self { now: Duration::from_secs(1), a: endpoint(1), b: endpoint(2) }
    }

    /// Carries messages to and fro until none is under way; returns the call that came to B, if one did.
    fn settle(&mut self) -> Option<CallHandle> {
        let mut incoming = None;
        while carry(self.now, &mut self.a, &mut self.b, &mut incoming)
            | carry(self.now, &mut self.b, &mut self.a, &mut incoming)
        {}
        incoming
    }

    fn call(&mut self) {
        let invite = Invite {
            uri: "sip:+4930123456@192.0.2.2".into(),
            flow: Flow {
                transport: Transport::Udp,
                local: "192.0.2.1:5060".parse().unwrap(),
                remote: "192.0.2.2:5060".parse().unwrap(),
                connection: None,
            },
            from: "\"Alice\" <sip:alice@192.0.2.1>".into(),
            to: String::new(),
            contact_user: "alice".into(),
            route: Vec::new(),
            headers: Vec::new(),
            sdp: Some(Bytes::from_static(SDP)),
            credentials: None,
            ring_timeout: Duration::from_secs(60),
        };
        let ours = self.a.invite(self.now, invite).unwrap();
        let theirs = self.settle().unwrap();
        self.b.ring(self.now, theirs, 180, None, false, &[]).unwrap();
        self.settle();
        self.b.answer(self.now, theirs, Bytes::from_static(SDP), &[]).unwrap();
        self.settle();
        self.a.hang_up(self.now, ours, "").unwrap();
        self.settle();
        assert_eq!((self.a.counts().calls, self.b.counts().calls), (0, 0));
        // 10 ms a call: what lingers of 3,200 earlier calls is there all the time, as it is in service.
        self.now += Duration::from_millis(10);
        self.a.handle_timeout(self.now);
        self.b.handle_timeout(self.now);
        while self.a.poll().or_else(|| self.b.poll()).is_some() {}
    }
}

#[divan::bench]
fn a_whole_short_call_both_sides(bencher: Bencher<'_, '_>) {
    let mut pair = Pair::new();
    for _ in 0..4000 {
        pair.call();
    }
    bencher.bench_local(|| pair.call());
}
