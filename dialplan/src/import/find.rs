//! Where in a text trunks and rules are.

use trunkline_yaml::{Entry, Node, Value};

/// Something that was found, in the order of the text.
pub(super) enum Found<'a> {
    Trunk(&'a Node),
    Rule(&'a Node),
    Outbound(&'a Node),
    /// A key beside trunks or rules that holds neither.
    Other(u64, String),
}

/// Keys that hold one trunk or a list of them.
const TRUNKS: [&str; 7] = [
    "trunk",
    "trunks",
    "inbound_trunk",
    "inbound_trunks",
    "sip_trunks",
    "sip_inbound_trunk",
    "sip_inbound_trunks",
];
const OUTBOUND: [&str; 4] =
    ["outbound_trunk", "outbound_trunks", "sip_outbound_trunk", "sip_outbound_trunks"];
const RULES: [&str; 6] =
    ["dispatch_rule", "dispatch_rules", "rules", "sip_dispatch_rule", "sip_dispatch_rules", "dispatch"];
/// Keys that only a rule has.
const OF_A_RULE: [&str; 9] = [
    "sip_dispatch_rule_id",
    "dispatch_rule_direct",
    "dispatch_rule_individual",
    "dispatch_rule_callee",
    "trunk_ids",
    "room_prefix",
    "room_name",
    "destination",
    "hide_phone_number",
];
/// Keys that a trunk has and a rule has not.
const OF_A_TRUNK: [&str; 8] = [
    "sip_trunk_id",
    "allowed_addresses",
    "allowed_numbers",
    "auth_username",
    "inbound_addresses",
    "outbound_address",
    "inbound_username",
    "numbers",
];

/// `trunkIds`, `trunk-ids` and `trunk_ids` are one key.
pub(super) fn snake(key: &str) -> String {
    let mut snake = String::with_capacity(key.len() + 4);
    for c in key.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(if c == '-' { '_' } else { c.to_ascii_lowercase() });
    }
    snake
}

pub(super) fn find(document: &Node) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    walk(document, &mut found);
    // A document without any is told as one, not key by key.
    if found.iter().all(|found| matches!(found, Found::Other(..))) {
        found.clear();
    }
    found
}

fn walk<'a>(node: &'a Node, found: &mut Vec<Found<'a>>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Map(entries) if is_rule(entries) => found.push(Found::Rule(node)),
        Value::Map(entries) if is_outbound(entries) => found.push(Found::Outbound(node)),
        Value::Map(entries) if has(entries, &OF_A_TRUNK) => found.push(Found::Trunk(node)),
        Value::Map(entries) => entries.iter().for_each(|entry| key(entry, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

/// A key of a map that is neither trunk nor rule.
fn key<'a>(entry: &'a Entry, found: &mut Vec<Found<'a>>) {
    let name = snake(&entry.key);
    let held: fn(&'a Node) -> Found<'a> = match name.as_str() {
        name if TRUNKS.contains(&name) => |node| match &node.value {
            Value::Map(entries) if is_outbound(entries) => Found::Outbound(node),
            _ => Found::Trunk(node),
        },
        name if RULES.contains(&name) || name == "rule" => Found::Rule,
        name if OUTBOUND.contains(&name) => Found::Outbound,
        _ => {
            let before = found.len();
            walk(&entry.value, found);
            if found.iter().skip(before).all(|found| matches!(found, Found::Other(..))) {
                found.truncate(before);
                found.push(Found::Other(entry.line, entry.key.escape_debug().take(60).collect()));
            }
            return;
        }
    };
    match &entry.value.value {
        Value::Null => {}
        Value::List(items) => found.extend(items.iter().map(held)),
        _ => found.push(held(&entry.value)),
    }
}

fn has(entries: &[Entry], keys: &[&str]) -> bool {
    entries.iter().any(|entry| keys.contains(&snake(&entry.key).as_str()))
}

/// A rule's own `rule` holds its destination only; one that holds more is a rule under the key `rule`.
fn is_rule(entries: &[Entry]) -> bool {
    has(entries, &OF_A_RULE)
        || entries.iter().any(|entry| {
            snake(&entry.key) == "rule"
                && matches!(&entry.value.value, Value::Map(inner)
                    if has(inner, &OF_A_RULE) && !has(inner, &["trunk_ids", "name", "rule", "metadata", "numbers"]))
        })
}

/// livekit's outbound trunks have an address to send to; its old kind of trunk says so.
fn is_outbound(entries: &[Entry]) -> bool {
    let kind =
        entries.iter().find(|entry| snake(&entry.key) == "kind").and_then(|entry| entry.value.scalar());
    kind == Some("TRUNK_OUTBOUND")
        || (has(entries, &["address"]) && !has(entries, &["allowed_addresses", "allowed_numbers"]))
}
