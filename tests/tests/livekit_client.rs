//! Our room client against the real server, judged by LiveKit's own SDK: sound both ways in each codec, keys,
//! room methods, and what happens when something breaks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use trunkline_livekit::{Event, Events, Join, Leave, LiveRooms, RoomCodec, Settings};
use trunkline_media::company::Company;
use trunkline_room::ParticipantId;
use trunkline_tests::ears;
use trunkline_tests::livekit::House;

const WHO: ParticipantId = ParticipantId(1);

/// A participant whose leg is this test: it speaks 440 Hz and keeps what it hears.
struct Leg {
    heard: Arc<Mutex<Vec<i16>>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Leg {
    fn of(mut seat: Box<dyn Company>, rate: u32) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (ear, over) = (Arc::clone(&heard), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            seat.set_rate(rate);
            let frame = (rate / 50) as usize;
            let (mut at, mut deadline) = (0_u32, Instant::now());
            let began = deadline;
            while !over.load(Ordering::Relaxed) {
                let far: Vec<i16> = (0..frame as u32)
                    .map(|i| {
                        let t = f64::from(at + i) / f64::from(rate);
                        (8_000.0 * (std::f64::consts::TAU * 440.0 * t).sin()) as i16
                    })
                    .collect();
                at += frame as u32;
                seat.hear(began.elapsed(), &far);
                let mut near = vec![0; frame];
                seat.speak(&mut near);
                ear.lock().unwrap().extend(near);
                deadline += Duration::from_millis(20);
                std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
            }
        });
        Self { heard, stop, thread: Some(thread) }
    }

    /// Is this tone heard, clearly, in the last second?
    fn hears(&self, hertz: f64, rate: u32) -> bool {
        let heard = self.heard.lock().unwrap();
        let last = &heard[heard.len().saturating_sub(rate as usize)..];
        let loud = last.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() > 1e6 * last.len() as f64;
        loud && ears::share_at(last, rate, hertz) > 0.9
    }

    fn wait_for(&self, hertz: f64, rate: u32) {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.hears(hertz, rate) {
            assert!(Instant::now() < end, "{hertz} Hz is not heard");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Our client, and what it said that nobody has asked for yet.
struct Client {
    rooms: LiveRooms,
    events: Events,
    seen: Vec<Event>,
}

impl Client {
    fn start() -> Self {
        let (rooms, events) = LiveRooms::start(Settings::default(), Arc::new(|| ())).expect("rooms");
        Self { rooms, events, seen: Vec::new() }
    }

    fn join(&self, house: &House, room: &str, codec: RoomCodec, rate: u32) {
        self.rooms.join(join(house, room, codec, rate));
    }

    /// Waits for an event that the closure takes something of.
    fn wait<T>(&mut self, what: &str, take: impl Fn(&mut Vec<Event>) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            while let Some(event) = self.events.try_next() {
                self.seen.push(event);
            }
            if let Some(found) = take(&mut self.seen) {
                return found;
            }
            assert!(Instant::now() < end, "not seen: {what}; seen: {:#?}", self.seen);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until one fits, and takes it out.
    fn wait_for(&mut self, what: &str, fits: impl Fn(&Event) -> bool) -> Event {
        self.wait(what, |seen| seen.iter().position(&fits).map(|at| seen.remove(at)))
    }

    fn seat(&mut self) -> Box<dyn Company> {
        self.wait_for("ready", |e| matches!(e, Event::Ready { .. }));
        self.rooms.take_seat(WHO);
        match self.wait_for("seat", |e| matches!(e, Event::Seat { .. })) {
            Event::Seat { seat, .. } => seat,
            _ => unreachable!(),
        }
    }
}

fn join(house: &House, room: &str, codec: RoomCodec, rate: u32) -> Join {
    Join {
        who: WHO,
        url: house.url(),
        token: house.sip_token(room, "sip_caller"),
        attributes: vec![("sip.callStatus".to_owned(), "ringing".to_owned())],
        track: "sip_caller".to_owned(),
        codec,
        rate,
        listen: true,
    }
}

fn sound_crosses(codec: RoomCodec, rate: u32, mime: &str) {
    let house = House::start();
    let mut person = house.person("lobby", "person");
    person.tone(1_000);
    let mut client = Client::start();
    client.join(&house, "lobby", codec, rate);
    let leg = Leg::of(client.seat(), rate);
    let track = person.wait_for("subscribed", |e| e["identity"] == "sip_caller");
    assert_eq!(track["mime"].as_str().map(str::to_lowercase), Some(mime.to_lowercase()), "{track}");
    person.wait_for_tone("sip_caller", 440.0);
    leg.wait_for(1_000.0, rate);
    client.wait_for("hears", |e| matches!(e, Event::Hears { identity, .. } if identity == "person"));
    let joined = person.wait_for("joined", |e| e["identity"] == "sip_caller");
    assert_eq!(joined["kind"], 3, "kind SIP: {joined}");
    assert_eq!(joined["attributes"]["sip.callStatus"], "ringing");
    person.tell("forget");
    std::thread::sleep(Duration::from_secs(3));
    let heard = person.heard("sip_caller");
    assert_eq!(heard["quiet_windows"], 0, "{heard}");
    let lost = person.ask("stats", "stats")["of"]["sip_caller"].clone();
    assert_eq!(lost["lost"], 0, "{lost}");
}

#[test]
fn pcmu_crosses_untranscoded_both_ways() {
    sound_crosses(RoomCodec::Pcmu, 8_000, "audio/pcmu");
}

#[test]
fn pcma_crosses_untranscoded_both_ways() {
    sound_crosses(RoomCodec::Pcma, 8_000, "audio/pcma");
}

#[test]
fn opus_of_a_narrowband_leg_crosses_both_ways() {
    sound_crosses(RoomCodec::Opus, 8_000, "audio/opus");
}

#[test]
fn opus_of_a_wideband_leg_crosses_both_ways() {
    sound_crosses(RoomCodec::Opus, 16_000, "audio/opus");
}

#[test]
fn keys_and_room_methods_go_both_ways_and_leaving_is_told_with_its_reason() {
    let house = House::start();
    let mut person = house.person("lobby", "person");
    let mut client = Client::start();
    client.join(&house, "lobby", RoomCodec::Pcmu, 8_000);
    let _leg = Leg::of(client.seat(), 8_000);
    client.rooms.key(WHO, '5');
    let key = person.wait_for("key", |_| true);
    assert_eq!((key["digit"].as_str(), key["code"].as_u64()), (Some("5"), Some(5)), "{key}");
    person.tell("key #");
    client.wait_for("a key", |e| matches!(e, Event::Key { digit: '#', from, .. } if from == "person"));
    person.tell("rpc sip_caller lk.sip.EndCall {}");
    let (id, to) = match client.wait_for("a call", |e| matches!(e, Event::Rpc { .. })) {
        Event::Rpc { id, from, method, payload, .. } => {
            assert_eq!((method.as_str(), payload.as_str()), ("lk.sip.EndCall", "{}"));
            (id, from)
        }
        _ => unreachable!(),
    };
    client.rooms.answer(WHO, &id, &to, Ok("{\"done\":true}".to_owned()));
    assert_eq!(person.wait_for("rpc", |_| true)["answer"], "{\"done\":true}");
    client.rooms.set_attributes(WHO, vec![("sip.callStatus".to_owned(), "active".to_owned())]);
    person.wait_for("attributes_changed", |e| e["changed"]["sip.callStatus"] == "active");
    client.rooms.leave(WHO, Leave::UserRejected);
    client.wait_for("left", |e| matches!(e, Event::Left { reason: 12, .. }));
    let left = person.wait_for("left", |e| e["identity"] == "sip_caller");
    assert_eq!(left["reason"], 12, "USER_REJECTED: {left}");
    assert_eq!(client.rooms.count(), 0);
}

#[test]
fn somebody_who_comes_later_is_heard_too() {
    let house = House::start();
    let mut client = Client::start();
    client.join(&house, "lobby", RoomCodec::Pcmu, 8_000);
    let leg = Leg::of(client.seat(), 8_000);
    let mut first = house.person("lobby", "first");
    first.tone(1_000);
    leg.wait_for(1_000.0, 8_000);
    first.tone(0);
    for (name, hertz) in [("second", 700), ("third", 1_300), ("fourth", 500)] {
        let mut later = house.person("lobby", name);
        later.tone(hertz);
        leg.wait_for(f64::from(hertz), 8_000);
    }
}

#[test]
fn who_listens_only_later_hears_what_is_there_by_then() {
    let house = House::start();
    let mut person = house.person("lobby", "person");
    person.tone(1_000);
    let mut client = Client::start();
    client.rooms.join(Join { listen: false, ..join(&house, "lobby", RoomCodec::Opus, 8_000) });
    let leg = Leg::of(client.seat(), 8_000);
    person.wait_for_tone("sip_caller", 440.0);
    assert!(!leg.hears(1_000.0, 8_000), "nobody is listened to yet");
    client.rooms.listen(WHO);
    leg.wait_for(1_000.0, 8_000);
}
