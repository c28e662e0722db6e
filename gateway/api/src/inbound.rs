//! Trunks through which calls come in.

use crate::convert::{inbound_info, inbound_of, media_without_effect, update_media};
use crate::page::page;
use crate::port::Change;
use crate::serve::Api;
use crate::{Fault, Port, check};
use livekit_protocol::update_sip_inbound_trunk_request::Action;
use livekit_protocol::{
    CreateSipInboundTrunkRequest, GetSipInboundTrunkRequest, GetSipInboundTrunkResponse,
    ListSipInboundTrunkRequest, ListSipInboundTrunkResponse, SipInboundTrunkInfo, SipInboundTrunkUpdate,
    UpdateSipInboundTrunkRequest,
};
use std::borrow::Cow;
use trunkline_dialplan::{Trunk, normalize_number, same_number};

pub(crate) async fn create<P: Port>(
    api: &Api<P>,
    request: CreateSipInboundTrunkRequest,
) -> Result<SipInboundTrunkInfo, Fault> {
    let info = request.trunk.ok_or_else(|| Fault::invalid("missing trunk"))?;
    check::is_new(&info.sip_trunk_id, "trunk")?;
    let trunk = inbound_of(info, "", &Trunk::default())?;
    let _alone = api.alone().await;
    store(api, trunk).await
}

pub(crate) async fn update<P: Port>(
    api: &Api<P>,
    request: UpdateSipInboundTrunkRequest,
) -> Result<SipInboundTrunkInfo, Fault> {
    let id = request.sip_trunk_id;
    if id.is_empty() {
        return Err(Fault::invalid("trunk id must be set"));
    }
    let action = request.action.ok_or_else(|| Fault::invalid("missing or unsupported update action"))?;
    match &action {
        Action::Replace(info) => {
            check::is_the_same(&info.sip_trunk_id, &id, "trunk")?;
            check::inbound(info)?;
        }
        // Whether it can be at all is told before whether the trunk is there.
        Action::Update(change) => changed(change, &mut SipInboundTrunkInfo::default())?,
    }
    let _alone = api.alone().await;
    let plan = api.port.plan().await?;
    let old = plan.trunks.into_iter().find(|trunk| trunk.id == id).ok_or_else(Fault::no_such_trunk)?;
    let info = match action {
        Action::Replace(info) => info,
        Action::Update(change) => {
            let mut info = inbound_info(&old);
            changed(&change, &mut info)?;
            info
        }
    };
    store(api, inbound_of(info, &id, &old)?).await
}

#[expect(deprecated, reason = "clients of last year set media_encryption still")]
fn changed(change: &SipInboundTrunkUpdate, info: &mut SipInboundTrunkInfo) -> Result<(), Fault> {
    check::update(&mut info.numbers, change.numbers.as_ref())?;
    check::update(&mut info.allowed_addresses, change.allowed_addresses.as_ref())?;
    check::update(&mut info.allowed_numbers, change.allowed_numbers.as_ref())?;
    check::media(change.media.as_ref())?;
    for (new, old) in [
        (&change.auth_username, &mut info.auth_username),
        (&change.auth_password, &mut info.auth_password),
        (&change.auth_realm, &mut info.auth_realm),
        (&change.name, &mut info.name),
        (&change.metadata, &mut info.metadata),
    ] {
        if let Some(new) = new {
            old.clone_from(new);
        }
    }
    update_media(&mut info.media, &mut info.media_encryption, change.media.as_ref(), change.media_encryption);
    Ok(())
}

/// Stores it, unless another serves the same calls.
async fn store<P: Port>(api: &Api<P>, mut trunk: Trunk) -> Result<SipInboundTrunkInfo, Fault> {
    let plan = api.port.plan().await?;
    if let Some(conflict) = plan.trunks.iter().find_map(|other| conflict(&trunk, other)) {
        return Err(Fault::invalid(conflict));
    }
    trunk.id = api.port.change(Change::Trunk(Box::new(trunk.clone()))).await?;
    let krisp = trunk.krisp_enabled.then_some("krisp_enabled");
    for name in media_without_effect(&trunk.media).chain(krisp) {
        tracing::warn!(trunk = %trunk.id, "{name} is kept, and has no effect in this version");
    }
    Ok(inbound_info(&trunk))
}

