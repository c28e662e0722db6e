//! Offer and answer of keys, mode by mode.

use super::{Encryption, OfferAnswer, Preferences, SdpError};
use crate::session::{Codec, Direction};
use crate::srtp::{KeySource, Suite};

const KEY: &str = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
const OTHER: &str = "inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj";
const LONG: &str = "inline:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdA==";

fn machine(mode: Encryption) -> OfferAnswer {
    let preferences = Preferences { codecs: vec![Codec::Pcmu], dtmf: false, comfort_noise: false };
    let mut machine = OfferAnswer::new("192.0.2.1".parse().unwrap(), 40_000, 7, preferences);
    machine.encrypt(mode, KeySource::new(&[3; 32]));
    machine
}

fn sdp(lines: &str) -> Vec<u8> {
    format!("v=0\r\no=- 1 1 IN IP4 198.51.100.2\r\ns=-\r\nc=IN IP4 198.51.100.2\r\nt=0 0\r\n{lines}")
        .into_bytes()
}

fn lines<'a>(text: &'a str, what: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(what)).collect()
}

#[test]
fn an_encrypted_offer_is_answered_under_its_tag_with_a_key_of_ours() {
    for mode in [Encryption::Allow, Encryption::Require] {
        for profile in ["RTP/SAVP", "RTP/SAVPF", "RTP/AVP"] {
            let offer = sdp(&format!(
                "m=audio 5004 {profile} 0\r\na=crypto:1 F8_128_HMAC_SHA1_80 {KEY}\r\n\
                 a=crypto:2 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20|1:4\r\na=crypto:03 AEAD_AES_128_GCM inline:short\r\n\
                 a=crypto:14 AES_CM_128_HMAC_SHA1_32 {OTHER}|2^31\r\na=crypto:5 AES_CM_128_HMAC_SHA1_80 {KEY}\r\n"
            ));
            let (answer, session) = machine(mode).answer(&offer).unwrap();
            let security = session.security.unwrap();
            assert_eq!(security.suite(), Suite::AesCm128Sha1_32, "the first line that can be used");
            assert_ne!(security.ours, security.theirs);
            assert_eq!(lines(&answer, "m="), [format!("m=audio 40000 {profile} 0")]);
            let ours = lines(&answer, "a=crypto");
            assert_eq!(ours.len(), 1, "{answer}");
            assert!(ours[0].starts_with("a=crypto:14 AES_CM_128_HMAC_SHA1_32 inline:"), "{answer}");
            assert!(!answer.contains("NzB4"), "the peer's key does not come back");
        }
    }
}

#[test]
fn each_mode_refuses_what_it_must() {
    use Encryption::{Allow, Disable, Require};
    let secure = format!("m=audio 5004 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\r\n");
    let optional = secure.replace("SAVP", "AVP");
    let broken = "m=audio 5004 RTP/SAVP 0\r\na=crypto:x AES_CM_128_HMAC_SHA1_80 inline:d0Rm\r\n".to_owned();
    let keyless = "m=audio 5004 RTP/SAVP 0\r\n".to_owned();
    let plain = "m=audio 5004 RTP/AVP 0\r\n".to_owned();
    let dtls = "m=audio 5004 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 00\r\n".to_owned();
    for (mode, offer, encrypted) in [
        (Disable, &secure, Err("profile (RTP/SAVP)")),
        (Disable, &optional, Ok(false)),
        (Disable, &plain, Ok(false)),
        (Allow, &secure, Ok(true)),
        (Allow, &optional, Ok(true)),
        (Allow, &plain, Ok(false)),
        (Allow, &broken, Err("tag")),
        (Allow, &keyless, Err("RTP/SAVP without a=crypto")),
        (Allow, &dtls, Err("profile (UDP/TLS/RTP/SAVPF)")),
        (Require, &secure, Ok(true)),
        (Require, &optional, Ok(true)),
        (Require, &plain, Err("RTP/AVP without a=crypto")),
        (Require, &broken, Err("tag")),
    ] {
        match (machine(mode).answer(&sdp(offer)), encrypted) {
            (Ok((_, session)), Ok(encrypted)) => assert_eq!(session.security.is_some(), encrypted, "{offer}"),
            (Err(error), Err(why)) => {
                assert_eq!(error.status(), 488);
                assert!(error.to_string().contains(why), "{error}");
                assert!(!error.to_string().contains("d0Rm"), "{error}");
            }
            (got, _) => panic!("{mode:?} {offer}: {got:?}"),
        }
    }
}

#[test]
fn of_two_streams_the_first_that_the_mode_takes_is_taken() {
    let offer = sdp(&format!(
        "m=audio 5004 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\r\nm=audio 5006 RTP/AVP 0\r\n"
    ));
    for (mode, port) in
        [(Encryption::Disable, 5_006), (Encryption::Allow, 5_004), (Encryption::Require, 5_004)]
    {
        let (_, session) = machine(mode).answer(&offer).unwrap();
        assert_eq!(session.remote.unwrap().port(), port, "{mode:?}");
    }
}

