//! What a media thread costs with real sockets: G.711 legs in pairs on the loopback, each with a company.
//!
//! Prints the CPU time of the media thread and of nobody else, as a share of a core for each leg. The kernel's
//! delivery to the other leg is in the price, as on the loopback it happens inside the call that sends.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use trunkline_media::engine::{Engine, EngineConfig, InbandDtmf, LegConfig};
use trunkline_media::event::LegEvent;
use trunkline_media::port::{AudioPort, audio_port};
use trunkline_media::session::{Codec, Direction, Session};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SETTLE: Duration = Duration::from_secs(2);
const MEASURE: Duration = Duration::from_secs(8);
/// The kernel counts CPU time in hundredths of a second.
const TICKS_A_SECOND: f64 = 100.0;

fn main() {
    // `cargo test --benches` only wants to know that it starts.
    let measures = std::env::args().any(|arg| arg == "--bench");
    let counts: &[usize] = if measures { &[100, 400, 1_000] } else { &[2] };
    for legs in counts {
        run(*legs, measures);
    }
}

fn run(legs: usize, measures: bool) {
    let config = EngineConfig { threads: 1, ports: 24_000..=28_999, wake: Arc::new(|| ()) };
    let (engine, mut events) = Engine::start(config).unwrap();
    let mut ports: Vec<AudioPort> = Vec::new();
    let mut ids = Vec::new();
    while ids.len() < legs {
        let one = engine.reserve(LOCALHOST).unwrap();
        let other = engine.reserve(LOCALHOST).unwrap();
        let (to_other, to_one) = (other.port(), one.port());
        for (reservation, to) in [(one, to_other), (other, to_one)] {
            let (port, company) = audio_port(8_000, 10);
            let config = LegConfig {
                session: session(to),
                company: Some(company),
                timeout_initial: Duration::from_secs(30),
                timeout: Duration::from_secs(15),
                inband_dtmf: InbandDtmf::Fallback,
                symmetric: true,
            };
            // Calls come one after the other, so that they spread over the phases.
            std::thread::sleep(Duration::from_micros(500));
            ids.push(engine.open(reservation, config).unwrap());
            ports.push(port);
        }
    }
    if measures {
        converse(&mut ports, SETTLE);
        let (before, since) = (thread_cpu(), Instant::now());
        converse(&mut ports, MEASURE);
        let share = (thread_cpu() - before) / since.elapsed().as_secs_f64() / legs as f64;
        println!("{legs:5} legs: {:.4} % of a core each, {:.1} us a tick", share * 100.0, share * 20_000.0);
    }
    for id in &ids {
        engine.close(*id);
    }
    let mut closed = 0;
    let (mut lost, mut concealed, mut received) = (0, 0, 0);
    while closed < legs {
        match events.try_next() {
            Some((_, LegEvent::Closed { report })) => {
                closed += 1;
                lost += report.lost;
                concealed += report.concealed;
                received += report.received;
            }
            Some(_) => {}
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    println!("            {received} packets received, {lost} lost, {concealed} frames concealed");
}

/// Everybody speaks and listens, so that every frame is encoded and none is left.
fn converse(ports: &mut [AudioPort], time: Duration) {
    let speech: Vec<i16> = (0..160).map(|n| ((f64::from(n) * 0.3).sin() * 8_000.0) as i16).collect();
    let mut heard = [0; 160];
    let since = Instant::now();
    let mut deadline = since;
    while since.elapsed() < time {
        for port in ports.iter_mut() {
            if port.speak.slots() > 160 * 7 {
                let _ = port.speak.push_entire_slice(&speech);
            }
            while port.hear.pop_entire_slice(&mut heard).is_ok() {}
        }
        deadline += Duration::from_millis(20);
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
    }
}

/// CPU seconds of the media thread so far.
fn thread_cpu() -> f64 {
    let mut seconds = 0.0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let folder = task.unwrap().path();
        let name = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
        if !name.starts_with("trunkline-rtp") {
            continue;
        }
        let stat = std::fs::read_to_string(folder.join("stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // utime and stime are fields 14 and 15 of the whole line, the name being the second.
        let ticks: f64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        seconds += ticks / TICKS_A_SECOND;
    }
    seconds
}

fn session(to: u16) -> Session {
    Session {
        remote: Some(SocketAddr::new(LOCALHOST, to)),
        remote_rtcp: Some(SocketAddr::new(LOCALHOST, to + 1)),
        rtcp_mux: false,
        codec: Codec::Pcmu,
        payload_type: 0,
        receive: vec![(0, Codec::Pcmu)],
        dtmf: Some((101, 101)),
        dtmf_clock: 8_000,
        comfort_noise: false,
        ptime_ms: 20,
        direction: Direction::SendRecv,
        security: None,
    }
}
