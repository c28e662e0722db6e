//! What a window of voice activity costs: `cargo run -p trunkline-engines --example vad_cost [windows]`.
//! Runs under `valgrind --tool=callgrind` too.

use std::hint::black_box;
use std::time::Instant;
use trunkline_engines::silero::{Silero, WINDOW};

#[allow(clippy::print_stdout, reason = "an example that prints a measurement")]
fn main() {
    let windows: u32 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let mut vad = Silero::new();
    let window: Vec<i16> = (0..WINDOW as i32).map(|n| ((n * 7919) % 20_011 - 10_005) as i16).collect();
    let begun = Instant::now();
    for _ in 0..windows {
        black_box(vad.probability(black_box(&window)));
    }
    println!(
        "{:.1} µs a window of 32 ms ({windows} windows)",
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(windows)
    );
}
