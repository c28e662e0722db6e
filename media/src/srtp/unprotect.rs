//! The receiving side: a few streams of one peer, each with its rollover counter and its window.

use super::cipher::{Cipher, Kind};
use super::window::Window;
use super::{DATAGRAM, MasterKey, NoCipher, rtp_header, u32_at};

/// Streams of a peer that are remembered. A telephone has one; another SSRC comes with a transfer or a restart.
const STREAMS: usize = 4;

/// Why a packet was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not SRTP or SRTCP at all.
    Malformed,
    /// Its tag is wrong: another key, or somebody changed or made it.
    Unauthentic,
    /// It came before, or is older than what is remembered.
    Replayed,
}

/// Takes the protection off what one peer sends, under one master key.
pub struct Unprotect {
    rtp: Cipher,
    rtcp: Cipher,
    streams: Streams,
    reports: Streams,
    buffer: Box<[u8; DATAGRAM]>,
}

impl Unprotect {
    /// A crypto context that begins.
    ///
    /// # Errors
    /// [`NoCipher`].
    pub fn new(key: &MasterKey) -> Result<Self, NoCipher> {
        Ok(Self {
            rtp: Cipher::new(key, Kind::Rtp)?,
            rtcp: Cipher::new(key, Kind::Rtcp)?,
            streams: Streams::default(),
            reports: Streams::default(),
            buffer: Box::new([0; DATAGRAM]),
        })
    }

    /// An RTP packet of the peer's, in the clear.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn rtp(&mut self, packet: &[u8]) -> Result<&[u8], Refusal> {
        let header = rtp_header(packet).ok_or(Refusal::Malformed)?;
        let word = u32_at(packet, 0).ok_or(Refusal::Malformed)?;
        let ssrc = u32_at(packet, 8).ok_or(Refusal::Malformed)?;
        let window = self.streams.of(ssrc);
        let index = nearest(window.highest(), word as u16);
        if !window.is_new(index) {
            return Err(Refusal::Replayed);
        }
        let copy = self.buffer.get_mut(..packet.len()).ok_or(Refusal::Malformed)?;
        copy.copy_from_slice(packet);
        let length = self.rtp.open_rtp(copy, header, ssrc, index).map_err(|_| Refusal::Unauthentic)?;
        self.streams.take(ssrc, index);
        self.buffer.get(..length).ok_or(Refusal::Malformed)
    }

    /// A compound RTCP packet of the peer's, in the clear.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn rtcp(&mut self, packet: &[u8]) -> Result<&[u8], Refusal> {
        let ssrc = u32_at(packet, 4).ok_or(Refusal::Malformed)?;
        let word = self.rtcp.rtcp_word(packet).ok_or(Refusal::Malformed)?;
        let index = u64::from(word & 0x7fff_ffff);
        if !self.reports.of(ssrc).is_new(index) {
            return Err(Refusal::Replayed);
        }
        let copy = self.buffer.get_mut(..packet.len()).ok_or(Refusal::Malformed)?;
        copy.copy_from_slice(packet);
        let length = self.rtcp.open_rtcp(copy, ssrc, word).map_err(|_| Refusal::Unauthentic)?;
        self.reports.take(ssrc, index);
        self.buffer.get(..length).ok_or(Refusal::Malformed)
    }
}

impl Unprotect {
    /// The last packet that was opened, again.
    pub(crate) fn opened(&self, length: usize) -> &[u8] {
        self.buffer.get(..length).unwrap_or_default()
    }
}

impl std::fmt::Debug for Unprotect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unprotect").finish_non_exhaustive()
    }
}

/// Only authentic packets get a place here, so that no stranger can fill it.
#[derive(Default)]
struct Streams {
    known: [Option<(u32, Window)>; STREAMS],
    oldest: usize,
}

impl Streams {
    fn of(&self, ssrc: u32) -> Window {
        self.known
            .iter()
            .flatten()
            .find(|(known, _)| *known == ssrc)
            .map_or_else(Window::default, |(_, w)| *w)
    }

    fn take(&mut self, ssrc: u32, index: u64) {
        if let Some((_, window)) = self.known.iter_mut().flatten().find(|(known, _)| *known == ssrc) {
            return window.take(index);
        }
        let mut window = Window::default();
        window.take(index);
        if let Some(slot) = self.known.get_mut(self.oldest) {
            *slot = Some((ssrc, window));
            self.oldest = (self.oldest + 1) % STREAMS;
        }
    }
}

/// The index next to the highest one that ends in this sequence number (RFC 3711 §3.3.1, appendix A).
fn nearest(highest: Option<u64>, sequence: u16) -> u64 {
    let Some(highest) = highest else { return u64::from(sequence) };
    // the distance on the circle of sequence numbers, at most half of it either way
    let ahead = i64::from(sequence.wrapping_sub(highest as u16) as i16);
    highest.checked_add_signed(ahead).unwrap_or(u64::from(sequence))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_rollover_counter_is_that_of_the_nearest_index() {
        for (highest, sequence, expected) in [
            (None, 40_000, 40_000),
            (Some(65_535), 0, 65_536),
            (Some(65_536), 65_535, 65_535),
            (Some(65_536 + 100), 65_000, 65_000),
            (Some(10), 65_535, 65_535),
            (Some(3 * 65_536), 65_530, 3 * 65_536 - 6),
        ] {
            assert_eq!(nearest(highest, sequence), expected, "{highest:?} {sequence}");
        }
    }
}
