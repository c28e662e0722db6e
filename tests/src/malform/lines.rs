//! Faults of text: of one line, its name, its value, its numbers, its end.

use super::Dice;

type Line = Vec<u8>;
type Fault = fn(&mut Vec<Line>, usize, &mut Dice);

/// How many faults a line can have.
pub(super) const FAULTS: usize = LIST.len();

/// How many lines a text has, its body's too.
pub(super) fn count(text: &[u8]) -> usize {
    text.split(|b| *b == b'\n').count()
}

/// The text with one fault in one line. Lines keep their own ends, so that those can be wrong as well.
pub(super) fn spoil(text: &[u8], line: usize, fault: usize, dice: &mut Dice) -> Vec<u8> {
    let mut lines: Vec<Line> = text.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    if line < lines.len()
        && let Some(fault) = LIST.get(fault)
    {
        fault(&mut lines, line, dice);
    }
    lines.concat()
}

/// Sets Content-Length right again, so that a fault in the body gets as far as the body's reader.
pub(super) fn mend_length(text: &[u8]) -> Vec<u8> {
    let mark = b"Content-Length: ";
    let Some(at) = text.windows(mark.len()).position(|w| w == mark) else { return text.to_vec() };
    let Some(end) = text.windows(4).position(|w| w == b"\r\n\r\n") else { return text.to_vec() };
    let from = at + mark.len();
    let Some(line) = text[from..].iter().position(|b| matches!(b, b'\r' | b'\n')) else {
        return text.to_vec();
    };
    if end < from {
        return text.to_vec();
    }
    let length = (text.len() - end - 4).to_string();
    [&text[..from], length.as_bytes(), &text[from + line..]].concat()
}

const LIST: &[Fault] = &[
    |l, n, _| {
        l.remove(n);
    },
    |l, n, _| l.insert(n, l[n].clone()),
    |l, n, _| l.insert(n, b"\r\n".to_vec()),
    |l, n, d| {
        let other = d.below(l.len());
        l.swap(n, other);
    },
    |l, n, _| ending(&mut l[n], b""),
    |l, n, _| ending(&mut l[n], b"\n"),
    |l, n, _| ending(&mut l[n], b"\r"),
    |l, n, _| ending(&mut l[n], b"\r\r\n"),
    |l, n, _| ending(&mut l[n], b"\r\n "),
    |l, n, _| ending(&mut l[n], b"\r\n\t\r\n"),
    |l, n, _| l[n].insert(0, b' '),
    |l, n, _| l[n].insert(0, b':'),
    |l, n, _| l[n].retain(|b| *b != b':'),
    |l, n, _| before_colon(&mut l[n], b" \t "),
    |l, n, _| before_colon(&mut l[n], b"\r\n "),
    |l, n, _| before_colon(&mut l[n], &[0xc3, 0x28]),
    |l, n, _| value(&mut l[n], b""),
    |l, n, _| value(&mut l[n], b" \t \t"),
    |l, n, _| value(&mut l[n], b"\0"),
    |l, n, _| value(&mut l[n], &[0xff, 0xfe, 0xed, 0xa0, 0x80]),
    |l, n, _| value(&mut l[n], b"\"unterminated <sip:a@b>;tag=\\"),
    |l, n, _| value(&mut l[n], b"<sip:a@b;tag=1"),
    |l, n, _| value(&mut l[n], b"sip:a@b>;tag=1"),
    |l, n, _| value(&mut l[n], b"<sip:a@[::1]:99999;lr>, <tel:;;=,?&%zz%4>"),
    |l, n, _| value(&mut l[n], b";;;,,,===\"\"\"<<<>>>"),
    |l, n, _| value(&mut l[n], b"*"),
    |l, n, _| value(&mut l[n], b"SIP/2.0/UDP"),
    |l, n, _| value(&mut l[n], b"x\r\n y\r\n\tz\x1b[31m\x07"),
    |l, n, _| value(&mut l[n], &b"a".repeat(20_000)),
    |l, n, _| value(&mut l[n], &b"<".repeat(3000)),
    |l, n, _| value(&mut l[n], &b"\"\\".repeat(3000)),
    |l, n, _| value(&mut l[n], &b",".repeat(3000)),
    |l, n, _| value(&mut l[n], &b";a=b".repeat(3000)),
    |l, n, _| value(&mut l[n], &b"\r\n ".repeat(3000)),
    |l, n, _| numbers(&mut l[n], b"-1"),
    |l, n, _| numbers(&mut l[n], b"0"),
    |l, n, _| numbers(&mut l[n], b""),
    |l, n, _| numbers(&mut l[n], b"65536"),
    |l, n, _| numbers(&mut l[n], b"2147483648"),
    |l, n, _| numbers(&mut l[n], b"4294967296"),
    |l, n, _| numbers(&mut l[n], b"99999999999999999999999999"),
    |l, n, _| numbers(&mut l[n], b"1e9"),
    |l, n, _| numbers(&mut l[n], "٣".as_bytes()),
    |l, n, d| one_number(&mut l[n], d),
    |l, n, d| insert(&mut l[n], d, &[0]),
    |l, n, d| insert(&mut l[n], d, b"\r"),
    |l, n, d| insert(&mut l[n], d, b"\n"),
    |l, n, d| insert(&mut l[n], d, &[0x80]),
    |l, n, d| insert(&mut l[n], d, "\u{202e}\u{feff}".as_bytes()),
    |l, n, d| insert(&mut l[n], d, b"%00%0d%0aX: y"),
    |l, n, d| insert(&mut l[n], d, b"\""),
    |l, n, d| insert(&mut l[n], d, b"<"),
    |l, n, d| insert(&mut l[n], d, b"\\"),
    |l, n, _| l[n].make_ascii_uppercase(),
    |l, n, _| l[n] = l[n].repeat(300),
    |l, n, _| nest(l, n),
];

