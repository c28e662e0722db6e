//! The sound card, through the two programs that every Linux desktop has for it (alsa-utils). No library is
//! linked, so the program builds and runs on machines without sound.

use super::PhoneError;
use rtrb::{Consumer, Producer, RingBuffer};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

/// 200 ms each way.
const RING: usize = 3_200;

/// Microphone and loudspeaker, mono at 16,000 Hz. Dropping it ends both programs.
pub struct SoundCard {
    /// What the person says.
    pub hear: Consumer<i16>,
    /// What the person is to hear.
    pub speak: Producer<i16>,
    programs: Vec<Child>,
}

impl SoundCard {
    /// Opens the default devices.
    ///
    /// # Errors
    /// alsa-utils is missing, or there is no sound card.
    pub fn open() -> Result<Self, PhoneError> {
        let format = ["-q", "-t", "raw", "-f", "S16_LE", "-r", "16000", "-c", "1"];
        let mut microphone = start("arecord", &format, Stdio::null(), Stdio::piped())?;
        let mut loudspeaker = start("aplay", &format, Stdio::piped(), Stdio::null())?;
        // A missing device ends the program within moments.
        std::thread::sleep(std::time::Duration::from_millis(200));
        for (program, name) in [(&mut microphone, "arecord"), (&mut loudspeaker, "aplay")] {
            if let Ok(Some(_)) = program.try_wait() {
                let mut said = String::new();
                if let Some(mut stderr) = program.stderr.take() {
                    let _ = stderr.read_to_string(&mut said);
                }
                let said = said.lines().next().unwrap_or_default().escape_debug().to_string();
                return Err(PhoneError::SoundCard(format!(
                    "no sound card can be used ({name}: {said}); --wav FILE speaks a file instead"
                )));
            }
        }
        let (heard, hear) = RingBuffer::new(RING);
        let (speak, spoken) = RingBuffer::new(RING);
        if let Some(out) = microphone.stdout.take() {
            std::thread::Builder::new().name("microphone".into()).spawn(move || listen(out, heard))?;
        }
        if let Some(input) = loudspeaker.stdin.take() {
            std::thread::Builder::new().name("loudspeaker".into()).spawn(move || play(input, spoken))?;
        }
        Ok(Self { hear, speak, programs: vec![microphone, loudspeaker] })
    }
}

impl Drop for SoundCard {
    fn drop(&mut self) {
        for program in &mut self.programs {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

fn start(program: &str, arguments: &[&str], input: Stdio, output: Stdio) -> Result<Child, PhoneError> {
    Command::new(program).args(arguments).stdin(input).stdout(output).stderr(Stdio::piped()).spawn().map_err(
        |error| {
            PhoneError::SoundCard(format!(
                "{program} cannot be started ({error}): install alsa-utils, or use --wav FILE"
            ))
        },
    )
}

/// Until the program ends, or nobody listens any more. A full ring loses the newest.
fn listen(mut from: impl Read, mut heard: Producer<i16>) {
    let mut bytes = [0; 640];
    while from.read_exact(&mut bytes).is_ok() && !heard.is_abandoned() {
        for pair in bytes.chunks_exact(2) {
            let _ = heard.push(i16::from_le_bytes([
                pair.first().copied().unwrap_or(0),
                pair.get(1).copied().unwrap_or(0),
            ]));
        }
    }
}

/// The program takes 20 ms every 20 ms, which is the clock here; silence fills what is missing.
fn play(mut into: impl Write, mut spoken: Consumer<i16>) {
    while !spoken.is_abandoned() {
        let frame: Vec<u8> = (0..320).flat_map(|_| spoken.pop().unwrap_or(0).to_le_bytes()).collect();
        if into.write_all(&frame).and_then(|()| into.flush()).is_err() {
            return;
        }
    }
}
