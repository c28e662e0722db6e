//! A trunk of livekit's (`SIPInboundTrunkInfo`), of its old kind (`SIPTrunkInfo`), or of ours.

use super::fields::Fields;
use super::{ImportError, wrong};
use crate::Trunk;
use trunkline_yaml::{Node, Value};

/// `None`: there is nothing of a trunk in it.
pub(super) fn read(node: &Node, notes: &mut Vec<String>) -> Result<Option<Trunk>, ImportError> {
    if node.value == Value::Null {
        return Ok(None);
    }
    let mut fields = Fields::of(node, "trunk")?;
    let trunk = Trunk {
        id: fields.text(&["id", "sip_trunk_id"])?,
        name: fields.text(&["name"])?,
        numbers: fields.texts(&["numbers", "outbound_number"])?,
        allowed_addresses: fields.texts(&["allowed_addresses", "inbound_addresses"])?,
        allowed_numbers: fields.texts(&["allowed_numbers", "inbound_numbers"])?,
        auth_username: fields.text(&["auth_username", "inbound_username"])?,
        auth_password: fields.text(&["auth_password", "inbound_password"])?,
        auth_realm: fields.text(&["auth_realm"])?,
        metadata: fields.text(&["metadata"])?,
        max_calls: fields.count("max_calls")?,
        calls_per_second: fields.count("calls_per_second")?,
        mapping: fields.mapping()?,
        media: fields.media()?,
        ..Trunk::default()
    };
    if let Some(patterns) = fields.take(&["inbound_numbers_regex"])
        && !matches!(&patterns.value, Value::List(items) if items.is_empty())
    {
        // Left out, this would let more callers in than it did.
        return Err(wrong(patterns, &fields.path("inbound_numbers_regex"), "allowed_numbers in its place"));
    }
    fields.without_effect(
        &["outbound_address", "outbound_username", "outbound_password", "transport"],
        "this trunk is for calls that come in; add one for those that go out by livekit's API",
        notes,
    );
    fields.without_effect(
        &[
            "ringing_timeout",
            "max_call_duration",
            "krisp_enabled",
            "media",
            "attributes",
            "destination_country",
        ],
        "give it by livekit's API",
        notes,
    );
    // What LiveKit says of a trunk that it keeps; nobody misses it.
    fields.take(&["kind", "created_at", "updated_at", "project_id"]);
    fields.finish()?;
    trunk.check().map_err(|why| ImportError { line: node.line, message: format!("trunk: {why}") })?;
    Ok(Some(trunk))
}
