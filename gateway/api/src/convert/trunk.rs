//! Trunks.

use super::{encryption_number, hashed, include_option, mapping, media_config, media_of, milliseconds, span};
use crate::{Fault, check};
use livekit_protocol::{SipInboundTrunkInfo, SipOutboundTrunkInfo, SipTransport};
use trunkline_dialplan::{OutboundTrunk, Trunk, TrunkTransport};

/// Checked. `limits` gives what LiveKit's message has no field for.
pub(crate) fn inbound_of(info: SipInboundTrunkInfo, id: &str, limits: &Trunk) -> Result<Trunk, Fault> {
    check::inbound(&info)?;
    #[expect(deprecated, reason = "clients of last year set it still")]
    let media = media_of(info.media, info.media_encryption)?;
    let trunk = Trunk {
        id: id.to_owned(),
        name: info.name,
        numbers: info.numbers,
        allowed_addresses: info.allowed_addresses,
        allowed_numbers: info.allowed_numbers,
        auth_username: info.auth_username,
        auth_password: info.auth_password,
        auth_realm: info.auth_realm,
        metadata: info.metadata,
        max_calls: limits.max_calls,
        calls_per_second: limits.calls_per_second,
        mapping: mapping(
            info.headers,
            info.headers_to_attributes,
            info.attributes_to_headers,
            info.include_headers,
        ),
        media,
        ringing_timeout_ms: milliseconds(info.ringing_timeout, "ringing_timeout")?,
        max_call_duration_ms: milliseconds(info.max_call_duration, "max_call_duration")?,
        krisp_enabled: info.krisp_enabled,
    };
    trunk.check().map_err(Fault::invalid)?;
    Ok(trunk)
}

#[expect(deprecated, reason = "clients of last year read media_encryption still")]
pub(crate) fn inbound_info(trunk: &Trunk) -> SipInboundTrunkInfo {
    SipInboundTrunkInfo {
        sip_trunk_id: trunk.id.clone(),
        name: trunk.name.clone(),
        metadata: trunk.metadata.clone(),
        numbers: trunk.numbers.clone(),
        allowed_addresses: trunk.allowed_addresses.clone(),
        allowed_numbers: trunk.allowed_numbers.clone(),
        auth_username: trunk.auth_username.clone(),
        auth_password: trunk.auth_password.clone(),
        auth_realm: trunk.auth_realm.clone(),
        headers: hashed(&trunk.mapping.headers),
        headers_to_attributes: hashed(&trunk.mapping.headers_to_attributes),
        attributes_to_headers: hashed(&trunk.mapping.attributes_to_headers),
        include_headers: include_option(&trunk.mapping),
        ringing_timeout: span(trunk.ringing_timeout_ms),
        max_call_duration: span(trunk.max_call_duration_ms),
        krisp_enabled: trunk.krisp_enabled,
        media_encryption: encryption_number(trunk.media.encryption),
        media: media_config(&trunk.media),
        ..SipInboundTrunkInfo::default()
    }
}

/// Checked.
pub(crate) fn outbound_of(info: SipOutboundTrunkInfo, id: &str) -> Result<OutboundTrunk, Fault> {
    check::outbound(&info)?;
    #[expect(deprecated, reason = "clients of last year set it still")]
    let media = media_of(info.media, info.media_encryption)?;
    let trunk = OutboundTrunk {
        id: id.to_owned(),
        name: info.name,
        metadata: info.metadata,
        address: info.address,
        transport: transport_of(info.transport),
        destination_country: info.destination_country,
        numbers: info.numbers,
        auth_username: info.auth_username,
        auth_password: info.auth_password,
        from_host: info.from_host,
        mapping: mapping(
            info.headers,
            info.headers_to_attributes,
            info.attributes_to_headers,
            info.include_headers,
        ),
        media,
    };
    trunk.check().map_err(Fault::invalid)?;
    Ok(trunk)
}

#[expect(deprecated, reason = "clients of last year read media_encryption still")]
pub(crate) fn outbound_info(trunk: &OutboundTrunk) -> SipOutboundTrunkInfo {
    SipOutboundTrunkInfo {
        sip_trunk_id: trunk.id.clone(),
        name: trunk.name.clone(),
        metadata: trunk.metadata.clone(),
        address: trunk.address.clone(),
        destination_country: trunk.destination_country.clone(),
        transport: transport_number(trunk.transport),
        numbers: trunk.numbers.clone(),
        auth_username: trunk.auth_username.clone(),
        auth_password: trunk.auth_password.clone(),
        headers: hashed(&trunk.mapping.headers),
        headers_to_attributes: hashed(&trunk.mapping.headers_to_attributes),
        attributes_to_headers: hashed(&trunk.mapping.attributes_to_headers),
        include_headers: include_option(&trunk.mapping),
        media_encryption: encryption_number(trunk.media.encryption),
        media: media_config(&trunk.media),
        from_host: trunk.from_host.clone(),
        ..SipOutboundTrunkInfo::default()
    }
}

fn transport_of(number: i32) -> TrunkTransport {
    match SipTransport::try_from(number) {
        Ok(SipTransport::Udp) => TrunkTransport::Udp,
        Ok(SipTransport::Tcp) => TrunkTransport::Tcp,
        Ok(SipTransport::Tls) => TrunkTransport::Tls,
        _ => TrunkTransport::Auto,
    }
}

fn transport_number(transport: TrunkTransport) -> i32 {
    match transport {
        TrunkTransport::Auto => SipTransport::Auto,
        TrunkTransport::Udp => SipTransport::Udp,
        TrunkTransport::Tcp => SipTransport::Tcp,
        TrunkTransport::Tls => SipTransport::Tls,
    }
    .into()
}
