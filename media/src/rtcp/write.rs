//! A compound packet: SR or RR, SDES with the CNAME, and BYE at the end (RFC 3550 §6.1).

use super::{Block, SenderInfo};

/// What goes out.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Whose report it is.
    pub ssrc: u32,
    /// With it the report is an SR, without an RR.
    pub sender: Option<SenderInfo>,
    /// What is heard of the peer.
    pub block: Option<Block>,
    /// At most 255 bytes of it.
    pub cname: &'a str,
    /// The stream ends.
    pub bye: bool,
}

/// Writes the front of `out`, and says how many bytes; 0 if there is no room.
#[must_use]
pub fn write(outgoing: &Outgoing<'_>, out: &mut [u8]) -> usize {
    let mut to = Writer { out, at: 0, full: false };
    report(outgoing, &mut to);
    description(outgoing, &mut to);
    if outgoing.bye {
        to.header(1, 203, 1);
        to.u32(outgoing.ssrc);
    }
    if to.full { 0 } else { to.at }
}

fn report(outgoing: &Outgoing<'_>, to: &mut Writer<'_>) {
    let blocks = u8::from(outgoing.block.is_some());
    let words = 1 + 6 * u16::from(blocks);
    match &outgoing.sender {
        Some(info) => {
            to.header(blocks, 200, words + 5);
            to.u32(outgoing.ssrc);
            to.bytes(&info.ntp.to_be_bytes());
            to.u32(info.timestamp);
            to.u32(info.packets);
            to.u32(info.octets);
        }
        None => {
            to.header(blocks, 201, words);
            to.u32(outgoing.ssrc);
        }
    }
    if let Some(block) = &outgoing.block {
        let [_, lost @ ..] = block.report.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff).to_be_bytes();
        to.u32(block.report.ssrc);
        to.bytes(&[block.report.fraction_lost]);
        to.bytes(&lost);
        to.u32(block.report.highest_sequence);
        to.u32(block.report.jitter);
        to.u32(block.last_sender_report);
        to.u32(block.delay);
    }
}

fn description(outgoing: &Outgoing<'_>, to: &mut Writer<'_>) {
    let name = outgoing.cname.as_bytes();
    let name = name.get(..name.len().min(255)).unwrap_or_default();
    // One to four zero bytes end the chunk at a word (RFC 3550 §6.5).
    let padding = 4 - (2 + name.len()) % 4;
    to.header(1, 202, ((4 + 2 + name.len() + padding) / 4) as u16);
    to.u32(outgoing.ssrc);
    to.bytes(&[1, name.len() as u8]);
    to.bytes(name);
    to.bytes([0; 4].get(..padding).unwrap_or_default());
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    full: bool,
}

impl Writer<'_> {
    /// `words` follow the header.
    fn header(&mut self, count: u8, kind: u8, words: u16) {
        self.bytes(&[0x80 | count, kind]);
        self.bytes(&words.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        match self.out.get_mut(self.at..self.at + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.at += bytes.len();
            }
            None => self.full = true,
        }
    }
}
