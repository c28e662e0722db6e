//! Answers in JSON as livekit-server writes them: names with underscores, and every field, set or not.
//!
//! A [`Shape`] lists the fields of a message as they stand in LiveKit's `.proto` files. Names of fields are
//! translated; keys of maps (attributes, headers) are somebody's own and stay.

use serde_json::{Map, Value};

/// A message: its fields.
pub(crate) struct Shape(&'static [(&'static str, Field)]);

/// What a field is when it is not set.
#[derive(Clone, Copy)]
enum Field {
    Text,
    Number,
    Flag,
    /// The enum's first name.
    Word(&'static str),
    Texts,
    Texted,
    /// A duration, a time, or a message that is passed on as it is: null.
    Plain,
    /// Not there at all.
    Optional,
    Message(&'static Shape),
    /// One of several: not there when it is another.
    OneOf(&'static Shape),
    Messages(&'static Shape),
}

use Field::{Flag, Message, Messages, Number, OneOf, Optional, Plain, Text, Texted, Texts, Word};

const NO_HEADERS: Field = Word("SIP_NO_HEADERS");
const NOT_ENCRYPTED: Field = Word("SIP_MEDIA_ENCRYPT_DISABLE");
const TRANSPORT: Field = Word("SIP_TRANSPORT_AUTO");

static CODEC: Shape = Shape(&[("name", Text), ("rate", Number)]);
static MEDIA: Shape = Shape(&[
    ("only_listed_codecs", Flag),
    ("codecs", Messages(&CODEC)),
    ("encryption", Optional),
    ("media_timeout", Optional),
]);
pub(crate) static INBOUND: Shape = Shape(&[
    ("sip_trunk_id", Text),
    ("name", Text),
    ("metadata", Text),
    ("numbers", Texts),
    ("allowed_addresses", Texts),
    ("allowed_numbers", Texts),
    ("auth_username", Text),
    ("auth_password", Text),
    ("auth_realm", Text),
    ("headers", Texted),
    ("headers_to_attributes", Texted),
    ("attributes_to_headers", Texted),
    ("include_headers", NO_HEADERS),
    ("ringing_timeout", Plain),
    ("max_call_duration", Plain),
    ("krisp_enabled", Flag),
    ("media_encryption", NOT_ENCRYPTED),
    ("media", Message(&MEDIA)),
    ("created_at", Plain),
    ("updated_at", Plain),
]);
pub(crate) static OUTBOUND: Shape = Shape(&[
    ("sip_trunk_id", Text),
    ("name", Text),
    ("metadata", Text),
    ("address", Text),
    ("destination_country", Text),
    ("transport", TRANSPORT),
    ("numbers", Texts),
    ("auth_username", Text),
    ("auth_password", Text),
    ("headers", Texted),
    ("headers_to_attributes", Texted),
    ("attributes_to_headers", Texted),
    ("include_headers", NO_HEADERS),
    ("media_encryption", NOT_ENCRYPTED),
    ("media", Message(&MEDIA)),
    ("from_host", Text),
    ("created_at", Plain),
    ("updated_at", Plain),
]);
/// A trunk as the oldest clients know it.
pub(crate) static TRUNK: Shape = Shape(&[
    ("sip_trunk_id", Text),
    ("kind", Word("TRUNK_LEGACY")),
    ("inbound_addresses", Texts),
    ("outbound_address", Text),
    ("outbound_number", Text),
    ("transport", TRANSPORT),
    ("inbound_numbers_regex", Texts),
    ("inbound_numbers", Texts),
    ("inbound_username", Text),
    ("inbound_password", Text),
    ("outbound_username", Text),
    ("outbound_password", Text),
    ("name", Text),
    ("metadata", Text),
]);
static DIRECT: Shape = Shape(&[("room_name", Text), ("pin", Text)]);
static INDIVIDUAL: Shape = Shape(&[("room_prefix", Text), ("pin", Text), ("no_randomness", Flag)]);
static CALLEE: Shape = Shape(&[("room_prefix", Text), ("pin", Text), ("randomize", Flag)]);
static DESTINATION: Shape = Shape(&[
    ("dispatch_rule_direct", OneOf(&DIRECT)),
    ("dispatch_rule_individual", OneOf(&INDIVIDUAL)),
    ("dispatch_rule_callee", OneOf(&CALLEE)),
]);
static AGENT: Shape = Shape(&[
    ("agent_name", Text),
    ("metadata", Text),
    ("restart_policy", Word("JRP_ON_FAILURE")),
    ("deployment", Text),
    ("attributes", Texted),
]);
static ROOM: Shape = Shape(&[
    ("name", Text),
    ("empty_timeout", Number),
    ("departure_timeout", Number),
    ("max_participants", Number),
    ("metadata", Text),
    ("egress", Plain),
    ("min_playout_delay", Number),
    ("max_playout_delay", Number),
    ("sync_streams", Flag),
    ("agents", Messages(&AGENT)),
    ("tags", Texted),
]);
pub(crate) static RULE: Shape = Shape(&[
    ("sip_dispatch_rule_id", Text),
    ("rule", Message(&DESTINATION)),
    ("trunk_ids", Texts),
    ("hide_phone_number", Flag),
    ("inbound_numbers", Texts),
    ("numbers", Texts),
    ("name", Text),
    ("metadata", Text),
    ("attributes", Texted),
    ("room_preset", Text),
    ("room_config", Message(&ROOM)),
    ("media", Message(&MEDIA)),
    ("krisp_enabled", Flag),
    ("media_encryption", NOT_ENCRYPTED),
    ("created_at", Plain),
    ("updated_at", Plain),
]);
pub(crate) static PARTICIPANT: Shape = Shape(&[
    ("participant_id", Text),
    ("participant_identity", Text),
    ("room_name", Text),
    ("sip_call_id", Text),
]);
pub(crate) static NOTHING: Shape = Shape(&[]);
pub(crate) static ONE_INBOUND: Shape = Shape(&[("trunk", Message(&INBOUND))]);
pub(crate) static ONE_OUTBOUND: Shape = Shape(&[("trunk", Message(&OUTBOUND))]);
pub(crate) static INBOUND_LIST: Shape = Shape(&[("items", Messages(&INBOUND))]);
pub(crate) static OUTBOUND_LIST: Shape = Shape(&[("items", Messages(&OUTBOUND))]);
pub(crate) static TRUNK_LIST: Shape = Shape(&[("items", Messages(&TRUNK))]);
pub(crate) static RULE_LIST: Shape = Shape(&[("items", Messages(&RULE))]);

/// A message as `pbjson` writes it (camelCase, only what is set), in livekit-server's shape.
pub(crate) fn shaped(shape: &Shape, json: &Value) -> Value {
    let mut fields = Map::new();
    for (name, field) in shape.0 {
        let value = json.get(camel(name)).filter(|value| !value.is_null());
        if let Some(value) = value.map_or_else(|| field.unset(), |value| Some(field.set(value))) {
            fields.insert((*name).to_owned(), value);
        }
    }
    Value::Object(fields)
}

impl Field {
    fn unset(self) -> Option<Value> {
        match self {
            Text => Some(Value::String(String::new())),
            Number => Some(Value::from(0)),
            Flag => Some(Value::Bool(false)),
            Word(word) => Some(Value::from(word)),
            Texts | Messages(_) => Some(Value::Array(Vec::new())),
            Texted => Some(Value::Object(Map::new())),
            Plain | Message(_) => Some(Value::Null),
            Optional | OneOf(_) => None,
        }
    }

    fn set(self, value: &Value) -> Value {
        match (self, value) {
            (Message(shape) | OneOf(shape), value) => shaped(shape, value),
            (Messages(shape), Value::Array(items)) => {
                Value::Array(items.iter().map(|item| shaped(shape, item)).collect())
            }
            (_, value) => value.clone(),
        }
    }
}

/// `sip_trunk_id` → `sipTrunkId`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut joined = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        joined.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        joined.push_str(letters.as_str());
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_spelt_with_underscores_and_keys_of_maps_stay() {
        let json = json!({"sipDispatchRuleId": "SDR_1", "attributes": {"camelCase": "v"},
            "rule": {"dispatchRuleDirect": {"roomName": "lobby"}}, "roomConfig": {"agents": [{"agentName": "x"}]}});
        let shaped = shaped(&RULE, &json);
        assert_eq!(shaped["attributes"], json!({"camelCase": "v"}));
        assert_eq!(shaped["rule"], json!({"dispatch_rule_direct": {"room_name": "lobby", "pin": ""}}));
        assert_eq!(shaped["room_config"]["agents"][0]["agent_name"], "x");
        assert_eq!((&shaped["media"], &shaped["trunk_ids"]), (&Value::Null, &json!([])));
        assert_eq!(shaped["media_encryption"], "SIP_MEDIA_ENCRYPT_DISABLE");
    }
}
