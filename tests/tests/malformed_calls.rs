//! Malformed input at the door of the SIP endpoint, on a virtual clock: strangers' requests and responses,
//! and what stands inside a call that is up. After each thousand a valid call goes through whole, whatever
//! we send is sound, and in the end nothing is held.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::large_enum_variant)]

use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use trunkline_sip::message::{Builder, Wrong};
use trunkline_sip::{
    CallHandle, Config, ConnId, Counts, Endpoint, Event, Flow, Invite, Message, Output, Transport,
};
use trunkline_tests::malform::{Dice, Malformed, sdp, spoil_text};

const INPUTS: usize = 100_000;

/// The endpoint and a call actor that does one thing or the other, at random.
struct Gateway {
    endpoint: Endpoint,
    now: Duration,
    dice: Dice,
    calls: Vec<CallHandle>,
    sent: Vec<Message>,
    ended: Vec<CallHandle>,
}

fn flow(n: usize) -> Flow {
    let tcp = n.is_multiple_of(3);
    Flow {
        transport: if tcp { Transport::Tcp } else { Transport::Udp },
        local: SocketAddr::from(([198, 51, 100, 1], 5060)),
        remote: SocketAddr::from(([198, 51, 100, 7], 5060 + u16::try_from(n % 40).unwrap())),
        connection: tcp.then_some(ConnId(n as u64 % 40)),
    }
}

impl Gateway {
    fn new() -> Self {
        let endpoint =
            Endpoint::new(Config { calls: 200, transactions: 5_000, ..Config::default() }, [7; 32]);
        Self {
            endpoint,
            now: Duration::from_secs(1),
            dice: Dice::new(3),
            calls: vec![],
            sent: vec![],
            ended: vec![],
        }
    }

    fn receive(&mut self, flow: Flow, bytes: impl Into<Bytes>) {
        self.endpoint.receive(self.now, flow, bytes.into());
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll() {
            match output {
                Output::Send { bytes, .. } => {
                    let message = match Message::parse(bytes) {
                        Ok(message) => message,
                        // The refusal of a giant has all that it copies, and a little of ours.
                        Err(fault) if matches!(fault.wrong, Wrong::TooManyHeaders | Wrong::TooLarge) => {
                            continue;
                        }
                        Err(fault) => panic!("what we send is unsound: {fault}"),
                    };
                    if message.is_request() {
                        message.check().expect("and so is each request");
                    }
                    self.sent.push(message);
                }
                Output::Event(event) => self.act(event),
                Output::Trace { .. } => {}
            }
        }
    }

