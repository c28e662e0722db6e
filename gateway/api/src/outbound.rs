//! Trunks through which calls go out; and what concerns trunks of both kinds.

use crate::convert::{inbound_info, media_without_effect, outbound_info, outbound_of, update_media};
use crate::page::page;
use crate::port::Change;
use crate::serve::Api;
use crate::{Fault, Port, check};
use livekit_protocol::sip_trunk_info::TrunkKind;
use livekit_protocol::update_sip_outbound_trunk_request::Action;
use livekit_protocol::{
    CreateSipOutboundTrunkRequest, DeleteSipTrunkRequest, GetSipOutboundTrunkRequest,
    GetSipOutboundTrunkResponse, ListSipOutboundTrunkRequest, ListSipOutboundTrunkResponse,
    ListSipTrunkRequest, ListSipTrunkResponse, SipInboundTrunkInfo, SipOutboundTrunkInfo,
    SipOutboundTrunkUpdate, SipTrunkInfo, UpdateSipOutboundTrunkRequest,
};
use trunkline_dialplan::OutboundTrunk;

pub(crate) async fn create<P: Port>(
    api: &Api<P>,
    request: CreateSipOutboundTrunkRequest,
) -> Result<SipOutboundTrunkInfo, Fault> {
    let info = request.trunk.ok_or_else(|| Fault::invalid("missing trunk"))?;
    check::is_new(&info.sip_trunk_id, "trunk")?;
    store(api, outbound_of(info, "")?).await
}

pub(crate) async fn update<P: Port>(
    api: &Api<P>,
    request: UpdateSipOutboundTrunkRequest,
) -> Result<SipOutboundTrunkInfo, Fault> {
    let id = request.sip_trunk_id;
    if id.is_empty() {
        return Err(Fault::invalid("trunk id must be set"));
    }
    let action = request.action.ok_or_else(|| Fault::invalid("missing or unsupported update action"))?;
    match &action {
        Action::Replace(info) => {
            check::is_the_same(&info.sip_trunk_id, &id, "trunk")?;
            check::outbound(info)?;
        }
        Action::Update(change) => changed(change, &mut SipOutboundTrunkInfo::default())?,
    }
    let _alone = api.alone().await;
    let plan = api.port.plan().await?;
    let old = plan.outbound.iter().find(|trunk| trunk.id == id).ok_or_else(Fault::no_such_trunk)?;
    let info = match action {
        Action::Replace(info) => info,
        Action::Update(change) => {
            let mut info = outbound_info(old);
            changed(&change, &mut info)?;
            info
        }
    };
    store(api, outbound_of(info, &id)?).await
}

#[expect(deprecated, reason = "clients of last year set media_encryption still")]
fn changed(change: &SipOutboundTrunkUpdate, info: &mut SipOutboundTrunkInfo) -> Result<(), Fault> {
    check::update(&mut info.numbers, change.numbers.as_ref())?;
    check::media(change.media.as_ref())?;
    for (new, old) in [
        (&change.address, &mut info.address),
        (&change.destination_country, &mut info.destination_country),
        (&change.auth_username, &mut info.auth_username),
        (&change.auth_password, &mut info.auth_password),
        (&change.name, &mut info.name),
        (&change.metadata, &mut info.metadata),
        (&change.from_host, &mut info.from_host),
    ] {
        if let Some(new) = new {
            old.clone_from(new);
        }
    }
    info.transport = change.transport.unwrap_or(info.transport);
    update_media(&mut info.media, &mut info.media_encryption, change.media.as_ref(), change.media_encryption);
    Ok(())
}

async fn store<P: Port>(api: &Api<P>, mut trunk: OutboundTrunk) -> Result<SipOutboundTrunkInfo, Fault> {
    trunk.id = api.port.change(Change::Outbound(Box::new(trunk.clone()))).await?;
    let country = (!trunk.destination_country.is_empty()).then_some("destination_country");
    for name in media_without_effect(&trunk.media).chain(country) {
        tracing::warn!(trunk = %trunk.id, "{name} is kept, and has no effect in this version");
    }
    Ok(outbound_info(&trunk))
}

