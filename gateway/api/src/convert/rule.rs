//! Dispatch rules.

use super::{encryption_number, hashed, media_config, media_of, sorted};
use crate::{Fault, check};
use livekit_protocol::sip_dispatch_rule::Rule;
use livekit_protocol::{
    RoomConfiguration, SipDispatchRule, SipDispatchRuleCallee, SipDispatchRuleDirect,
    SipDispatchRuleIndividual, SipDispatchRuleInfo,
};
use trunkline_dialplan::{Destination, DispatchRule};

/// `None`: it names no destination.
pub(crate) fn destination(rule: SipDispatchRule) -> Option<Destination> {
    Some(match rule.rule? {
        Rule::DispatchRuleDirect(SipDispatchRuleDirect { room_name, pin }) => {
            Destination::Direct { room_name, pin }
        }
        Rule::DispatchRuleIndividual(SipDispatchRuleIndividual { room_prefix, pin, no_randomness }) => {
            Destination::Individual { room_prefix, pin, no_randomness }
        }
        Rule::DispatchRuleCallee(SipDispatchRuleCallee { room_prefix, pin, randomize }) => {
            Destination::Callee { room_prefix, pin, randomize }
        }
    })
}

/// Checked.
pub(crate) fn rule_of(info: SipDispatchRuleInfo, id: &str) -> Result<DispatchRule, Fault> {
    check::rule(&info)?;
    #[expect(deprecated, reason = "clients of last year set it still")]
    let media = media_of(info.media, info.media_encryption)?;
    let missing = || Fault::invalid("missing rule");
    let to = info.rule.and_then(destination).ok_or_else(missing)?;
    let room_config = info.room_config.map(serde_json::to_value).transpose();
    let rule = DispatchRule {
        id: id.to_owned(),
        name: info.name,
        trunk_ids: info.trunk_ids,
        inbound_numbers: info.inbound_numbers,
        numbers: info.numbers,
        hide_phone_number: info.hide_phone_number,
        metadata: info.metadata,
        attributes: sorted(info.attributes),
        room_preset: info.room_preset,
        room_config: room_config.map_err(|error| Fault::invalid(format!("room_config: {error}")))?,
        media,
        krisp_enabled: info.krisp_enabled,
        ..DispatchRule::to(to)
    };
    rule.check().map_err(Fault::invalid)?;
    Ok(rule)
}

#[expect(deprecated, reason = "clients of last year read media_encryption still")]
pub(crate) fn rule_info(rule: &DispatchRule) -> SipDispatchRuleInfo {
    SipDispatchRuleInfo {
        sip_dispatch_rule_id: rule.id.clone(),
        rule: shown(&rule.destination),
        trunk_ids: rule.trunk_ids.clone(),
        hide_phone_number: rule.hide_phone_number,
        inbound_numbers: rule.inbound_numbers.clone(),
        numbers: rule.numbers.clone(),
        name: rule.name.clone(),
        metadata: rule.metadata.clone(),
        attributes: hashed(&rule.attributes),
        room_preset: rule.room_preset.clone(),
        room_config: room_config(rule),
        media: media_config(&rule.media),
        krisp_enabled: rule.krisp_enabled,
        media_encryption: encryption_number(rule.media.encryption),
        ..SipDispatchRuleInfo::default()
    }
}

/// It was checked when it came; a store of a later version may hold what we do not know.
fn room_config(rule: &DispatchRule) -> Option<RoomConfiguration> {
    serde_json::from_value(rule.room_config.clone()?)
        .inspect_err(|error| tracing::warn!(rule = %rule.id, "its room_config cannot be shown: {error}"))
        .ok()
}

/// LiveKit has no word for a rule that leads to our agent: it is shown without destination.
fn shown(destination: &Destination) -> Option<SipDispatchRule> {
    let rule = match destination.clone() {
        Destination::Direct { room_name, pin } => {
            Rule::DispatchRuleDirect(SipDispatchRuleDirect { room_name, pin })
        }
        Destination::Individual { room_prefix, pin, no_randomness } => {
            Rule::DispatchRuleIndividual(SipDispatchRuleIndividual { room_prefix, pin, no_randomness })
        }
        Destination::Callee { room_prefix, pin, randomize } => {
            Rule::DispatchRuleCallee(SipDispatchRuleCallee { room_prefix, pin, randomize })
        }
        Destination::Agent { .. } => return None,
    };
    Some(SipDispatchRule { rule: Some(rule) })
}
