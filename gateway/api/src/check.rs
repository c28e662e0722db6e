//! What livekit-server refuses, in its order and with its words: clients look for them.

use crate::Fault;
use livekit_protocol::{
    ListUpdate, SipDispatchRuleInfo, SipInboundTrunkInfo, SipMediaConfig, SipOutboundTrunkInfo,
};
use std::collections::HashMap;
use trunkline_dialplan::is_host;

type Texts = HashMap<String, String>;

/// Headers that the gateway writes; their short forms as well.
const OURS: [&str; 25] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "allow",
    "allow-events",
    "call-id",
    "contact",
    "content-encoding",
    "content-length",
    "content-type",
    "cseq",
    "event",
    "expires",
    "from",
    "max-forwards",
    "record-route",
    "refer-to",
    "reply-to",
    "k",
    "l",
    "m",
    "o",
    "r",
    "t",
    "v",
];
const LONGEST_NAME: usize = 255;
const LONGEST_VALUE: usize = 1_024;
/// Ten minutes.
const LONGEST_MEDIA_TIMEOUT: i64 = 600;

/// A header that a client wants sent.
pub(crate) fn headers(headers: &Texts) -> Result<(), Fault> {
    for (name, value) in headers {
        header_name(name)?;
        // RFC 3261 §25.1 names the other ways to write these ("u" is Allow-Events).
        let lower = name.to_ascii_lowercase();
        if OURS.contains(&lower.as_str()) || lower == "u" {
            return Err(Fault::invalid(format!("invalid header name: header name {name} not supported")));
        }
        if value.len() > LONGEST_VALUE {
            let why = "value too long (max 1024 characters)";
            return Err(Fault::invalid(format!("invalid header value for {name}: header {name}: {why}")));
        }
        if let Some(bad) = value.chars().find(|c| c.is_control() && *c != '\t') {
            let why = format!("value: char {} not allowed", u32::from(bad));
            return Err(Fault::invalid(format!("invalid header value for {name}: header {name}: {why}")));
        }
    }
    Ok(())
}

/// A token (RFC 3261 §25.1).
fn header_name(name: &str) -> Result<(), Fault> {
    let shown: String = name.escape_debug().take(60).collect();
    let invalid = |why: &str| Err(Fault::invalid(format!("invalid header name: {why}")));
    if name.is_empty() {
        return invalid("header name cannot be empty");
    }
    if name.len() > LONGEST_NAME {
        return invalid("header name too long (max 255 characters)");
    }
    match name.chars().find(|c| !c.is_ascii_alphanumeric() && !"-.!%*_+`'~".contains(*c)) {
        None => Ok(()),
        Some(bad) => {
            let bad = u32::from(bad);
            invalid(&format!("header name {shown} contains invalid characters: char {bad} not allowed"))
        }
    }
}

/// Names of headers on the one side, attributes on the other.
pub(crate) fn mapping(headers_to_attributes: &Texts, attributes_to_headers: &Texts) -> Result<(), Fault> {
    attributes_to_headers.values().chain(headers_to_attributes.keys()).try_for_each(|name| header_name(name))
}