pub(crate) async fn get<P: Port>(
    api: &Api<P>,
    request: GetSipOutboundTrunkRequest,
) -> Result<GetSipOutboundTrunkResponse, Fault> {
    let id = check::named(request.sip_trunk_id, "trunk")?;
    let plan = api.port.plan().await?;
    let trunk = plan.outbound.iter().find(|trunk| trunk.id == id).ok_or_else(Fault::no_such_trunk)?;
    Ok(GetSipOutboundTrunkResponse { trunk: Some(outbound_info(trunk)) })
}

pub(crate) async fn list<P: Port>(
    api: &Api<P>,
    request: ListSipOutboundTrunkRequest,
) -> Result<ListSipOutboundTrunkResponse, Fault> {
    let plan = api.port.plan().await?;
    let wanted = |trunk: &&OutboundTrunk| {
        let id = request.trunk_ids.is_empty() || request.trunk_ids.contains(&trunk.id);
        id && (request.numbers.is_empty() || trunk.numbers.iter().any(|n| request.numbers.contains(n)))
    };
    let found = plan.outbound.iter().filter(wanted).map(outbound_info).collect();
    Ok(ListSipOutboundTrunkResponse {
        items: page(found, request.page.as_ref(), |trunk: &SipOutboundTrunkInfo| &trunk.sip_trunk_id),
    })
}

/// Trunks of both kinds, as the oldest clients know them.
pub(crate) async fn list_all<P: Port>(
    api: &Api<P>,
    request: ListSipTrunkRequest,
) -> Result<ListSipTrunkResponse, Fault> {
    let plan = api.port.plan().await?;
    let inbound = plan.trunks.iter().map(|trunk| as_old_inbound(inbound_info(trunk)));
    let outbound = plan.outbound.iter().map(|trunk| as_old_outbound(outbound_info(trunk)));
    let found = inbound.chain(outbound).collect();
    let items = page(found, request.page.as_ref(), |trunk: &SipTrunkInfo| &trunk.sip_trunk_id);
    Ok(ListSipTrunkResponse { items })
}

fn as_old_inbound(trunk: SipInboundTrunkInfo) -> SipTrunkInfo {
    SipTrunkInfo {
        sip_trunk_id: trunk.sip_trunk_id,
        kind: TrunkKind::TrunkInbound.into(),
        inbound_addresses: trunk.allowed_addresses,
        outbound_number: trunk.numbers.into_iter().next().unwrap_or_default(),
        inbound_numbers: trunk.allowed_numbers,
        inbound_username: trunk.auth_username,
        inbound_password: trunk.auth_password,
        name: trunk.name,
        metadata: trunk.metadata,
        ..SipTrunkInfo::default()
    }
}

fn as_old_outbound(trunk: SipOutboundTrunkInfo) -> SipTrunkInfo {
    SipTrunkInfo {
        sip_trunk_id: trunk.sip_trunk_id,
        kind: TrunkKind::TrunkOutbound.into(),
        outbound_address: trunk.address,
        outbound_number: trunk.numbers.into_iter().next().unwrap_or_default(),
        transport: trunk.transport,
        outbound_username: trunk.auth_username,
        outbound_password: trunk.auth_password,
        name: trunk.name,
        metadata: trunk.metadata,
        ..SipTrunkInfo::default()
    }
}

/// Of either kind. One that is not there is gone as well, says LiveKit's server.
pub(crate) async fn delete<P: Port>(
    api: &Api<P>,
    request: DeleteSipTrunkRequest,
) -> Result<SipTrunkInfo, Fault> {
    let id = check::named(request.sip_trunk_id, "trunk")?;
    let _alone = api.alone().await;
    let plan = api.port.plan().await?;
    if plan.trunks.iter().any(|trunk| trunk.id == id) {
        api.port.change(Change::RemoveTrunk(id.clone())).await?;
    } else if plan.outbound.iter().any(|trunk| trunk.id == id) {
        api.port.change(Change::RemoveOutbound(id.clone())).await?;
    }
    Ok(SipTrunkInfo { sip_trunk_id: id, ..SipTrunkInfo::default() })
}
