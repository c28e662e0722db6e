//! The token that lets a caller into a room, signed by us where LiveKit's server hands none out.

use livekit_protocol::RoomConfiguration;
use livekit_token::{AccessToken, VideoGrants};
use std::time::Duration;

/// The longest call that livekit/sip allows.
const LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Attributes that stand in the token; all of them go with the join.
const IN_TOKEN: [&str; 5] =
    ["sip.callID", "sip.trunkID", "sip.ruleID", "sip.trunkPhoneNumber", "sip.phoneNumber"];

/// Whose token it is.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    pub room: String,
    pub identity: String,
    pub name: String,
    pub metadata: String,
    pub attributes: Vec<(String, String)>,
    /// Agents that are to be dispatched, and other settings of a room that this call makes.
    pub room_config: Option<RoomConfiguration>,
}

impl Admission {
    /// Signs it: kind SIP, a day, join, publish, subscribe, data and its own metadata.
    ///
    /// # Errors
    /// A key or secret that is empty, an identity or room that is; a sentence.
    pub fn sign(&self, api_key: &str, api_secret: &str) -> Result<String, String> {
        let grants = VideoGrants {
            room_join: true,
            room: self.room.clone(),
            can_publish: Some(true),
            can_subscribe: Some(true),
            can_publish_data: Some(true),
            can_update_own_metadata: Some(true),
            ..VideoGrants::default()
        };
        let few = self.attributes.iter().filter(|(name, _)| IN_TOKEN.contains(&name.as_str())).cloned();
        let mut token = AccessToken::with_api_key(api_key, api_secret)
            .with_ttl(LIFE)
            .with_kind("sip")
            .with_identity(&self.identity)
            .with_name(&self.name)
            .with_metadata(&self.metadata)
            .with_attributes(few)
            .with_grants(grants);
        if let Some(config) = &self.room_config {
            token = token.with_room_config(config.clone());
        }
        token.to_jwt().map_err(|error| format!("no token could be signed for the room: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use livekit_token::TokenVerifier;

    #[test]
    fn a_caller_is_let_in_as_a_telephone_that_may_speak_and_listen() {
        let caller = Admission {
            room: "lobby".into(),
            identity: "sip_1".into(),
            attributes: vec![("sip.callID".into(), "SCL_1".into()), ("sip.h.x-a".into(), "b".into())],
            ..Admission::default()
        };
        let secret = "a-secret-of-thirty-two-characters";
        let claims =
            TokenVerifier::with_api_key("key", secret).verify(&caller.sign("key", secret).unwrap()).unwrap();
        assert_eq!((claims.kind.as_str(), claims.sub.as_str()), ("sip", "sip_1"));
        assert!(claims.video.room_join && claims.video.can_update_own_metadata());
        assert_eq!(claims.attributes.len(), 1, "those that agents look for");
    }

    #[test]
    fn without_a_room_there_is_no_token() {
        let nobody = Admission { identity: "sip_1".into(), ..Admission::default() };
        assert!(nobody.sign("key", "secret").unwrap_err().contains("room"));
    }
}
