//! Keys, three ways: as telephone-event packets ([`rfc4733`]), as tones in the sound ([`inband`]), and in
//! the body of a SIP INFO ([`info`]). A key is one of `0`–`9`, `*`, `#`, `A`–`D`.

pub mod inband;
pub mod info;
pub mod rfc4733;

use std::time::Duration;

/// Every key, in the order of the event codes of RFC 4733 §3.2.
pub const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// A key that was pressed and let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Which one.
    pub digit: char,
    /// How long it was down.
    pub length: Duration,
}

/// The event code of a key; small letters are taken too.
#[must_use]
pub fn code(digit: char) -> Option<u8> {
    KEYS.iter().position(|key| *key == digit.to_ascii_uppercase()).map(|code| code as u8)
}

/// The key of an event code.
#[must_use]
pub fn digit(code: u8) -> Option<char> {
    KEYS.get(usize::from(code)).copied()
}

/// The two tones of a key, Hz (ITU-T Q.23): row and column.
#[must_use]
pub fn tones(digit: char) -> Option<(f32, f32)> {
    let at = LAYOUT.iter().position(|key| *key == digit.to_ascii_uppercase())?;
    Some((*ROWS.get(at / 4)?, *COLUMNS.get(at % 4)?))
}

/// Hz, from the top of the keypad.
pub(crate) const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// Hz, from the left.
pub(crate) const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// The keypad, row by row.
pub(crate) const LAYOUT: [char; 16] =
    ['1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D'];
