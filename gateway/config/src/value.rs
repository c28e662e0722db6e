//! Values that YAML has no type for: durations as Go writes them, port ranges.

use std::time::Duration;
use trunkline_yaml::{Node, Value};

/// `30s`, `1h30m`, `1.5s`: Go's durations, as livekit/sip reads them; a whole number is nanoseconds.
/// The sign is apart: livekit means "off" by a negative one.
pub(crate) fn duration(node: &Node) -> Option<(bool, Duration)> {
    match &node.value {
        Value::Text(text) => {
            let (negative, bare) = match text.strip_prefix('-') {
                Some(bare) => (true, bare),
                None => (false, text.strip_prefix('+').unwrap_or(text)),
            };
            Some((negative, go_duration(bare)?))
        }
        Value::Number(text) => {
            let nanoseconds: i64 = text.parse().ok()?;
            // Who writes 30 means seconds; Go would take it as 30 ns and end every call.
            let plausible = nanoseconds == 0 || nanoseconds.unsigned_abs() >= 1_000_000;
            plausible.then(|| (nanoseconds < 0, Duration::from_nanos(nanoseconds.unsigned_abs())))
        }
        _ => None,
    }
}

fn go_duration(mut text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = 0.0_f64;
    if text.is_empty() {
        return None;
    }
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = text.split_at(end);
        let number: f64 = number.parse().ok()?;
        let (unit, rest) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
        seconds += number
            * match unit {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        text = rest;
    }
    // To the microsecond: sums of decimal fractions are not exact.
    Duration::try_from_secs_f64((seconds * 1e6).round() / 1e6).ok()
}

/// As it is written in the file: `90s`, `1h30m`.
pub(crate) fn show(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let part = |n: u64, unit: &str| if n == 0 { String::new() } else { format!("{n}{unit}") };
    let text = part(hours, "h") + &part(minutes, "m") + &part(rest, "s") + &part(u64::from(millis), "ms");
    if text.is_empty() { "0s".into() } else { text }
}

/// `10000-20000`, `{start: 10000, end: 20000}` or one number, which with its neighbour is one pair.
pub(crate) fn ports(node: &Node) -> Option<(u16, u16)> {
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    match &node.value {
        Value::Text(text) => {
            let (start, end) = text.split_once('-')?;
            Some((port(start)?, port(end)?))
        }
        Value::Number(text) => {
            let start = port(text)?;
            Some((start, start.checked_add(1)?))
        }
        Value::Map(entries) if entries.iter().all(|entry| matches!(&*entry.key, "start" | "end")) => {
            Some((port(node.get("start")?.scalar()?)?, port(node.get("end")?.scalar()?)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(bool, Duration)> {
        duration(&trunkline_yaml::parse(text).unwrap()[0])
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, milliseconds) in [
            ("30s", 30_000),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            ("1.5s", 1_500),
            ("250ms", 250),
            ("0", 0),
            ("15000000000", 15_000),
            ("1h0m0.1s", 3_600_100),
        ] {
            assert_eq!(read(text), Some((false, Duration::from_millis(milliseconds))), "{text}");
        }
        assert_eq!(read("-1s"), Some((true, Duration::from_secs(1))));
        for text in ["15", "s", "3 s", "1d", "abc", "1h30", "[1]", "'5'"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_is_shown_as_it_would_be_written() {
        for text in ["30s", "1h30m", "1h", "1s500ms", "24h"] {
            assert_eq!(show(read(text).unwrap().1), text);
        }
    }
}
