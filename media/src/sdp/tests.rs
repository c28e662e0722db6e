use super::{OfferAnswer, Preferences, SdpError};
use crate::session::{Codec, Direction, Session};
use proptest::prelude::*;
use std::net::IpAddr;

const ALL: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

fn machine_with(codecs: &[Codec]) -> OfferAnswer {
    let preferences = Preferences { codecs: codecs.to_vec(), dtmf: true, comfort_noise: true };
    OfferAnswer::new("192.0.2.1".parse().unwrap(), 40_000, 7_777, preferences)
}

fn machine() -> OfferAnswer {
    machine_with(&[Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus])
}

fn sdp(lines: &str) -> Vec<u8> {
    format!("v=0\r\no=- 1 1 IN IP4 198.51.100.2\r\ns=-\r\nc=IN IP4 198.51.100.2\r\nt=0 0\r\n{lines}")
        .into_bytes()
}

fn answer(lines: &str) -> Result<(String, Session), SdpError> {
    machine().answer(&sdp(lines))
}

fn version(text: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with("o=")).unwrap();
    line.split(' ').nth(2).unwrap().parse().unwrap()
}

#[test]
fn our_first_choice_wins_under_the_number_of_the_offer() {
    let (text, session) =
        answer("m=audio 5004 RTP/AVP 8 0 96\r\na=rtpmap:96 Telephone-Event/8000\r\na=rtpmap:0 pcmu/8000\r\n")
            .unwrap();
    assert_eq!((session.codec, session.payload_type), (Codec::Pcmu, 0));
    assert_eq!(session.dtmf, Some((96, 96)));
    assert_eq!(session.remote, Some("198.51.100.2:5004".parse().unwrap()));
    assert_eq!(session.remote_rtcp, Some("198.51.100.2:5005".parse().unwrap()));
    assert!(text.contains("m=audio 40000 RTP/AVP 0 96\r\n"), "{text}");
    assert!(text.contains("a=rtpmap:96 telephone-event/8000\r\n"), "{text}");
}

#[test]
fn static_payload_types_need_no_rtpmap_and_dynamic_ones_mean_what_their_rtpmap_says() {
    for (lines, expected) in [
        ("m=audio 5004 RTP/AVP 0\r\n", (Codec::Pcmu, 0)),
        ("m=audio 5004 RTP/AVP 8\r\n", (Codec::Pcma, 8)),
        ("m=audio 5004 RTP/AVP 9\r\n", (Codec::G722, 9)),
        ("m=audio 5004 RTP/AVP 18 97\r\na=rtpmap:97 PCMA/8000\r\n", (Codec::Pcma, 97)),
        ("m=audio 5004 RTP/AVP 109\r\na=rtpmap:109 OPUS/48000/2\r\n", (Codec::Opus, 109)),
        ("m=audio 5004 RTP/AVP 9\r\na=rtpmap:9 G722/16000\r\n", (Codec::G722, 9)),
    ] {
        let (_, session) = answer(lines).unwrap();
        assert_eq!((session.codec, session.payload_type), expected, "{lines}");
        assert_eq!(session.receive, vec![(expected.1, expected.0)], "{lines}");
    }
}

#[test]
fn telephone_event_follows_the_clock_of_the_codec() {
    let both = "a=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:102 telephone-event/48000\r\n";
    let (_, opus) = answer(&format!("m=audio 5004 RTP/AVP 96 101 102\r\n{both}")).unwrap();
    assert_eq!((opus.dtmf, opus.dtmf_clock), (Some((102, 102)), 48_000));
    let (_, pcmu) = answer(&format!("m=audio 5004 RTP/AVP 0 96 101 102\r\n{both}")).unwrap();
    assert_eq!((pcmu.dtmf, pcmu.dtmf_clock), (Some((101, 101)), 8_000));
    let (_, only) = answer(
        "m=audio 5004 RTP/AVP 96 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n",
    )
    .unwrap();
    assert_eq!(
        (only.dtmf, only.dtmf_clock),
        (Some((101, 101)), 8_000),
        "opus with events at 8,000 Hz is common"
    );
}

