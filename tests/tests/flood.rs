//! A flood from one address, and RTP from somebody who does not belong: neither reaches the calls of others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use trunkline_tests::ears::{rms, share_at};
use trunkline_tests::gateway::Gateway;
use trunkline_tests::malform::Malformed;
use trunkline_tests::rtp::{self, Heard, Voice};
use trunkline_tests::wire::{Peer, Talk, sdp};

/// A second's worth of 20 ms packets.
const SECOND: u64 = 50;

fn gateway_with_a_room(yaml: &str) -> Gateway {
    let gateway = Gateway::with(yaml);
    let added = gateway.cli(&["rule", "add", "--room", "lobby"]);
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    gateway
}

/// A caller in the room who sings.
struct Singer {
    talk: Talk,
    voice: Voice,
}

impl Singer {
    fn join(peer: &Peer, id: &str, hertz: f64) -> Self {
        let sound = rtp::socket();
        let talk = peer.dial(id, rtp::port(&sound)).unwrap();
        let voice = Voice::sing(sound, talk.rtp, hertz);
        Self { talk, voice }
    }

    /// What it heard, and the media figures of its CDR.
    fn leave(self, peer: &Peer, gateway: &mut Gateway) -> (Heard, serde_json::Value) {
        let heard = self.voice.stop();
        let media = figures(peer, gateway, &self.talk);
        (heard, media)
    }
}

/// Ends a call and gives the media figures of its CDR.
fn figures(peer: &Peer, gateway: &mut Gateway, talk: &Talk) -> serde_json::Value {
    peer.hang_up(talk).unwrap();
    gateway.wait_until("the figures of the call", |g| {
        g.json(&["calls", "show", &talk.id])["cdr"]["media"]["received"].is_u64()
    });
    gateway.json(&["calls", "show", &talk.id])["cdr"]["media"].clone()
}

/// The share of tenths of a second in which a tone and little else was heard.
fn heard_of(sound: &[i16], hertz: f64) -> f64 {
    let pieces: Vec<_> = sound.chunks_exact(800).collect();
    let pure = pieces.iter().filter(|piece| share_at(piece, 8_000, hertz) > 0.8).count();
    pure as f64 / pieces.len().max(1) as f64
}

/// Sends OPTIONS, INVITEs and garbage from one address as fast as it goes.
struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Flood {
    fn from(ip: &str, gateway: &Gateway) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, counted) = (Arc::clone(&stop), Arc::clone(&sent));
        let peer = Peer::from_address(ip, gateway.port);
        let thread = std::thread::spawn(move || {
            let mut garbage = Malformed::new(31).skip(5_000);
            let sdp = sdp(&peer.address().ip().to_string(), 4_000);
            while !told.load(Ordering::Relaxed) {
                let n = counted.fetch_add(1, Ordering::Relaxed);
                let id = format!("flood-{n}");
                match n % 3 {
                    0 => peer.send(peer.request("OPTIONS", &id, 1, None, None).as_bytes()),
                    1 => peer.send(peer.request("INVITE", &id, 1, None, Some(&sdp)).as_bytes()),
                    _ => peer.send(&garbage.next().unwrap()),
                }
            }
        });
        Self { stop, sent, thread }
    }

    fn wait_for(&self, gateway: &mut Gateway, datagrams: u64, least: Duration) {
        let (begun, most) = (Instant::now(), self.sent.load(Ordering::Relaxed) + datagrams);
        gateway.wait_until("a flood of some size", |_| {
            begun.elapsed() > least && self.sent.load(Ordering::Relaxed) > most
        });
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.sent.load(Ordering::Relaxed)
    }
}

#[test]
fn a_flood_from_one_address_leaves_the_calls_of_others_and_memory_alone() {
    // Loopback has ten times the budget: this is what the default gives an address of the network.
    let mut gateway = gateway_with_a_room("limits: {calls: 100, source_packets_per_second: 20}\n");
    let caller = Peer::new(gateway.port);
    let (ann, bob) = (Singer::join(&caller, "ann", 440.0), Singer::join(&caller, "bob", 1000.0));
    gateway.wait_until("two in the room", |g| g.number("counts", "participants") == 2);

    let flood = Flood::from("127.0.0.2", &gateway);
    // Calls that the flooder may have cost what calls cost; from then on nothing may grow.
    flood.wait_for(&mut gateway, 20_000, Duration::from_secs(3));
    let before = gateway.usage().1;
    caller.short_call("new-one").unwrap();
    flood.wait_for(&mut gateway, 20_000, Duration::from_secs(3));
    caller.short_call("another-new-one").unwrap();
    let after = gateway.usage().1;
    let sent = flood.end();

    assert!(after < before + 16_000, "memory grew from {before} to {after} kB during a flood of {sent}");
    let over = gateway.number("totals", "over_budget");
    assert!(over > 1_000, "{over} of {sent} were over budget");
    assert!(gateway.number("totals", "malformed") > 100);
    let (sang, talks) = ([ann.voice.stop(), bob.voice.stop()], [ann.talk, bob.talk]);
    for ((heard, talk), hertz) in sang.iter().zip(&talks).zip([1000.0, 440.0]) {
        let (media, id) = (figures(&caller, &mut gateway, talk), &talk.id);
        assert!(heard.received > 5 * SECOND, "{id}: {} packets", heard.received);
        assert!(heard.lost * 100 < heard.received, "{id}: lost {} of {}", heard.lost, heard.received);
        assert!(media["lost"].as_u64().unwrap() * 100 < heard.sent, "{id}: {media}");
        let tone = heard_of(&heard.sound, hertz);
        // A busy machine breaks the phase of a tone here and there; silence has none at all.
        assert!(tone > 0.3, "{id} heard the other in {tone} of the time; {media}");
    }
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
}

#[test]
fn rtp_of_a_stranger_never_enters_a_call() {
    let mut gateway = gateway_with_a_room("");
    let caller = Peer::new(gateway.port);
    let (silent, listener) = (Singer::join(&caller, "silent", 0.0), Singer::join(&caller, "listener", 0.0));
    gateway.wait_until("two in the room", |g| g.number("counts", "participants") == 2);

    let stranger = Voice::sing(rtp::socket(), silent.talk.rtp, 1000.0);
    // From another address, and with the very SSRC of the caller.
    let spoofer = UdpSocket::bind("127.0.0.2:0").unwrap();
    let ssrc = u32::from(silent.talk.rtp.port()).to_be_bytes();
    let mut n = 0;
    let begun = Instant::now();
    gateway.wait_until("three seconds of it", |_| {
        n += 1;
        let _ = spoofer.send_to(&rtp::packet(n, ssrc, 700.0), silent.talk.rtp);
        begun.elapsed() > Duration::from_secs(3)
    });
    assert_eq!(stranger.stop().received, 0, "the stranger was sent the call's sound");

    let (heard, _) = listener.leave(&caller, &mut gateway);
    assert!(heard.received > SECOND, "{} packets", heard.received);
    let loud = rms(&heard.sound);
    assert!(loud < 100.0, "the stranger was heard: {loud}");
    let (_, media) = silent.leave(&caller, &mut gateway);
    assert!(media["strangers"].as_u64().unwrap() > 2 * SECOND, "{media}");
    assert!(media["received"].as_u64().unwrap() > 2 * SECOND, "{media}");
    gateway.wait_until_idle();
}
