//! What an agent's call costs of a core and of memory (with its port) while nobody speaks: `cargo run --release --example idle_cost`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example that prints its figures")]

use std::sync::Arc;
use std::time::{Duration, Instant};
use trunkline_agent::dialogue::Dialogue;
use trunkline_agent::local::Engines;
use trunkline_agent::session::{Session, Setup};
use trunkline_media::port::{LegPort, audio_port};

const FRAME: usize = 160;
const CALLS: usize = 400;

fn call(engines: &Engines, dialogue: &Arc<Dialogue>) -> (Session, LegPort) {
    let (port, leg) = audio_port(8_000, 10);
    let session = Session::new(Setup {
        dialogue: Arc::clone(dialogue),
        facts: Vec::new(),
        port,
        vad: engines.vad(),
        stt: engines.stt(dialogue.phrases()).unwrap(),
        tts: engines.tts().unwrap(),
        kept: Arc::from([]),
        unix: 0,
    });
    (session.unwrap(), leg)
}

/// What the process has in memory, in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok()).unwrap_or(0) * 1_024
}

/// Runs ten minutes of all calls with this sound from the callers; the share of a core of one call.
fn cost(name: &str, caller: impl Fn(usize) -> i16) {
    let (engines, fault) = Engines::open();
    if let Some(fault) = fault {
        println!("{fault}");
        return;
    }
    let silent = "greeting: Hello.\nno_input: { after_seconds: 600 }";
    let dialogue = Arc::new(Dialogue::parse("idle.yaml", silent).unwrap());
    let before = memory();
    let mut calls: Vec<_> = (0..CALLS).map(|_| call(&engines, &dialogue)).collect();
    let sound: Vec<i16> = (0..8_000).map(caller).collect();
    let mut spent = Duration::ZERO;
    let ticks = 50 * 60;
    for tick in 0..ticks {
        let now = Duration::from_millis(20 * tick);
        let at = (tick as usize * FRAME) % 8_000;
        for (_, leg) in &mut calls {
            for sample in &sound[at..at + FRAME] {
                let _full = leg.heard.push(*sample);
            }
            let waiting = leg.spoken.slots().min(FRAME);
            leg.spoken.read_chunk(waiting).unwrap().commit_all();
        }
        let begun = Instant::now();
        for (session, _) in &mut calls {
            session.tick(now);
        }
        spent += begun.elapsed();
        for (session, _) in &mut calls {
            while session.poll().is_some() {}
        }
    }
    let bytes = memory().saturating_sub(before) / CALLS;
    let each = spent / (ticks as u32 * CALLS as u32);
    println!(
        "{name:40} {each:>10.2?} a tick, {:.4} % of a core, {bytes} bytes",
        each.as_secs_f64() / 0.02 * 100.0
    );
}

fn main() {
    cost("digital silence", |_| 0);
    cost("the hiss of a line (8 of 32768)", |n| if n * 2_654_435_761 % 97 > 48 { 8 } else { -8 });
    cost("a steady background (300 of 32768)", |n| (n * 2_654_435_761 % 601) as i16 - 300);
}
