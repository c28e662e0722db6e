//! Keys in SIP INFO: `application/dtmf-relay` and `application/dtmf`, as every vendor writes them and no RFC defines.

use super::{KEYS, code, digit};
use std::time::Duration;

/// For a body that says nothing of it.
const LENGTH: Duration = Duration::from_millis(160);
/// What a telephone can mean, milliseconds.
const LENGTHS: std::ops::RangeInclusive<u64> = 40..=10_000;
/// A body is a line or two.
const LONGEST_BODY: usize = 512;

/// The key in the body of an INFO: which one, and how long. `None` if the body is of another type or holds no key.
///
/// `Signal` may be a key or an event code (`10` is `*`, `11` is `#`); names and types in any case, spaces anywhere.
#[must_use]
pub fn parse(content_type: &str, body: &[u8]) -> Option<(char, Duration)> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if body.len() > LONGEST_BODY {
        return None;
    }
    let body = std::str::from_utf8(body).ok()?;
    if kind.eq_ignore_ascii_case("application/dtmf") && !body.contains('=') {
        return Some((signal(body.trim())?, LENGTH));
    }
    if !kind.eq_ignore_ascii_case("application/dtmf-relay") && !kind.eq_ignore_ascii_case("application/dtmf")
    {
        return None;
    }
    let (mut pressed, mut length) = (None, LENGTH);
    for line in body.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("signal") {
            pressed = Some(signal(value)?);
        } else if name.eq_ignore_ascii_case("duration")
            && let Ok(millis) = value.parse::<u64>()
        {
            length = Duration::from_millis(millis.clamp(*LENGTHS.start(), *LENGTHS.end()));
        }
    }
    pressed.map(|key| (key, length))
}

/// The content type and body of an INFO for this key.
#[must_use]
pub fn write(digit: char, length: Duration) -> (&'static str, String) {
    let millis = length.as_millis();
    ("application/dtmf-relay", format!("Signal={}\r\nDuration={millis}\r\n", digit.to_ascii_uppercase()))
}

fn signal(value: &str) -> Option<char> {
    let mut chars = value.chars();
    match (chars.next(), chars.next()) {
        (Some(one), None) => KEYS.get(usize::from(code(one)?)).copied(),
        _ => value.parse().ok().filter(|code| *code >= 10).and_then(digit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn keys_are_read_as_vendors_write_them() {
        for (kind, body, expected) in [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some(('5', millis(160)))),
            ("Application/DTMF-Relay; charset=utf-8", "signal= *\nduration = 250", Some(('*', millis(250)))),
            ("application/dtmf-relay", "Signal=11\r\nDuration=100", Some(('#', millis(100)))),
            ("application/dtmf-relay", "Signal=d", Some(('D', LENGTH))),
            ("application/dtmf-relay", "Signal=1\r\nDuration=999999999", Some(('1', millis(10_000)))),
            ("application/dtmf", "9", Some(('9', LENGTH))),
            ("application/dtmf", " # \r\n", Some(('#', LENGTH))),
            ("application/dtmf", "Signal=3\r\nDuration=80", Some(('3', millis(80)))),
            ("application/dtmf", "12", Some(('A', LENGTH))),
            ("application/dtmf-relay", "Signal=16", None),
            ("application/dtmf-relay", "Duration=100", None),
            ("application/sdp", "5", None),
            ("", "", None),
        ] {
            assert_eq!(parse(kind, body.as_bytes()), expected, "{kind}: {body:?}");
        }
        assert_eq!(parse("application/dtmf", &[0xff, 0xfe]), None);
    }

    #[test]
    fn what_we_write_we_read() {
        for key in KEYS {
            let (kind, body) = write(key, millis(200));
            assert_eq!(parse(kind, body.as_bytes()), Some((key, millis(200))));
        }
    }
}
