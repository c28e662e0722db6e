//! Keys of livekit/sip that a later version serves: taken, checked for their type, and told.

use crate::ConfigError;
use crate::section::Section;
use crate::value;
use trunkline_yaml::{Node, Value};

/// What a value must be.
#[derive(Clone, Copy)]
enum Kind {
    Flag,
    Number,
    Text,
    Duration,
    List,
    /// With these keys; empty: any.
    Map(&'static [&'static str]),
}

const LATER: &str = "a later version serves it";

const NOT_YET: [(&str, Kind, &str); 22] = [
    ("pprof_port", Kind::Number, "there is no Go runtime to look into"),
    ("sip_port_listen", Kind::Number, "sip_port is what is listened on"),
    ("media_nat_1_to_1_ip", Kind::Text, "nat_1_to_1_ip is announced for RTP, too"),
    ("hide_inbound_port", Kind::Flag, "whoever is not known is refused with 404"),
    ("audio_dtmf", Kind::Flag, "keys go out as tones where telephone-event was not agreed on"),
    ("sip_hostname", Kind::Text, "Contact has our address, under TLS, too"),
    ("outbound_route_headers", Kind::List, "outbound calls through trunks come with a later version"),
    ("tcp", Kind::Map(&["dial_port"]), "TCP connections go out from any port"),
    ("max_active_calls", Kind::Number, "limits.calls is the key that has an effect"),
    ("sip_trunk_ids", Kind::List, "it has none in livekit/sip, either"),
    ("local_net", Kind::Text, "listen_ip says on which address we listen"),
    ("udp_max_payload", Kind::Number, LATER),
    ("media_use_external_ip", Kind::Flag, "use_external_ip finds the address for RTP, too"),
    ("ignore_local_addr_in_sdp", Kind::Flag, "symmetric_rtp finds the address behind a NAT"),
    ("rtp_draining_idle_timeout", Kind::Duration, LATER),
    ("rtp_draining_duration", Kind::Duration, LATER),
    ("disable_rejected_invite_cache", Kind::Flag, "a rejected INVITE is answered by its transaction"),
    ("add_record_route", Kind::Flag, LATER),
    ("enable_jitter_buffer", Kind::Flag, "the jitter buffer is always on"),
    ("enable_jitter_buffer_prob", Kind::Number, "the jitter buffer is always on"),
    ("jaeger_url", Kind::Text, LATER),
    ("experimental", Kind::Map(&["inbound_wait_ack"]), LATER),
];

const LOGGING_NOT_YET: [(&str, Kind, &str); 5] = [
    ("sample", Kind::Flag, "nothing is logged often enough to be sampled"),
    ("item_sample_seconds", Kind::Number, "nothing is logged often enough to be sampled"),
    ("item_sample_initial", Kind::Number, "nothing is logged often enough to be sampled"),
    ("item_sample_interval", Kind::Number, "nothing is logged often enough to be sampled"),
    ("component_levels", Kind::Map(&[]), "logging.level is for all parts"),
];

/// Takes livekit/sip's keys that have no effect; a note for each that would change something there.
pub(crate) fn not_yet(root: &mut Section<'_>, notes: &mut Vec<String>) -> Result<(), ConfigError> {
    NOT_YET.iter().try_for_each(|key| one(root, *key, notes))
}

pub(crate) fn logging_not_yet(logging: &mut Section<'_>, notes: &mut Vec<String>) -> Result<(), ConfigError> {
    LOGGING_NOT_YET.iter().try_for_each(|key| one(logging, *key, notes))
}

fn one(
    section: &mut Section<'_>,
    (key, kind, why): (&'static str, Kind, &str),
    notes: &mut Vec<String>,
) -> Result<(), ConfigError> {
    let Some(node) = section.take(key) else { return Ok(()) };
    // The value is not shown: it may be a secret.
    let wrong = |expected: &str| {
        section.fault(node.line, key, &format!("expected {expected}, found {}", node.kind()))
    };
    match (kind, &node.value) {
        (Kind::Flag, Value::Bool(_))
        | (Kind::Number, Value::Number(_))
        | (Kind::Text, Value::Text(_) | Value::Number(_))
        | (Kind::List, Value::List(_)) => {}
        (Kind::Duration, _) if value::duration(node).is_some() => {}
        (Kind::Map(known), Value::Map(entries)) => {
            if let Some(unknown) =
                entries.iter().find(|entry| !known.is_empty() && !known.contains(&&*entry.key))
            {
                let shown: String = unknown.key.escape_debug().take(60).collect();
                let what = format!("unknown key; expected one of {}", known.join(", "));
                return Err(section.fault(unknown.line, &format!("{key}.{shown}"), &what));
            }
        }
        (Kind::Flag, _) => return Err(wrong("true or false")),
        (Kind::Number, _) => return Err(wrong("a number")),
        (Kind::Text, _) => return Err(wrong("a text")),
        (Kind::Duration, _) => return Err(wrong("a duration such as 30s")),
        (Kind::List, _) => return Err(wrong("a list")),
        (Kind::Map(_), _) => return Err(wrong("keys and values")),
    }
    if !is_off(node) {
        notes.push(format!("{} has no effect: {why}", section.place(node.line, key)));
    }
    Ok(())
}

/// What means "off" or "as ever" in livekit/sip: nothing is lost, so nothing is told.
fn is_off(node: &Node) -> bool {
    match &node.value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(text) => text == "0",
        Value::Text(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
    }
}
