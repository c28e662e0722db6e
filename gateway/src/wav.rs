//! WAV files as sound of one channel at a rate that is wanted.

use std::path::Path;
use trunkline_media::resample::Resampler;

/// Reads a file: its first channel, at this rate (8,000 or 16,000 Hz).
///
/// # Errors
/// No WAV file of 16-bit samples at 8,000, 16,000 or 48,000 Hz; a sentence.
pub fn read(path: &Path, rate: u32) -> Result<Vec<i16>, String> {
    let mut reader = hound::WavReader::open(path).map_err(|error| error.to_string())?;
    let spec = reader.spec();
    if spec.bits_per_sample != 16 || spec.sample_format != hound::SampleFormat::Int {
        return Err(format!("expected 16-bit samples, found {}-bit", spec.bits_per_sample));
    }
    let channels = usize::from(spec.channels.max(1));
    let samples: Result<Vec<i16>, _> = reader.samples::<i16>().step_by(channels).collect();
    let samples = samples.map_err(|error| error.to_string())?;
    at_rate(&samples, spec.sample_rate, rate).ok_or_else(|| {
        format!(
            "expected 8,000, 16,000 or 48,000 Hz, found {} Hz (sox {} -r 16000 out.wav)",
            spec.sample_rate,
            path.display()
        )
    })
}

/// The same sound at another rate; `None`: not between these two.
pub fn at_rate(samples: &[i16], from: u32, to: u32) -> Option<Vec<i16>> {
    if from == to {
        return Some(samples.to_vec());
    }
    if from == 48_000 {
        // Three samples become one; the mean is filter enough for a voice.
        let third: Vec<i16> = samples
            .chunks(3)
            .map(|c| {
                (c.iter().map(|s| i32::from(*s)).sum::<i32>() / i32::try_from(c.len()).unwrap_or(3)) as i16
            })
            .collect();
        return at_rate(&third, 16_000, to);
    }
    let mut resampler = Resampler::new(from, to).ok()?;
    let mut out = Vec::with_capacity(samples.len() * to as usize / from as usize + 64);
    let mut piece = vec![0; to as usize / 50];
    for frame in samples.chunks(from as usize / 50) {
        let count = resampler.process(frame, &mut piece);
        out.extend(piece.iter().take(count));
    }
    Some(out)
}
