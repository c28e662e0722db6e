//! What a participant asks of a server, and what its line is made of.

use crate::line::{Footing, Line, Plan};
use crate::{Join, JoinError};
use livekit_protocol::{
    AddTrackRequest, AudioTrackFeature, ClientInfo, ConnectionSettings, JoinRequest, SessionDescription,
    TrackSource, TrackType, client_info,
};
use std::time::Instant;

/// By this the server finds our track in the offer.
const CID: &str = "audio";
/// The protocol that this client speaks; the server says what it makes of it.
const PROTOCOL: i32 = 16;

/// A line for this participant, and its offer.
pub(super) fn line(join: &Join, footing: &Footing) -> Result<(Line, String), JoinError> {
    let random = getrandom::u64()
        .map_err(|error| JoinError::NoMedia { seconds: 0, why: format!("no random numbers: {error}") })?;
    let plan = Plan { codec: join.codec, rate: join.rate, cid: CID, footing, random };
    Line::new(&plan, Instant::now())
}

/// Everything at once: who we are, our track, our offer.
pub(super) fn join_request(join: &Join, offer: &str, listens: bool) -> JoinRequest {
    JoinRequest {
        client_info: Some(client_info()),
        connection_settings: Some(ConnectionSettings {
            auto_subscribe: listens,
            subscriber_allow_pause: Some(false),
            ..ConnectionSettings::default()
        }),
        participant_attributes: join.attributes.iter().cloned().collect(),
        add_track_requests: vec![track(join)],
        publisher_offer: Some(description(offer.to_owned(), 1)),
        ..JoinRequest::default()
    }
}

fn track(join: &Join) -> AddTrackRequest {
    AddTrackRequest {
        cid: CID.to_owned(),
        name: join.track.clone(),
        r#type: TrackType::Audio as i32,
        source: TrackSource::Microphone as i32,
        // Plain packets: subscribers of a RED track hear plain ones as silence.
        disable_red: true,
        stream: "trunkline".to_owned(),
        audio_features: vec![AudioTrackFeature::TfNoDtx as i32],
        ..AddTrackRequest::default()
    }
}

pub(super) fn client_info() -> ClientInfo {
    ClientInfo {
        sdk: client_info::Sdk::Go as i32,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL,
        os: std::env::consts::OS.to_owned(),
        ..ClientInfo::default()
    }
}

pub(super) fn description(sdp: String, id: u32) -> SessionDescription {
    SessionDescription { r#type: "offer".to_owned(), sdp, id, ..SessionDescription::default() }
}
