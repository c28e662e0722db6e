//! Calls in memory: bytes in, bytes out, a clock that is moved by hand. Only the media threads are real, and
//! what they say is passed on where a test wants it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::gate::CallGate;
use super::{Calls, House};
use crate::load::Load;
use crate::prompts::PromptShelf;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc};
use trunkline_agent::dialogue::Dialogue;
use trunkline_agent::host::AgentHost;
use trunkline_config::Config;
use trunkline_dialplan::DispatchRule;
use trunkline_media::engine::{Engine, EngineConfig};
use trunkline_media::event::{LegEvent, LegId};
use trunkline_records::{Cdr, Records, What};
use trunkline_room::LocalRooms;
use trunkline_sip::{Endpoint, Flow, Time, Transport};

struct Bench {
    calls: Calls,
    records: Arc<Records>,
    now: Time,
    to_tag: String,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// Every call goes into a room, behind this PIN (none: empty).
    fn new(pin: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::parse("", "listen_ip: 127.0.0.1\nrtp_port: 36000-36999\n", &|_| None).unwrap();
        let records = Arc::new(Records::open(folder.path()).unwrap().0);
        let destination = serde_json::json!({ "type": "direct", "room_name": "lobby", "pin": pin });
        let rule = serde_json::json!({ "id": "R", "destination": destination });
        let rule: DispatchRule = serde_json::from_value(rule).unwrap();
        records.add_rule(rule).unwrap();
        let nobody: Arc<dyn Fn() + Send + Sync> = Arc::new(|| {});
        let ports = config.rtp_port.0..=config.rtp_port.1;
        let engine = EngineConfig { threads: 1, ports, wake: nobody.clone() };
        let door = CallGate::new(&config, Load::none());
        let house = House {
            config: Arc::new(config),
            records: records.clone(),
            endpoint: Endpoint::new(trunkline_sip::Config::default(), [7; 32]),
            engine: Engine::start(engine).unwrap().0,
            rooms: LocalRooms::start(8, nobody.clone()).unwrap().0,
            agents: Arc::new(AgentHost::start(1, nobody).unwrap().0),
            dialogue: Arc::new(Dialogue::example()),
            prompts: PromptShelf::new(),
            live: None,
            questions: None,
            door,
            load: Load::none(),
            events: broadcast::channel(16).0,
            look_ups: mpsc::channel(1).0,
        };
        let now = Time::from_secs(1);
        let calls = Calls::new(house, now, 1, Vec::new()).unwrap();
        Self { calls, records, now, to_tag: String::new(), _folder: folder }
    }

    /// The caller sends this; what the gateway says to it.
    fn send(&mut self, method: &str, cseq: u32, body: &str) -> Vec<String> {
        let tag = if self.to_tag.is_empty() { String::new() } else { format!(";tag={}", self.to_tag) };
        // A CANCEL belongs to the transaction of its INVITE (RFC 3261 §9.1).
        let of = if method == "CANCEL" { "INVITE" } else { method };
        let kind = match method {
            _ if body.is_empty() => "",
            "INFO" => "Content-Type: application/dtmf-relay\r\n",
            _ => "Content-Type: application/sdp\r\n",
        };
        let message = format!(
            "{method} sip:room@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK{cseq}{of}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=f\r\nTo: <sip:room@127.0.0.1>{tag}\r\nCall-ID: one\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:a@127.0.0.1:5070>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.calls.receive(self.now, flow(), Bytes::from(message));
        self.said()
    }

    fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some((_, bytes)) = self.calls.poll(self.now) {
            said.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        said
    }

    /// A call that is up.
    fn up(mut self) -> Self {
        let said = self.send("INVITE", 1, &sdp("sendrecv"));
        let ok = said.iter().find(|m| m.starts_with("SIP/2.0 200")).unwrap_or_else(|| panic!("{said:?}"));
        let to = ok.lines().find(|l| l.starts_with("To:")).unwrap();
        self.to_tag = to.split(";tag=").nth(1).unwrap().to_owned();
        self
    }

    fn confirmed(self) -> Self {
        let mut up = self.up();
        assert!(up.send("ACK", 1, "").is_empty());
        up
    }

    /// Time passes, second by second.
    fn wait(&mut self, seconds: u64) -> Vec<String> {
        let mut said = Vec::new();
        for _ in 0..seconds {
            self.now += Time::from_secs(1);
            self.calls.on_time(self.now);
            said.extend(self.said());
        }
        said
    }

    fn leg(&self) -> LegId {
        *self.calls.desk.of_leg.keys().next().expect("a leg")
    }

    fn leg_says(&mut self, event: LegEvent) -> Vec<String> {
        let leg = self.leg();
        self.calls.on_leg(self.now, leg, event);
        self.said()
    }

    fn press(&mut self, cseq: u32, key: char) -> Vec<String> {
        self.send("INFO", cseq, &format!("Signal={key}\r\nDuration=100\r\n"))
    }

    fn cdr(&self) -> Cdr {
        self.records.flush();
        self.records.cdr("one").expect("a CDR")
    }

    fn decisions(&self, wanted: &str) -> usize {
        let timeline = self.records.timeline(&self.cdr().id).unwrap();
        timeline.iter().filter(|e| matches!(&e.what, What::Decision { what, .. } if what == wanted)).count()
    }
}

fn flow() -> Flow {
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    Flow { transport: Transport::Udp, local: at(5060), remote: at(5070), connection: None }
}

fn sdp(direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na={direction}\r\n"
    )
}

