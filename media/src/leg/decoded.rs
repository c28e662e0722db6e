//! Decoded sound of the far party at the leg's rate: packets of any length go in, frames of 20 ms come out.

use super::FRAME;
use crate::codec::{Decoder, MAX_PACKET_SAMPLES};
use crate::jitter::splice;
use crate::resample::Resampler;
use crate::session::Codec;

/// One packet of the longest kind over one frame that was not quite full.
const ROOM: usize = MAX_PACKET_SAMPLES + FRAME;

/// What lies between the jitter buffer and the frames.
pub(super) struct Decoded {
    rate: u32,
    /// One of each codec that has come, and what brings its sound to the leg's rate.
    decoders: Vec<(Decoder, Resampler)>,
    current: usize,
    sound: Box<[i16; ROOM]>,
    filled: usize,
    /// The beginning of a packet that was left out, to blend into the next one.
    seam: Option<[i16; SEAM]>,
}

/// 5 ms at 16,000 Hz.
const SEAM: usize = 80;

impl Decoded {
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, decoders: Vec::new(), current: 0, sound: Box::new([0; ROOM]), filled: 0, seam: None }
    }

    /// Another rate; sound that waits is lost where it is of the old one.
    pub(super) fn set_rate(&mut self, rate: u32) {
        if rate == self.rate {
            return;
        }
        self.rate = rate;
        self.clear();
        for (decoder, resampler) in &mut self.decoders {
            if let Ok(new) = Resampler::new(decoder.rate(), rate) {
                *resampler = new;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
        self.seam = None;
    }

    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Takes one frame off the front; there must be one.
    pub(super) fn take(&mut self, frame: &mut [i16]) {
        let taken = frame.len().min(self.filled);
        if let (Some(to), Some(from)) = (frame.get_mut(..taken), self.sound.get(..taken)) {
            to.copy_from_slice(from);
        }
        self.sound.copy_within(taken..self.filled, 0);
        self.filled -= taken;
    }

    /// Decodes a packet, which is `length` samples long at the leg's rate. A packet that does not decode is concealed.
    pub(super) fn packet(&mut self, codec: Codec, payload: &[u8], length: usize, skip: bool) {
        if !self.choose(codec) {
            return self.silence(length);
        }
        let start = self.filled;
        let written = self.decode(payload).unwrap_or_else(|| {
            self.missing(length, None);
            0
        });
        self.filled = (self.filled + written).min(ROOM);
        let (rate, filled) = (self.rate, self.filled);
        let Some(sound) = self.sound.get_mut(start..filled) else { return };
        if let Some(seam) = self.seam.take() {
            splice(&seam, sound, rate);
        }
        if skip {
            let mut seam = [0; SEAM];
            for (to, from) in seam.iter_mut().zip(sound.iter()) {
                *to = *from;
            }
            self.seam = Some(seam);
            self.filled = start;
        }
    }

    /// `length` samples of silence.
    pub(super) fn silence(&mut self, length: usize) {
        self.append(length).fill(0);
    }

    /// Room for `length` samples, to be filled.
    pub(super) fn append(&mut self, length: usize) -> &mut [i16] {
        let start = self.filled;
        self.filled = (start + length).min(ROOM);
        self.sound.get_mut(start..self.filled).unwrap_or_default()
    }

    /// `length` samples did not come; `next` is the packet after them, which may hold a copy.
    pub(super) fn missing(&mut self, length: usize, next: Option<&[u8]>) {
        let start = self.filled;
        let end = (start + length).min(ROOM);
        let Some(out) = self.sound.get_mut(start..end) else { return };
        self.filled = end;
        let Some((decoder, resampler)) = self.decoders.get_mut(self.current) else { return out.fill(0) };
        let fill = |decoder: &mut Decoder, out: &mut [i16]| match next {
            Some(next) => decoder.recover(next, out),
            None => decoder.conceal(out),
        };
        if matches!(resampler, Resampler::Same) {
            return fill(decoder, out);
        }
        let mut buffer = [0; MAX_PACKET_SAMPLES];
        let own = (length as u64 * u64::from(decoder.rate()) / u64::from(self.rate)) as usize;
        let Some(buffer) = buffer.get_mut(..own) else { return out.fill(0) };
        fill(decoder, buffer);
        resampler.process(buffer, out);
    }

    /// Decodes behind what is there, and says how many samples came of it.
    fn decode(&mut self, payload: &[u8]) -> Option<usize> {
        let (decoder, resampler) = self.decoders.get_mut(self.current)?;
        let out = self.sound.get_mut(self.filled..)?;
        if matches!(resampler, Resampler::Same) {
            return decoder.decode(payload, out).ok();
        }
        let mut buffer = [0; MAX_PACKET_SAMPLES];
        let decoded = decoder.decode(payload, &mut buffer).ok()?;
        Some(resampler.process(buffer.get(..decoded)?, out))
    }

    /// Makes this codec the current one; its decoder is made when it first comes.
    fn choose(&mut self, codec: Codec) -> bool {
        if self.decoders.get(self.current).is_some_and(|(decoder, _)| decoder.codec() == codec) {
            return true;
        }
        if let Some(at) = self.decoders.iter().position(|(decoder, _)| decoder.codec() == codec) {
            self.current = at;
            return true;
        }
        let Ok(decoder) = Decoder::at(codec, self.rate) else { return false };
        let Ok(resampler) = Resampler::new(decoder.rate(), self.rate) else { return false };
        self.current = self.decoders.len();
        self.decoders.push((decoder, resampler));
        true
    }
}
