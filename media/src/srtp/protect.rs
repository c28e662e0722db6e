//! The sending side: our one stream, its rollover counter, and the index of its reports.

use super::cipher::{Cipher, Kind};
use super::{DATAGRAM, MasterKey, NoCipher, rtp_header, u32_at};

/// Protects what one leg sends, under one master key.
pub struct Protect {
    rtp: Cipher,
    rtcp: Cipher,
    /// Rollover counter and sequence number of the last packet.
    last: Option<u64>,
    reports: u32,
    buffer: Box<[u8; DATAGRAM]>,
}

impl Protect {
    /// A crypto context that begins: rollover counter 0.
    ///
    /// # Errors
    /// [`NoCipher`].
    pub fn new(key: &MasterKey) -> Result<Self, NoCipher> {
        Ok(Self {
            rtp: Cipher::new(key, Kind::Rtp)?,
            rtcp: Cipher::new(key, Kind::Rtcp)?,
            last: None,
            reports: 0,
            buffer: Box::new([0; DATAGRAM]),
        })
    }

    /// An RTP packet of ours; the sequence goes up from packet to packet. `None`: no RTP packet, or one with no
    /// room for the tag.
    pub fn rtp(&mut self, packet: &[u8]) -> Option<&[u8]> {
        let header = rtp_header(packet)?;
        let word = u32_at(packet, 0)?;
        let ssrc = u32_at(packet, 8)?;
        let sequence = u64::from(word & 0xffff);
        let index = match self.last {
            None => sequence,
            Some(last) if last & 0xffff > sequence => ((last >> 16) + 1) << 16 | sequence,
            Some(last) => last & !0xffff | sequence,
        };
        self.buffer.get_mut(..packet.len())?.copy_from_slice(packet);
        let length = self.rtp.seal_rtp(&mut *self.buffer, header, packet.len(), ssrc, index)?;
        self.last = Some(index);
        self.buffer.get(..length)
    }

    /// A compound RTCP packet of ours.
    pub fn rtcp(&mut self, packet: &[u8]) -> Option<&[u8]> {
        let ssrc = u32_at(packet, 4)?;
        self.buffer.get_mut(..packet.len())?.copy_from_slice(packet);
        // 2³¹ reports are 300 years of them.
        self.reports = (self.reports + 1) & 0x7fff_ffff;
        let length = self.rtcp.seal_rtcp(&mut *self.buffer, packet.len(), ssrc, self.reports)?;
        self.buffer.get(..length)
    }
}

impl std::fmt::Debug for Protect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Protect").field("last", &self.last).finish_non_exhaustive()
    }
}