#[test]
fn an_offer_of_ours_has_a_key_a_suite_and_the_answer_picks_one_by_its_tag() {
    for mode in [Encryption::Allow, Encryption::Require] {
        let mut ours = machine(mode);
        let offer = ours.offer(Direction::SendRecv);
        assert!(offer.contains("m=audio 40000 RTP/SAVP 0\r\n"), "{offer}");
        let keys = lines(&offer, "a=crypto");
        assert_eq!(keys.len(), 4, "{offer}");
        assert!(keys[0].starts_with("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"));
        let wrong = [
            format!("a=crypto:9 AES_CM_128_HMAC_SHA1_80 {KEY}\r\n"),
            format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 {KEY}\r\n"),
            format!("a=crypto:6 AES_256_CM_HMAC_SHA1_32 {LONG}\r\n"),
        ];
        for line in wrong {
            let error = ours.accept(&sdp(&format!("m=audio 5004 RTP/SAVP 0\r\n{line}"))).unwrap_err();
            assert!(matches!(error, SdpError::Encryption(_)), "{line} {error:?}");
            assert_eq!(error.status(), 488);
        }
        let answer =
            sdp(&format!("m=audio 5004 RTP/SAVP 0\r\na=crypto:3 AES_256_CM_HMAC_SHA1_80 {LONG}\r\n"));
        let session = ours.accept(&answer).unwrap();
        assert_eq!(session.security.unwrap().suite(), Suite::AesCm256Sha1_80);
        let plain = machine(mode).accept_after_offer("m=audio 5004 RTP/AVP 0\r\n");
        assert_eq!(plain.is_ok(), mode == Encryption::Allow);
    }
}

impl OfferAnswer {
    fn accept_after_offer(mut self, lines: &str) -> Result<Self, SdpError> {
        self.offer(Direction::SendRecv);
        self.accept(&sdp(lines)).map(|_| self)
    }
}

#[test]
fn who_answered_in_the_clear_is_offered_no_keys_later() {
    let mut machine = machine(Encryption::Allow).accept_after_offer("m=audio 5004 RTP/AVP 0\r\n").unwrap();
    let offer = machine.offer(Direction::SendOnly);
    assert!(offer.contains("m=audio 40000 RTP/AVP 0\r\n") && lines(&offer, "a=crypto").is_empty(), "{offer}");
}

#[test]
fn our_key_stays_over_hold_and_a_new_key_of_the_peers_and_changes_with_the_suite() {
    let mut machine = machine(Encryption::Require);
    let offer =
        |suite: &str, key: &str| sdp(&format!("m=audio 5004 RTP/SAVP 0\r\na=crypto:1 {suite} {key}\r\n"));
    let (_, first) = machine.answer(&offer("AES_CM_128_HMAC_SHA1_80", KEY)).unwrap();
    let first = first.security.unwrap();
    let hold = machine.offer(Direction::SendOnly);
    assert!(hold.contains("RTP/SAVP") && lines(&hold, "a=crypto").len() == 1, "{hold}");
    machine.roll_back();
    let (_, second) = machine.answer(&offer("AES_CM_128_HMAC_SHA1_80", OTHER)).unwrap();
    let second = second.security.unwrap();
    assert_eq!(second.ours, first.ours);
    assert_ne!(second.theirs, first.theirs);
    let (_, off) = machine.answer(&sdp("m=audio 0 RTP/SAVP 0\r\n")).unwrap();
    assert_eq!(off.security.as_ref(), Some(&second), "a stream that is off comes back as it was");
    machine.answer(&offer("AES_CM_128_HMAC_SHA1_32", KEY)).unwrap();
    let (_, back) = machine.answer(&offer("AES_CM_128_HMAC_SHA1_80", KEY)).unwrap();
    assert_ne!(back.security.unwrap().ours, first.ours, "packets are numbered anew: never under an old key");
    machine.answer(&sdp("m=audio 5004 RTP/AVP 0\r\n")).unwrap_err();
}

#[test]
fn keys_of_two_ends_meet() {
    let (mut a, mut b) = (machine(Encryption::Require), machine(Encryption::Allow));
    b.encrypt(Encryption::Allow, KeySource::new(&[4; 32]));
    let (answer, of_b) = b.answer(a.offer(Direction::SendRecv).as_bytes()).unwrap();
    let (of_a, of_b) = (a.accept(answer.as_bytes()).unwrap().security.unwrap(), of_b.security.unwrap());
    assert_eq!((&of_a.ours, &of_a.theirs), (&of_b.theirs, &of_b.ours));
    assert_ne!(of_a.ours, of_a.theirs);
}
