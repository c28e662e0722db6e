//! Sound each way: packet lengths, rates, hold, prompts, silence.

use crate::network::{Call, session, tone};
use std::sync::Arc;
use std::time::Duration;
use trunkline_media::event::{LegCommand, LegEvent, Prompt};
use trunkline_media::leg::InbandDtmf;
use trunkline_media::session::{Codec, Direction};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_tone_is_heard_at_every_packet_length_of_every_codec() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        for ptime in [10, 20, 30, 40, 60] {
            let mut call = Call::new(codec, |session| session.ptime_ms = ptime);
            call.ends[0].says = Some(1_000.0);
            call.run(2 * SECOND);
            let purity = call.ends[1].hears(1_000.0);
            assert!(purity > 0.95, "{codec:?} at {ptime} ms: {purity}");
            let report = call.ends[1].leg.report();
            assert_eq!((report.lost, report.late, report.strangers), (0, 0, 0), "{codec:?} at {ptime} ms");
        }
    }
}

#[test]
fn packets_have_the_length_that_was_agreed_and_their_clock_goes_on_without_a_gap() {
    for (codec, ptime, ticks) in
        [(Codec::Pcmu, 20, 160), (Codec::Pcmu, 30, 240), (Codec::G722, 20, 160), (Codec::Opus, 60, 2_880)]
    {
        let mut call = Call::new(codec, |session| session.ptime_ms = ptime);
        call.run(SECOND);
        let packets: Vec<_> = call.ends[0].rtp_from(0).collect();
        assert!(packets[0].2, "the first has the marker");
        for pair in packets.windows(2) {
            assert_eq!(pair[1].0, pair[0].0.wrapping_add(1));
            assert_eq!(pair[1].1, pair[0].1.wrapping_add(ticks));
            assert!(!pair[1].2);
        }
    }
}

#[test]
fn a_company_of_another_rate_hears_and_is_heard() {
    for (codec, rate) in [(Codec::Pcmu, 16_000), (Codec::G722, 8_000)] {
        let mut call = Call::with(codec, InbandDtmf::Never, rate, |_| ());
        call.ends[0].says = Some(1_000.0);
        call.run(SECOND);
        assert!(call.ends[1].hears(1_000.0) > 0.95, "{codec:?}");
        assert_eq!(call.ends[1].heard.len(), rate as usize);
    }
}

#[test]
fn a_leg_with_nothing_to_say_sends_silence_from_its_first_tick() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.command(0, LegCommand::Detach);
    call.run(SECOND);
    assert_eq!(call.ends[0].rtp_sent(), 50);
    assert!(call.ends[1].heard.iter().all(|sample| sample.abs() < 10));
}

#[test]
fn on_hold_we_send_nothing_and_the_company_hears_silence() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.ends[0].says = Some(1_000.0);
    call.ends[1].says = Some(700.0);
    call.run(SECOND);
    let mut held = session(Codec::Pcmu, 1);
    held.direction = Direction::Inactive;
    call.command(0, LegCommand::Session(held));
    let before = call.ends[0].rtp_sent();
    call.run(20 * SECOND);
    assert_eq!(call.ends[0].rtp_sent(), before);
    assert!(call.ends[0].newest(1_000).iter().all(|sample| *sample == 0));
    assert!(!call.ends[0].events.iter().any(|event| matches!(event, LegEvent::MediaTimeout { .. })));
    assert!(call.ends[1].events.iter().any(|event| matches!(event, LegEvent::MediaTimeout { .. })));

    call.command(0, LegCommand::Session(session(Codec::Pcmu, 1)));
    call.run(SECOND);
    let resumed: Vec<_> = call.ends[0].rtp_from(before).collect();
    let last = call.ends[0].rtp_from(before - 1).next().unwrap();
    assert!(resumed[0].2, "a marker after the hold");
    assert_eq!(resumed[0].1.wrapping_sub(last.1), 160 * 50 * 20 + 160, "the clock ran on");
    assert!(call.ends[0].hears(700.0) > 0.95 && call.ends[1].hears(1_000.0) > 0.95);
}

