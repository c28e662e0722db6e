//! The recording as 20 ms of PCMU at a time.

use crate::RecordsError;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

/// Samples of a frame: 20 ms at 8 kHz.
const FRAME: usize = 160;

/// Both sides of 20 ms: the caller, then we.
pub(super) type Frame = ([u8; FRAME], [u8; FRAME]);

pub(super) struct Frames {
    wav: hound::WavReader<BufReader<File>>,
    path: String,
    /// Samples of the file to one of ours.
    step: usize,
    stereo: bool,
    ended: bool,
}

impl Frames {
    pub(super) fn open(path: &Path) -> Result<Self, RecordsError> {
        let file = File::open(path).map_err(RecordsError::io(path))?;
        let wav = hound::WavReader::new(BufReader::new(file))
            .map_err(|error| RecordsError::io(path)(io_error(error)))?;
        let spec = wav.spec();
        let fits = matches!(spec.sample_rate, 8000 | 16_000)
            && spec.bits_per_sample == 16
            && spec.sample_format == hound::SampleFormat::Int
            && matches!(spec.channels, 1 | 2);
        if !fits {
            let what = format!(
                "expected 16-bit samples at 8000 or 16000 Hz, mono or stereo, found {} bits at {} Hz, {} channels",
                spec.bits_per_sample, spec.sample_rate, spec.channels
            );
            return Err(RecordsError::io(path)(io::Error::new(io::ErrorKind::InvalidData, what)));
        }
        let step = if spec.sample_rate == 16_000 { 2 } else { 1 };
        Ok(Self { wav, path: path.display().to_string(), step, stereo: spec.channels == 2, ended: false })
    }

    /// The next 20 ms, the last filled up with silence.
    pub(super) fn next(&mut self) -> Option<Result<Frame, RecordsError>> {
        let (mut caller, mut ours) = ([0xff; FRAME], [0xff; FRAME]);
        for (index, (left, right)) in caller.iter_mut().zip(&mut ours).enumerate() {
            if self.ended {
                break;
            }
            match self.sample() {
                Ok(Some((l, r))) => (*left, *right) = (mu_law(l), mu_law(r)),
                Ok(None) if index == 0 => return None,
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
            if self.ended && index == 0 {
                return None;
            }
        }
        (!self.ended || caller.iter().chain(&ours).any(|sample| *sample != 0xff))
            .then_some(Ok((caller, ours)))
    }

    /// One sample at 8 kHz of each side: at 16 kHz the mean of two, which is filter enough to listen to.
    fn sample(&mut self) -> Result<Option<(i16, i16)>, RecordsError> {
        let (mut left, mut right) = (0_i32, 0_i32);
        let mut samples = self.wav.samples::<i16>();
        for _ in 0..self.step {
            let Some(l) = samples.next() else {
                self.ended = true;
                return Ok(None);
            };
            let l =
                l.map_err(|error| RecordsError::Io { path: self.path.clone(), source: io_error(error) })?;
            let r = match self.stereo.then(|| samples.next()) {
                Some(Some(Ok(sample))) => sample,
                _ => 0,
            };
            left += i32::from(l);
            right += i32::from(r);
        }
        let mean = |sum: i32| i16::try_from(sum / if self.step == 2 { 2 } else { 1 }).unwrap_or(0);
        Ok(Some((mean(left), mean(right))))
    }
}

fn io_error(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}

/// ITU-T G.711 µ-law: sign, the segment that the biased magnitude lies in, four bits within it, inverted.
fn mu_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80_u8 } else { 0 };
    let magnitude = sample.unsigned_abs().min(32_635) + 132;
    // The bias makes 132 the least: the highest bit is the 8th to the 15th.
    let segment = u8::try_from(8_u32.saturating_sub(magnitude.leading_zeros())).unwrap_or(0);
    let within = u8::try_from((magnitude >> (segment + 3)) & 0x0f).unwrap_or(0);
    !(sign | (segment << 4) | within)
}

#[cfg(test)]
mod tests {
    use super::mu_law;

    #[test]
    fn known_samples_have_the_codes_of_g711() {
        for (sample, code) in
            [(0, 0xff), (-1, 0x7f), (32_767, 0x80), (-32_768, 0x00), (1000, 0xce), (-1000, 0x4e)]
        {
            assert_eq!(mu_law(sample), code, "{sample}");
        }
    }
}
