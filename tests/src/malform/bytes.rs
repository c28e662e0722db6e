//! Faults of bytes: for what is binary, and for text that is treated as if it were.

use super::Dice;

type Fault = fn(&mut Vec<u8>, usize, &mut Dice);

/// How many faults a byte can have.
pub(super) const FAULTS: usize = LIST.len();

/// The input with one fault at one byte.
pub(super) fn spoil(input: &[u8], at: usize, fault: usize, dice: &mut Dice) -> Vec<u8> {
    let mut out = input.to_vec();
    if at < out.len()
        && let Some(fault) = LIST.get(fault)
    {
        fault(&mut out, at, dice);
    }
    out
}

const LIST: &[Fault] = &[
    |b, n, _| b[n] = 0,
    |b, n, _| b[n] = 0xff,
    |b, n, _| b[n] = 0x7f,
    |b, n, _| b[n] = b[n].wrapping_add(1),
    |b, n, _| b[n] = b[n].wrapping_sub(1),
    |b, n, d| b[n] ^= 1 << d.below(8),
    |b, n, d| b[n] = d.roll().to_le_bytes()[0],
    |b, n, _| {
        b.remove(n);
    },
    |b, n, _| b.insert(n, 0x80),
    |b, n, _| b.truncate(n),
    |b, n, d| {
        let end = (n + 1 + d.below(8)).min(b.len());
        b.drain(n..end);
    },
    |b, n, _| b.extend_from_within(n..),
    |b, n, d| b.extend(std::iter::repeat_n(0xff, n + d.below(2000))),
    |b, n, _| {
        // The two bytes here as the largest length.
        let end = (n + 2).min(b.len());
        b[n..end].fill(0xff);
    },
];