/// Two trunks with the same number must differ in who may call: else a call could come through either.
fn conflict(trunk: &Trunk, other: &Trunk) -> Option<String> {
    if other.id == trunk.id {
        return None;
    }
    let any = [String::new()];
    let keys = |list: &[String]| -> Vec<String> {
        let list = if list.is_empty() { &any[..] } else { list };
        list.iter().map(|number| normalize_number(number)).map(Cow::into_owned).collect()
    };
    let (numbers, callers) = (keys(&trunk.numbers), keys(&trunk.allowed_numbers));
    if !keys(&other.numbers).iter().any(|number| numbers.contains(number)) {
        return None;
    }
    let caller = keys(&other.allowed_numbers).into_iter().find(|caller| callers.contains(caller))?;
    let id = if trunk.id.is_empty() { "<new>" } else { &trunk.id };
    let numbers = if trunk.numbers.is_empty() {
        "<any>".to_owned()
    } else {
        format!("{:?}", trunk.numbers).replace(", ", " ")
    };
    let which = if caller.is_empty() {
        "without AllowedNumbers set".to_owned()
    } else {
        format!("and AllowedNumber {caller:?}")
    };
    Some(format!(
        "Conflicting inbound SIP Trunks: {id:?} and {:?}, using the same number(s) {numbers} {which}",
        other.id
    ))
}

pub(crate) async fn get<P: Port>(
    api: &Api<P>,
    request: GetSipInboundTrunkRequest,
) -> Result<GetSipInboundTrunkResponse, Fault> {
    let id = check::named(request.sip_trunk_id, "trunk")?;
    let plan = api.port.plan().await?;
    let trunk = plan.trunks.iter().find(|trunk| trunk.id == id).ok_or_else(Fault::no_such_trunk)?;
    Ok(GetSipInboundTrunkResponse { trunk: Some(inbound_info(trunk)) })
}

pub(crate) async fn list<P: Port>(
    api: &Api<P>,
    request: ListSipInboundTrunkRequest,
) -> Result<ListSipInboundTrunkResponse, Fault> {
    let plan = api.port.plan().await?;
    let wanted = |trunk: &&Trunk| {
        let id = request.trunk_ids.is_empty() || request.trunk_ids.contains(&trunk.id);
        let number = |number: &String| request.numbers.iter().any(|wanted| same_number(wanted, number));
        // A trunk without numbers serves any.
        let numbers =
            request.numbers.is_empty() || trunk.numbers.is_empty() || trunk.numbers.iter().any(number);
        id && numbers
    };
    let found = plan.trunks.iter().filter(wanted).map(inbound_info).collect();
    Ok(ListSipInboundTrunkResponse {
        items: page(found, request.page.as_ref(), |trunk: &SipInboundTrunkInfo| &trunk.sip_trunk_id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(id: &str, numbers: &[&str], callers: &[&str]) -> Trunk {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Trunk { id: id.into(), numbers: texts(numbers), allowed_numbers: texts(callers), ..Trunk::default() }
    }

    #[test]
    fn two_trunks_with_one_number_conflict_unless_they_differ_in_who_may_call() {
        let old = trunk("ST_old", &["+1 555"], &[]);
        let told = conflict(&trunk("", &["1555"], &[]), &old).expect("a conflict");
        assert_eq!(
            told,
            "Conflicting inbound SIP Trunks: \"<new>\" and \"ST_old\", using the same number(s) [\"1555\"] \
             without AllowedNumbers set"
        );
        assert!(conflict(&trunk("", &["1556"], &[]), &old).is_none());
        assert!(conflict(&trunk("", &[], &[]), &old).is_none());
        assert!(conflict(&trunk("", &["1555"], &["+7"]), &old).is_none());
        assert!(conflict(&trunk("ST_old", &["1555"], &[]), &old).is_none(), "no trunk is in its own way");
        let narrow = trunk("ST_narrow", &["1555"], &["+7", "+8"]);
        assert!(conflict(&trunk("", &["1555"], &["8"]), &narrow).expect("a conflict").contains("+8"));
    }
}
