//! The side that answers challenges.

use super::Credentials;
use super::digest::{Algorithm, Fields, Hash, Inputs};
use crate::message::text::quoted;
use std::fmt::Write;

/// The challenge to answer: the strongest that is understood (SHA-256 before SHA-512/256, which few
/// peers get right, before MD5); among equals the first, as RFC 8760 §2.4 has it.
#[must_use]
pub fn best_challenge<'a>(challenges: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(u8, &str)> = None;
    for challenge in challenges {
        let Some(fields) = Fields::parse(challenge) else { continue };
        let Some(algorithm) = Algorithm::parse(fields.algorithm.as_deref()) else { continue };
        if qop(&fields).is_none() {
            continue;
        }
        let rank = match algorithm.hash {
            Hash::Md5 => 1,
            Hash::Sha512_256 => 2,
            Hash::Sha256 => 3,
        };
        if best.is_none_or(|(r, _)| rank > r) {
            best = Some((rank, challenge));
        }
    }
    best.map(|(_, challenge)| challenge)
}

/// Does the challenge say that only the nonce was too old? Then the same credentials deserve another try.
#[must_use]
pub fn is_stale(challenge: &str) -> bool {
    Fields::parse(challenge).and_then(|f| f.stale).is_some_and(|s| s.eq_ignore_ascii_case("true"))
}

/// The value of Authorization (for 401) or Proxy-Authorization (for 407).
///
/// `nc` counts the requests that this nonce has answered, from 1. `None`: the challenge is of another
/// scheme, realm or algorithm, wants a qop other than `auth`, has no realm or nonce, or holds control
/// characters.
#[must_use]
pub fn respond(
    challenge: &str,
    credentials: &Credentials,
    method: &str,
    uri: &str,
    cnonce: &str,
    nc: u32,
) -> Option<String> {
    let fields = Fields::parse(challenge)?;
    let algorithm = Algorithm::parse(fields.algorithm.as_deref())?;
    let with_qop = qop(&fields)?;
    let (realm, nonce) = (fields.realm.as_deref()?, fields.nonce.as_deref()?);
    let opaque = fields.opaque.as_deref();
    if credentials.realm.as_deref().is_some_and(|wanted| wanted != realm) {
        return None;
    }
    if [realm, nonce, opaque.unwrap_or("")].iter().any(|v| v.chars().any(char::is_control)) {
        return None;
    }
    let nc = format!("{nc:08x}");
    let response = Inputs {
        algorithm,
        username: &credentials.username,
        realm,
        password: &credentials.password,
        method,
        uri,
        nonce,
        cnonce,
        nc: with_qop.then_some(nc.as_str()),
    }
    .response();
    let mut out = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
        quoted(&credentials.username),
        quoted(realm),
        quoted(nonce),
        quoted(uri),
    );
    if let Some(name) = fields.algorithm.as_deref() {
        // Understood above, so it is one of six tokens.
        let _ = write!(out, ", algorithm={name}");
    }
    if let Some(opaque) = opaque {
        let _ = write!(out, ", opaque={}", quoted(opaque));
    }
    if with_qop {
        let _ = write!(out, ", qop=auth, nc={nc}");
    }
    if with_qop || algorithm.session {
        let _ = write!(out, ", cnonce={}", quoted(cnonce));
    }
    Some(out)
}

/// `Some(true)`: qop=auth; `Some(false)`: none was offered (RFC 2069); `None`: only others.
fn qop(fields: &Fields<'_>) -> Option<bool> {
    match fields.qop.as_deref() {
        None => Some(false),
        Some(list) => list.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")).then_some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "Digest realm=\"r\", nonce=\"n\", qop=\"auth,auth-int\", algorithm=MD5";
    const SHA: &str = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256";

    fn bob(realm: Option<&str>) -> Credentials {
        Credentials { username: "bob".into(), password: "secret".into(), realm: realm.map(str::to_owned) }
    }

    #[test]
    fn sha_256_is_preferred_and_an_unknown_algorithm_or_scheme_is_passed_over() {
        let blake = "Digest realm=\"r\", nonce=\"n\", algorithm=BLAKE3";
        assert_eq!(best_challenge(["Basic realm=\"r\"", blake, MD5, SHA].into_iter()), Some(SHA));
        assert_eq!(best_challenge([blake].into_iter()), None);
        let integrity = "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"";
        assert_eq!(best_challenge([integrity].into_iter()), None);
    }

    #[test]
    fn a_challenge_of_another_realm_is_not_answered() {
        assert!(respond(SHA, &bob(Some("other")), "INVITE", "sip:a@b", "c", 1).is_none());
        assert!(respond(SHA, &bob(Some("r")), "INVITE", "sip:a@b", "c", 1).is_some());
        assert!(respond(SHA, &bob(None), "INVITE", "sip:a@b", "c", 1).is_some());
    }

    #[test]
    fn the_answer_names_what_the_challenge_named() {
        let answer = respond(MD5, &bob(None), "INVITE", "sip:a@b", "c", 26).unwrap();
        for part in ["algorithm=MD5", "qop=auth", "nc=0000001a", "cnonce=\"c\"", "uri=\"sip:a@b\""] {
            assert!(answer.contains(part), "{answer}");
        }
        let legacy = respond("Digest realm=\"r\",nonce=\"n\"", &bob(None), "BYE", "sip:a", "c", 1).unwrap();
        assert!(!legacy.contains("qop") && !legacy.contains("nc=") && !legacy.contains("algorithm"));
    }

    #[test]
    fn stale_is_told_from_a_wrong_password() {
        assert!(is_stale("Digest realm=\"r\", nonce=\"n\", stale=TRUE"));
        assert!(!is_stale(SHA) && !is_stale("nonsense"));
    }
}
