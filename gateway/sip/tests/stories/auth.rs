//! Digest, both sides.

use crate::pair::{Pair, SDP_B};
use bytes::Bytes;
use trunkline_sip::auth::{Credentials, Verdict};
use trunkline_sip::message::HeaderName;
use trunkline_sip::{End, Event};

fn credentials(password: &str, realm: Option<&str>) -> Option<Credentials> {
    Some(Credentials { username: "alice".into(), password: password.into(), realm: realm.map(str::to_owned) })
}

/// A calls with credentials, B challenges whatever comes first.
fn challenged(pair: &mut Pair, credentials: Option<Credentials>) {
    let mut invite = pair.invite();
    invite.credentials = credentials;
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let (theirs, _) = pair.incoming();
    pair.b.endpoint.challenge(pair.now, theirs, "trunk", false).unwrap();
    pair.settle();
    assert!(matches!(pair.b.events.pop_front(), Some(Event::Ended { end: End::Refused(401), .. })));
}

#[test]
fn a_challenged_invite_comes_again_with_credentials_that_verify() {
    let mut pair = Pair::new();
    challenged(&mut pair, credentials("secret", Some("trunk")));
    let Some(Event::Incoming { call, invite, flow }) = pair.b.events.pop_front() else { panic!() };
    assert_eq!(invite.cseq().unwrap().number, 2);
    let verdict = pair.b.endpoint.verify(pair.now, &invite, &flow, "trunk", "alice", "secret");
    assert_eq!(verdict, Verdict::Accepted);
    pair.b.endpoint.answer(pair.now, call, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_front(), Some(Event::Answered { .. })));
    let ack = pair.a.sent.last().unwrap().1.clone();
    assert_eq!(ack.header(HeaderName::Authorization), invite.header(HeaderName::Authorization));
}

#[test]
fn a_wrong_password_is_tried_once_and_no_more() {
    let mut pair = Pair::new();
    challenged(&mut pair, credentials("wrong", None));
    let Some(Event::Incoming { call, invite, flow }) = pair.b.events.pop_front() else { panic!() };
    let verdict = pair.b.endpoint.verify(pair.now, &invite, &flow, "trunk", "alice", "secret");
    assert!(matches!(verdict, Verdict::Refused(_)));
    pair.b.endpoint.challenge(pair.now, call, "trunk", false).unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_front(), Some(Event::Rejected { status: 401, .. })));
    pair.assert_empty();
}

#[test]
fn a_stale_nonce_is_replaced_once() {
    let mut pair = Pair::new();
    challenged(&mut pair, credentials("secret", None));
    let (second, _) = pair.incoming();
    pair.b.endpoint.challenge(pair.now, second, "trunk", true).unwrap();
    pair.settle();
    pair.b.events.pop_front();
    let (third, _) = pair.incoming();
    pair.b.endpoint.challenge(pair.now, third, "trunk", true).unwrap();
    pair.settle();
    assert!(matches!(pair.a.events.pop_front(), Some(Event::Rejected { status: 401, .. })));
    pair.assert_empty();
}

#[test]
fn a_realm_that_the_credentials_are_not_meant_for_gets_none() {
    let mut pair = Pair::new();
    challenged(&mut pair, credentials("secret", Some("elsewhere")));
    assert!(matches!(pair.a.events.pop_front(), Some(Event::Rejected { status: 401, .. })));
    assert_eq!(Pair::names(&pair.a, 0), ["INVITE", "ACK"]);
}
