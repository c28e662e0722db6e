//! The codecs of a SIP leg, over buffers of the caller's.
//!
//! A [`Decoder`] turns the payload of one packet (10 to 60 ms, Opus up to 120 ms) into mono samples at
//! [`Codec::rate`] (Opus: at 8,000 or 16,000 Hz, whichever is asked for); what did not come it makes up: [`Decoder::conceal`] continues the sound and fades it,
//! [`Decoder::recover`] takes the copy that the next Opus packet carries (in-band FEC). Say each of them in
//! the order of the sound: every call moves the decoder on by what it wrote. An [`Encoder`] is the way back.
//!
//! Both allocate when they are made and never again.

mod conceal;

use crate::session::Codec;
use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::pcma::PcmaDecoder;
use audio_codec::pcmu::{PcmuDecoder, PcmuEncoder};
use audio_codec::{Decoder as _, Encoder as _};
use conceal::Concealer;

/// The most samples that one packet decodes to: 120 ms of Opus at 16,000 Hz.
pub const MAX_PACKET_SAMPLES: usize = 1_920;

/// The largest payload that an encoder writes, and a safe size for its buffer.
pub const MAX_PAYLOAD: usize = 1_275;

/// What we ask libopus for: speech with room for its own redundancy, wideband and narrowband.
const OPUS_BITS_A_SECOND: i32 = 28_000;
const OPUS_NARROW_BITS_A_SECOND: i32 = 20_000;
/// Five of ten: half the CPU of ten, and nobody hears the difference on speech.
const OPUS_COMPLEXITY: i32 = 5;
/// Redundancy is spent only when loss is expected; real loss is told by [`Encoder::expect_loss`].
const OPUS_LOSS_PERCENT: i32 = 5;
/// libopus conceals in steps of 2.5 ms.
const OPUS_STEPS_A_SECOND: usize = 400;

