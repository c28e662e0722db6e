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

/// Measured over flite's voices through µ-law.
const TELEPHONE: [f32; LENGTH] =
    [35.0, 15.0, -28.5, 42.0, -26.0, 12.3, 0.0, -12.8, 10.7, -14.4, 12.2, -4.0, 2.3];
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
