//! A trunk of livekit's through which calls go out (`SIPOutboundTrunkInfo`), or of its old kind (`SIPTrunkInfo`).

use super::fields::Fields;
use super::{ImportError, wrong};
use crate::{OutboundTrunk, TrunkTransport};
use trunkline_yaml::{Node, Value};

/// `None`: there is nothing of a trunk in it.
pub(super) fn read(node: &Node, notes: &mut Vec<String>) -> Result<Option<OutboundTrunk>, ImportError> {
    if node.value == Value::Null {
        return Ok(None);
    }
    let mut fields = Fields::of(node, "outbound_trunk")?;
    let trunk = OutboundTrunk {
        id: fields.text(&["id", "sip_trunk_id"])?,
        name: fields.text(&["name"])?,
        metadata: fields.text(&["metadata"])?,
        address: fields.text(&["address", "outbound_address"])?,
        transport: transport(&mut fields)?,
        destination_country: fields.text(&["destination_country"])?,
        numbers: fields.texts(&["numbers", "outbound_number"])?,
        auth_username: fields.text(&["auth_username", "outbound_username"])?,
        auth_password: fields.text(&["auth_password", "outbound_password"])?,
        from_host: fields.text(&["from_host"])?,
        mapping: fields.mapping()?,
        media: fields.media()?,
    };
    fields.without_effect(
        &["inbound_addresses", "inbound_numbers", "inbound_username", "inbound_password"],
        "calls go out through this trunk; one for those that come in is a trunk of its own",
        notes,
    );
    fields.without_effect(&["media"], "give it by livekit's API", notes);
    fields.take(&["kind", "created_at", "updated_at", "project_id", "inbound_numbers_regex"]);
    fields.finish()?;
    trunk
        .check()
        .map_err(|why| ImportError { line: node.line, message: format!("outbound_trunk: {why}") })?;
    Ok(Some(trunk))
}

fn transport(fields: &mut Fields<'_>) -> Result<TrunkTransport, ImportError> {
    let Some(node) = fields.take(&["transport"]) else { return Ok(TrunkTransport::Auto) };
    let word = node.scalar().unwrap_or_default().to_ascii_lowercase();
    match word.trim_start_matches("sip_transport_") {
        "" | "0" | "auto" => Ok(TrunkTransport::Auto),
        "1" | "udp" => Ok(TrunkTransport::Udp),
        "2" | "tcp" => Ok(TrunkTransport::Tcp),
        "3" | "tls" => Ok(TrunkTransport::Tls),
        _ => Err(wrong(node, &fields.path("transport"), "auto, udp, tcp or tls")),
    }
}
