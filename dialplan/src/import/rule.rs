//! A dispatch rule of livekit's (`SIPDispatchRuleInfo`, `CreateSIPDispatchRuleRequest`), or of ours.

use super::fields::Fields;
use super::{ImportError, wrong};
use crate::{Destination, DispatchRule};
use trunkline_yaml::{Node, Value};

const DESTINATIONS: &str = "one of dispatch_rule_direct, dispatch_rule_individual, dispatch_rule_callee, \
     or room_name or room_prefix";

pub(super) fn read(node: &Node, notes: &mut Vec<String>) -> Result<DispatchRule, ImportError> {
    let mut fields = Fields::of(node, "rule")?;
    let destination = match fields.take(&["rule", "destination"]) {
        Some(inner) => {
            let mut inner_fields = Fields::of(inner, "rule.rule")?;
            let destination = destination(inner, &mut inner_fields)?;
            inner_fields.finish()?;
            destination
        }
        None => destination(node, &mut fields)?,
    };
    let rule = DispatchRule {
        id: fields.text(&["id", "sip_dispatch_rule_id"])?,
        name: fields.text(&["name"])?,
        trunk_ids: fields.texts(&["trunk_ids"])?,
        inbound_numbers: fields.texts(&["inbound_numbers"])?,
        numbers: fields.texts(&["numbers"])?,
        hide_phone_number: fields.flag(&["hide_phone_number"])?,
        metadata: fields.text(&["metadata"])?,
        attributes: fields.map("attributes")?,
        media: fields.media()?,
        ..DispatchRule::to(destination)
    };
    fields.without_effect(
        &["room_config", "room_preset", "agents"],
        "give it by livekit's API, or in a room of its own",
        notes,
    );
    fields.without_effect(&["krisp_enabled", "media"], "give it by livekit's API", notes);
    fields.take(&["created_at", "updated_at", "project_id"]);
    fields.finish()?;
    rule.check().map_err(|why| ImportError { line: node.line, message: format!("rule: {why}") })?;
    Ok(rule)
}

/// The destination, as one of livekit's three keys, or written flat.
fn destination(node: &Node, fields: &mut Fields<'_>) -> Result<Destination, ImportError> {
    for (kind, names) in [
        ("direct", ["dispatch_rule_direct", "direct"]),
        ("individual", ["dispatch_rule_individual", "individual"]),
        ("callee", ["dispatch_rule_callee", "callee"]),
        ("agent", ["dispatch_rule_agent", "agent"]),
    ] {
        let Some(inner) = fields.take(&names) else { continue };
        let mut inner_fields = Fields::of(inner, &fields.path(names[0]))?;
        let destination = flat(inner, &mut inner_fields, Some(kind))?;
        inner_fields.finish()?;
        return Ok(destination);
    }
    flat(node, fields, None)
}

fn flat(node: &Node, fields: &mut Fields<'_>, kind: Option<&str>) -> Result<Destination, ImportError> {
    let named = fields.take(&["type"]);
    let room_name = fields.text(&["room_name", "room"])?;
    let room_prefix = fields.text(&["room_prefix"])?;
    let pin = fields.text(&["pin"])?;
    let no_randomness = fields.flag(&["no_randomness"])?;
    let randomize = fields.flag(&["randomize"])?;
    let dialogue = fields.text(&["dialogue"])?;
    let kind = kind.or(named.and_then(Node::scalar)).unwrap_or(match () {
        () if !room_name.is_empty() => "direct",
        () if !room_prefix.is_empty() => "individual",
        () => "",
    });
    Ok(match kind {
        "direct" => Destination::Direct { room_name, pin },
        "individual" => Destination::Individual { room_prefix, pin, no_randomness },
        "callee" => Destination::Callee { room_prefix, pin, randomize },
        "agent" => Destination::Agent { dialogue },
        _ => {
            let found = named.unwrap_or(node);
            let path = if matches!(found.value, Value::Map(_)) { "rule" } else { "rule.type" };
            let expected = if path == "rule" { DESTINATIONS } else { "direct, individual, callee or agent" };
            return Err(wrong(found, path, expected));
        }
    })
}
