//! Bodies of several parts (RFC 2046 §5.1, RFC 5621): SDP beside ISUP, text, pictures.

use super::text::{Params, cut, unquoted};
use bytes::Bytes;

/// Parts beyond this many are not looked at; nested multiparts count once more.
const MOST_PARTS: usize = 16;

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its Content-Type, `text/plain` where none is given.
    pub kind: String,
    /// Its bytes.
    pub body: Bytes,
}

/// The parts of a multipart body; empty when it is none or its boundary is missing.
#[must_use]
pub fn parts(kind: &str, params: Params<'_>, body: &Bytes) -> Vec<Part> {
    if !kind.get(..10).is_some_and(|k| k.eq_ignore_ascii_case("multipart/")) {
        return Vec::new();
    }
    let Some(boundary) = params.get("boundary").map(unquoted).filter(|b| !b.is_empty() && b.len() <= 70)
    else {
        return Vec::new();
    };
    let delimiter = format!("--{boundary}");
    let marks: Vec<usize> = memchr::memmem::find_iter(body, delimiter.as_bytes())
        .filter(|at| *at == 0 || body.get(at - 1) == Some(&b'\n'))
        .take(MOST_PARTS + 1)
        .collect();
    marks
        .iter()
        .zip(marks.iter().skip(1))
        .filter_map(|(from, to)| part(body, from + delimiter.len(), *to))
        .collect()
}

fn part(body: &Bytes, from: usize, to: usize) -> Option<Part> {
    let piece = body.get(from..to)?;
    // The rest of the delimiter's line, then headers, then a blank line.
    let mut at = memchr::memchr(b'\n', piece)? + 1;
    let mut kind = "text/plain".to_owned();
    loop {
        let line_end = memchr::memchr(b'\n', piece.get(at..)?)? + at;
        let line = piece.get(at..line_end)?.trim_ascii();
        at = line_end + 1;
        if line.is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(line);
        if let Some((name, value)) = cut(&line, b':')
            && name.trim_ascii().eq_ignore_ascii_case("content-type")
        {
            value.trim_ascii().clone_into(&mut kind);
        }
    }
    let mut end = piece.len();
    for ending in [b'\n', b'\r'] {
        if end > at && piece.get(end - 1) == Some(&ending) {
            end -= 1;
        }
    }
    Some(Part { kind, body: body.slice(from + at..from + end.max(at)) })
}

/// The first part of this type, one level of nesting deep.
pub(super) fn find(kind: &str, params: Params<'_>, body: &Bytes, wanted: &str) -> Option<Bytes> {
    let found = parts(kind, params, body);
    for part in &found {
        if type_of(&part.kind).eq_ignore_ascii_case(wanted) {
            return Some(part.body.clone());
        }
    }
    found.iter().find_map(|outer| {
        let params = Params::new(cut(&outer.kind, b';').map_or("", |(_, p)| p));
        parts(type_of(&outer.kind), params, &outer.body)
            .into_iter()
            .find(|p| type_of(&p.kind).eq_ignore_ascii_case(wanted))
            .map(|p| p.body)
    })
}

fn type_of(kind: &str) -> &str {
    kind.split(';').next().unwrap_or("").trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sdp_is_found_beside_isup() {
        let body = Bytes::from_static(
            b"preamble\r\n--x y\r\nContent-Type: application/isup;version=itu\r\n\r\n\x01\x10\r\n--x y\r\n\
              Content-Type: application/sdp\r\n\r\nv=0\r\no=- 1\r\n--x y--\r\n",
        );
        let params = Params::new("boundary=\"x y\"");
        assert_eq!(parts("multipart/mixed", params, &body).len(), 2);
        assert_eq!(find("multipart/mixed", params, &body, "application/sdp").unwrap(), &b"v=0\r\no=- 1"[..]);
    }

    #[test]
    fn a_multipart_without_a_boundary_has_no_parts() {
        assert!(
            parts("multipart/mixed", Params::new(""), &Bytes::from_static(b"--x\r\n\r\na\r\n--x--"))
                .is_empty()
        );
    }
}
