//! LiveKit's tokens: HS256 by our key, with what their bearer may do.

use crate::Fault;
use livekit_token::{Claims, TokenVerifier};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// The key whose tokens are taken.
#[derive(Clone)]
pub struct Keys {
    key: String,
    secret: String,
}

impl fmt::Debug for Keys {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Keys {
    #[must_use]
    pub fn new(key: &str, secret: &str) -> Self {
        Self { key: key.to_owned(), secret: secret.to_owned() }
    }

    /// What the bearer of an `Authorization` header may do. No header: nothing, and so it is told by the method
    /// that wants more. The token itself is never repeated: it is as good as a password.
    pub(crate) fn grants(&self, authorization: Option<&str>) -> Result<Grants, Fault> {
        let Some(header) = authorization else { return Ok(Grants(None)) };
        let Some(token) = header.strip_prefix("Bearer ") else {
            return Err(Fault::unauthenticated("invalid authorization header. Must start with Bearer "));
        };
        let claimed = Claims::from_unverified(token)
            .map_err(|_| Fault::unauthenticated("invalid authorization token"))?;
        if claimed.iss != self.key {
            let shown: String = claimed.iss.escape_debug().take(60).collect();
            return Err(Fault::unauthenticated(format!("invalid API key: {shown}")));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let over = claimed.exp < usize::try_from(now).unwrap_or(usize::MAX);
        let claims = TokenVerifier::with_api_key(&self.key, &self.secret).verify(token).map_err(|_| {
            Fault::unauthenticated(match over {
                true => "invalid token: it has expired, or a clock is off",
                false => "invalid token: it was not signed with the secret of this key, or is not valid yet",
            })
        })?;
        Ok(Grants(Some(Box::new(claims))))
    }
}

/// What the bearer of a token may do.
pub(crate) struct Grants(Option<Box<Claims>>);

impl Grants {
    /// Trunks and rules (`sip.admin`).
    pub(crate) fn may_set_up(&self) -> Result<(), Fault> {
        self.has(|claims| claims.sip.admin)
    }

    /// Calls (`sip.call`).
    pub(crate) fn may_call(&self) -> Result<(), Fault> {
        self.has(|claims| claims.sip.call)
    }

    /// Who is in a room (`video.roomAdmin` of it).
    pub(crate) fn may_rule(&self, room: &str) -> Result<(), Fault> {
        self.has(|claims| claims.video.room_admin && claims.video.room == room)
    }

    fn has(&self, what: impl FnOnce(&Claims) -> bool) -> Result<(), Fault> {
        // livekit-server's word and code for it.
        let denied = || Fault::unauthenticated("permissions denied");
        if self.0.as_deref().is_some_and(what) { Ok(()) } else { Err(denied()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use livekit_token::{AccessToken, SIPGrants, VideoGrants};
    use std::time::Duration;

    const SECRET: &str = "a-secret-of-thirty-two-characters";

    fn token(secret: &str, key: &str, lasts: u64) -> String {
        let made = AccessToken::with_api_key(key, secret)
            .with_ttl(Duration::from_secs(lasts))
            .with_sip_grants(SIPGrants { admin: true, call: false })
            .with_grants(VideoGrants { room_admin: true, room: "lobby".into(), ..VideoGrants::default() });
        format!("Bearer {}", made.to_jwt().unwrap())
    }

    #[test]
    fn a_token_of_our_key_may_do_what_its_grants_say() {
        let grants = Keys::new("key", SECRET).grants(Some(&token(SECRET, "key", 60))).unwrap();
        assert!(grants.may_set_up().is_ok() && grants.may_call().is_err());
        assert!(grants.may_rule("lobby").is_ok() && grants.may_rule("other").is_err());
    }

    #[test]
    fn whoever_brings_no_token_or_a_wrong_one_may_do_nothing_and_the_token_is_not_repeated() {
        let keys = Keys::new("key", SECRET);
        assert!(keys.grants(None).unwrap().may_set_up().is_err());
        let wrong = token("another-secret-of-thirty-two-chars", "key", 60);
        for bad in [wrong.as_str(), &token(SECRET, "other", 60), "Bearer garbage", "Basic eA=="] {
            let fault = keys.grants(Some(bad)).err().unwrap();
            assert_eq!(fault.status().as_u16(), 401, "{bad}");
            assert!(!fault.msg.contains("eyJ"), "{fault}");
        }
        assert!(!format!("{keys:?}").contains(SECRET));
    }

    #[test]
    fn a_token_without_a_signature_is_refused() {
        let whole = token(SECRET, "key", 60);
        let unsigned = whole.rsplit_once('.').map(|(head, _)| format!("{head}.")).unwrap();
        assert!(Keys::new("key", SECRET).grants(Some(&unsigned)).is_err());
    }
}
