//! What the far party said, as text: the ears of the agent listen to what was heard. For calls to somebody
//! whose own transcript cannot be asked for.

use super::sound::RATE;
use std::time::{Duration, Instant};
use trunkline_agent::local::Engines;
use trunkline_agent::provider::{Generation, Stt, SttEvent};

const FRAME: usize = RATE as usize / 50;
/// A pause that ends a sentence: 600 ms.
const PAUSE: usize = 30;
/// Mean square of a frame that counts as speech: -42 dBFS.
const LOUD: i64 = 260 * 260;
/// Recognition that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sentences, in order.
///
/// # Errors
/// There are no ears on this machine; a sentence.
pub fn transcribe(heard: &[i16]) -> Result<Vec<String>, String> {
    let (engines, _) = Engines::open();
    let mut stt = engines.stt(&[]).map_err(|error| error.to_string())?;
    let spoken = sentences(heard).into_iter().enumerate();
    Ok(spoken.filter_map(|(n, sound)| recognise(stt.as_mut(), Generation(n as u64 + 1), sound)).collect())
}

fn recognise(stt: &mut dyn Stt, generation: Generation, sound: &[i16]) -> Option<String> {
    stt.start(generation);
    let sound = crate::wav::at_rate(sound, RATE, stt.rate())?;
    for frame in sound.chunks(stt.rate() as usize / 50) {
        stt.push(frame);
    }
    stt.finish();
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match stt.poll() {
            Some(SttEvent::Final { generation: of, text, .. }) if of == generation => {
                return Some(text).filter(|t| !t.is_empty());
            }
            Some(SttEvent::Failed { .. }) => return None,
            Some(_) => {}
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    None
}

/// Stretches of sound between pauses.
fn sentences(heard: &[i16]) -> Vec<&[i16]> {
    let loud = |frame: &[i16]| {
        let energy: i64 = frame.iter().map(|s| i64::from(*s) * i64::from(*s)).sum();
        energy / FRAME as i64 > LOUD
    };
    let mut found = Vec::new();
    let (mut from, mut quiet) = (None, 0);
    for (n, frame) in heard.chunks(FRAME).enumerate() {
        if loud(frame) {
            from = from.or(Some(n.saturating_sub(10)));
            quiet = 0;
        } else if let Some(begin) = from {
            quiet += 1;
            if quiet == PAUSE {
                found.extend(heard.get(begin * FRAME..n * FRAME));
                from = None;
            }
        }
    }
    found.extend(from.and_then(|begin| heard.get(begin * FRAME..)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_what_is_between_pauses() {
        let mut heard = vec![0; RATE as usize];
        heard.extend(vec![3000; RATE as usize]);
        heard.extend(vec![0; RATE as usize]);
        heard.extend(vec![3000; RATE as usize / 2]);
        let lengths: Vec<usize> = sentences(&heard).iter().map(|s| s.len() / (RATE as usize / 10)).collect();
        assert_eq!(lengths, [17, 7]);
    }
}
