//! Client against server, and hostile credentials against the server.

use super::*;
use crate::auth::{Credentials, best_challenge, respond};
use bytes::Bytes;
use proptest::prelude::*;

const REALM: &str = "trunkline";
const URI: &str = "sip:100@192.0.2.1";
const NOW: Time = Time::from_secs(1000);

fn source() -> IpAddr {
    "198.51.100.7".parse().unwrap()
}

fn invite(header: &str, value: &str) -> Message {
    let text = format!("INVITE {URI} SIP/2.0\r\n{header}: {value}\r\n\r\n");
    Message::parse(Bytes::from(text)).unwrap()
}

fn bob(password: &str) -> Credentials {
    Credentials { username: "bob".into(), password: password.into(), realm: None }
}

fn answer(challenge: &str, password: &str, nc: u32) -> Message {
    invite("Authorization", &respond(challenge, &bob(password), "INVITE", URI, "abc", nc).unwrap())
}

fn verify(nonces: &mut Nonces, now: Time, request: &Message) -> Verdict {
    nonces.verify(now, request, source(), REALM, "bob", "secret")
}

#[test]
fn the_right_password_is_accepted_with_either_algorithm_and_either_header() {
    let mut nonces = Nonces::new([7; 32], true);
    let challenges = nonces.challenge(NOW, REALM, source(), false);
    assert!(challenges[0].contains("SHA-256") && challenges[1].contains("MD5"));
    assert_eq!(best_challenge(challenges.iter().map(String::as_str)), Some(challenges[0].as_str()));
    for (nc, challenge) in (1..).zip(&challenges) {
        assert_eq!(verify(&mut nonces, NOW, &answer(challenge, "secret", nc)), Verdict::Accepted);
    }
    let challenge = &nonces.challenge(NOW, REALM, source(), true)[0];
    assert!(challenge.ends_with("stale=true"));
    let value = respond(challenge, &bob("secret"), "INVITE", URI, "x", 1).unwrap();
    assert_eq!(verify(&mut nonces, NOW, &invite("Proxy-Authorization", &value)), Verdict::Accepted);
}

#[test]
fn a_wrong_password_or_user_is_refused() {
    let mut nonces = Nonces::new([7; 32], true);
    let challenge = &nonces.challenge(NOW, REALM, source(), false)[0];
    assert_eq!(verify(&mut nonces, NOW, &answer(challenge, "guess", 1)), Verdict::Refused("wrong password"));
    let right = answer(challenge, "secret", 1);
    assert!(matches!(
        nonces.verify(NOW, &right, source(), REALM, "alice", "secret"),
        Verdict::Refused("another user name")
    ));
}

#[test]
fn a_request_uri_that_a_proxy_has_rewritten_does_not_spoil_the_credentials() {
    let mut nonces = Nonces::new([7; 32], true);
    let challenge = &nonces.challenge(NOW, REALM, source(), false)[0];
    let value = respond(challenge, &bob("secret"), "INVITE", "sip:192.0.2.1:5060", "x", 1).unwrap();
    assert_eq!(verify(&mut nonces, NOW, &invite("Authorization", &value)), Verdict::Accepted);
}

#[test]
fn without_credentials_for_the_realm_they_are_missing() {
    let mut nonces = Nonces::new([7; 32], true);
    assert_eq!(verify(&mut nonces, NOW, &invite("Subject", "x")), Verdict::Missing);
    let other = "Digest realm=\"else\", nonce=\"n\", username=\"bob\", uri=\"x\", response=\"y\"";
    assert_eq!(verify(&mut nonces, NOW, &invite("Authorization", other)), Verdict::Missing);
    let unknown = "NoOneKnowsThisScheme opaque-data=here";
    assert_eq!(verify(&mut nonces, NOW, &invite("Authorization", unknown)), Verdict::Missing);
}

#[test]
fn a_nonce_is_stale_after_its_life_from_another_source_and_from_another_key() {
    let mut nonces = Nonces::new([7; 32], true);
    let challenge = &nonces.challenge(NOW, REALM, source(), false)[0];
    let request = answer(challenge, "secret", 1);
    assert_eq!(verify(&mut nonces, NOW + LIFE + Time::from_millis(1), &request), Verdict::Stale);
    let elsewhere = "203.0.113.1".parse().unwrap();
    assert_eq!(nonces.verify(NOW, &request, elsewhere, REALM, "bob", "secret"), Verdict::Stale);
    assert_eq!(verify(&mut Nonces::new([8; 32], true), NOW, &request), Verdict::Stale);
    assert_eq!(verify(&mut nonces, NOW + LIFE, &request), Verdict::Accepted);
}

