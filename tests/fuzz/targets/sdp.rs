//! A description as an offer to us, and as an answer to an offer of ours.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;
use trunkline_media::sdp::{OfferAnswer, Preferences};
use trunkline_media::session::{Codec, Direction};

fn party() -> OfferAnswer {
    let codecs = vec![Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];
    let preferences = Preferences { codecs, dtmf: true, comfort_noise: true };
    OfferAnswer::new(IpAddr::from([127, 0, 0, 1]), 4000, 1, preferences)
}

fuzz_target!(|data: &[u8]| {
    let mut callee = party();
    match callee.answer(data) {
        Ok((answer, _)) => {
            // A stream that we refuse is named as the peer named it; no line of theirs begins in ours.
            assert_eq!(answer.matches('\r').count(), answer.lines().count());
            // The same offer again is a refresh and changes nothing of what was agreed.
            let agreed = callee.session().cloned();
            let again = callee.answer(data).map(|(_, session)| session).ok();
            assert_eq!(format!("{agreed:?}"), format!("{again:?}"));
        }
        Err(error) => assert!((400..500).contains(&error.status())),
    }
    let mut caller = party();
    caller.offer(Direction::SendRecv);
    let _ = caller.accept(data);
});
