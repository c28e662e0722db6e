//! More than 100,000 malformed inputs over real sockets at the running program: SIP messages, the SDP of
//! INVITEs, and RTP and RTCP at the port of a call that is up. A valid call goes through after each
//! thousand; in the end nothing is held, memory is what it was, and it is still the same process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

use std::time::{Duration, Instant};
use trunkline_tests::gateway::Gateway;
use trunkline_tests::malform::{Dice, Malformed, rtcp, rtp as rtp_packet, sdp, spoil_bytes, spoil_text};
use trunkline_tests::rtp::{self, Voice};
use trunkline_tests::wire::{Peer, Talk, status, to_tag, unread};

/// What each kind is tried with; a tenth of it in quick mode.
const MESSAGES: usize = 100_000;
const DESCRIPTIONS: usize = 4_000;
const PACKETS: usize = 8_000;
/// Inputs that are sent before the gateway must have read them: no more than its socket holds.
const BATCH: usize = 20;
/// Memory that may be gone after all of it, kB.
const GROWTH: u64 = 30_000;

const CONFIG: &str = "limits: {source_packets_per_second: 1000000, calls_per_second: 100000, calls: 10000}\nrtp_port: 10000-29999\n";

fn share(inputs: usize) -> usize {
    if trunkline_tests::is_quick() { inputs / 10 } else { inputs }
}

/// A gateway and somebody whose calls must go through.
struct Trial {
    gateway: Gateway,
    caller: Peer,
    sent: usize,
}

impl Trial {
    fn new() -> Self {
        let gateway = Gateway::with(CONFIG);
        let caller = Peer::new(gateway.port);
        Self { gateway, caller, sent: 0 }
    }