    fn act(&mut self, event: Event) {
        let (now, body) = (self.now, Bytes::from(sdp()));
        let choice = self.dice.below(4);
        let endpoint = &mut self.endpoint;
        match event {
            Event::Incoming { call, .. } => {
                self.calls.push(call);
                let _ = match choice {
                    0 => endpoint.reject(now, call, 486, "", &[]),
                    1 => endpoint.ring(now, call, 180, None, true, &[]),
                    _ => endpoint.answer(now, call, body, &[]),
                };
            }
            Event::Offer { call, .. } if choice == 0 => {
                let _ = endpoint.refuse_offer(now, call, 488, "");
            }
            Event::Offer { call, .. } => {
                let _ = endpoint.accept_offer(now, call, body);
            }
            Event::Ended { call, .. } | Event::Rejected { call, .. } => {
                self.calls.retain(|c| *c != call);
                self.ended.push(call);
            }
            _ => {}
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.endpoint.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn hang_up_all(&mut self) {
        for call in std::mem::take(&mut self.calls) {
            let _ = self.endpoint.hang_up(self.now, call, "");
            self.drain();
        }
    }

    /// INVITE, 200, ACK, BYE, 200, and the call has ended.
    fn valid_call(&mut self, n: usize) {
        self.hang_up_all();
        self.sent.clear();
        let mut to = String::new();
        for (cseq, method) in [(1, "INVITE"), (1, "ACK"), (2, "BYE")] {
            let body = if method == "INVITE" { sdp() } else { String::new() };
            let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
            let request = format!(
                "{method} sip:agent@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-v{n}-{method}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:v@caller.test>;tag=v{n}\r\nTo: <sip:agent@198.51.100.1>{to}\r\n\
                 Call-ID: valid-{n}\r\nCSeq: {cseq} {method}\r\nContact: <sip:v@198.51.100.7>\r\n{kind}\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            self.receive(flow(1), request);
            if method == "INVITE" {
                if let Some(call) = self.calls.last().copied() {
                    let _ = self.endpoint.answer(self.now, call, Bytes::from(sdp()), &[]);
                    self.drain();
                }
                let answer =
                    self.sent.iter().rev().find(|m| m.call_id() == Some(&format!("valid-{n}"))).unwrap();
                if answer.status() == Some(486) {
                    return self.valid_call(n + 1);
                }
                assert_eq!(answer.status(), Some(200), "after {n} inputs");
                to = format!(";tag={}", answer.to().unwrap().tag().unwrap());
            }
        }
        let last = self.sent.last().unwrap();
        assert_eq!((last.status(), last.cseq().unwrap().number), (Some(200), 2));
    }

    /// Everybody has left and all timers have run out.
    fn assert_nothing_is_left(&mut self) {
        self.hang_up_all();
        self.pass(Duration::from_secs(7200));
        self.hang_up_all();
        self.pass(Duration::from_secs(120));
        assert_eq!(self.endpoint.counts(), Counts::default());
    }
}

#[test]
fn malformed_messages_of_strangers_neither_stop_the_endpoint_nor_stay_in_it() {
    let mut gateway = Gateway::new();
    for (n, input) in Malformed::new(5).take(INPUTS).enumerate() {
        gateway.receive(flow(n), input);
        gateway.pass(Duration::from_millis(20));
        if n % 1000 == 999 {
            gateway.pass(Duration::from_secs(40));
            gateway.valid_call(n);
            gateway.sent.clear();
            gateway.ended.clear();
        }
    }
    gateway.assert_nothing_is_left();
}

fn invite() -> Invite {
    Invite {
        uri: "sip:ann@198.51.100.7".into(),
        flow: flow(1),
        from: "<sip:agent@198.51.100.1>".into(),
        to: String::new(),
        contact_user: "agent".into(),
        route: Vec::new(),
        headers: Vec::new(),
        sdp: Some(Bytes::from(sdp())),
        credentials: None,
        ring_timeout: Duration::from_secs(20),
    }
}

/// A response to a request of ours, whole.
fn respond(request: &Message, status: u16) -> Vec<u8> {
    let builder =
        Builder::response_to(request, status, "", "peer", None).named("Contact", "<sip:ann@198.51.100.7>");
    let builder = if status == 183 { builder.named("Require", "100rel").named("RSeq", "1") } else { builder };
    builder.body("application/sdp", sdp().as_bytes()).unwrap().to_vec()
}

/// A request of the peer inside the call that our INVITE made.
fn inside(ours: &Message, method: &str, cseq: u32) -> Vec<u8> {
    let (from, call_id) = (ours.header_named("From").unwrap(), ours.call_id().unwrap());
    format!(
        "{method} sip:agent@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-{call_id}-{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:ann@198.51.100.7>;tag=peer\r\nTo: {from}\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:ann@198.51.100.7>\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

#[test]
fn malformed_messages_inside_our_own_calls_leave_nothing_behind() {
    let mut gateway = Gateway::new();
    let mut dice = Dice::new(11);
    for round in 0..1500 {
        gateway.sent.clear();
        let _ = gateway.endpoint.invite(gateway.now, invite()).map(|call| gateway.calls.push(call));
        gateway.drain();
        let Some(ours) = gateway.sent.iter().find(|m| m.is_request()).cloned() else {
            panic!("round {round}")
        };
        for status in [100, 183, 180, 401, 200, 200] {
            let answer = respond(&ours, status);
            for _ in 0..3 {
                gateway.receive(flow(1), spoil_text(&answer, &mut dice));
            }
            gateway.pass(Duration::from_millis(100));
        }
        gateway.receive(flow(1), respond(&ours, 200));
        for (cseq, method) in (10..).zip(["INVITE", "UPDATE", "INFO", "ACK", "PRACK", "CANCEL", "BYE"]) {
            let request = inside(&ours, method, cseq);
            for _ in 0..3 {
                gateway.receive(flow(1), spoil_text(&request, &mut dice));
            }
            gateway.pass(Duration::from_millis(100));
        }
        gateway.receive(flow(1), inside(&ours, "BYE", 100));
        gateway.hang_up_all();
        gateway.pass(Duration::from_secs(1));
    }
    gateway.valid_call(1_000_000);
    gateway.assert_nothing_is_left();
}
