//! What a participant says: 20 ms of the leg in, an RTP payload for the room out.

use crate::RoomCodec;
use trunkline_media::codec::{CodecError, Encoder, MAX_PAYLOAD};
use trunkline_media::session::Codec;

/// Encodes for the room, and says how loud it is.
pub(crate) struct Mouth {
    encoder: Encoder,
    payload: Box<[u8; MAX_PAYLOAD]>,
}

impl RoomCodec {
    pub(crate) fn codec(self) -> Codec {
        match self {
            Self::Opus => Codec::Opus,
            Self::Pcmu => Codec::Pcmu,
            Self::Pcma => Codec::Pcma,
        }
    }
}

impl Mouth {
    /// `rate` is that of the leg: G.711 in the room is 8,000 Hz whatever the leg has.
    pub(crate) fn new(codec: RoomCodec, rate: u32) -> Result<Self, CodecError> {
        Ok(Self { encoder: Encoder::at(codec.codec(), rate)?, payload: Box::new([0; MAX_PAYLOAD]) })
    }

    pub(crate) fn codec(&self) -> Codec {
        self.encoder.codec()
    }

    /// What it takes: samples a second.
    pub(crate) fn rate(&self) -> u32 {
        self.encoder.rate()
    }

    /// Ticks of the RTP clock in 20 ms.
    pub(crate) fn ticks(&self) -> u32 {
        self.encoder.codec().clock() / 50
    }

    /// The payload of these 20 ms; `None`: they cannot be encoded, and are left out.
    pub(crate) fn say(&mut self, sound: &[i16]) -> Option<&[u8]> {
        let length = self.encoder.encode(sound, self.payload.as_mut_slice()).ok()?;
        self.payload.get(..length)
    }
}

/// Level of 20 ms as RFC 6464 has it: 0 is the loudest, 127 is silence, in -dBov. Without it a participant never
/// shows as speaking.
pub(crate) fn level(sound: &[i16]) -> i8 {
    let energy: i64 = sound.iter().map(|s| i64::from(*s) * i64::from(*s)).sum();
    let mean = energy / (sound.len().max(1) as i64);
    if mean == 0 {
        return -127;
    }
    // Full scale is 32,768 squared.
    let decibels = 10.0 * (mean as f32 / 1_073_741_824.0).log10();
    decibels.round().clamp(-127.0, 0.0) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_at_a_quarter_of_full_scale_is_fifteen_decibels_below_it() {
        let tone: Vec<i16> = (0..160).map(|i| (8_192.0 * (f64::from(i) * 0.3).sin()) as i16).collect();
        assert!((-16..=-14).contains(&level(&tone)), "{}", level(&tone));
        assert_eq!(level(&[0; 160]), -127);
        assert_eq!(level(&[i16::MIN; 160]), 0);
    }

    #[test]
    fn twenty_milliseconds_are_160_ticks_of_g711_and_960_of_opus() {
        let mut pcmu = Mouth::new(RoomCodec::Pcmu, 8_000).unwrap();
        assert_eq!((pcmu.ticks(), pcmu.say(&[0; 160]).map(<[u8]>::len)), (160, Some(160)));
        let opus = Mouth::new(RoomCodec::Opus, 16_000).unwrap();
        assert_eq!((opus.ticks(), opus.rate()), (960, 16_000));
    }
}