pub(crate) fn media(media: Option<&SipMediaConfig>) -> Result<(), Fault> {
    let Some(media) = media else { return Ok(()) };
    for codec in &media.codecs {
        let why = match codec.name.as_str() {
            "" => "missing codec name",
            name if name.contains([' ', '\t', '\r', '\n']) => "invalid codec name",
            name if name.contains('/') => "codec name must not contain '/'",
            _ => continue,
        };
        return Err(Fault::invalid(why));
    }
    match &media.media_timeout {
        Some(span) if span.seconds < 0 || span.nanos < 0 => {
            Err(Fault::invalid("media_timeout must not be negative"))
        }
        Some(span) if (span.seconds, span.nanos) > (LONGEST_MEDIA_TIMEOUT, 0) => {
            Err(Fault::invalid("media_timeout must not exceed 10m0s"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn inbound(trunk: &SipInboundTrunkInfo) -> Result<(), Fault> {
    let has_credentials = !trunk.auth_username.is_empty() || !trunk.auth_password.is_empty();
    if !has_credentials && trunk.allowed_addresses.is_empty() && trunk.numbers.is_empty() {
        return Err(Fault::invalid(
            "for security, one of the fields must be set: AuthUsername+AuthPassword, AllowedAddresses or Numbers",
        ));
    }
    media(trunk.media.as_ref())?;
    headers(&trunk.headers)?;
    mapping(&trunk.headers_to_attributes, &trunk.attributes_to_headers)
}

pub(crate) fn outbound(trunk: &SipOutboundTrunkInfo) -> Result<(), Fault> {
    if trunk.numbers.is_empty() {
        return Err(Fault::invalid("no trunk numbers specified"));
    }
    if trunk.address.is_empty() {
        return Err(Fault::invalid("no outbound address specified"));
    }
    is_host(&trunk.address, "trunk address").map_err(Fault::invalid)?;
    is_host(&trunk.from_host, "from_host").map_err(Fault::invalid)?;
    headers(&trunk.headers)?;
    mapping(&trunk.headers_to_attributes, &trunk.attributes_to_headers)?;
    media(trunk.media.as_ref())
}

pub(crate) fn rule(rule: &SipDispatchRuleInfo) -> Result<(), Fault> {
    match &rule.rule {
        None => Err(Fault::invalid("missing rule")),
        Some(destination) if destination.rule.is_none() => Err(Fault::invalid(
            "unsupported SIP Dispatch Rule: expected direct, individual or callee, found none",
        )),
        Some(_) => media(rule.media.as_ref()),
    }
}

/// The id that a request is about.
pub(crate) fn named(id: String, kind: &str) -> Result<String, Fault> {
    if id.is_empty() { Err(Fault::invalid(format!("{kind} ID is required"))) } else { Ok(id) }
}

/// A trunk or rule that is added gets its id from us.
pub(crate) fn is_new(id: &str, kind: &str) -> Result<(), Fault> {
    if id.is_empty() { Ok(()) } else { Err(Fault::invalid(format!("{kind} id must not be set"))) }
}

/// A replacement is for the one that is named.
pub(crate) fn is_the_same(id: &str, named: &str, kind: &str) -> Result<(), Fault> {
    if id.is_empty() || id == named {
        return Ok(());
    }
    Err(Fault::invalid(format!("{kind} id in the info must be empty or match the id in the update")))
}

/// Carries out the update of a list.
pub(crate) fn update(list: &mut Vec<String>, update: Option<&ListUpdate>) -> Result<(), Fault> {
    let Some(update) = update else { return Ok(()) };
    let parts = !update.add.is_empty() || !update.remove.is_empty();
    let changes = parts || !update.set.is_empty();
    if !update.clear && !changes {
        return Err(Fault::invalid("unsupported list update operation"));
    }
    if update.clear && changes {
        return Err(Fault::invalid("cannot clear and change the list at the same time"));
    }
    if !update.set.is_empty() && parts {
        return Err(Fault::invalid("cannot set and change the list at the same time"));
    }
    if [&update.set, &update.add, &update.remove].into_iter().flatten().any(String::is_empty) {
        return Err(Fault::invalid("empty element in the list"));
    }
    if update.clear {
        list.clear();
    } else if !update.set.is_empty() {
        list.clone_from(&update.set);
    } else {
        list.retain(|entry| !update.remove.contains(entry));
        for entry in &update.add {
            if !list.contains(entry) {
                list.push(entry.clone());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Texts {
        Texts::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_header_that_would_break_the_message_or_is_ours_is_refused() {
        assert!(headers(&one("X-Fine", "värde, \"quoted\"\t1")).is_ok());
        for (name, value) in [
            ("From", "x"),
            ("v", "x"),
            ("U", "x"),
            ("a b", "x"),
            ("", "x"),
            ("X-A", "a\r\nB: c"),
            ("X\r\n", "a"),
        ] {
            assert_eq!(
                headers(&one(name, value)).unwrap_err().code,
                "invalid_argument",
                "{name:?} {value:?}"
            );
        }
        assert!(headers(&one("X-Long", &"a".repeat(1_025))).is_err());
    }

    #[test]
    fn a_list_is_set_cleared_or_changed_and_no_two_of_them() {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let run = |set: &[&str], add: &[&str], remove: &[&str], clear| {
            let mut list = texts(&["a", "b"]);
            let change = ListUpdate { set: texts(set), add: texts(add), remove: texts(remove), clear };
            update(&mut list, Some(&change)).map(|()| list).map_err(|fault| fault.code)
        };
        assert_eq!(run(&["x"], &[], &[], false), Ok(texts(&["x"])));
        assert_eq!(run(&[], &["c", "a"], &["b"], false), Ok(texts(&["a", "c"])));
        assert_eq!(run(&[], &[], &[], true), Ok(Vec::new()));
        for refused in [
            run(&[], &[], &[], false),
            run(&["x"], &[], &[], true),
            run(&["x"], &["y"], &[], false),
            run(&[], &[""], &[], false),
        ] {
            assert_eq!(refused, Err("invalid_argument"));
        }
    }
}