/// Why a codec would not. The packet is lost (conceal it, count it); the call goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The payload is not of this codec, or is damaged.
    #[error("{codec}: a payload of {bytes} bytes does not decode")]
    Malformed { codec: &'static str, bytes: usize },
    /// More sound than the buffer takes: a packet longer than 120 ms, or a buffer that is too small.
    #[error("{codec}: needs room for {needed} in a buffer of {room}")]
    Room { codec: &'static str, needed: usize, room: usize },
    /// The encoder cannot make a packet of so many samples.
    #[error("{codec}: {samples} samples are no packet (Opus takes 10, 20, 40 or 60 ms; G.722 an even count)")]
    Length { codec: &'static str, samples: usize },
    /// libopus could not be set up (out of memory).
    #[error("Opus: the library failed in {function}")]
    Library { function: &'static str },
}

impl From<opus::Error> for CodecError {
    fn from(error: opus::Error) -> Self {
        Self::Library { function: error.function() }
    }
}

/// The rate that a codec works at, for one that is wanted.
fn rate(codec: Codec, wanted: u32) -> u32 {
    match codec {
        Codec::Opus if wanted == 8_000 => 8_000,
        _ => codec.rate(),
    }
}

/// Payload to samples, one of each source.
pub struct Decoder {
    codec: Codec,
    rate: u32,
    state: DecoderState,
}

enum DecoderState {
    Pcmu(PcmuDecoder, Box<Concealer>),
    Pcma(PcmaDecoder, Box<Concealer>),
    G722(Box<G722Decoder>, Box<Concealer>),
    Opus(opus::Decoder),
}

impl Decoder {
    /// A decoder with no history.
    ///
    /// # Errors
    /// Only Opus can fail, for lack of memory.
    pub fn new(codec: Codec) -> Result<Self, CodecError> {
        Self::at(codec, codec.rate())
    }

    /// The same, at the rate that is wanted where the codec can: Opus at 8,000 Hz costs half of 16,000.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn at(codec: Codec, wanted: u32) -> Result<Self, CodecError> {
        let rate = rate(codec, wanted);
        let concealer = || Box::new(Concealer::new(codec.rate()));
        let state = match codec {
            Codec::Pcmu => DecoderState::Pcmu(PcmuDecoder::new(), concealer()),
            Codec::Pcma => DecoderState::Pcma(PcmaDecoder::new(), concealer()),
            Codec::G722 => DecoderState::G722(Box::new(G722Decoder::new()), concealer()),
            Codec::Opus => DecoderState::Opus(opus::Decoder::new(rate, opus::Channels::Mono)?),
        };
        Ok(Self { codec, rate, state })
    }

    /// Samples a second of what it writes.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Which codec it is.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Decodes one payload into the front of `out` and says how many samples it was.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] or [`CodecError::Room`]; the decoder stays usable. An empty payload is malformed.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let codec = self.codec.name();
        let needed = match self.codec {
            _ if payload.is_empty() => return Err(CodecError::Malformed { codec, bytes: 0 }),
            Codec::Pcmu | Codec::Pcma => payload.len(),
            Codec::G722 => payload.len() * 2,
            Codec::Opus => opus::packet::get_nb_samples(payload, self.rate)
                .map_err(|_| CodecError::Malformed { codec, bytes: payload.len() })?,
        };
        let room = out.len();
        let out = out.get_mut(..needed).ok_or(CodecError::Room { codec, needed, room })?;
        let malformed = CodecError::Malformed { codec, bytes: payload.len() };
        match &mut self.state {
            DecoderState::Pcmu(decoder, concealer) => {
                decoder.decode_into(payload, out).map_err(|_| malformed)?;
                concealer.heard(out);
            }
            DecoderState::Pcma(decoder, concealer) => {
                decoder.decode_into(payload, out).map_err(|_| malformed)?;
                concealer.heard(out);
            }
            DecoderState::G722(decoder, concealer) => {
                decoder.decode_into(payload, out).map_err(|_| malformed)?;
                concealer.heard(out);
            }
            DecoderState::Opus(decoder) => return decoder.decode(payload, out, false).map_err(|_| malformed),
        }
        Ok(needed)
    }

    /// Fills `out` with what the sound would probably have gone on as, fading to silence within 60 ms.
    pub fn conceal(&mut self, out: &mut [i16]) {
        match &mut self.state {
            DecoderState::Pcmu(_, concealer)
            | DecoderState::Pcma(_, concealer)
            | DecoderState::G722(_, concealer) => concealer.conceal(out),
            DecoderState::Opus(decoder) => opus_fill(decoder, self.rate, &[], out),
        }
    }

    /// Fills `out`, which is as long as what was lost, from the redundancy in `next`, the packet right
    /// after it; where there is none the sound is concealed.
    pub fn recover(&mut self, next: &[u8], out: &mut [i16]) {
        match &mut self.state {
            DecoderState::Opus(decoder) => opus_fill(decoder, self.rate, next, out),
            _ => self.conceal(out),
        }
    }
}

/// libopus fills whole steps of 2.5 ms; what is left over, or refused, stays silent.
fn opus_fill(decoder: &mut opus::Decoder, rate: u32, next: &[u8], out: &mut [i16]) {
    let step = (rate as usize / OPUS_STEPS_A_SECOND).max(1);
    let whole = (out.len() / step * step).min(MAX_PACKET_SAMPLES);
    let written = match out.get_mut(..whole) {
        Some(steps) if whole > 0 => decoder.decode(next, steps, !next.is_empty()).unwrap_or(0),
        _ => 0,
    };
    if let Some(rest) = out.get_mut(written..) {
        rest.fill(0);
    }
}

/// Samples to payload, one of each stream.
pub struct Encoder {
    codec: Codec,
    rate: u32,
    state: EncoderState,
}

enum EncoderState {
    Pcmu(PcmuEncoder),
    Pcma,
    G722(Box<G722Encoder>),
    Opus(opus::Encoder),
}

impl Encoder {
    /// An encoder with no history. Opus: 16 kHz mono, VOIP, complexity 5, in-band FEC, 28 kbit/s.
    ///
    /// # Errors
    /// Only Opus can fail, for lack of memory.
    pub fn new(codec: Codec) -> Result<Self, CodecError> {
        Self::at(codec, codec.rate())
    }

    /// The same, of sound at the rate that is given where the codec can: Opus takes 8,000 Hz as it is.
    ///
    /// # Errors
    /// As [`Encoder::new`].
    pub fn at(codec: Codec, given: u32) -> Result<Self, CodecError> {
        let rate = rate(codec, given);
        let state = match codec {
            Codec::Pcmu => EncoderState::Pcmu(PcmuEncoder::new()),
            Codec::Pcma => EncoderState::Pcma,
            Codec::G722 => EncoderState::G722(Box::new(G722Encoder::new())),
            Codec::Opus => {
                let mut encoder = opus::Encoder::new(rate, opus::Channels::Mono, opus::Application::Voip)?;
                encoder.set_complexity(OPUS_COMPLEXITY)?;
                let bits = if rate == 8_000 { OPUS_NARROW_BITS_A_SECOND } else { OPUS_BITS_A_SECOND };
                encoder.set_bitrate(opus::Bitrate::Bits(bits))?;
                encoder.set_signal(opus::Signal::Voice)?;
                encoder.set_inband_fec(true)?;
                encoder.set_packet_loss_perc(OPUS_LOSS_PERCENT)?;
                EncoderState::Opus(encoder)
            }
        };
        Ok(Self { codec, rate, state })
    }

    /// Which codec it is.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Samples a second of what it takes.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// What the peer reports to lose, 0..=1: Opus weighs its redundancy by it. Others ignore it.
    pub fn expect_loss(&mut self, loss: f32) {
        if let EncoderState::Opus(encoder) = &mut self.state {
            let percent = (loss.clamp(0.0, 1.0) * 100.0).round() as i32;
            // libopus refuses nothing in 0..=100, so that there is no error to tell of.
            let _ = encoder.set_packet_loss_perc(percent.max(OPUS_LOSS_PERCENT));
        }
    }

    /// Encodes one packet's worth of samples at [`Encoder::rate`] into the front of `out`, and says how many
    /// bytes it was. `out` of [`MAX_PAYLOAD`] is always enough.
    ///
    /// # Errors
    /// [`CodecError::Length`] or [`CodecError::Room`].
    pub fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let codec = self.codec.name();
        let length = CodecError::Length { codec, samples: samples.len() };
        let needed = match self.codec {
            Codec::Pcmu | Codec::Pcma => samples.len(),
            Codec::G722 if samples.len().is_multiple_of(2) => samples.len() / 2,
            // 2.5, 5, 10, 20, 40 or 60 ms.
            Codec::Opus
                if matches!(samples.len() * OPUS_STEPS_A_SECOND, steps
                    if [1, 2, 4, 8, 16, 24].iter().any(|n| n * self.rate as usize == steps)) =>
            {
                1
            }
            _ => return Err(length),
        };
        if samples.is_empty() {
            return Err(length);
        }
        let short = CodecError::Room { codec, needed, room: out.len() };
        if out.len() < needed {
            return Err(short);
        }
        match &mut self.state {
            EncoderState::Pcmu(encoder) => encoder.encode_into(samples, out).map_err(|_| short),
            EncoderState::Pcma => {
                for (code, sample) in out.iter_mut().zip(samples) {
                    *code = alaw(*sample);
                }
                Ok(needed)
            }
            EncoderState::G722(encoder) => encoder.encode_into(samples, out).map_err(|_| short),
            EncoderState::Opus(encoder) => encoder.encode(samples, out).map_err(|_| short),
        }
    }
}

/// One sample as A-law (G.711 §3.1). `audio-codec`'s own encoder makes the smallest negative step positive,
/// which lifts the idle noise of every quiet line; a segment search is as quick as its table.
fn alaw(sample: i16) -> u8 {
    let magnitude = if sample < 0 { !sample } else { sample } >> 4;
    let code = if magnitude < 16 {
        magnitude as u8
    } else {
        // 16..=31 is segment 1, each doubling the next, 1,024..=2,047 segment 7.
        let segment = 12 - magnitude.leading_zeros() as u8;
        (segment << 4) | ((magnitude >> (segment - 1)) as u8 & 0x0f)
    };
    let sign = if sample < 0 { 0 } else { 0x80 };
    (code | sign) ^ 0x55
}

#[cfg(test)]
mod tests;
