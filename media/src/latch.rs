//! The source guard: whose packets belong to the call (symmetric RTP, RFC 4961, and its abuse).
//!
//! The address of the description is always believed. Behind a NAT the packets come from another: within the
//! window, which is until a source is fixed, whoever sends [`PROOF`] packets of one stream in order is taken
//! as the peer. From then on everything else is a stranger, except that the announced address may take the
//! call back by the same proof, should a stranger have been quicker. A new description opens the window anew.

use std::net::SocketAddr;

/// Packets of one stream, in order, that make another source the peer.
pub const PROOF: u8 = 3;
/// The same for the source of the description before: its last packets are still on the way.
const PROOF_OF_THE_PAST: u8 = 50;
/// A gap between two packets of one stream.
const MAX_GAP: u16 = 16;
/// Sources on trial at a time, so that one that floods does not shut the others out.
const CANDIDATES: usize = 4;

/// What the guard says of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// From the peer.
    Peer,
    /// From the peer, which it has only now become: the source is fixed.
    Latched,
    /// Not of this call; it changes nothing but a counter.
    Stranger,
}

/// The guard of one leg.
#[derive(Debug, Clone)]
pub struct Latch {
    announced: Option<SocketAddr>,
    symmetric: bool,
    source: Option<SocketAddr>,
    past: Option<SocketAddr>,
    candidates: [Option<Candidate>; CANDIDATES],
    oldest: usize,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    packets: u8,
}

impl Latch {
    /// Nothing has come. `symmetric`: another source than the announced one may become the peer.
    #[must_use]
    pub fn new(announced: Option<SocketAddr>, symmetric: bool) -> Self {
        Self { announced, symmetric, source: None, past: None, candidates: [None; CANDIDATES], oldest: 0 }
    }

    /// A new description came. The window opens again if it names another address; one that names none
    /// (hold with 0.0.0.0) leaves the source as it is.
    pub fn announce(&mut self, announced: Option<SocketAddr>) {
        if announced.is_some() && announced != self.announced {
            self.past = self.source.filter(|source| announced != Some(*source));
            self.announced = announced;
            self.source = None;
            self.candidates = [None; CANDIDATES];
        }
    }

    /// Whose packet is this?
    pub fn judge(&mut self, from: SocketAddr, ssrc: u32, sequence: u16) -> Verdict {
        if self.source == Some(from) {
            return Verdict::Peer;
        }
        let announced = self.announced == Some(from);
        if announced && self.source.is_none() {
            self.source = Some(from);
            return Verdict::Peer;
        }
        if !announced && (!self.symmetric || self.source.is_some()) {
            return Verdict::Stranger;
        }
        let needed = if self.past == Some(from) { PROOF_OF_THE_PAST } else { PROOF };
        if self.proof(from, ssrc, sequence) < needed {
            return Verdict::Stranger;
        }
        self.source = Some(from);
        self.candidates = [None; CANDIDATES];
        Verdict::Latched
    }

    /// Where the peer's packets come from, once that is fixed.
    #[must_use]
    pub fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// Where ours go: to the source if symmetric, else to the announced address.
    #[must_use]
    pub fn target(&self) -> Option<SocketAddr> {
        self.source.filter(|_| self.symmetric).or(self.announced)
    }

    /// How many packets of this stream came in order, with this one.
    fn proof(&mut self, from: SocketAddr, ssrc: u32, sequence: u16) -> u8 {
        for candidate in self.candidates.iter_mut().flatten() {
            if candidate.from == from {
                let ahead = sequence.wrapping_sub(candidate.sequence);
                let goes_on = candidate.ssrc == ssrc && (1..=MAX_GAP).contains(&ahead);
                let packets = if goes_on { candidate.packets.saturating_add(1) } else { 1 };
                *candidate = Candidate { from, ssrc, sequence, packets };
                return packets;
            }
        }
        if let Some(slot) = self.candidates.get_mut(self.oldest) {
            *slot = Some(Candidate { from, ssrc, sequence, packets: 1 });
            self.oldest = (self.oldest + 1) % CANDIDATES;
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 4_000))
    }

    #[test]
    fn the_announced_address_is_believed_at_once_and_everybody_else_is_a_stranger_then() {
        let mut latch = Latch::new(Some(address(1)), true);
        assert_eq!(latch.judge(address(1), 7, 1), Verdict::Peer);
        for sequence in 0..100 {
            assert_eq!(latch.judge(address(2), 8, sequence), Verdict::Stranger);
        }
        assert_eq!(latch.target(), Some(address(1)));
    }

    #[test]
    fn behind_a_nat_three_packets_in_order_make_the_peer() {
        let mut latch = Latch::new(Some(address(1)), true);
        assert_eq!(latch.judge(address(9), 7, 1), Verdict::Stranger);
        assert_eq!(latch.judge(address(9), 7, 2), Verdict::Stranger);
        assert_eq!(latch.target(), Some(address(1)));
        assert_eq!(latch.judge(address(9), 7, 4), Verdict::Latched);
        assert_eq!(latch.judge(address(9), 99, 1_000), Verdict::Peer);
        assert_eq!(latch.target(), Some(address(9)));
    }

    #[test]
    fn noise_of_changing_streams_never_becomes_the_peer() {
        let mut latch = Latch::new(None, true);
        for n in 0..1_000u32 {
            assert_eq!(latch.judge(address(3), n, 5), Verdict::Stranger);
            assert_eq!(latch.judge(address(4), 1, (n * 997) as u16), Verdict::Stranger);
        }
    }

    #[test]
    fn without_symmetric_only_the_announced_address_counts() {
        let mut latch = Latch::new(Some(address(1)), false);
        for sequence in 0..10 {
            assert_eq!(latch.judge(address(2), 8, sequence), Verdict::Stranger);
        }
        assert_eq!(latch.judge(address(1), 7, 1), Verdict::Peer);
    }

    #[test]
    fn the_announced_address_takes_the_call_back_from_a_quicker_stranger() {
        let mut latch = Latch::new(Some(address(1)), true);
        for sequence in 1..=3 {
            latch.judge(address(6), 6, sequence);
        }
        assert_eq!(latch.source(), Some(address(6)));
        assert_eq!(latch.judge(address(1), 7, 10), Verdict::Stranger);
        assert_eq!(latch.judge(address(1), 7, 11), Verdict::Stranger);
        assert_eq!(latch.judge(address(1), 7, 12), Verdict::Latched);
        assert_eq!(latch.judge(address(6), 6, 4), Verdict::Stranger);
    }

    #[test]
    fn a_new_description_opens_the_window_and_the_last_packets_of_the_old_source_do_not_close_it() {
        let mut latch = Latch::new(Some(address(1)), true);
        latch.judge(address(1), 7, 1);
        latch.announce(Some(address(2)));
        for sequence in 2..10 {
            assert_eq!(latch.judge(address(1), 7, sequence), Verdict::Stranger);
        }
        assert_eq!(latch.judge(address(2), 8, 1), Verdict::Peer);
    }

    #[test]
    fn a_hold_without_an_address_leaves_the_source_fixed() {
        let mut latch = Latch::new(Some(address(1)), true);
        latch.judge(address(1), 7, 1);
        latch.announce(None);
        for sequence in 1..10 {
            assert_eq!(latch.judge(address(6), 6, sequence), Verdict::Stranger);
        }
        assert_eq!(latch.judge(address(1), 7, 2), Verdict::Peer);
    }
}
