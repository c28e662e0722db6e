//! What we send: one source with its sequence numbers and its clock.

use super::HEADER;

/// The stream that goes out. Start values are handed in and should be random (RFC 3550 §5.1).
#[derive(Debug, Clone)]
pub struct RtpSender {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    packets: u32,
    octets: u32,
    total: u64,
}

impl RtpSender {
    /// A stream that has sent nothing.
    #[must_use]
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self { ssrc, sequence, timestamp, packets: 0, octets: 0, total: 0 }
    }

    /// Writes the header of the next packet and moves the clock on by `ticks` (its length in RTP clock
    /// ticks: 160 for 20 ms at 8,000 Hz, 960 for Opus). `payload` is its length in bytes, for the figures.
    /// `marker`: the first packet after a silence (RFC 3551 §4.1).
    pub fn header(&mut self, payload_type: u8, marker: bool, payload: usize, ticks: u32) -> [u8; HEADER] {
        let header = self.header_at(self.timestamp, payload_type, marker, payload);
        self.advance(ticks);
        header
    }

    /// The same with a timestamp of its own, and the clock left alone: the packets of a key all carry the
    /// time at which it went down (RFC 4733 §2.5.1.2).
    pub fn header_at(
        &mut self,
        timestamp: u32,
        payload_type: u8,
        marker: bool,
        payload: usize,
    ) -> [u8; HEADER] {
        let [seq_high, seq_low] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = timestamp.to_be_bytes();
        let [s0, s1, s2, s3] = self.ssrc.to_be_bytes();
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload as u32);
        self.total += 1;
        let second = (u8::from(marker) << 7) | (payload_type & 0x7f);
        [0x80, second, seq_high, seq_low, t0, t1, t2, t3, s0, s1, s2, s3]
    }

    /// Time passes and nothing is sent: silence, hold, a key.
    pub fn advance(&mut self, ticks: u32) {
        self.timestamp = self.timestamp.wrapping_add(ticks);
    }

    /// The timestamp of the next packet.
    #[must_use]
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Whose stream it is.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets and payload bytes since the start, as a sender report counts them (they wrap).
    #[must_use]
    pub fn sent(&self) -> (u32, u32) {
        (self.packets, self.octets)
    }

    /// Packets since the start.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::super::RtpPacket;
    use super::*;

    #[test]
    fn sequence_and_timestamp_go_on_and_wrap() {
        let mut sender = RtpSender::new(7, u16::MAX, u32::MAX - 100);
        let first = sender.header(0, true, 160, 160);
        let second = sender.header(0, false, 160, 160);
        let first = RtpPacket::parse(&first).unwrap();
        let second = RtpPacket::parse(&second).unwrap();
        assert_eq!((first.sequence, first.timestamp, first.marker), (u16::MAX, u32::MAX - 100, true));
        assert_eq!((second.sequence, second.timestamp, second.marker), (0, 59, false));
        assert_eq!((second.ssrc, sender.sent(), sender.packets()), (7, (2, 320), 2));
    }

    #[test]
    fn the_packets_of_a_key_share_its_time_while_the_clock_runs_on() {
        let mut sender = RtpSender::new(7, 10, 1_000);
        let down = sender.timestamp();
        for expected in 10..13 {
            let header = sender.header_at(down, 101, expected == 10, 4);
            let packet = RtpPacket::parse(&header).unwrap();
            assert_eq!((packet.sequence, packet.timestamp), (expected, 1_000));
            sender.advance(160);
        }
        assert_eq!(sender.timestamp(), 1_480);
    }
}
