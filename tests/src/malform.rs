//! Malformed input without end, the same for the same seed.
//!
//! First the systematic half: each template (SIP requests and responses, SDP, RTP, RTCP), each of its lines
//! or bytes, each fault of the list, and cut off at each byte. Then the random half: one to four faults on
//! one another, for as long as somebody asks. What comes out is mostly wrong, sometimes only odd, and now
//! and then still valid; whoever takes it must survive all three.

mod bytes;
mod lines;
mod templates;

pub use templates::{ANSWERS, REQUESTS, rtcp, rtp, sdp};

/// A small generator (SplitMix64): enough to spread faults, and nothing to depend on.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % (n.max(1) as u64)).unwrap_or(0)
    }
}

/// What a template is made of, and so which faults make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

/// The generator.
#[derive(Debug)]
pub struct Malformed {
    dice: Dice,
    templates: Vec<(Kind, Vec<u8>)>,
    /// Of the systematic half: template, position, fault. `None` once it is through.
    next: Option<(usize, usize, usize)>,
}

impl Malformed {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let texts = REQUESTS.iter().chain(ANSWERS).map(|t| templates::message(t).into_bytes());
        let mut templates: Vec<_> = texts.map(|t| (Kind::Text, t)).collect();
        templates.push((Kind::Text, sdp().into_bytes()));
        templates.push((Kind::Binary, rtp()));
        templates.push((Kind::Binary, rtcp()));
        Self { dice: Dice::new(seed), templates, next: Some((0, 0, 0)) }
    }

    /// One fault after the other at each place; `None` when every template is through.
    fn systematic(&mut self) -> Option<Vec<u8>> {
        loop {
            let (which, place, fault) = self.next?;
            let Some((kind, whole)) = self.templates.get(which) else {
                self.next = None;
                return None;
            };
            let (places, faults) = match kind {
                Kind::Text => (lines::count(whole), lines::FAULTS),
                Kind::Binary => (whole.len(), bytes::FAULTS),
            };
            if place >= places + whole.len() {
                self.next = Some((which + 1, 0, 0));
                continue;
            }
            // Behind the last line or byte stand the cuts.
            if place >= places {
                self.next = Some((which, place + 1, 0));
                return whole.get(..place - places).map(<[u8]>::to_vec);
            }
            let last = fault + 1 == faults;
            self.next = Some(if last { (which, place + 1, 0) } else { (which, place, fault + 1) });
            return Some(match kind {
                Kind::Text => lines::spoil(whole, place, fault, &mut self.dice),
                Kind::Binary => bytes::spoil(whole, place, fault, &mut self.dice),
            });
        }
    }

    fn random(&mut self) -> Vec<u8> {
        let which = self.dice.below(self.templates.len());
        let (kind, mut input) =
            self.templates.get(which).map_or((Kind::Binary, Vec::new()), |(k, t)| (*k, t.clone()));
        for _ in 0..=self.dice.below(4) {
            input = match kind {
                Kind::Text => spoil_text(&input, &mut self.dice),
                Kind::Binary => spoil_bytes(&input, &mut self.dice),
            };
        }
        if kind == Kind::Text && self.dice.below(2) == 0 { lines::mend_length(&input) } else { input }
    }
}

/// One fault at random: in a line mostly, in a byte once in four times.
#[must_use]
pub fn spoil_text(text: &[u8], dice: &mut Dice) -> Vec<u8> {
    if dice.below(4) == 0 {
        return spoil_bytes(text, dice);
    }
    let (line, fault) = (dice.below(lines::count(text)), dice.below(lines::FAULTS));
    lines::spoil(text, line, fault, dice)
}

/// One fault at random in a byte.
#[must_use]
pub fn spoil_bytes(input: &[u8], dice: &mut Dice) -> Vec<u8> {
    let (at, fault) = (dice.below(input.len()), dice.below(bytes::FAULTS));
    bytes::spoil(input, at, fault, dice)
}

impl Iterator for Malformed {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut input = self.systematic().unwrap_or_else(|| self.random());
        input.truncate(65_535);
        Some(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        assert!(Malformed::new(7).take(3000).eq(Malformed::new(7).take(3000)));
        assert!(Malformed::new(7).skip(30_000).take(10).ne(Malformed::new(8).skip(30_000).take(10)));
    }

    #[test]
    fn the_systematic_half_is_large_and_varied() {
        let all: std::collections::HashSet<_> = Malformed::new(1).take(20_000).collect();
        assert!(all.len() > 15_000, "{}", all.len());
    }
}
