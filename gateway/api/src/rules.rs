//! Dispatch rules.

use crate::convert::{destination, media_without_effect, rule_info, rule_of, update_media};
use crate::page::page;
use crate::port::Change;
use crate::serve::Api;
use crate::{Fault, Port, check};
use livekit_protocol::update_sip_dispatch_rule_request::Action;
use livekit_protocol::{
    CreateSipDispatchRuleRequest, DeleteSipDispatchRuleRequest, ListSipDispatchRuleRequest,
    ListSipDispatchRuleResponse, SipDispatchRuleInfo, SipDispatchRuleUpdate, UpdateSipDispatchRuleRequest,
};
use trunkline_dialplan::{Destination, DispatchRule, same_number};

fn no_such_rule() -> Fault {
    Fault::not_found("requested sip dispatch rule does not exist")
}

pub(crate) async fn create<P: Port>(
    api: &Api<P>,
    request: CreateSipDispatchRuleRequest,
) -> Result<SipDispatchRuleInfo, Fault> {
    let info = flat(request);
    check::is_new(&info.sip_dispatch_rule_id, "rule")?;
    let rule = rule_of(info, "")?;
    let _alone = api.alone().await;
    store(api, rule).await
}

/// Older clients write the rule's fields into the request itself.
#[expect(deprecated, reason = "the older clients")]
fn flat(request: CreateSipDispatchRuleRequest) -> SipDispatchRuleInfo {
    if let Some(info) = request.dispatch_rule {
        return info;
    }
    SipDispatchRuleInfo {
        rule: request.rule,
        trunk_ids: request.trunk_ids,
        inbound_numbers: request.inbound_numbers,
        hide_phone_number: request.hide_phone_number,
        name: request.name,
        metadata: request.metadata,
        attributes: request.attributes,
        room_preset: request.room_preset,
        room_config: request.room_config,
        ..SipDispatchRuleInfo::default()
    }
}

pub(crate) async fn update<P: Port>(
    api: &Api<P>,
    request: UpdateSipDispatchRuleRequest,
) -> Result<SipDispatchRuleInfo, Fault> {
    let id = request.sip_dispatch_rule_id;
    if id.is_empty() {
        return Err(Fault::invalid("rule id must be set"));
    }
    let action = request.action.ok_or_else(|| Fault::invalid("missing or unsupported update action"))?;
    match &action {
        Action::Replace(info) => {
            check::is_the_same(&info.sip_dispatch_rule_id, &id, "rule")?;
            check::rule(info)?;
        }
        Action::Update(change) => changed(change, &mut SipDispatchRuleInfo::default())?,
    }
    let _alone = api.alone().await;
    let plan = api.port.plan().await?;
    let old = plan.rules.iter().find(|rule| rule.id == id).ok_or_else(no_such_rule)?;
    let rule = match action {
        Action::Replace(info) => rule_of(info, &id)?,
        Action::Update(change) => updated(&change, old)?,
    };
    store(api, rule).await
}

fn updated(change: &SipDispatchRuleUpdate, old: &DispatchRule) -> Result<DispatchRule, Fault> {
    let mut info = rule_info(old);
    changed(change, &mut info)?;
    let to = change.rule.clone().and_then(destination);
    if to.is_none() && matches!(old.destination, Destination::Agent { .. }) {
        // LiveKit's message has no word for our agent: a stand-in passes the checks, the agent stays.
        let stand_in =
            Destination::Callee { room_prefix: String::new(), pin: String::new(), randomize: false };
        info.rule = rule_info(&DispatchRule::to(stand_in)).rule;
        return Ok(DispatchRule { destination: old.destination.clone(), ..rule_of(info, &old.id)? });
    }
    rule_of(info, &old.id)
}

#[expect(deprecated, reason = "clients of last year set media_encryption still")]
fn changed(change: &SipDispatchRuleUpdate, info: &mut SipDispatchRuleInfo) -> Result<(), Fault> {
    check::update(&mut info.trunk_ids, change.trunk_ids.as_ref())?;
    check::media(change.media.as_ref())?;
    if change.rule.is_some() {
        info.rule.clone_from(&change.rule);
    }
    for (new, old) in [(&change.name, &mut info.name), (&change.metadata, &mut info.metadata)] {
        if let Some(new) = new {
            old.clone_from(new);
        }
    }
    for (key, value) in &change.attributes {
        if value.is_empty() {
            info.attributes.remove(key);
        } else {
            info.attributes.insert(key.clone(), value.clone());
        }
    }
    update_media(&mut info.media, &mut info.media_encryption, change.media.as_ref(), change.media_encryption);
    Ok(())
}

