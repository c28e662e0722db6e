//! What a line sounds like: the mean of the cepstra, which the decoder takes off every frame. A telephone
//! has no sound above 4 kHz and the model expects it, so that with the model's own mean half of the words
//! of a first sentence are misheard; with a telephone's an eighth. It is kept by call, and learnt while the caller speaks.

use super::api::Feat;
use std::ptr::NonNull;

/// Coefficients of a cepstrum.
const LENGTH: usize = 13;

/// The mean cepstrum of a caller's line so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Channel {
    mean: [f32; LENGTH],
    /// How many frames of 10 ms it is worth.
    frames: i32,
}

impl Default for Channel {
    /// A telephone line, as good as can be known before anybody has spoken.
    fn default() -> Self {
        Self { mean: TELEPHONE, frames: PRIOR }
    }
}

impl Channel {
    /// A line of which this was heard at 8,000 Hz: the moment before a voice and its beginning. Noise fills
    /// the gaps between the words and lifts their mean; told of it from the start, almost three times as many of
    /// a first sentence's words are heard right.
    #[must_use]
    pub fn of_line(sound: &[i16]) -> Self {
        let quiet = (CLEAN - clearness(sound)) / (CLEAN - NOISY);
        let noise = quiet.clamp(0.0, 1.3);
        let mut channel = Self::default();
        for (mean, noisy) in channel.mean.iter_mut().zip(NOISE) {
            *mean += noise * (noisy - *mean);
        }
        channel
    }
}

/// How far a voice stands above what is there without it, in dB. Differences of samples are compared: hum and
/// rumble lie below what is listened to.
fn clearness(sound: &[i16]) -> f32 {
    const FRAME: usize = 160;
    let power = |frame: &[i16]| {
        let differences = frame.windows(2).map(|pair| match pair {
            [a, b] => (f32::from(*b) - f32::from(*a)).powi(2),
            _ => 0.0,
        });
        differences.sum::<f32>() / FRAME as f32
    };
    if sound.len() < 10 * FRAME {
        return CLEAN;
    }
    let mut powers: Vec<f32> = sound.chunks_exact(FRAME).map(power).collect();
    powers.sort_by(f32::total_cmp);
    let fifth = powers.len() / 5;
    let noise = powers.get(fifth).copied().unwrap_or(0.0).max(1.0);
    let voice = powers.get(powers.len().saturating_sub(fifth + 1)).copied().unwrap_or(0.0).max(1.0);
    10.0 * (voice / noise).log10()
}

/// Measured over flite's voices through µ-law.
const TELEPHONE: [f32; LENGTH] =
    [35.0, 15.0, -28.5, 42.0, -26.0, 12.3, 0.0, -12.8, 10.7, -14.4, 12.2, -4.0, 2.3];
/// The same with white noise 20 dB below the voice.
const NOISE: [f32; LENGTH] =
    [58.7, 15.6, -44.4, 47.2, -41.1, 23.0, -11.4, -7.4, 7.9, -18.2, 14.4, -12.0, 5.2];
/// How clear the two are, in dB.
const CLEAN: f32 = 30.0;
const NOISY: f32 = 8.0;
/// How sure that is: as if 1.5 s had been heard already.
const PRIOR: i32 = 150;
/// A line is remembered for so many frames; then what is new counts more than what is old.
const MEMORY: i32 = 500;

/// The part of the decoder that holds the mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct MeanOf(NonNull<Feat>);

impl MeanOf {
    /// `None` when the features are not those of the model that this is for.
    ///
    /// # Safety
    /// `feat` is null or a decoder's features, and this is used only while the decoder lives.
    pub(super) unsafe fn new(feat: *mut Feat) -> Option<Self> {
        let feat = NonNull::new(feat)?;
        // SAFETY: laid out as `feat_t` of feat.h; the decoder owns it.
        unsafe {
            let length = i32::try_from(LENGTH).ok()?;
            let cmn = feat.as_ref().cmn_struct;
            let fits = feat.as_ref().cepsize == length
                && !cmn.is_null()
                && (*cmn).veclen == length
                && !(*cmn).cmn_mean.is_null()
                && !(*cmn).sum.is_null();
            fits.then_some(Self(feat))
        }
    }

    /// Begin with this.
    pub(super) fn set(&mut self, channel: &Channel) {
        // SAFETY: `new` saw that both hold `LENGTH` values, and the decoder lives; `&mut` keeps others out.
        unsafe {
            let cmn = &mut *self.0.as_ref().cmn_struct;
            for (at, mean) in channel.mean.iter().enumerate() {
                *cmn.cmn_mean.add(at) = *mean;
                *cmn.sum.add(at) = *mean * channel.frames as f32;
            }
            cmn.nframe = channel.frames;
        }
    }

    /// What comes next is heard with what has been heard so far.
    pub(super) fn learn(&mut self) {
        let channel = self.channel();
        // SAFETY: as in `set`.
        unsafe {
            let cmn = &mut *self.0.as_ref().cmn_struct;
            for (at, mean) in channel.mean.iter().enumerate() {
                *cmn.cmn_mean.add(at) = *mean;
            }
        }
    }

    /// What it is by now.
    pub(super) fn channel(&self) -> Channel {
        let mut channel = Channel::default();
        // SAFETY: as in `set`, and nothing is written.
        unsafe {
            let cmn = &*self.0.as_ref().cmn_struct;
            if cmn.nframe > 0 {
                for (at, mean) in channel.mean.iter_mut().enumerate() {
                    *mean = *cmn.sum.add(at) / cmn.nframe as f32;
                }
                channel.frames = cmn.nframe.min(MEMORY);
            }
        }
        channel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 300 ms before a voice and 300 ms of it, over noise of this amplitude.
    fn line(noise: f32) -> Vec<i16> {
        let mut random = 1u64;
        let sample = |n: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let hiss = ((random >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * noise;
            let voice = if n < 2_400 { 0.0 } else { (n as f32 * 0.4).sin() * 8_000.0 };
            (hiss + voice) as i16
        };
        (0..4_800).map(sample).collect()
    }

    #[test]
    fn a_clear_line_is_what_was_expected() {
        assert_eq!(Channel::of_line(&line(0.0)), Channel::default());
        assert_eq!(Channel::of_line(&[]), Channel::default(), "so is one of which nothing is known");
    }

    #[test]
    fn noise_moves_the_mean_and_more_noise_moves_it_more() {
        let of =
            |noise: f32| (Channel::of_line(&line(noise)).mean[2] - TELEPHONE[2]) / (NOISE[2] - TELEPHONE[2]);
        let (little, much) = (of(150.0), of(1_000.0));
        assert!(0.0 < little && little < much && much <= 1.3, "{little}, {much}");
    }
}
