//! A line of the journal. A SIP message is most of what is written, so its text is escaped eight bytes at
//! a time; a general serialiser looks at each byte, which was two fifths of what a short call costs here.

use crate::{Entry, What};
use serde::Serialize;

/// Begins a line: `{"call":ID,"key":`.
pub(crate) fn begin(line: &mut Vec<u8>, call: &str, key: &str) {
    line.extend_from_slice(b"{\"call\":");
    text(line, call);
    line.extend_from_slice(b",\"");
    line.extend_from_slice(key.as_bytes());
    line.extend_from_slice(b"\":");
}

/// Any value. Into memory, and without maps whose keys are no texts, this does not fail.
pub(crate) fn value(line: &mut Vec<u8>, value: &impl Serialize) {
    let _ = serde_json::to_writer(line, value);
}

/// As [`value`] would write it, but fast for SIP messages.
pub(crate) fn entry(line: &mut Vec<u8>, entry: &Entry) {
    let What::Sip { sent, transport, local, remote, text: message } = &entry.what else {
        return value(line, entry);
    };
    line.extend_from_slice(b"{\"at\":");
    value(line, &entry.at);
    line.extend_from_slice(if *sent {
        b",\"kind\":\"sip\",\"sent\":true"
    } else {
        b",\"kind\":\"sip\",\"sent\":false"
    });
    for (key, field) in [
        (&b",\"transport\":"[..], transport),
        (b",\"local\":", local),
        (b",\"remote\":", remote),
        (b",\"text\":", message),
    ] {
        line.extend_from_slice(key);
        text(line, field);
    }
    line.push(b'}');
}

/// A JSON text (RFC 8259 §7).
fn text(line: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    line.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, more) = rest.split_at(plain(rest));
        line.extend_from_slice(plain);
        let Some((special, more)) = more.split_first() else { break };
        match special {
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\t' => line.extend_from_slice(b"\\t"),
            b'"' => line.extend_from_slice(b"\\\""),
            b'\\' => line.extend_from_slice(b"\\\\"),
            other => {
                line.extend_from_slice(b"\\u00");
                line.extend([other >> 4, other & 15].iter().filter_map(|digit| HEX.get(usize::from(*digit))));
            }
        }
        rest = more;
    }
    line.push(b'"');
}

/// How many bytes at the start need no escape.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // A byte's high bit is set where the byte is below `least`; above the first such byte, perhaps falsely.
    let below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word & HIGH;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let special = below(word, 0x20) | below(quote, 1) | below(backslash, 1);
        if special != 0 {
            return index * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let tail = rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'));
    chunks.len() * 8 + tail.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_written_as_the_serialiser_would_write_it() {
        let all: String = (0_u32..0x180).filter_map(char::from_u32).collect();
        for start in 0..40 {
            let text: String = all.chars().skip(start).collect::<String>() + "a\"b\\c\r\n";
            let entry = Entry {
                at: 7,
                what: What::Sip {
                    sent: start % 2 == 0,
                    transport: "udp".into(),
                    local: "192.0.2.1:5060".into(),
                    remote: "[::1]:5060".into(),
                    text: "x".repeat(start) + &text,
                },
            };
            let mut line = Vec::new();
            super::entry(&mut line, &entry);
            assert_eq!(serde_json::from_slice::<Entry>(&line).unwrap(), entry);
            let slow: serde_json::Value = serde_json::to_value(&entry).unwrap();
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&line).unwrap(), slow);
        }
    }
}
