//! Forked INVITEs: several who answer, and copies that arrive by several paths.

use crate::pair::{Pair, SDP_B};
use bytes::Bytes;
use std::time::Duration;
use trunkline_sip::message::HeaderName;
use trunkline_sip::{Event, Message};

/// The message with another To tag, as another fork would send it.
fn other_fork(message: &Message) -> Bytes {
    let tag = message.to().unwrap().tag().unwrap();
    let text = String::from_utf8(message.bytes().to_vec()).unwrap();
    Bytes::from(text.replace(tag, "otherfork").replace("bob@192", "carol@192"))
}

#[test]
fn a_second_fork_that_answers_is_acknowledged_and_ended() {
    let mut pair = Pair::new();
    let (ours, _) = pair.connected();
    let answer = pair.b.sent.last().unwrap().1.clone();
    pair.a.endpoint.receive(pair.now, pair.flow(), other_fork(&answer));
    pair.settle();
    let sent: Vec<_> = pair.a.sent.iter().skip(2).map(|(_, m)| m.clone()).collect();
    assert_eq!(Pair::names(&pair.a, 2), ["ACK", "BYE"]);
    for m in &sent {
        assert_eq!(m.to().unwrap().tag(), Some("otherfork"));
        assert_eq!(m.request_uri().unwrap().user, Some("carol"));
    }
    assert_eq!((sent[0].cseq().unwrap().number, sent[1].cseq().unwrap().number), (1, 2));
    // The first one's call goes on.
    assert!(pair.a.endpoint.identity(ours).is_some());
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.assert_empty();
}

#[test]
fn early_dialogs_of_several_forks_are_told_and_counted() {
    let mut pair = Pair::new();
    let invite = pair.invite();
    let ours = pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let (theirs, _) = pair.incoming();
    pair.b.endpoint.ring(pair.now, theirs, 180, None, false, &[]).unwrap();
    pair.settle();
    let ringing = pair.b.sent.last().unwrap().1.clone();
    pair.a.endpoint.receive(pair.now, pair.flow(), other_fork(&ringing));
    pair.settle();
    assert_eq!((pair.a.events.len(), pair.a.endpoint.counts().dialogs), (2, 2));
    pair.b.endpoint.answer(pair.now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.settle();
    assert_eq!(pair.a.endpoint.counts().dialogs, 1);
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.assert_empty();
}

#[test]
fn the_same_invite_by_another_path_is_merged_482() {
    let mut pair = Pair::new();
    let invite = pair.invite();
    pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    pair.incoming();
    let sent = pair.a.sent[0].1.clone();
    let branch = sent.via().unwrap().branch().unwrap().to_owned();
    let copy = String::from_utf8(sent.bytes().to_vec()).unwrap().replace(&branch, "z9hG4bKotherpath");
    let back = trunkline_sip::Flow { local: pair.b.at, remote: pair.a.at, ..pair.flow() };
    pair.b.endpoint.receive(pair.now, back, Bytes::from(copy));
    pair.settle();
    assert_eq!(Pair::names(&pair.b, 0), ["100 INVITE", "482 INVITE"]);
    assert!(pair.b.events.is_empty());
}

#[test]
fn a_200_that_crosses_our_cancel_is_acknowledged_and_ended() {
    let mut pair = Pair::new();
    let invite = pair.invite();
    let ours = pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let (theirs, _) = pair.incoming();
    // Both at the same moment: CANCEL and 200 pass each other.
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.b.endpoint.answer(pair.now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.pass(Duration::from_secs(1));
    assert!(matches!(pair.a.events.pop_back(), Some(Event::Rejected { status: 487, .. })));
    assert_eq!(Pair::names(&pair.a, 0), ["INVITE", "CANCEL", "ACK", "BYE"]);
    assert!(matches!(pair.b.events.pop_back(), Some(Event::Ended { .. })));
    pair.assert_empty();
}

#[test]
fn the_route_set_of_the_answer_is_followed_in_reverse() {
    let mut pair = Pair::new();
    let invite = pair.invite();
    let ours = pair.a.endpoint.invite(pair.now, invite).unwrap();
    pair.settle();
    let (theirs, _) = pair.incoming();
    pair.fate =
        Box::new(
            |line| {
                if line.contains("200") { crate::pair::Fate::Lost } else { crate::pair::Fate::Arrives }
            },
        );
    pair.b.endpoint.answer(pair.now, theirs, Bytes::from_static(SDP_B), &[]).unwrap();
    pair.settle();
    let answer = String::from_utf8(pair.b.sent.last().unwrap().1.bytes().to_vec()).unwrap();
    let routes = "Record-Route: <sip:192.0.2.9;lr>, <sip:192.0.2.8;lr>\r\nFrom: ";
    pair.a.endpoint.receive(pair.now, pair.flow(), Bytes::from(answer.replace("From: ", routes)));
    pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
    pair.settle();
    for (_, m) in pair.a.sent.iter().skip(1) {
        let routes: Vec<_> = m.list(HeaderName::Route).collect();
        assert_eq!(routes, ["<sip:192.0.2.8;lr>", "<sip:192.0.2.9;lr>"]);
        assert_eq!(m.request_uri_raw(), "sip:bob@192.0.2.2:5060");
    }
}