    /// One more input went out to this port.
    fn sent(&mut self, port: u16) {
        self.sent += 1;
        if self.sent.is_multiple_of(BATCH) {
            let end = Instant::now() + Duration::from_secs(20);
            while unread(port).0 > 0 {
                assert!(Instant::now() < end, "port {port} is not read any more\n{}", self.gateway.log());
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        if self.sent.is_multiple_of(1000) {
            let alive = self.caller.short_call(&format!("valid-{}", self.sent));
            alive.unwrap_or_else(|e| panic!("after {} inputs: {e}\n{}", self.sent, self.gateway.log()));
        }
    }

    /// Everybody has left: nothing is held, memory is there again, and nothing has panicked.
    fn nothing_is_left(mut self, before: u64) {
        // A 200 that was never acknowledged ends its call after 32 s, its BYE after 32 s more.
        if !trunkline_tests::is_quick() {
            self.gateway.wait(Duration::from_secs(150), "nothing is left", |g| {
                g.counts().iter().all(|(_, n)| *n == 0)
            });
        }
        let after = self.gateway.usage().1;
        eprintln!("{} inputs, memory {before} kB before, {after} kB after", self.sent);
        assert!(after < before + GROWTH, "memory grew from {before} kB to {after} kB");
        let status = self.gateway.json(&["status"]);
        assert_eq!(status["pid"].as_u64(), Some(u64::from(self.gateway.pid())));
        let log = self.gateway.log();
        assert!(!log.contains("panicked"), "{log}");
        assert!(!log.chars().any(|c| c.is_control() && c != '\n'), "{}", log.escape_debug());
    }
}

#[test]
fn malformed_messages_descriptions_and_packets_stop_nothing_and_leave_nothing() {
    let mut trial = Trial::new();
    // A first round brings in what is kept: engines, a store's cache, buffers.
    malformed_descriptions(&mut trial, 500, "first");
    malformed_packets(&mut trial, 300, "first-live");
    let before = trial.gateway.usage().1;
    // Calls that nobody confirms go on for a minute: the two others run meanwhile.
    malformed_messages(&mut trial);
    malformed_descriptions(&mut trial, share(DESCRIPTIONS), "sdp");
    malformed_packets(&mut trial, share(PACKETS), "live");
    trial.nothing_is_left(before);
}

fn malformed_messages(trial: &mut Trial) {
    let port = trial.gateway.port;
    let stranger = Peer::from_address("127.0.0.3", port);
    for input in Malformed::new(21).take(share(MESSAGES)) {
        stranger.send(&input);
        trial.sent(port);
        if trial.sent.is_multiple_of(1000) {
            stranger.drain();
        }
    }
    let lost = unread(port).1;
    assert!(lost < share(MESSAGES) as u64 / 100, "{lost} inputs never reached the gateway");
    let malformed = trial.gateway.number("totals", "malformed");
    assert!(malformed > share(MESSAGES) as u64 / 10, "only {malformed} of them were malformed");
}

/// Each INVITE is answered, whatever its body says.
fn malformed_descriptions(trial: &mut Trial, inputs: usize, name: &str) {
    let port = trial.gateway.port;
    let stranger = Peer::from_address("127.0.0.3", port);
    let mut dice = Dice::new(22);
    let (mut taken, mut refused) = (0, 0);
    for n in 0..inputs {
        let mut body = sdp().into_bytes();
        for _ in 0..=dice.below(4) {
            body = spoil_text(&body, &mut dice);
        }
        body.truncate(8_000);
        // The receiver counts bytes, so what is no UTF-8 any more stays what it is.
        let id = format!("{name}-{n}");
        let head = stranger.request("INVITE", &id, 1, None, Some(""));
        let head = head.replace("Content-Length: 0", &format!("Content-Length: {}", body.len()));
        stranger.send(&[head.as_bytes(), &body].concat());
        let answer = stranger.final_answer(&id, "1 INVITE");
        let answer = answer.unwrap_or_else(|| panic!("no answer to {}", body.escape_ascii()));
        let tag = to_tag(&answer).unwrap();
        stranger.send(stranger.request("ACK", &id, 1, Some(&tag), None).as_bytes());
        match status(&answer) {
            Some(200) => {
                taken += 1;
                let talk = Talk { id, tag, rtp: stranger.gateway };
                stranger.hang_up(&talk).unwrap();
            }
            Some(400 | 406 | 415 | 488 | 606) => refused += 1,
            other => panic!("{other:?} to {}", body.escape_ascii()),
        }
        trial.sent(port);
    }
    assert!(taken > inputs / 10 && refused > inputs / 10, "{taken} were taken, {refused} refused");
}

/// The sound of the call goes on below all of it.
fn malformed_packets(trial: &mut Trial, inputs: usize, name: &str) {
    let sound = rtp::socket();
    let mine = rtp::port(&sound);
    let talk = trial.caller.dial(name, mine).unwrap();
    // What comes from the peer's own address goes deeper than what comes from a stranger.
    let (inside, stranger) = (sound.try_clone().unwrap(), rtp::socket());
    let voice = Voice::sing(sound, talk.rtp, 400.0);
    trial.gateway.wait_until("sound", |g| g.number("counts", "agents") == 1);
    let mut dice = Dice::new(23);
    for n in 0..inputs {
        let control = n % 3 == 0;
        let mut packet = if control { rtcp() } else { rtp_packet() };
        for _ in 0..=dice.below(4) {
            packet = spoil_bytes(&packet, &mut dice);
        }
        packet.truncate(60_000);
        // RTCP at its own port and, as rtcp-mux would have it, at that of RTP.
        let port = talk.rtp.port() + u16::from(control && n % 2 == 0);
        let from = if n % 5 == 0 { &stranger } else { &inside };
        let _ = from.send_to(&packet, (talk.rtp.ip(), port));
        trial.sent(port);
    }
    let lost = unread(talk.rtp.port()).1;
    assert!(lost < inputs as u64 / 100, "{lost} packets never reached the gateway");
    trial.caller.hang_up(&talk).unwrap();
    let heard = voice.stop();
    assert!(
        heard.received > 10 && heard.lost * 100 < heard.received,
        "{} of {} lost",
        heard.lost,
        heard.received
    );
    trial.gateway.wait_until("the figures of the call", |g| {
        let call = g.json(&["calls", "show", name]);
        call["cdr"]["media"]["strangers"].as_u64().is_some_and(|n| n > inputs as u64 / 10)
    });
}
