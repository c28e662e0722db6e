//! LiveKit's messages and the dialplan's types, each into the other.

mod rule;
mod trunk;

pub(crate) use rule::{destination, rule_info, rule_of};
pub(crate) use trunk::{inbound_info, inbound_of, outbound_info, outbound_of};

use crate::Fault;
use livekit_protocol::{SipCodec, SipHeaderOptions, SipMediaConfig, SipMediaEncryption};
use pbjson_types::Duration as Span;
use std::collections::{BTreeMap, HashMap};
use trunkline_dialplan::{CodecName, Encryption, HeaderMapping, IncludeHeaders, MediaTerms};

fn sorted(map: HashMap<String, String>) -> BTreeMap<String, String> {
    map.into_iter().collect()
}

fn hashed(map: &BTreeMap<String, String>) -> HashMap<String, String> {
    map.clone().into_iter().collect()
}

/// Milliseconds of a span of time; 0 where none is set.
fn milliseconds(span: Option<Span>, name: &str) -> Result<u64, Fault> {
    let Some(span) = span else { return Ok(0) };
    let seconds = u64::try_from(span.seconds).ok().and_then(|seconds| seconds.checked_mul(1_000));
    let rest = u64::try_from(span.nanos).ok().map(|nanos| nanos / 1_000_000);
    match (seconds, rest) {
        (Some(seconds), Some(rest)) => Ok(seconds.saturating_add(rest)),
        _ => Err(Fault::invalid(format!("{name}: expected a time of 0 or more, found another"))),
    }
}

fn span(milliseconds: u64) -> Option<Span> {
    (milliseconds > 0).then(|| Span {
        seconds: i64::try_from(milliseconds / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(milliseconds % 1_000 * 1_000_000).unwrap_or(0),
    })
}

fn included(option: i32) -> IncludeHeaders {
    match SipHeaderOptions::try_from(option) {
        Ok(SipHeaderOptions::SipXHeaders) => IncludeHeaders::XHeaders,
        Ok(SipHeaderOptions::SipAllHeaders) => IncludeHeaders::All,
        _ => IncludeHeaders::None,
    }
}

fn mapping(
    headers: HashMap<String, String>,
    headers_to_attributes: HashMap<String, String>,
    attributes_to_headers: HashMap<String, String>,
    include_headers: i32,
) -> HeaderMapping {
    HeaderMapping {
        headers: sorted(headers),
        headers_to_attributes: sorted(headers_to_attributes),
        attributes_to_headers: sorted(attributes_to_headers),
        include_headers: included(include_headers),
    }
}

fn include_option(mapping: &HeaderMapping) -> i32 {
    match mapping.include_headers {
        IncludeHeaders::None => SipHeaderOptions::SipNoHeaders,
        IncludeHeaders::XHeaders => SipHeaderOptions::SipXHeaders,
        IncludeHeaders::All => SipHeaderOptions::SipAllHeaders,
    }
    .into()
}

fn encryption(number: i32) -> Encryption {
    match SipMediaEncryption::try_from(number) {
        Ok(SipMediaEncryption::SipMediaEncryptAllow) => Encryption::Allow,
        Ok(SipMediaEncryption::SipMediaEncryptRequire) => Encryption::Require,
        _ => Encryption::Disable,
    }
}

pub(crate) fn encryption_number(encryption: Option<Encryption>) -> i32 {
    match encryption {
        None | Some(Encryption::Disable) => SipMediaEncryption::SipMediaEncryptDisable,
        Some(Encryption::Allow) => SipMediaEncryption::SipMediaEncryptAllow,
        Some(Encryption::Require) => SipMediaEncryption::SipMediaEncryptRequire,
    }
    .into()
}

/// `older`: `media_encryption`, which counts where `media` says nothing of it.
pub(crate) fn media_of(media: Option<SipMediaConfig>, older: i32) -> Result<MediaTerms, Fault> {
    let media = media.unwrap_or_default();
    let older = Some(encryption(older)).filter(|older| *older != Encryption::Disable);
    Ok(MediaTerms {
        encryption: media.encryption.map(encryption).or(older),
        only_listed_codecs: media.only_listed_codecs,
        codecs: media.codecs.into_iter().map(|SipCodec { name, rate }| CodecName { name, rate }).collect(),
        media_timeout_ms: milliseconds(media.media_timeout, "media_timeout")?,
    })
}

/// `None`: nothing is said.
pub(crate) fn media_config(media: &MediaTerms) -> Option<SipMediaConfig> {
    let codec = |codec: &CodecName| SipCodec { name: codec.name.clone(), rate: codec.rate };
    (*media != MediaTerms::default()).then(|| SipMediaConfig {
        only_listed_codecs: media.only_listed_codecs,
        codecs: media.codecs.iter().map(codec).collect(),
        encryption: media.encryption.map(|encryption| encryption_number(Some(encryption))),
        media_timeout: span(media.media_timeout_ms),
    })
}

/// What of it is kept and does nothing, for the log.
pub(crate) fn media_without_effect(media: &MediaTerms) -> impl Iterator<Item = &'static str> {
    let told = [
        (media.only_listed_codecs || !media.codecs.is_empty(), "media.codecs"),
        (media.media_timeout_ms > 0, "media.media_timeout"),
    ];
    told.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name)
}

/// A new `media` replaces the old one; `media_encryption` alone changes only that.
pub(crate) fn update_media(
    media: &mut Option<SipMediaConfig>,
    older: &mut i32,
    new: Option<&SipMediaConfig>,
    encryption: Option<i32>,
) {
    if let Some(new) = new {
        *media = Some(new.clone());
        *older = new.encryption.unwrap_or_default();
    }
    if let Some(encryption) = encryption {
        *older = encryption;
        if let Some(media) = media.as_mut().filter(|_| new.is_none_or(|new| new.encryption.is_none())) {
            media.encryption = Some(encryption);
        }
    }
}