#[test]
fn a_changed_codec_keeps_the_stream_and_the_company() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.ends[0].says = Some(1_000.0);
    call.run(SECOND);
    for end in [0, 1] {
        let mut changed = session(Codec::G722, 1 - end);
        changed.receive.push((0, Codec::Pcmu));
        call.command(end, LegCommand::Session(changed));
    }
    call.run(SECOND);
    assert!(call.ends[1].hears(1_000.0) > 0.95);
    let sequences: Vec<_> = call.ends[0].rtp_from(0).map(|packet| packet.0).collect();
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
    let report = call.ends[1].leg.report();
    assert_eq!((report.codec, report.lost, report.strangers), (Codec::G722, 0, 0));
}

#[test]
fn the_peer_may_send_any_codec_of_our_description() {
    let mut call = Call::new(Codec::Pcmu, |session| session.receive.push((9, Codec::G722)));
    let mut wide = session(Codec::G722, 1);
    wide.receive.push((0, Codec::Pcmu));
    call.command(0, LegCommand::Session(wide));
    call.ends[0].says = Some(1_000.0);
    call.ends[1].says = Some(700.0);
    call.run(SECOND);
    assert!(call.ends[1].hears(1_000.0) > 0.95 && call.ends[0].hears(700.0) > 0.95);
}

#[test]
fn a_prompt_of_another_rate_is_heard_before_the_company_and_its_end_is_told() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    call.ends[0].says = Some(700.0);
    let samples = tone(1_000.0, 16_000, 0, 16_000);
    call.command(0, LegCommand::Play(Arc::new(Prompt { rate: 16_000, samples })));
    call.run(Duration::from_millis(900));
    assert!(call.ends[1].hears(1_000.0) > 0.95);
    assert!(!call.ends[0].events.iter().any(|event| matches!(event, LegEvent::PlayEnded { .. })));
    call.run(SECOND);
    assert!(call.ends[1].hears(700.0) > 0.95);
    let ended: Vec<_> = call.ends[0]
        .events
        .iter()
        .filter_map(|event| match event {
            LegEvent::PlayEnded { whole } => Some(*whole),
            _ => None,
        })
        .collect();
    assert_eq!(ended, [true]);
}

#[test]
fn a_prompt_that_is_replaced_or_stopped_says_that_it_was_not_whole() {
    let mut call = Call::new(Codec::Pcmu, |_| ());
    let prompt = |hertz| Arc::new(Prompt { rate: 8_000, samples: tone(hertz, 8_000, 0, 80_000) });
    call.command(0, LegCommand::Play(prompt(500.0)));
    call.run(SECOND);
    call.command(0, LegCommand::Play(prompt(900.0)));
    call.run(SECOND);
    assert!(call.ends[1].hears(900.0) > 0.95);
    call.command(0, LegCommand::StopPlay);
    let ended =
        call.ends[0].events.iter().filter(|event| matches!(event, LegEvent::PlayEnded { whole: false }));
    assert_eq!(ended.count(), 2);
}

#[test]
fn with_comfort_noise_a_silence_takes_few_packets_and_is_not_dead() {
    let mut call = Call::new(Codec::Pcmu, |session| session.comfort_noise = true);
    call.ends[0].says = Some(1_000.0);
    call.run(SECOND);
    call.ends[0].says = None;
    call.run(3 * SECOND);
    assert!(call.ends[0].rtp_sent() < 90, "{}", call.ends[0].rtp_sent());
    assert!(call.ends[1].newest(200).iter().any(|sample| *sample != 0));
    assert!(call.ends[1].newest(200).iter().all(|sample| sample.abs() < 200));
    call.ends[0].says = Some(1_000.0);
    call.run(SECOND);
    assert!(call.ends[1].hears(1_000.0) > 0.95);
    assert_eq!(call.ends[1].leg.report().lost, 0);
}
