//! Calls: placed through a trunk, sent elsewhere.

use crate::convert::{encryption_number, media_config, media_of, outbound_info};
use crate::serve::Api;
use crate::token::Grants;
use crate::{Fault, Port, check};
use livekit_protocol::{
    CreateSipParticipantRequest, SipFeature, SipOutboundConfig, SipParticipantInfo,
    TransferSipParticipantRequest,
};
use pbjson_types::Duration as PbSpan;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use trunkline_dialplan::{Encryption, MediaTerms, OutboundTrunk, is_host};
use trunkline_psrpc::{
    InternalCreateSipParticipantRequest as Order, InternalTransferSipParticipantRequest as Handover, Span,
};

/// As livekit-server waits: for the participant to be in the room, or for the telephone to be answered.
const PLACED: Duration = Duration::from_secs(30);
const ANSWERED: Duration = Duration::from_secs(80);
/// Beyond the ringing that a request asks for: the room is joined before, the answer travels after.
const AROUND: Duration = Duration::from_secs(20);
const TRANSFERRED: Duration = Duration::from_secs(30);
/// Longest wait that a request can ask for.
const LONGEST: Duration = Duration::from_secs(580);
const LONGEST_NAME: usize = 128;

/// An answer that says nothing more than yes.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub(crate) struct Done {}

pub(crate) async fn create<P: Port>(
    api: &Api<P>,
    request: CreateSipParticipantRequest,
) -> Result<SipParticipantInfo, Fault> {
    checked(&request)?;
    let trunk = match request.sip_trunk_id.as_str() {
        "" => None,
        id => {
            let plan = api.port.plan().await?;
            Some(plan.outbound.into_iter().find(|trunk| trunk.id == id).ok_or_else(Fault::no_such_trunk)?)
        }
    };
    let room_name = request.room_name.clone();
    let within = match time(request.ringing_timeout.as_ref()) {
        _ if !request.wait_until_answered => PLACED,
        None => ANSWERED,
        Some(ringing) => ANSWERED.max(ringing.saturating_add(AROUND)).min(LONGEST),
    };
    let order = Box::new(order(request, trunk)?);
    let placed = api.port.place(order, within).await?;
    Ok(SipParticipantInfo {
        participant_id: placed.participant_id,
        participant_identity: placed.participant_identity,
        room_name,
        sip_call_id: placed.sip_call_id,
    })
}

/// In livekit-server's order.
fn checked(request: &CreateSipParticipantRequest) -> Result<(), Fault> {
    if request.sip_trunk_id.is_empty() && request.trunk.is_none() && request.sip_number.is_empty() {
        return Err(Fault::invalid("missing sip trunk id and sip number"));
    }
    if let Some(trunk) = &request.trunk {
        if trunk.hostname.is_empty() {
            return Err(Fault::invalid("no outbound hostname specified"));
        }
        is_host(&trunk.hostname, "trunk hostname").map_err(Fault::invalid)?;
        is_host(&trunk.from_host, "from_host").map_err(Fault::invalid)?;
        check::mapping(&trunk.headers_to_attributes, &trunk.attributes_to_headers)?;
    }
    if request.sip_call_to.is_empty() && request.sip_request_uri.is_none() {
        return Err(Fault::invalid("missing sip callee number"));
    }
    if request.sip_call_to.contains('@') {
        return Err(Fault::invalid("SipCallTo should be a phone number or SIP user, not a full SIP URI"));
    }
    if request.room_name.is_empty() {
        return Err(Fault::invalid("missing room name"));
    }
    if let Some(name) = &request.display_name {
        if name.len() > LONGEST_NAME {
            return Err(Fault::invalid("DisplayName too long (max 128 characters)"));
        }
        if name.contains(|c: char| c.is_control()) {
            return Err(Fault::invalid(
                "DisplayName must be a valid quoted string: a control character is in it",
            ));
        }
    }
    check::headers(&request.headers)?;
    check::media(request.media.as_ref())
}