#[test]
fn a_nonce_that_was_never_issued_is_not_accepted() {
    let mut nonces = Nonces::new([7; 32], true);
    let forged =
        format!("Digest realm=\"{REALM}\", nonce=\"{}\", algorithm=MD5, qop=\"auth\"", "ab".repeat(32));
    assert_eq!(verify(&mut nonces, NOW, &answer(&forged, "secret", 1)), Verdict::Stale);
}

#[test]
fn a_replayed_count_is_stale_and_the_next_count_is_accepted() {
    let mut nonces = Nonces::new([7; 32], true);
    let challenge = &nonces.challenge(NOW, REALM, source(), false)[0];
    assert_eq!(verify(&mut nonces, NOW, &answer(challenge, "secret", 1)), Verdict::Accepted);
    assert_eq!(verify(&mut nonces, NOW, &answer(challenge, "secret", 1)), Verdict::Stale);
    assert_eq!(verify(&mut nonces, NOW, &answer(challenge, "secret", 2)), Verdict::Accepted);
}

#[test]
fn a_nonce_pushed_out_of_the_table_of_used_ones_cannot_be_replayed() {
    let mut nonces = Nonces::new([7; 32], true);
    let first = nonces.challenge(NOW, REALM, source(), false).remove(0);
    assert_eq!(verify(&mut nonces, NOW, &answer(&first, "secret", 1)), Verdict::Accepted);
    let mut last = String::new();
    for _ in 0..USED {
        last = nonces.challenge(NOW, REALM, source(), false).remove(0);
    }
    assert_eq!(verify(&mut nonces, NOW, &answer(&last, "secret", 1)), Verdict::Accepted);
    assert_eq!(verify(&mut nonces, NOW, &answer(&first, "secret", 1)), Verdict::Stale);
    assert_eq!(nonces.used.len(), USED);
}

#[test]
fn a_client_of_rfc_2069_is_accepted_with_md5_alone() {
    let mut nonces = Nonces::new([7; 32], true);
    let challenges = nonces.challenge(NOW, REALM, source(), false);
    let legacy = |c: &str| c.replace(", qop=\"auth\"", "");
    assert_eq!(verify(&mut nonces, NOW, &answer(&legacy(&challenges[1]), "secret", 1)), Verdict::Accepted);
    assert!(matches!(
        verify(&mut nonces, NOW, &answer(&legacy(&challenges[0]), "secret", 1)),
        Verdict::Refused(_)
    ));
}

#[test]
fn an_algorithm_that_was_not_offered_is_refused() {
    let mut nonces = Nonces::new([7; 32], true);
    let challenge = &nonces.challenge(NOW, REALM, source(), false)[0];
    for other in ["SHA-512-256", "SHA-256-sess"] {
        let request = answer(&challenge.replace("SHA-256", other), "secret", 1);
        assert!(matches!(verify(&mut nonces, NOW, &request), Verdict::Refused(_)));
    }
}

proptest! {
    #[test]
    fn hostile_credentials_are_judged_and_never_accepted(tail in "[ -~\u{80}-\u{2ff}]{0,200}") {
        let mut nonces = Nonces::new([7; 32], true);
        let value = format!("Digest realm=\"{REALM}\", username=\"bob\", uri=\"{URI}\", {tail}");
        prop_assert_ne!(verify(&mut nonces, NOW, &invite("Authorization", &value)), Verdict::Accepted);
        let _ = respond(&value, &bob("x"), "INVITE", URI, "c", 1);
        let _ = respond(&tail, &bob("x"), "INVITE", URI, "c", 1);
        let _ = best_challenge([tail.as_str(), value.as_str()].into_iter());
    }
}

#[test]
fn without_sha_256_the_challenge_is_one_that_the_oldest_phone_understands() {
    let mut nonces = Nonces::new([7; 32], false);
    let challenges = nonces.challenge(NOW, REALM, source(), false);
    assert_eq!(challenges.len(), 1);
    assert!(challenges[0].contains("algorithm=MD5"));
    let unasked = answer(&challenges[0].replace("MD5", "SHA-256"), "secret", 1);
    assert!(matches!(verify(&mut nonces, NOW, &unasked), Verdict::Refused(_)));
    assert_eq!(verify(&mut nonces, NOW, &answer(&challenges[0], "secret", 1)), Verdict::Accepted);
}
