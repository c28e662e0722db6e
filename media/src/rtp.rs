//! RTP (RFC 3550): one packet read, the stream that we send, and the figures of the stream that we receive.
//!
//! [`RtpPacket::parse`] reads a datagram in place, whatever a stranger put into it. [`RtpSender`] keeps the
//! sequence number and the timestamp of what goes out. [`RtpReceiver`] (in `rtp/receive.rs`) judges what
//! comes in: is it the stream that we know, in what order, how much is missing, how unsteady is it.

mod receive;
mod send;

pub use receive::{Arrival, ReceptionReport, RtpReceiver};
pub use send::RtpSender;

use rtp_rs::{RtpReader, RtpReaderError};

/// Bytes of a header with no CSRC and no extension, which is what we send.
pub const HEADER: usize = 12;

/// The static payload type of comfort noise (RFC 3389).
pub const COMFORT_NOISE: u8 = 13;

/// Why a datagram is no RTP packet. It changes nothing but a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpError {
    /// Shorter than a header, or than its CSRC list or extension says.
    #[error("truncated: {bytes} bytes")]
    Truncated { bytes: usize },
    /// Not version 2: STUN, DTLS, T.38, or noise.
    #[error("RTP version {0}, not 2")]
    Version(u8),
    /// The padding is longer than the packet, or of no length.
    #[error("padding of {0} bytes does not fit")]
    Padding(u8),
}

/// An RTP packet, read in place. Padding is off its payload; CSRC and extensions are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// What the payload is, by the session's numbers; 0..=127.
    pub payload_type: u8,
    /// Starts a talkspurt (RFC 3551 §4.1), or a key (RFC 4733).
    pub marker: bool,
    /// Wraps at 65,536.
    pub sequence: u16,
    /// In ticks of the codec's RTP clock; wraps.
    pub timestamp: u32,
    /// Whose stream it is.
    pub ssrc: u32,
    /// May be empty.
    pub payload: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// [`RtpError`] when it is no RTP packet.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let reader = RtpReader::new(datagram).map_err(|error| match error {
            RtpReaderError::UnsupportedVersion(version) => RtpError::Version(version),
            RtpReaderError::PaddingLengthInvalid(bytes) => RtpError::Padding(bytes),
            _ => RtpError::Truncated { bytes: datagram.len() },
        })?;
        Ok(Self {
            payload_type: reader.payload_type(),
            marker: reader.mark(),
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
            payload: reader.payload(),
        })
    }
}

/// Is this datagram RTCP, on a port that carries both (RFC 5761 §4)? Payload types 64 to 95 are kept free for it.
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, second, ..] if first >> 6 == 2 && (192..=223).contains(second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn csrc_extension_and_padding_are_off_the_payload() {
        let mut bytes = vec![0x80 | 0x20 | 0x10 | 2, 0x80 | 8, 0x12, 0x34, 0, 0, 0, 160, 1, 2, 3, 4];
        bytes.extend([0; 8]);
        bytes.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        bytes.extend([7, 7, 7, 0, 0, 3]);
        let packet = RtpPacket::parse(&bytes).unwrap();
        assert_eq!(
            packet,
            RtpPacket {
                payload_type: 8,
                marker: true,
                sequence: 0x1234,
                timestamp: 160,
                ssrc: 0x0102_0304,
                payload: &[7, 7, 7]
            }
        );
    }

    #[test]
    fn padding_that_reaches_into_the_header_is_refused() {
        let bytes = [0xa0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 9];
        assert_eq!(RtpPacket::parse(&bytes), Err(RtpError::Padding(9)));
        let none = [0xa0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0];
        assert_eq!(RtpPacket::parse(&none), Err(RtpError::Padding(0)));
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_its_second_byte() {
        assert!(is_rtcp(&[0x81, 200, 0, 6]));
        assert!(!is_rtcp(&[0x80, 0x80 | 8, 0, 6]));
        assert!(!is_rtcp(&[0x00, 200]));
    }

    proptest! {
        #[test]
        fn no_datagram_does_harm(bytes in proptest::collection::vec(any::<u8>(), 0..80), first in 0x80u8..=0xbf) {
            let _ = RtpPacket::parse(&bytes);
            let mut bytes = bytes;
            if let Some(b) = bytes.first_mut() { *b = first; }
            if let Ok(packet) = RtpPacket::parse(&bytes) {
                prop_assert!(packet.payload.len() + HEADER <= bytes.len());
            }
        }
    }
}
