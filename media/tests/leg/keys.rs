//! Keys, both ways, as events and as tones.

use crate::network::{Call, End};
use std::time::Duration;
use trunkline_media::event::{DtmfHow, LegCommand, LegEvent};
use trunkline_media::leg::InbandDtmf;
use trunkline_media::session::Codec;

const SECOND: Duration = Duration::from_secs(1);
const LENGTH: Duration = Duration::from_millis(120);

fn press(call: &mut Call, digits: &str, how: Option<DtmfHow>) {
    for digit in digits.chars() {
        call.command(0, LegCommand::Dtmf { digit, length: LENGTH, how });
    }
}

fn keys(end: &End) -> Vec<(char, DtmfHow)> {
    end.events
        .iter()
        .filter_map(|event| match event {
            LegEvent::Dtmf { digit, how, .. } => Some((*digit, *how)),
            _ => None,
        })
        .collect()
}

#[test]
fn keys_go_as_events_where_both_have_them_and_the_sound_goes_on_after_them() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let mut call = Call::new(codec, |session| session.dtmf_clock = codec.clock());
        call.ends[0].says = Some(1_000.0);
        call.run(SECOND);
        press(&mut call, "15#", None);
        call.run(3 * SECOND);
        let expected = ['1', '5', '#'].map(|digit| (digit, DtmfHow::Rfc4733));
        assert_eq!(keys(&call.ends[1]), expected, "{codec:?}");
        assert!(call.ends[1].hears(1_000.0) > 0.95, "{codec:?}");
        assert_eq!(call.ends[1].leg.report().lost, 0);
    }
}

#[test]
fn keys_of_an_event_share_a_timestamp_and_the_marker_is_on_the_first() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    press(&mut call, "7", None);
    call.run(SECOND);
    let packets: Vec<_> = call.ends[0].rtp_from(0).filter(|packet| packet.3 == 101).collect();
    assert!(packets.len() >= 6, "{packets:?}");
    assert!(packets.iter().all(|packet| packet.1 == packets[0].1));
    assert_eq!(packets.iter().map(|packet| packet.2).filter(|marker| *marker).count(), 1);
    assert!(packets[0].2);
}

#[test]
fn without_telephone_event_keys_go_as_tones_and_are_heard_in_the_sound() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        let mut call = Call::new(codec, |session| session.dtmf = None);
        press(&mut call, "0*D", None);
        call.run(2 * SECOND);
        let expected = ['0', '*', 'D'].map(|digit| (digit, DtmfHow::Inband));
        assert_eq!(keys(&call.ends[1]), expected, "{codec:?}");
    }
}

#[test]
fn a_key_that_comes_both_ways_counts_once() {
    let mut call = Call::with(Codec::Pcmu, InbandDtmf::Always, 8_000, |_| ());
    // A telephone that sends the tone and the event: here one after the other.
    press(&mut call, "4", Some(DtmfHow::Inband));
    call.run(Duration::from_millis(140));
    press(&mut call, "4", Some(DtmfHow::Rfc4733));
    call.run(SECOND);
    assert_eq!(keys(&call.ends[1]).len(), 1);
    press(&mut call, "44", Some(DtmfHow::Rfc4733));
    call.run(2 * SECOND);
    assert_eq!(keys(&call.ends[1]).len(), 3);
}

#[test]
fn keys_survive_loss() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.loses = |count| count % 5 == 0;
    press(&mut call, "123456789", None);
    call.run(5 * SECOND);
    let digits: String = keys(&call.ends[1]).iter().map(|(digit, _)| *digit).collect();
    assert_eq!(digits, "123456789");
}