/// What the gateway is asked: the trunk's terms, and what the request says beyond them.
fn order(request: CreateSipParticipantRequest, trunk: Option<OutboundTrunk>) -> Result<Order, Fault> {
    #[expect(deprecated, reason = "clients of last year set it still")]
    let wanted = media_of(request.media, request.media_encryption)?;
    let mut order = match trunk {
        Some(trunk) => through(trunk, &request.sip_number, &wanted)?,
        None => {
            let config = request.trunk.unwrap_or_default();
            if request.sip_number.is_empty() {
                return Err(Fault::precondition("no numbers on outbound trunk"));
            }
            Order { media: media_config(&wanted), ..directly(config) }
        }
    };
    if !request.sip_number.is_empty() {
        order.number = request.sip_number;
    }
    // A number without a plus is none for this carrier; livekit-server adds it, too.
    if order.address.ends_with("twilio.com") && !order.number.starts_with('+') {
        order.number.insert(0, '+');
    }
    order.sip_trunk_id = request.sip_trunk_id;
    order.participant_attributes = request.participant_attributes;
    if !request.hide_phone_number {
        let shown = [
            ("sip.phoneNumber", &request.sip_call_to),
            ("sip.hostname", &order.address),
            ("sip.trunkPhoneNumber", &order.number),
        ];
        order.participant_attributes.extend(shown.map(|(name, value)| (name.to_owned(), value.clone())));
    }
    order.headers.extend(request.headers);
    if request.include_headers != 0 {
        order.include_headers = request.include_headers;
    }
    if request.krisp_enabled {
        order.enabled_features = vec![SipFeature::KrispEnabled.into()];
    }
    Ok(Order {
        call_to: request.sip_call_to,
        room_name: request.room_name,
        participant_identity: request.participant_identity,
        participant_name: request.participant_name,
        participant_metadata: request.participant_metadata,
        dtmf: request.dtmf,
        #[expect(deprecated, reason = "the older name of it")]
        play_dialtone: request.play_dialtone || request.play_ringtone,
        ringing_timeout: request.ringing_timeout.as_ref().map(spanned),
        max_call_duration: request.max_call_duration.as_ref().map(spanned),
        wait_until_answered: request.wait_until_answered,
        display_name: request.display_name,
        sip_request_uri: request.sip_request_uri,
        sip_from_header: request.sip_from_header,
        sip_to_header: request.sip_to_header,
        to_user_override: request.to_user_override,
        ..order
    })
}

/// Through a trunk of the store.
fn through(trunk: OutboundTrunk, number: &str, wanted: &MediaTerms) -> Result<Order, Fault> {
    let media = merged(&trunk.media, wanted);
    let number = match number {
        "" => one_of(&trunk.numbers)?,
        given => given.to_owned(),
    };
    let info = outbound_info(&trunk);
    Ok(Order {
        number,
        transport: info.transport,
        headers: info.headers,
        headers_to_attributes: info.headers_to_attributes,
        attributes_to_headers: info.attributes_to_headers,
        include_headers: info.include_headers,
        media_encryption: encryption_number(media.encryption),
        media: media_config(&media),
        address: trunk.address,
        hostname: trunk.from_host,
        username: trunk.auth_username,
        password: trunk.auth_password,
        ..Order::default()
    })
}

/// Through a trunk that the request itself describes.
fn directly(config: SipOutboundConfig) -> Order {
    Order {
        address: config.hostname,
        hostname: config.from_host,
        transport: config.transport,
        username: config.auth_username,
        password: config.auth_password,
        headers_to_attributes: config.headers_to_attributes,
        attributes_to_headers: config.attributes_to_headers,
        ..Order::default()
    }
}

/// The request's terms before the trunk's, but no less encryption than the trunk wants.
fn merged(trunk: &MediaTerms, request: &MediaTerms) -> MediaTerms {
    let listed = if request.codecs.is_empty() { trunk } else { request };
    MediaTerms {
        encryption: match (trunk.encryption, request.encryption) {
            (trunk, None | Some(Encryption::Disable)) if trunk.is_some() => trunk,
            (_, request) => request,
        },
        only_listed_codecs: listed.only_listed_codecs,
        codecs: listed.codecs.clone(),
        media_timeout_ms: match request.media_timeout_ms {
            0 => trunk.media_timeout_ms,
            milliseconds => milliseconds,
        },
    }
}

/// One of the trunk's numbers, each as often as another.
fn one_of(numbers: &[String]) -> Result<String, Fault> {
    let random = getrandom::u32().map_err(|error| Fault::internal(format!("no randomness: {error}")))?;
    let index = (random as usize).checked_rem(numbers.len());
    let number = index.and_then(|index| numbers.get(index)).cloned();
    number.ok_or_else(|| Fault::precondition("no numbers on outbound trunk"))
}

fn spanned(span: &PbSpan) -> Span {
    Span { seconds: span.seconds, nanos: span.nanos }
}

fn time(span: Option<&PbSpan>) -> Option<Duration> {
    span.and_then(|span| spanned(span).time())
}

