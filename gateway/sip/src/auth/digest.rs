//! The arithmetic of RFC 7616 §3.4 and the syntax that both sides share.

use crate::message::Split;
use crate::message::text::unquoted;
use md5::Md5;
use sha2::{Sha256, Sha512_256};
use std::borrow::Cow;

/// A hash of the registry (RFC 7616 §6.1, RFC 8760 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Md5,
    Sha256,
    Sha512_256,
}

/// `MD5`, `SHA-256-sess`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Algorithm {
    pub hash: Hash,
    pub session: bool,
}

impl Algorithm {
    /// `None` where the name is unknown; without a name it is MD5 (RFC 7616 §3.3).
    pub fn parse(name: Option<&str>) -> Option<Self> {
        let name = name.unwrap_or("MD5");
        [
            ("MD5", Hash::Md5, false),
            ("MD5-sess", Hash::Md5, true),
            ("SHA-256", Hash::Sha256, false),
            ("SHA-256-sess", Hash::Sha256, true),
            ("SHA-512-256", Hash::Sha512_256, false),
            ("SHA-512-256-sess", Hash::Sha512_256, true),
        ]
        .into_iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name))
        .map(|(_, hash, session)| Self { hash, session })
    }
}

/// Everything that goes into a response; quotes and escapes are off.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub algorithm: Algorithm,
    pub username: &'a str,
    pub realm: &'a str,
    pub password: &'a str,
    pub method: &'a str,
    pub uri: &'a str,
    pub nonce: &'a str,
    pub cnonce: &'a str,
    /// `Some("00000001")` with qop=auth; `None` for the response of RFC 2069, which has no qop.
    pub nc: Option<&'a str>,
}

impl Inputs<'_> {
    /// The `response` parameter, in lower-case hex.
    pub fn response(&self) -> String {
        let hash = self.algorithm.hash;
        let mut a1 = hex(hash, &[self.username, self.realm, self.password]);
        if self.algorithm.session {
            a1 = hex(hash, &[&a1, self.nonce, self.cnonce]);
        }
        let a2 = hex(hash, &[self.method, self.uri]);
        match self.nc {
            Some(nc) => hex(hash, &[&a1, self.nonce, nc, self.cnonce, "auth", &a2]),
            None => hex(hash, &[&a1, self.nonce, &a2]),
        }
    }
}

/// The hash of the parts with colons between them, in hex.
fn hex(hash: Hash, parts: &[&str]) -> String {
    fn of<D: sha2::digest::Digest>(parts: &[&str]) -> String {
        let mut state = D::new();
        for (n, part) in parts.iter().enumerate() {
            if n > 0 {
                state.update(b":");
            }
            state.update(part.as_bytes());
        }
        to_hex(&state.finalize())
    }
    match hash {
        Hash::Md5 => of::<Md5>(parts),
        Hash::Sha256 => of::<Sha256>(parts),
        Hash::Sha512_256 => of::<Sha512_256>(parts),
    }
}

/// Bytes as lower-case hex.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .map(|n| char::from_digit(u32::from(n), 16).unwrap_or('0'))
        .collect()
}

/// Hex of exactly `N` bytes; `None` for anything else.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = text.as_bytes();
    if bytes.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (slot, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *slot = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

/// Comparison whose time does not depend on where the difference is.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y))) == 0
}

/// The parameters of a challenge or of credentials, unquoted.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub realm: Option<Cow<'a, str>>,
    pub nonce: Option<Cow<'a, str>>,
    pub algorithm: Option<Cow<'a, str>>,
    pub qop: Option<Cow<'a, str>>,
    pub opaque: Option<Cow<'a, str>>,
    pub stale: Option<Cow<'a, str>>,
    pub username: Option<Cow<'a, str>>,
    pub uri: Option<Cow<'a, str>>,
    pub response: Option<Cow<'a, str>>,
    pub cnonce: Option<Cow<'a, str>>,
    pub nc: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    /// Reads `Digest name=value, …`. `None`: another scheme, or a parameter that stands twice, which
    /// would let two readers see two things.
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| c.is_ascii_whitespace())?;
        let (scheme, rest) = text.split_at_checked(end)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut fields = Self::default();
        for pair in Split::new(rest, b',') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            if let Some(slot) = fields.slot(name.trim())
                && slot.replace(unquoted(value.trim())).is_some()
            {
                return None;
            }
        }
        Some(fields)
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<Cow<'a, str>>> {
        let slots = [
            ("realm", &mut self.realm),
            ("nonce", &mut self.nonce),
            ("algorithm", &mut self.algorithm),
            ("qop", &mut self.qop),
            ("opaque", &mut self.opaque),
            ("stale", &mut self.stale),
            ("username", &mut self.username),
            ("uri", &mut self.uri),
            ("response", &mut self.response),
            ("cnonce", &mut self.cnonce),
            ("nc", &mut self.nc),
        ];
        slots.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, slot)| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mufasa(algorithm: &str) -> String {
        Inputs {
            algorithm: Algorithm::parse(Some(algorithm)).unwrap(),
            username: "Mufasa",
            realm: "http-auth@example.org",
            password: "Circle of Life",
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            nc: Some("00000001"),
        }
        .response()
    }

    #[test]
    fn the_vectors_of_rfc_7616_come_out() {
        assert_eq!(mufasa("MD5"), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(mufasa("SHA-256"), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    #[test]
    fn the_vectors_of_rfc_2617_and_rfc_2069_come_out() {
        let inputs = Inputs {
            algorithm: Algorithm::parse(None).unwrap(),
            username: "Mufasa",
            realm: "testrealm@host.com",
            password: "Circle Of Life",
            method: "GET",
            uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            cnonce: "0a4f113b",
            nc: Some("00000001"),
        };
        assert_eq!(inputs.response(), "6629fae49393a05397450978507c4ef1");
        let legacy = Inputs { password: "CircleOfLife", nc: None, ..inputs };
        assert_eq!(legacy.response(), "1949323746fe6a43ef61f9606e7febea");
    }

    #[test]
    fn hex_is_read_back_and_anything_else_is_refused() {
        assert_eq!(from_hex::<2>(&to_hex(&[0x0a, 0xff])), Some([0x0a, 0xff]));
        for bad in ["", "0a", "0aff00", "0ag0", "0a\u{e9}"] {
            assert_eq!(from_hex::<2>(bad), None);
        }
    }

    #[test]
    fn a_parameter_that_stands_twice_makes_the_credentials_unreadable() {
        assert!(Fields::parse("Digest realm=\"a\", realm=\"b\"").is_none());
        assert!(Fields::parse("Basic Zm9v").is_none());
        assert_eq!(Fields::parse("digest  Realm=\"a, b\" , x=1").unwrap().realm.unwrap(), "a, b");
    }
}