fn body_end(line: &[u8]) -> usize {
    line.len() - line.iter().rev().take_while(|b| matches!(b, b'\r' | b'\n')).count()
}

fn ending(line: &mut Line, end: &[u8]) {
    line.truncate(body_end(line));
    line.extend_from_slice(end);
}

/// Where the name of a header, or the letter of an SDP line, ends.
fn colon(line: &[u8]) -> usize {
    line.iter().position(|b| matches!(b, b':' | b'=')).unwrap_or(0)
}

fn before_colon(line: &mut Line, what: &[u8]) {
    let at = colon(line);
    line.splice(at..at, what.iter().copied());
}

fn value(line: &mut Line, what: &[u8]) {
    let from = (colon(line) + 1).min(line.len());
    let to = body_end(line).max(from);
    line.splice(from..to, what.iter().copied());
}

fn runs_of_digits(line: &[u8]) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut from = None;
    for (n, b) in line.iter().chain(b"x").enumerate() {
        match (b.is_ascii_digit(), from) {
            (true, None) => from = Some(n),
            (false, Some(start)) => {
                runs.push((start, n));
                from = None;
            }
            _ => {}
        }
    }
    runs
}

fn numbers(line: &mut Line, what: &[u8]) {
    for (from, to) in runs_of_digits(line).into_iter().rev() {
        line.splice(from..to, what.iter().copied());
    }
}

fn one_number(line: &mut Line, dice: &mut Dice) {
    let runs = runs_of_digits(line);
    if let Some((from, to)) = runs.get(dice.below(runs.len())) {
        line.splice(*from..*to, dice.roll().to_string().into_bytes());
    }
}

fn insert(line: &mut Line, dice: &mut Dice, what: &[u8]) {
    let at = dice.below(line.len() + 1);
    line.splice(at..at, what.iter().copied());
}

/// The whole text once more inside a multipart inside itself.
fn nest(lines: &mut Vec<Line>, n: usize) {
    let whole = lines.concat();
    let mut inner = b"Content-Type: multipart/mixed;boundary=n\r\n\r\n".to_vec();
    for _ in 0..5 {
        inner.extend_from_slice(b"--n\r\nContent-Type: multipart/mixed;boundary=n\r\n\r\n");
    }
    inner.extend_from_slice(&whole);
    inner.extend_from_slice(b"\r\n--n--\r\n");
    lines.insert(n, inner);
}