/// Stores it, unless another takes the same calls.
async fn store<P: Port>(api: &Api<P>, mut rule: DispatchRule) -> Result<SipDispatchRuleInfo, Fault> {
    let plan = api.port.plan().await?;
    if let Some(other) = plan.rules.iter().find(|other| conflicts(&rule, other)) {
        return Err(Fault::invalid(format!(
            "Dispatch rule for the same trunk, inbound number, number, and PIN combination already exists in \
             dispatch rule {:?} {:?}",
            other.id, other.name
        )));
    }
    rule.id = api.port.change(Change::Rule(Box::new(rule.clone()))).await?;
    for id in rule.trunk_ids.iter().filter(|id| !plan.trunks.iter().any(|trunk| trunk.id == **id)) {
        tracing::warn!(rule = %rule.id, "it names trunk {:?}, which is not set up: no call comes through it", id);
    }
    let told = [(rule.krisp_enabled, "krisp_enabled"), (!rule.room_preset.is_empty(), "room_preset")];
    let told = told.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name);
    for name in media_without_effect(&rule.media).chain(told) {
        tracing::warn!(rule = %rule.id, "{name} is kept, and has no effect in this version");
    }
    Ok(rule_info(&rule))
}

/// The same trunk, caller, number and PIN: then nobody could say which of them takes the call.
fn conflicts(rule: &DispatchRule, other: &DispatchRule) -> bool {
    fn meet(ours: &[String], theirs: &[String], same: impl Fn(&str, &str) -> bool) -> bool {
        match (ours, theirs) {
            ([], []) => true,
            _ => ours.iter().any(|our| theirs.iter().any(|their| same(our, their))),
        }
    }
    other.id != rule.id
        && rule.destination.pin() == other.destination.pin()
        && meet(&rule.trunk_ids, &other.trunk_ids, |a, b| a == b)
        && meet(&rule.inbound_numbers, &other.inbound_numbers, same_number)
        && meet(&rule.numbers, &other.numbers, same_number)
}

pub(crate) async fn list<P: Port>(
    api: &Api<P>,
    request: ListSipDispatchRuleRequest,
) -> Result<ListSipDispatchRuleResponse, Fault> {
    let plan = api.port.plan().await?;
    let wanted = |rule: &&DispatchRule| {
        let id = request.dispatch_rule_ids.is_empty() || request.dispatch_rule_ids.contains(&rule.id);
        // A rule without trunks is for all of them.
        let trunk = request.trunk_ids.is_empty()
            || rule.trunk_ids.is_empty()
            || rule.trunk_ids.iter().any(|id| request.trunk_ids.contains(id));
        id && trunk
    };
    let found = plan.rules.iter().filter(wanted).map(rule_info).collect();
    Ok(ListSipDispatchRuleResponse {
        items: page(found, request.page.as_ref(), |rule: &SipDispatchRuleInfo| &rule.sip_dispatch_rule_id),
    })
}

pub(crate) async fn delete<P: Port>(
    api: &Api<P>,
    request: DeleteSipDispatchRuleRequest,
) -> Result<SipDispatchRuleInfo, Fault> {
    let id = check::named(request.sip_dispatch_rule_id, "dispatch rule")?;
    let _alone = api.alone().await;
    let plan = api.port.plan().await?;
    let rule = plan.rules.iter().find(|rule| rule.id == id).ok_or_else(no_such_rule)?;
    api.port.change(Change::RemoveRule(id)).await?;
    Ok(rule_info(rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, trunks: &[&str], numbers: &[&str], pin: &str) -> DispatchRule {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let to = Destination::Direct { room_name: "lobby".into(), pin: pin.into() };
        DispatchRule {
            id: id.into(),
            trunk_ids: texts(trunks),
            numbers: texts(numbers),
            ..DispatchRule::to(to)
        }
    }

    #[test]
    fn two_rules_for_the_same_calls_conflict_and_a_rule_for_some_does_not_with_one_for_all() {
        let old = rule("SDR_1", &["ST_1"], &["+1555"], "");
        assert!(conflicts(&rule("", &["ST_1"], &["1 555"], ""), &old));
        for other in [
            rule("", &["ST_1"], &["+1555"], "4711"),
            rule("", &["ST_2"], &["+1555"], ""),
            rule("", &["ST_1"], &[], ""),
            rule("", &[], &["+1555"], ""),
            rule("SDR_1", &["ST_1"], &["+1555"], ""),
        ] {
            assert!(!conflicts(&other, &old), "{other:?}");
        }
        assert!(conflicts(&rule("", &[], &[], ""), &rule("SDR_2", &[], &[], "")));
    }

    #[test]
    fn an_update_of_a_rule_for_our_agent_leaves_it_with_the_agent() {
        let agent = Destination::Agent { dialogue: "pizza.yaml".into() };
        let old = DispatchRule { id: "SDR_1".into(), ..DispatchRule::to(agent.clone()) };
        let change = SipDispatchRuleUpdate { name: Some("new".into()), ..SipDispatchRuleUpdate::default() };
        let new = updated(&change, &old).unwrap();
        assert_eq!((new.name.as_str(), new.destination), ("new", agent));
    }
}
