//! The file and its packets: pcap with microseconds, raw IP (LINKTYPE_RAW), UDP.

use std::net::{IpAddr, SocketAddr};

/// Packets begin with their IP header, so IPv4 and IPv6 share a file.
const LINKTYPE_RAW: u32 = 101;
/// IP's length field has 16 bits.
const LONGEST: usize = 65_000;

pub(super) struct Capture(Vec<u8>);

impl Capture {
    pub(super) fn new() -> Self {
        let mut file = Vec::with_capacity(4096);
        file.extend_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
        file.extend_from_slice(&2_u16.to_le_bytes());
        file.extend_from_slice(&4_u16.to_le_bytes());
        file.extend_from_slice(&[0; 8]); // UTC, no accuracy claimed
        file.extend_from_slice(&262_144_u32.to_le_bytes());
        file.extend_from_slice(&LINKTYPE_RAW.to_le_bytes());
        Self(file)
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    /// 160 samples of PCMU; `source` is the SSRC.
    pub(super) fn rtp(
        &mut self,
        at: u64,
        from: SocketAddr,
        to: SocketAddr,
        number: u32,
        source: u32,
        samples: &[u8],
    ) {
        let mut packet = [0_u8; 12 + 160];
        let (header, payload) = packet.split_at_mut(12);
        let marker = if number == 0 { 0x80 } else { 0 };
        let sequence = number.to_be_bytes();
        let timestamp = number.wrapping_mul(160).to_be_bytes();
        let first = [0x80, marker, sequence[2], sequence[3]];
        for (to, from) in
            header.iter_mut().zip(first.into_iter().chain(timestamp).chain(source.to_be_bytes()))
        {
            *to = from;
        }
        payload.iter_mut().zip(samples).for_each(|(to, from)| *to = *from);
        self.udp(at, from, to, &packet);
    }

    /// `at` in microseconds since 1970.
    pub(super) fn udp(&mut self, at: u64, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let payload = payload.get(..LONGEST).unwrap_or(payload);
        let mut datagram = Vec::with_capacity(8 + payload.len());
        datagram.extend_from_slice(&from.port().to_be_bytes());
        datagram.extend_from_slice(&to.port().to_be_bytes());
        datagram.extend_from_slice(&short(8 + payload.len()).to_be_bytes());
        datagram.extend_from_slice(&[0, 0]);
        datagram.extend_from_slice(payload);
        let mut header = Vec::with_capacity(40);
        match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let (from, to) = (from.octets(), to.octets());
                seal(&mut datagram, &from, &to);
                header.extend_from_slice(&[0x45, 0]);
                header.extend_from_slice(&short(20 + datagram.len()).to_be_bytes());
                header.extend_from_slice(&[0, 0, 0x40, 0, 64, 17, 0, 0]);
                header.extend_from_slice(&from);
                header.extend_from_slice(&to);
                let sum = checksum(sum(0, &header));
                put(&mut header, 10, sum);
            }
            (from, to) => {
                // One of each cannot be one packet: the IPv4 address is shown as a mapped one.
                let (from, to) = (six(from), six(to));
                seal(&mut datagram, &from, &to);
                header.extend_from_slice(&[0x60, 0, 0, 0]);
                header.extend_from_slice(&short(datagram.len()).to_be_bytes());
                header.extend_from_slice(&[17, 64]);
                header.extend_from_slice(&from);
                header.extend_from_slice(&to);
            }
        }
        let length = u32::try_from(header.len() + datagram.len()).unwrap_or(u32::MAX);
        let seconds = u32::try_from(at / 1_000_000).unwrap_or(u32::MAX);
        let micros = u32::try_from(at % 1_000_000).unwrap_or(0);
        for field in [seconds, micros, length, length] {
            self.0.extend_from_slice(&field.to_le_bytes());
        }
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(&datagram);
    }
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn six(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// UDP's checksum over the pseudo header (RFC 768, RFC 8200 §8.1); 0 is written as all ones.
fn seal(datagram: &mut [u8], from: &[u8], to: &[u8]) {
    let length = u32::from(short(datagram.len()));
    let pseudo = sum(sum(length + 17, from), to);
    let checksum = match checksum(sum(pseudo, datagram)) {
        0 => 0xffff,
        other => other,
    };
    put(datagram, 6, checksum);
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(place) = bytes.get_mut(at..at + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

/// The one's complement sum of RFC 1071, unfolded.
fn sum(start: u32, bytes: &[u8]) -> u32 {
    bytes.chunks(2).fold(start, |sum, pair| {
        let word = match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            [high] => u16::from_be_bytes([*high, 0]),
            _ => 0,
        };
        sum + u32::from(word)
    })
}

fn checksum(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}