pub(crate) async fn transfer<P: Port>(
    api: &Api<P>,
    grants: &Grants,
    request: TransferSipParticipantRequest,
) -> Result<Done, Fault> {
    if request.room_name.is_empty() {
        return Err(Fault::invalid("Missing room name"));
    }
    if request.participant_identity.is_empty() {
        return Err(Fault::invalid("Missing participant identity"));
    }
    grants.may_call()?;
    grants.may_rule(&request.room_name)?;
    let transfer_to = target(&request.transfer_to)?;
    check::headers(&request.headers)?;
    let call = api.port.call_in(request.room_name, request.participant_identity).await?;
    let call =
        call.ok_or_else(|| Fault::not_found("participant does not exist, or is no call of this gateway"))?;
    let within = time(request.ringing_timeout.as_ref()).unwrap_or(TRANSFERRED).min(LONGEST);
    let handover = Handover {
        sip_call_id: call,
        transfer_to,
        play_dialtone: request.play_dialtone,
        headers: request.headers,
        ringing_timeout: Some(Span {
            seconds: i64::try_from(within.as_secs()).unwrap_or(i64::MAX),
            nanos: 0,
        }),
        ..Handover::default()
    };
    api.port.transfer(Box::new(handover), within).await?;
    Ok(Done {})
}

/// `sip:` in angle brackets, `tel:` without: what the Refer-To is to be.
fn target(wanted: &str) -> Result<String, Fault> {
    if wanted.is_empty() {
        return Err(Fault::invalid("missing transfer to"));
    }
    let inner = wanted.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(wanted);
    if inner.contains(|c: char| c.is_control() || c.is_whitespace() || "<>".contains(c)) {
        return Err(Fault::invalid("transfer_to must be one URI, without spaces or angle brackets in it"));
    }
    if inner.starts_with("sip:") || inner.starts_with("sips:") {
        Ok(format!("<{inner}>"))
    } else if inner.starts_with("tel:") {
        Ok(inner.to_owned())
    } else {
        Err(Fault::invalid("transfer_to must be a valid SIP(s) or TEL URI (sip:, sips: or tel:)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk() -> OutboundTrunk {
        OutboundTrunk {
            id: "ST_1".into(),
            address: "x.pstn.twilio.com".into(),
            numbers: vec!["1555".into()],
            auth_password: "hush".into(),
            media: MediaTerms { encryption: Some(Encryption::Require), ..MediaTerms::default() },
            ..OutboundTrunk::default()
        }
    }

    fn request() -> CreateSipParticipantRequest {
        CreateSipParticipantRequest {
            sip_trunk_id: "ST_1".into(),
            sip_call_to: "+1777".into(),
            room_name: "lobby".into(),
            ..CreateSipParticipantRequest::default()
        }
    }

    #[test]
    fn a_call_has_a_number_of_its_trunk_and_the_attributes_that_agents_look_for() {
        let order = order(request(), Some(trunk())).unwrap();
        assert_eq!((order.number.as_str(), order.password.as_str()), ("+1555", "hush"));
        assert_eq!(order.participant_attributes["sip.phoneNumber"], "+1777");
        assert_eq!(order.participant_attributes["sip.trunkPhoneNumber"], "+1555");
        assert_eq!(order.media_encryption, 2, "the trunk's SRTP is not lost");
    }

    #[test]
    fn a_hidden_number_is_in_no_attribute() {
        let hidden = CreateSipParticipantRequest { hide_phone_number: true, ..request() };
        assert!(order(hidden, Some(trunk())).unwrap().participant_attributes.is_empty());
    }

    #[test]
    fn a_call_without_a_trunk_of_the_store_needs_a_number() {
        let config = SipOutboundConfig { hostname: "carrier".into(), ..SipOutboundConfig::default() };
        let direct =
            CreateSipParticipantRequest { sip_trunk_id: String::new(), trunk: Some(config), ..request() };
        assert_eq!(order(direct.clone(), None).unwrap_err().code, "failed_precondition");
        let numbered = CreateSipParticipantRequest { sip_number: "+1".into(), ..direct };
        assert_eq!(order(numbered, None).unwrap().address, "carrier");
    }

    #[test]
    fn a_transfer_goes_to_one_uri() {
        assert_eq!(target("sip:a@b").unwrap(), "<sip:a@b>");
        assert_eq!(target("<tel:+1>").unwrap(), "tel:+1");
        for bad in ["", "a@b", "sip:a@b\r\nX: y", "<sip:a> <sip:b>"] {
            assert_eq!(target(bad).unwrap_err().code, "invalid_argument", "{bad:?}");
        }
    }
}
