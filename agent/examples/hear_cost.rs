//! What hearing costs: `cargo run -p trunkline-agent --example hear_cost`.
//! A caller speaks in real time, 20 ms by 20 ms; what counts is the time from the end of it to the text,
//! and the processor's time a second of speech.

use std::time::{Duration, Instant};
use trunkline_agent::local::Engines;
use trunkline_agent::provider::{Generation, Stt, SttEvent};

const SAID: [&str; 8] = [
    "What are your opening hours?",
    "When are you open?",
    "Where are you?",
    "Could you tell me the time please?",
    "Tell me a joke.",
    "I would like to speak to a person.",
    "Yes please.",
    "Thank you, goodbye.",
];
const PHRASES: [&str; 9] = [
    "opening hours",
    "when are you open",
    "where are you",
    "what time is it",
    "tell me the time",
    "tell me a joke",
    "speak to a person",
    "yes",
    "goodbye",
];
const FRAME: Duration = Duration::from_millis(20);
/// Silence after the last word until the end of a turn is decided.
const TRAILING: usize = 8_000 * 4 / 10;

/// The processor's time of all threads of this process, by the kernel's account.
fn processor() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let spent = threads.filter_map(|thread| {
        let account = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        account.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    });
    spent.sum()
}

struct Heard {
    text: String,
    /// From `finish` to the final text.
    end: Duration,
    /// From the last word to the partial that was the final text already.
    settled: Option<Duration>,
}

/// One sentence in real time.
fn hear(
    stt: &mut dyn Stt,
    turn: Generation,
    sound: &[i16],
) -> Result<Heard, trunkline_agent::provider::ProviderError> {
    let whole = [sound, &[0; TRAILING]].concat();
    stt.start(turn);
    let begun = Instant::now();
    let (mut partial, mut told_at) = (String::new(), begun);
    for (n, frame) in (0u32..).zip(whole.chunks(160)) {
        std::thread::sleep((FRAME * n).saturating_sub(begun.elapsed()));
        stt.push(frame);
        while let Some(event) = stt.poll() {
            if let SttEvent::Partial { text, .. } = event {
                (partial, told_at) = (text, Instant::now());
            }
        }
    }
    stt.finish();
    let ended = Instant::now();
    let text = loop {
        match stt.poll() {
            Some(SttEvent::Final { text, .. }) => break text,
            Some(SttEvent::Failed { error, .. }) => return Err(error),
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let last_word = begun + Duration::from_secs_f64(sound.len() as f64 / 8_000.0);
    let settled = (partial == text).then(|| told_at.saturating_duration_since(last_word));
    Ok(Heard { text, end: ended.elapsed(), settled })
}

#[allow(clippy::print_stdout, reason = "an example that prints a measurement")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let (engines, fault) = Engines::open();
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    println!("opened in {:.0?}", begun.elapsed());
    let mut stt = engines.stt(&PHRASES.map(str::to_owned))?;
    let sounds: Vec<_> = SAID.iter().filter_map(|text| engines.render(text)).collect();
    let (mut ends, mut settled, mut seconds) = (Vec::new(), Vec::new(), 0.0);
    let before = processor();
    for ((turn, sound), said) in (1..).map(Generation).zip(&sounds).zip(SAID) {
        let heard = hear(&mut *stt, turn, sound)?;
        println!("{said} -> {:?} in {:.0?}; as a partial {:.0?}", heard.text, heard.end, heard.settled);
        seconds += (sound.len() + TRAILING) as f64 / 8_000.0;
        ends.push(heard.end);
        settled.extend(heard.settled);
    }
    let spent = processor().saturating_sub(before).as_secs_f64();
    ends.sort();
    settled.sort();
    if let (Some(p50), Some(worst)) = (ends.get(ends.len() / 2), ends.last()) {
        println!("finish to final: p50 {p50:.0?}, worst {worst:.0?}");
    }
    println!("processor: {:.1} % of a core while somebody speaks", 100.0 * spent / seconds);
    if let Some(p50) = settled.get(settled.len() / 2) {
        println!(
            "{} of {} last partials were the final text, {p50:.0?} after the last word",
            settled.len(),
            ends.len()
        );
    }
    Ok(())
}