fn has(said: &[String], begin: &str) -> bool {
    said.iter().any(|m| m.starts_with(begin))
}

#[test]
fn the_record_of_a_call_is_kept_when_the_figures_of_its_leg_never_come() {
    let mut bench = Bench::new("").confirmed();
    assert!(has(&bench.send("BYE", 2, ""), "SIP/2.0 200"));
    bench.wait(45);
    let cdr = bench.cdr();
    assert!(cdr.ended.is_some(), "{cdr:?}");
    assert_eq!(cdr.end, "the caller hung up");
    assert!(bench.calls.calls.is_empty());
}

#[test]
fn the_record_of_a_call_is_kept_when_neither_figures_nor_the_answer_to_our_bye_come() {
    let mut bench = Bench::new("").confirmed();
    bench.leg_says(LegEvent::MediaTimeout { silent: Time::from_secs(30) });
    bench.wait(90);
    let cdr = bench.cdr();
    assert!(cdr.ended.is_some() && cdr.end.contains("no RTP"), "{cdr:?}");
    assert!(bench.calls.calls.is_empty());
}

#[test]
fn a_cancel_that_crosses_our_200_changes_nothing_and_the_bye_ends_the_call() {
    let mut bench = Bench::new("").up();
    let tag = std::mem::take(&mut bench.to_tag);
    assert!(has(&bench.send("CANCEL", 1, ""), "SIP/2.0 200"));
    bench.to_tag = tag;
    assert!(bench.send("ACK", 1, "").is_empty());
    assert_eq!(bench.cdr().ended, None);
    assert!(has(&bench.send("BYE", 2, ""), "SIP/2.0 200"));
    bench.leg_says(LegEvent::PlayEnded { whole: false });
    bench.wait(45);
    assert_eq!((bench.cdr().status, bench.cdr().end.as_str()), (200, "the caller hung up"));
}

#[test]
fn who_is_on_hold_at_the_pin_desk_loses_no_try_and_is_asked_again_afterwards() {
    let mut bench = Bench::new("4711").confirmed();
    assert!(has(&bench.send("INVITE", 2, &sdp("sendonly")), "SIP/2.0 200"));
    bench.send("ACK", 2, "");
    bench.leg_says(LegEvent::PlayEnded { whole: true });
    assert!(!has(&bench.wait(120), "BYE"));
    assert_eq!(bench.decisions("wrong PIN"), 0);
    assert!(has(&bench.send("INVITE", 3, &sdp("sendrecv")), "SIP/2.0 200"));
    bench.send("ACK", 3, "");
    bench.wait(13);
    assert_eq!(bench.decisions("wrong PIN"), 1);
}

#[test]
fn the_last_words_are_not_cut_short_by_the_end_of_the_prompt_before_them() {
    let mut bench = Bench::new("4711").confirmed();
    for cseq in 2..=4 {
        bench.press(cseq, '#');
        bench.now += Time::from_secs(1);
    }
    assert_eq!(bench.decisions("wrong PIN"), 3);
    for _ in 0..3 {
        assert!(!has(&bench.leg_says(LegEvent::PlayEnded { whole: false }), "BYE"), "cut short");
    }
    assert!(has(&bench.leg_says(LegEvent::PlayEnded { whole: true }), "BYE"));
}

#[test]
fn a_caller_who_leaves_the_offer_to_us_is_offered_what_every_telephone_has() {
    let said = Bench::new("").send("INVITE", 1, "");
    let ok = said.iter().find(|m| m.starts_with("SIP/2.0 200")).expect("a 200 with an offer");
    assert!(ok.contains(" RTP/AVP ") && !ok.contains("a=crypto"), "{ok}");
}

#[test]
fn a_call_whose_200_is_answered_by_an_ack_without_our_answer_is_hung_up_on() {
    let mut bench = Bench::new("");
    let said = bench.send("INVITE", 1, "");
    let ok = said.iter().find(|m| m.starts_with("SIP/2.0 200")).expect("a 200 with an offer");
    let to = ok.lines().find(|l| l.starts_with("To:")).unwrap();
    bench.to_tag = to.split(";tag=").nth(1).unwrap().to_owned();
    assert!(has(&bench.send("ACK", 1, ""), "BYE"));
}
