//! `a=crypto` (RFC 4568): which of the peer's lines can be used, and how ours are written.

use crate::srtp::{MasterKey, Suite};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::fmt::{self, Write};

/// Some leave out the padding of AES-256 keys, which RFC 4568 §6.1 does not allow and nobody needs.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// A key that is good for fewer packets would have to be replaced in the middle of a call: 2²⁰ are 5.8 hours.
const LEAST_LIFETIME: u64 = 1 << 20;
/// Lines of a stream that are looked at.
pub(super) const MOST_LINES: usize = 32;

/// Whether the sound of a call is encrypted (SRTP with keys in SDP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// Never: RTP/AVP is offered, and RTP/SAVP refused.
    #[default]
    Disable,
    /// RTP/SAVP is offered; what the peer offers is answered in kind.
    Allow,
    /// Or there is no call.
    Require,
}

/// A line that we can use, or that is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crypto {
    /// Which line of the offer: an answer repeats it (RFC 4568 §5.1.2).
    pub tag: u32,
    pub key: MasterKey,
}

impl Crypto {
    /// Reads the value of an attribute.
    ///
    /// # Errors
    /// Why this line cannot be used, without its key.
    pub(super) fn read(value: &str) -> Result<Self, String> {
        let mut words = value.split_ascii_whitespace();
        let tag = words
            .next()
            .filter(|tag| tag.len() <= 9 && tag.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|tag| tag.parse().ok())
            .ok_or_else(|| "a crypto line with no tag of up to nine digits".to_owned())?;
        let name = words.next().unwrap_or_default();
        let suite = suite(name).ok_or_else(|| format!("the suite \"{}\" is not known", shown(name)))?;
        let key =
            key(suite, words.next().unwrap_or_default()).map_err(|why| format!("{}: {why}", suite.name()))?;
        match words.find(|parameter| !is_harmless(parameter)) {
            Some(parameter) => {
                Err(format!("{}: the parameter \"{}\" is not served", suite.name(), shown(parameter)))
            }
            None => Ok(Self { tag, key }),
        }
    }

    /// As a line of our description.
    pub(super) fn write(&self, out: &mut String) -> fmt::Result {
        let key = BASE64.encode(self.key.key_and_salt());
        write!(out, "a=crypto:{} {} inline:{key}\r\n", self.tag, self.key.suite().name())
    }
}

/// RFC 6188 and RFC 7714 name the longer suites the other way round than RFC 4568 its own; some telephones do not.
fn suite(name: &str) -> Option<Suite> {
    let known = Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name));
    known.or(match name {
        "AES_CM_256_HMAC_SHA1_80" => Some(Suite::AesCm256Sha1_80),
        "AES_CM_256_HMAC_SHA1_32" => Some(Suite::AesCm256Sha1_32),
        _ => None,
    })
}

/// `inline:KEY|LIFETIME|MKI:LENGTH` (RFC 4568 §6.1).
fn key(suite: Suite, text: &str) -> Result<MasterKey, &'static str> {
    let Some((method, text)) = text.split_once(':') else { return Err("no key") };
    if !method.eq_ignore_ascii_case("inline") {
        return Err("the key is not inline");
    }
    if text.contains(';') {
        return Err("several master keys are not served");
    }
    let mut parts = text.split('|');
    let octets = BASE64.decode(parts.next().unwrap_or_default()).map_err(|_| "the key is not base64")?;
    let key = MasterKey::new(suite, &octets).ok_or("the key has not the suite's length")?;
    for part in parts {
        if part.contains(':') {
            return Err("a master key identifier (MKI) is not served");
        }
        match lifetime(part) {
            None => return Err("the lifetime is no number"),
            Some(packets) if packets < LEAST_LIFETIME => {
                return Err("the key's lifetime is shorter than a call");
            }
            Some(_) => {}
        }
    }
    Ok(key)
}

/// Packets: `1048576` or `2^20`.
fn lifetime(text: &str) -> Option<u64> {
    match text.strip_prefix("2^") {
        Some(power) => power.parse().ok().and_then(|power| 1_u64.checked_shl(power)),
        None => text.parse().ok(),
    }
}

/// RFC 4568 §6.3: a parameter that is not understood makes the line unusable, unless it begins with a minus. What
/// would leave packets unencrypted or unauthenticated is understood, and not wanted.
fn is_harmless(parameter: &&str) -> bool {
    let upper = parameter.to_ascii_uppercase();
    parameter.starts_with('-')
        || upper == "KDR=0"
        || ["WSH=", "FEC_ORDER="].iter().any(|known| upper.starts_with(known))
}

fn shown(text: &str) -> String {
    text.chars().take(32).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    #[test]
    fn a_line_is_read_with_its_tag_suite_and_key_whatever_its_lifetime_and_window() {
        for rest in ["", "|2^20", "|1048576", "|2^48", " WSH=64", "|2^31 KDR=0 -NEW=1 FEC_ORDER=FEC_SRTP"] {
            let line = Crypto::read(&format!("7 AES_CM_128_HMAC_SHA1_80 {KEY}{rest}")).unwrap();
            assert_eq!((line.tag, line.key.suite()), (7, Suite::AesCm128Sha1_80), "{rest}");
            let mut text = String::new();
            line.write(&mut text).unwrap();
            assert_eq!(text, format!("a=crypto:7 AES_CM_128_HMAC_SHA1_80 {KEY}\r\n"));
        }
    }

    #[test]
    fn what_cannot_be_used_says_why_and_never_the_key() {
        for (value, why) in [
            ("", "tag"),
            (&*format!("1x AES_CM_128_HMAC_SHA1_80 {KEY}"), "tag"),
            (&*format!("1234567890 AES_CM_128_HMAC_SHA1_80 {KEY}"), "tag"),
            (&*format!("1 F8_128_HMAC_SHA1_80 {KEY}"), "\"F8_128_HMAC_SHA1_80\" is not known"),
            ("1 AES_CM_128_HMAC_SHA1_80", "no key"),
            (&*format!("1 AES_256_CM_HMAC_SHA1_80 {KEY}"), "length"),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:d0Rm$", "base64"),
            (&*format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20|1:4"), "MKI"),
            (&*format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}|1:4"), "MKI"),
            (&*format!("1 AES_CM_128_HMAC_SHA1_80 {KEY};{KEY}"), "several"),
            (&*format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}|2^10"), "lifetime"),
            (&*format!("1 AES_CM_128_HMAC_SHA1_80 {KEY} KDR=1"), "KDR=1"),
            (&*format!("1 AES_CM_128_HMAC_SHA1_80 {KEY} UNENCRYPTED_SRTP"), "UNENCRYPTED_SRTP"),
            (&*format!("1 AES_CM_128_HMAC_SHA1_80 {KEY} NEW=1"), "NEW=1"),
        ] {
            let said = Crypto::read(value).unwrap_err();
            assert!(said.contains(why) && !said.contains("d0Rm"), "{value}: {said}");
        }
    }
}