#[test]
fn packet_time_is_what_the_peer_asks_for_within_what_the_codec_has() {
    for (lines, codec, expected) in [
        ("", "0", 20),
        ("a=ptime:30\r\n", "0", 30),
        ("a=ptime:10\r\n", "0", 10),
        ("a=ptime:60\r\n", "0", 60),
        ("a=ptime:50\r\n", "0", 40),
        ("a=ptime:200\r\n", "0", 60),
        ("a=ptime:5\r\n", "0", 10),
        ("a=ptime:0\r\n", "0", 20),
        ("a=ptime:twenty\r\n", "0", 20),
        ("a=ptime:20.0\r\n", "0", 20),
        ("a=maxptime:10\r\n", "0", 10),
        ("a=ptime:40\r\na=maxptime:30\r\n", "0", 30),
        ("a=rtpmap:96 opus/48000/2\r\na=ptime:30\r\n", "96", 20),
        ("a=rtpmap:96 opus/48000/2\r\na=ptime:40\r\n", "96", 40),
    ] {
        let (text, session) = answer(&format!("m=audio 5004 RTP/AVP {codec}\r\n{lines}")).unwrap();
        assert_eq!(session.ptime_ms, expected, "{lines}");
        assert!(text.contains(&format!("a=ptime:{expected}\r\n")), "{text}");
    }
}

#[test]
fn the_direction_of_an_answer_mirrors_the_offer() {
    for (theirs, ours, expected) in [
        ("", "sendrecv", Direction::SendRecv),
        ("a=sendrecv\r\n", "sendrecv", Direction::SendRecv),
        ("a=sendonly\r\n", "recvonly", Direction::RecvOnly),
        ("a=recvonly\r\n", "sendonly", Direction::SendOnly),
        ("a=inactive\r\n", "inactive", Direction::Inactive),
    ] {
        let (text, session) = answer(&format!("m=audio 5004 RTP/AVP 0\r\n{theirs}")).unwrap();
        assert_eq!(session.direction, expected);
        assert!(text.contains(&format!("a={ours}\r\n")), "{text}");
        let of_session = answer(&format!("{theirs}m=audio 5004 RTP/AVP 0\r\n")).unwrap().1;
        assert_eq!(of_session.direction, expected, "at the session level");
    }
    let (_, media) = answer("a=inactive\r\nm=audio 5004 RTP/AVP 0\r\na=sendrecv\r\n").unwrap();
    assert_eq!(media.direction, Direction::SendRecv, "the stream's own line counts");
}

#[test]
fn the_old_hold_by_a_zero_address_stops_our_sending() {
    let (text, session) = answer("m=audio 5004 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n").unwrap();
    assert_eq!((session.remote, session.direction), (None, Direction::RecvOnly));
    assert!(text.contains("a=recvonly"), "{text}");
}

#[test]
fn a_hold_of_ours_outlives_a_refresh_of_the_peers_until_we_resume() {
    let mut machine = machine();
    machine.answer(&sdp("m=audio 5004 RTP/AVP 0\r\n")).unwrap();
    let offer = machine.offer(Direction::SendOnly);
    assert!(offer.contains("a=sendonly"));
    let held = machine.accept(&sdp("m=audio 5004 RTP/AVP 0\r\na=recvonly\r\n")).unwrap();
    assert_eq!(held.direction, Direction::SendOnly);
    let (text, refreshed) = machine.answer(&sdp("m=audio 5004 RTP/AVP 0\r\na=sendrecv\r\n")).unwrap();
    assert_eq!(refreshed.direction, Direction::SendOnly);
    assert!(text.contains("a=sendonly"));
    machine.offer(Direction::SendRecv);
    let resumed = machine.accept(&sdp("m=audio 5004 RTP/AVP 0\r\n")).unwrap();
    assert_eq!(resumed.direction, Direction::SendRecv);
}

