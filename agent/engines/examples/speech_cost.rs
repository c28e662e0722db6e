//! What a sentence of flite's costs, voice by voice: `cargo run -p trunkline-engines --example speech_cost`.

use std::time::Instant;
use trunkline_engines::flite::{Flite, Voice};

#[allow(clippy::print_stdout, reason = "an example that prints a measurement")]
fn main() -> Result<(), trunkline_engines::EngineError> {
    for voice in [Voice::Slt, Voice::Rms, Voice::Awb, Voice::Kal] {
        let begun = Instant::now();
        let flite = Flite::open_voice(voice)?;
        let opened = begun.elapsed();
        for text in ["Hello.", "Thank you for calling. Which department do you want to speak to?"] {
            let begun = Instant::now();
            let sound = flite.speak(text)?;
            let took = begun.elapsed().as_secs_f64();
            let lasts = sound.len() as f64 / 8_000.0;
            println!(
                "{voice:?}: open {opened:.1?}, {lasts:.2} s of speech in {:.0} ms, {:.0} times faster",
                took * 1e3,
                lasts / took
            );
        }
    }
    Ok(())
}
