//! Reading a compound packet, in place and without trust: a length that does not fit ends it.

use super::SenderInfo;
use crate::rtp::ReceptionReport;

/// One report block, with what the round trip is reckoned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block {
    /// The figures.
    pub report: ReceptionReport,
    /// The middle 32 bits of the last sender report that came, or 0 (LSR).
    pub last_sender_report: u32,
    /// 1/65,536 seconds since then (DLSR).
    pub delay: u32,
}

/// One packet of a compound.
#[derive(Debug, Clone)]
pub enum Packet<'a> {
    /// SR: the peer sends, and may say what it hears.
    SenderReport { ssrc: u32, info: SenderInfo, blocks: Blocks<'a> },
    /// RR: what it hears.
    ReceiverReport { ssrc: u32, blocks: Blocks<'a> },
    /// The CNAME of an SDES; bytes of a stranger.
    Cname { ssrc: u32, name: &'a [u8] },
    /// The source is leaving.
    Bye { ssrc: u32 },
    /// Feedback, XR, APP, or what is damaged inside its length.
    Other { kind: u8 },
}

/// Report blocks.
#[derive(Debug, Clone)]
pub struct Blocks<'a> {
    rest: &'a [u8],
}

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let (block, rest) = self.rest.split_first_chunk::<24>()?;
        self.rest = rest;
        let [s0, s1, s2, s3, fraction_lost, l0, l1, l2, tail @ ..] = *block;
        // Twenty-four bits with a sign.
        let cumulative_lost = i32::from_be_bytes([l0, l1, l2, 0]) >> 8;
        let mut words = Words(&tail);
        Some(Block {
            report: ReceptionReport {
                ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
                fraction_lost,
                cumulative_lost,
                highest_sequence: words.next()?,
                jitter: words.next()?,
            },
            last_sender_report: words.next()?,
            delay: words.next()?,
        })
    }
}

/// The packets of a compound, until its end or the first that does not fit.
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

/// Reads a datagram. What is not RTCP gives nothing.
#[must_use]
pub fn parse(datagram: &[u8]) -> Packets<'_> {
    Packets { rest: datagram }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        let (&[first, kind, high, low], rest) = self.rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([high, low])) * 4;
        if first >> 6 != 2 || !(192..=223).contains(&kind) || rest.len() < length {
            self.rest = &[];
            return None;
        }
        let (mut body, rest) = rest.split_at(length);
        self.rest = rest;
        if first & 0x20 != 0 {
            let padding = body.last().copied().map_or(0, usize::from);
            body = body.get(..body.len().saturating_sub(padding)).unwrap_or_default();
        }
        Some(read(kind, usize::from(first & 0x1f), body).unwrap_or(Packet::Other { kind }))
    }
}

fn read(kind: u8, count: usize, body: &[u8]) -> Option<Packet<'_>> {
    let mut words = Words(body);
    let blocks = |rest: &'_ [u8]| -> usize { (count * 24).min(rest.len()) };
    match kind {
        200 => {
            let ssrc = words.next()?;
            let ntp = u64::from(words.next()?) << 32 | u64::from(words.next()?);
            let info =
                SenderInfo { ntp, timestamp: words.next()?, packets: words.next()?, octets: words.next()? };
            let rest = words.0.get(..blocks(words.0))?;
            Some(Packet::SenderReport { ssrc, info, blocks: Blocks { rest } })
        }
        201 => {
            let ssrc = words.next()?;
            let rest = words.0.get(..blocks(words.0))?;
            Some(Packet::ReceiverReport { ssrc, blocks: Blocks { rest } })
        }
        202 if count > 0 => {
            let ssrc = words.next()?;
            let mut items = words.0;
            // The first chunk only: a peer of ours is one source.
            while let [item, length, rest @ ..] = items {
                if *item == 0 {
                    break;
                }
                let (value, rest) = rest.split_at_checked(usize::from(*length))?;
                if *item == 1 {
                    return Some(Packet::Cname { ssrc, name: value });
                }
                items = rest;
            }
            None
        }
        203 if count > 0 => Some(Packet::Bye { ssrc: words.next()? }),
        _ => None,
    }
}

struct Words<'a>(&'a [u8]);

impl Iterator for Words<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*word))
    }
}
