//! What a participant hears: a jitter buffer and a decoder for each track, and the sum of them all.

use std::time::Duration;
use str0m::media::{Mid, Pt};
use str0m::rtp::{RtpPacket, Ssrc};
use trunkline_media::leg::{FRAME, Inbound};
use trunkline_media::mix;
use trunkline_media::session::Codec;

/// So many tracks are heard at a time; a room with more speakers than that is a crowd, in which nobody is understood.
const TRACKS: usize = 32;
/// A track that was silent for so long is asked no more, until it says something.
const ASLEEP: Duration = Duration::from_secs(2);

/// One track.
struct Ear {
    mid: Mid,
    ssrc: Ssrc,
    sound: Inbound,
    heard_at: Duration,
}

/// All tracks.
pub(crate) struct Ears {
    rate: u32,
    codecs: Vec<(u8, Codec)>,
    ears: Vec<Ear>,
    seed: u32,
}

impl Ears {
    pub(crate) fn new(rate: u32) -> Self {
        Self { rate, codecs: Vec::new(), ears: Vec::new(), seed: 1 }
    }

    /// What the payload types mean that were agreed on.
    pub(crate) fn set_codecs(&mut self, codecs: Vec<(u8, Codec)>) {
        self.codecs = codecs;
    }

    /// The leg's rate.
    pub(crate) fn rate(&self) -> u32 {
        self.rate
    }

    pub(crate) fn set_rate(&mut self, rate: u32) {
        self.rate = rate;
        for ear in &mut self.ears {
            ear.sound.set_rate(rate);
        }
    }

    /// Which track has this SSRC; the one who asks knows its `mid` only by looking it up.
    pub(crate) fn knows(&self, ssrc: Ssrc) -> bool {
        self.ears.iter().any(|ear| ear.ssrc == ssrc)
    }

    /// A track speaks for the first time, or with a new SSRC. Memory is taken here, once a track.
    pub(crate) fn meet(&mut self, mid: Mid, ssrc: Ssrc) {
        self.seed = self.seed.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        let sound = Inbound::of_codecs(self.codecs.clone(), self.rate, self.seed);
        let ear = Ear { mid, ssrc, sound, heard_at: Duration::ZERO };
        if let Some(known) = self.ears.iter_mut().find(|ear| ear.mid == mid) {
            *known = ear;
        } else if self.ears.len() < TRACKS {
            self.ears.push(ear);
        }
    }

    /// A packet of a track.
    pub(crate) fn packet(&mut self, now: Duration, packet: &RtpPacket) {
        let Some(ear) = self.ears.iter_mut().find(|ear| ear.ssrc == packet.header.ssrc) else { return };
        let payload_type = *packet.header.payload_type;
        let Some((_, codec)) = self.codecs.iter().find(|(number, _)| *number == payload_type) else { return };
        ear.heard_at = now;
        let read = trunkline_media::rtp::RtpPacket {
            payload_type,
            marker: packet.header.marker,
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            ssrc: *packet.header.ssrc,
            payload: &packet.payload,
        };
        ear.sound.sound(now, &read, *codec, true);
    }

    /// The next 20 ms of everybody, added up. False: nobody says anything.
    pub(crate) fn hear(&mut self, now: Duration, all: &mut [i16]) -> bool {
        let mut any = false;
        for ear in &mut self.ears {
            if ear.heard_at + ASLEEP < now {
                continue;
            }
            let mut frame = [0; FRAME];
            let Some(frame) = frame.get_mut(..all.len()) else { continue };
            ear.sound.frame(now, true, false, frame);
            if any {
                mix::add(all, frame);
            } else {
                all.copy_from_slice(frame);
            }
            any = true;
        }
        any
    }
}

/// Payload types that were agreed on, as codecs of ours.
pub(crate) fn codecs(agreed: impl Iterator<Item = (Pt, str0m::format::Codec)>) -> Vec<(u8, Codec)> {
    agreed
        .filter_map(|(pt, codec)| {
            let codec = match codec {
                str0m::format::Codec::Opus => Codec::Opus,
                str0m::format::Codec::PCMU => Codec::Pcmu,
                str0m::format::Codec::PCMA => Codec::Pcma,
                _ => return None,
            };
            Some((*pt, codec))
        })
        .collect()
}