#[test]
fn the_version_grows_only_when_the_description_changes() {
    let mut machine = machine();
    let offer = sdp("m=audio 5004 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    let (first, _) = machine.answer(&offer).unwrap();
    let (again, _) = machine.answer(&offer).unwrap();
    assert_eq!(first, again);
    let (held, _) = machine
        .answer(&sdp("m=audio 5004 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n"))
        .unwrap();
    assert_eq!(version(&held), version(&first) + 1);
}

#[test]
fn payload_types_stay_the_same_in_a_later_offer_of_ours() {
    let mut machine = machine();
    machine
        .answer(&sdp(
            "m=audio 5004 RTP/AVP 97 96\r\na=rtpmap:97 opus/48000/2\r\na=rtpmap:96 telephone-event/8000\r\n",
        ))
        .unwrap();
    let offer = machine.offer(Direction::SendOnly);
    assert!(offer.contains("a=rtpmap:97 opus/48000/2"), "{offer}");
    assert!(offer.contains("a=rtpmap:96 telephone-event/8000"), "{offer}");
    assert!(offer.contains("m=audio 40000 RTP/AVP 97 "), "the codec in use comes first: {offer}");
}

#[test]
fn other_streams_are_refused_in_their_order_and_stay_in_our_later_offers() {
    let mut machine = machine();
    let offer = sdp(
        "m=video 6000 RTP/AVP 96\r\nm=audio 5004 RTP/SAVP 0\r\nm=audio 5006 RTP/AVP 0\r\nm=image 7000 udptl t38\r\n",
    );
    let lines =
        |text: &str| text.lines().filter(|l| l.starts_with("m=")).map(str::to_owned).collect::<Vec<_>>();
    let (text, session) = machine.answer(&offer).unwrap();
    assert_eq!(session.remote.unwrap().port(), 5006);
    let expected =
        ["m=video 0 RTP/AVP 96", "m=audio 0 RTP/SAVP 0", "m=audio 40000 RTP/AVP 0", "m=image 0 udptl t38"];
    assert_eq!(lines(&text), expected);
    let ours = lines(&machine.offer(Direction::SendRecv));
    assert_eq!((ours.len(), &ours[0], &ours[3]), (4, &lines(&text)[0], &lines(&text)[3]));
    assert!(ours[2].starts_with("m=audio 40000 RTP/AVP 0 "), "{ours:?}");
}

#[test]
fn feedback_profiles_are_answered_in_kind() {
    let (text, _) = answer("m=audio 5004 RTP/AVPF 0\r\n").unwrap();
    assert!(text.contains("m=audio 40000 RTP/AVPF 0\r\n"), "{text}");
}

#[test]
fn rtcp_goes_where_the_peer_says() {
    let mux = answer("m=audio 5004 RTP/AVP 0\r\na=rtcp-mux\r\n").unwrap();
    assert!(mux.1.rtcp_mux && mux.0.contains("a=rtcp-mux\r\n"));
    assert_eq!(mux.1.remote_rtcp, mux.1.remote);
    let port = answer("m=audio 5004 RTP/AVP 0\r\na=rtcp:6001\r\n").unwrap().1;
    assert_eq!(port.remote_rtcp, Some("198.51.100.2:6001".parse().unwrap()));
    let address = answer("m=audio 5004 RTP/AVP 0\r\na=rtcp:6001 IN IP4 203.0.113.9\r\n").unwrap().1;
    assert_eq!(address.remote_rtcp, Some("203.0.113.9:6001".parse().unwrap()));
    let last = answer("m=audio 65535 RTP/AVP 0\r\n").unwrap().1;
    assert_eq!(last.remote_rtcp, None);
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    type Check = fn(&SdpError) -> bool;
    let table: [(&[u8], u16, Check); 8] = [
        (b"hello", 400, |e| matches!(e, SdpError::Malformed(_))),
        (b"", 400, |e| matches!(e, SdpError::Malformed(_))),
        (&sdp("m=video 5004 RTP/AVP 96\r\n"), 488, |e| *e == SdpError::NoAudio),
        (&sdp("m=audio 0 RTP/AVP 0\r\n"), 488, |e| *e == SdpError::NoAudio),
        (
            &sdp("m=audio 5004 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n"),
            488,
            |e| matches!(e, SdpError::NoCodec { offered, .. } if offered.contains("G729/8000")),
        ),
        (
            &sdp("m=audio 5004 RTP/SAVPF 0\r\n"),
            488,
            |e| matches!(e, SdpError::Profile(p) if p == "RTP/SAVPF"),
        ),
        (
            &sdp("m=audio 5004 RTP/AVP 0\r\nc=IN IP4 media.example.com\r\n"),
            488,
            |e| matches!(e, SdpError::Address(host) if host == "media.example.com"),
        ),
        (&sdp("m=audio 5004 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n"), 488, |e| {
            matches!(e, SdpError::Family { .. })
        }),
    ];
    for (body, status, check) in table {
        let error = machine().answer(body).unwrap_err();
        assert!(check(&error), "{error:?}");
        assert_eq!(error.status(), status);
    }
}

#[test]
fn ipv6_is_spoken_by_both_sides() {
    let preferences = Preferences { codecs: vec![Codec::Pcmu], dtmf: false, comfort_noise: false };
    let mut machine = OfferAnswer::new("2001:db8::1".parse().unwrap(), 40_000, 1, preferences);
    let offer = b"v=0\r\no=- 1 1 IN IP6 2001:db8::2\r\ns=-\r\nc=IN IP6 2001:db8::2\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n";
    let (text, session) = machine.answer(offer).unwrap();
    assert_eq!(session.remote, Some("[2001:db8::2]:5004".parse().unwrap()));
    assert!(text.contains("c=IN IP6 2001:db8::1\r\n"), "{text}");
}

#[test]
fn a_stream_is_switched_off_and_on_again_within_a_call() {
    let mut machine = machine();
    machine.answer(&sdp("m=audio 5004 RTP/AVP 0\r\n")).unwrap();
    let (text, off) = machine.answer(&sdp("m=audio 0 RTP/AVP 19\r\n")).unwrap();
    assert_eq!((off.remote, off.direction), (None, Direction::Inactive));
    assert!(text.contains("m=audio 0 RTP/AVP 0"), "{text}");
    let (text, on) = machine.answer(&sdp("m=audio 5004 RTP/AVP 0\r\n")).unwrap();
    assert_eq!(on.direction, Direction::SendRecv);
    assert!(text.contains("m=audio 40000 RTP/AVP 0"), "{text}");
}

#[test]
fn a_refused_offer_leaves_the_session_as_it_was() {
    let mut machine = machine();
    let (_, before) = machine.answer(&sdp("m=audio 5004 RTP/AVP 0\r\n")).unwrap();
    machine.offer(Direction::SendOnly);
    assert_eq!(machine.answer(&sdp("m=audio 5004 RTP/AVP 8\r\n")).unwrap_err(), SdpError::State);
    machine.roll_back();
    assert_eq!(machine.session(), Some(&before));
    let (_, after) = machine.answer(&sdp("m=audio 5004 RTP/AVP 0\r\n")).unwrap();
    assert_eq!(after.direction, Direction::SendRecv, "the hold that was refused is forgotten");
}

#[test]
fn a_faulty_offer_changes_nothing() {
    let mut machine = machine();
    let (_, before) = machine.answer(&sdp("m=audio 5004 RTP/AVP 0\r\n")).unwrap();
    machine.answer(&sdp("m=audio 5004 RTP/AVP 18\r\n")).unwrap_err();
    assert_eq!(machine.session(), Some(&before));
}

#[test]
fn answers_of_several_forks_are_taken_in_turn_and_an_answer_without_an_offer_is_not() {
    let mut machine = machine();
    assert_eq!(machine.accept(&sdp("m=audio 5004 RTP/AVP 0\r\n")).unwrap_err(), SdpError::State);
    machine.offer(Direction::SendRecv);
    machine.accept(&sdp("m=audio 5004 RTP/AVP 0\r\n")).unwrap();
    let last = machine.accept(&sdp("m=audio 5008 RTP/AVP 8\r\n")).unwrap();
    assert_eq!((last.codec, last.remote.unwrap().port()), (Codec::Pcma, 5008));
}

#[test]
fn an_answer_may_use_other_numbers_than_our_offer() {
    let mut machine = machine_with(&ALL);
    let offer = machine.offer(Direction::SendRecv);
    assert!(offer.contains("a=rtpmap:111 opus/48000/2"), "{offer}");
    let session = machine
        .accept(&sdp(
            "m=audio 5004 RTP/AVP 96 99\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:99 telephone-event/48000\r\n",
        ))
        .unwrap();
    assert_eq!((session.payload_type, session.receive), (96, vec![(111, Codec::Opus)]));
    assert_eq!(session.dtmf, Some((99, 110)));
}

fn subset() -> impl Strategy<Value = Vec<Codec>> {
    proptest::sample::subsequence(ALL.to_vec(), 1..=4).prop_shuffle()
}

fn any_direction() -> impl Strategy<Value = Direction> {
    (any::<bool>(), any::<bool>()).prop_map(|(sends, receives)| Direction::from_parts(sends, receives))
}

proptest! {
    #[test]
    fn offerer_and_answerer_agree(ours in subset(), theirs in subset(), dtmf in any::<(bool, bool)>(), way in any_direction()) {
        let ip: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()];
        let preferences = |codecs: &[Codec], dtmf| Preferences { codecs: codecs.to_vec(), dtmf, comfort_noise: true };
        let mut a = OfferAnswer::new(ip[0], 10_000, 1, preferences(&ours, dtmf.0));
        let mut b = OfferAnswer::new(ip[1], 20_000, 2, preferences(&theirs, dtmf.1));
        let offer = a.offer(way);
        match b.answer(offer.as_bytes()) {
            Err(error) => {
                prop_assert!(ours.iter().all(|codec| !theirs.contains(codec)), "{}", error);
            }
            Ok((answer, of_b)) => {
                let of_a = a.accept(answer.as_bytes()).unwrap();
                prop_assert_eq!(of_a.codec, of_b.codec);
                prop_assert_eq!(of_b.codec, *theirs.iter().find(|codec| ours.contains(codec)).unwrap());
                prop_assert!(of_b.receive.contains(&(of_a.payload_type, of_a.codec)));
                prop_assert!(of_a.receive.contains(&(of_b.payload_type, of_b.codec)));
                prop_assert_eq!(of_a.dtmf.map(|(s, r)| (r, s)), of_b.dtmf);
                prop_assert_eq!(of_a.dtmf.is_some(), dtmf.0 && dtmf.1);
                prop_assert_eq!(of_a.comfort_noise, of_b.comfort_noise);
                prop_assert_eq!(of_a.ptime_ms, of_b.ptime_ms);
                prop_assert_eq!(of_a.direction, way);
                prop_assert_eq!((of_b.direction.sends(), of_b.direction.receives()), (way.receives(), way.sends()));
                // a second round from the other side changes nothing
                let again = b.offer(of_b.direction);
                let (back, again_a) = a.answer(again.as_bytes()).unwrap();
                let again_b = b.accept(back.as_bytes()).unwrap();
                prop_assert_eq!((again_a.codec, again_a.dtmf), (again_b.codec, again_b.dtmf.map(|(s, r)| (r, s))));
            }
        }
    }

    #[test]
    fn no_description_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut machine = machine();
        let _ = machine.answer(&body);
        machine.offer(Direction::SendRecv);
        let _ = machine.accept(&body);
    }

    #[test]
    fn no_line_of_a_description_makes_it_panic(lines in proptest::collection::vec(
        "(m=audio [0-9]{1,6}(/[0-9]{1,3})? RTP/S?AVPF?( [0-9]{1,3}){0,9}|a=rtpmap:[0-9]{1,4} [a-zA-Z0-9-]{0,18}/[0-9]{0,6}(/[0-9])?|c=IN IP[46] [0-9a-f.:/]{0,18}|a=(ptime|maxptime|rtcp):[0-9. -]{0,12}|a=(sendonly|inactive|rtcp-mux)|[a-z]=\\PC{0,20})", 0..30)
    ) {
        let mut machine = machine();
        let text = lines.join("\r\n");
        if let Ok((answer, session)) = machine.answer(&sdp(&text)) {
            prop_assert!(machine_with(&ALL).answer(answer.as_bytes()).is_ok() || session.remote.is_none());
        }
        machine.offer(Direction::SendRecv);
        let _ = machine.accept(&sdp(&text));
    }
}
