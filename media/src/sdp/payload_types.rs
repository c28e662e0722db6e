//! Which payload type means what on this leg. RFC 3264 §8.3.2: a number that was once mapped to a
//! format keeps that meaning for the life of the session, so they are remembered here.

use crate::session::Codec;

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Audio(Codec),
    /// telephone-event at this clock rate (RFC 4733).
    Event(u32),
    /// Comfort noise (RFC 3389).
    Noise,
}

impl Format {
    /// From an rtpmap value after the number: `PCMU/8000`, `opus/48000/2`. Names are case-insensitive.
    pub(super) fn from_rtpmap(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('/');
        let name = parts.next()?.trim();
        let clock: u32 = parts.next()?.trim().parse().ok()?;
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match clock {
            8_000 if is("PCMU") => Some(Self::Audio(Codec::Pcmu)),
            8_000 if is("PCMA") => Some(Self::Audio(Codec::Pcma)),
            // 16,000 is what the RFC does not say and some telephones do
            8_000 | 16_000 if is("G722") => Some(Self::Audio(Codec::G722)),
            48_000 if is("opus") => Some(Self::Audio(Codec::Opus)),
            8_000 | 48_000 if is("telephone-event") => Some(Self::Event(clock)),
            8_000 if is("CN") => Some(Self::Noise),
            _ => None,
        }
    }

    /// RFC 3551 §6: these numbers need no rtpmap.
    pub(super) fn from_static(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Audio(Codec::Pcmu)),
            8 => Some(Self::Audio(Codec::Pcma)),
            9 => Some(Self::Audio(Codec::G722)),
            13 => Some(Self::Noise),
            _ => None,
        }
    }

    /// The value of our rtpmap line after the number.
    pub(super) fn rtpmap(self) -> String {
        match self {
            Self::Audio(Codec::Opus) => "opus/48000/2".to_owned(),
            Self::Audio(codec) => format!("{}/{}", codec.name(), codec.clock()),
            Self::Event(clock) => format!("telephone-event/{clock}"),
            Self::Noise => "CN/8000".to_owned(),
        }
    }

    /// The value of our fmtp line after the number.
    pub(super) fn fmtp(self) -> Option<&'static str> {
        match self {
            Self::Audio(Codec::Opus) => {
                Some("maxplaybackrate=16000;sprop-maxcapturerate=16000;useinbandfec=1")
            }
            Self::Event(_) => Some("0-16"),
            _ => None,
        }
    }

    /// The number that we would like to give it.
    fn wish(self) -> u8 {
        match self {
            Self::Audio(Codec::Pcmu) => 0,
            Self::Audio(Codec::Pcma) => 8,
            Self::Audio(Codec::G722) => 9,
            Self::Noise => 13,
            Self::Audio(Codec::Opus) => 111,
            Self::Event(8_000) => 101,
            Self::Event(_) => 110,
        }
    }
}

/// The numbers in use on this leg.
#[derive(Debug, Clone, Default)]
pub(super) struct PayloadTypes(Vec<(u8, Format)>);

impl PayloadTypes {
    /// The number of a format: the one it had, else the usual one, else a free dynamic one.
    pub(super) fn of(&mut self, format: Format) -> u8 {
        if let Some((number, _)) = self.0.iter().find(|(_, known)| *known == format) {
            return *number;
        }
        let taken = |number: &u8| self.0.iter().any(|(used, _)| used == number);
        let wish = format.wish();
        let number = if taken(&wish) { (96..=127).find(|free| !taken(free)).unwrap_or(wish) } else { wish };
        self.0.push((number, format));
        number
    }

    /// The peer's description gives this number this meaning; ours follows it.
    pub(super) fn learn(&mut self, number: u8, format: Format) {
        self.0.retain(|(used, known)| *used != number && *known != format);
        self.0.push((number, format));
    }
}
