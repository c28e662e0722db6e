//! Whole calls, with fake providers, on a virtual clock.

use super::fakes::{Call, FAILURE};
use super::*;
use std::time::Duration;

const FLOW: &str = r#"
greeting: { say: "Welcome to the front desk.", menu: main }
menus:
  main:
    say: Press one for hours.
    keys:
      1: We are open from nine to five.
      2: { say: One moment., transfer: "office" }
intents:
  hours: { phrases: [opening hours], reply: We are open from nine to five. }
  name: { phrases: [remember me], reply: { ask: name } }
  bye: { phrases: [goodbye], reply: { say: Goodbye., hangup: true, barge_in: false } }
slots:
  name: { ask: What is your name?, then: "Thank you, {name}." }
no_input: { after_seconds: 8, say: [Hello?, Are you there?], then: { say: Goodbye., hangup: true } }
failure: Sorry, say it again.
"#;

const GREETING: &str = "Welcome to the front desk. Press one for hours.";

fn greeted() -> Call {
    let mut call = Call::new(FLOW);
    call.until_silent();
    call
}

fn hang_up(event: &AgentEvent) -> bool {
    matches!(event, AgentEvent::HangUp { .. })
}

#[test]
fn the_greeting_is_heard_in_the_first_20_ms_and_told_when_it_was_said() {
    for rate in [8_000, 16_000] {
        let mut call = Call::at(rate, FLOW);
        call.run(20, false);
        assert_eq!(call.heard, [true], "{rate} Hz");
        call.until_silent();
        assert_eq!(call.said(), [(GREETING.to_owned(), false)]);
        let spoken = call.heard.iter().filter(|heard| **heard).count();
        assert_eq!(spoken * 20, GREETING.len() * 60, "all of it, and nothing twice");
    }
}

#[test]
fn an_intent_is_answered_half_a_second_after_the_caller() {
    let mut call = greeted();
    call.say("what are your opening hours").until_silent();
    assert_eq!(call.said().last().unwrap().0, "We are open from nine to five.");
    let latency = call.events.iter().find_map(|(_, event)| match event {
        AgentEvent::Latency { end_of_turn, first_sound } => Some((*end_of_turn, *first_sound)),
        _ => None,
    });
    let (end_of_turn, first_sound) = latency.unwrap();
    assert!(
        end_of_turn <= Duration::from_millis(320) && first_sound <= Duration::from_millis(340),
        "{latency:?}"
    );
    let caller = AgentEvent::Transcript {
        caller: true,
        text: "what are your opening hours".to_owned(),
        confidence: Some(0.9),
        interrupted: false,
    };
    assert!(call.has(|event| *event == caller));
    assert!(call.has(|event| matches!(event, AgentEvent::Decision { what, .. } if what == "intent hours")));
}

#[test]
fn recognition_hears_the_sound_from_before_the_voice_was_noticed() {
    let mut call = greeted();
    call.say("opening hours");
    let pushed = std::mem::take(&mut call.script.lock().unwrap().pushed);
    let loud = pushed.iter().filter(|s| s.abs() > 2_000).count();
    assert!(loud >= 16_000 * 59 / 100, "{loud} of 9600 samples at 16 kHz");
    let lead = pushed.iter().position(|s| s.abs() > 2_000).unwrap();
    assert!(lead > 16_000 / 5, "{lead} samples of silence before it");
}

#[test]
fn a_barge_in_is_heard_within_three_frames_and_the_caller_is_answered() {
    let mut call = Call::new(FLOW);
    call.run(1_000, false);
    call.script.lock().unwrap().partial_after = Some(12);
    call.say("opening hours");
    let interrupted = call.when(|event| matches!(event, AgentEvent::Interrupted { .. }));
    let frame = (interrupted.as_millis() / 20) as usize;
    assert!(call.heard[frame - 1], "it spoke until then");
    let silent_from = call.heard.iter().skip(frame).position(|heard| !heard).unwrap();
    assert!(silent_from <= 3, "{silent_from} frames later");
    let (text, cut) = call.said()[0].clone();
    assert!(cut && GREETING.starts_with(&text) && text.len() > 10 && text.len() < 30, "{text}");
    call.until_silent();
    assert_eq!(call.said()[1].0, "We are open from nine to five.");
    let once = call.heard.iter().filter(|heard| **heard).count() * 20;
    assert!(once < 1_500 + 30 * 60, "the rest of the greeting was never heard: {once} ms");
}

#[test]
fn noise_holds_the_agent_up_and_then_it_says_the_rest() {
    let mut call = Call::new(FLOW);
    call.run(1_000, false).run(400, true).until_silent();
    assert!(call.has(|event| *event == AgentEvent::FalseInterruption));
    assert_eq!(call.said(), [(GREETING.to_owned(), false)]);
    let spoken = call.heard.iter().filter(|heard| **heard).count();
    assert_eq!(spoken * 20, GREETING.len() * 60, "no word is lost");
}

#[test]
fn a_key_stops_the_words_at_once_and_acts() {
    let mut call = Call::new(FLOW);
    call.run(500, false).key('1').until_silent();
    assert!(call.said()[0].1, "the greeting was cut off");
    assert_eq!(call.said()[1], ("We are open from nine to five.".to_owned(), false));
}

#[test]
fn a_key_that_means_nothing_disturbs_nobody() {
    let mut call = Call::new(FLOW);
    call.run(500, false).key('9').until_silent();
    assert_eq!(call.said(), [(GREETING.to_owned(), false)]);
}

#[test]
fn a_slot_is_asked_for_and_used() {
    let mut call = greeted();
    call.say("remember me").until_silent().say("Anna").until_silent();
    assert_eq!(call.said().last().unwrap().0, "Thank you, anna.");
}

#[test]
fn goodbye_hangs_up_after_its_last_word_was_heard_and_not_before() {
    let mut call = greeted();
    call.say("goodbye").run(5_000, true);
    let ended = call.when(hang_up);
    let last_sound = call.heard.iter().rposition(|heard| *heard).unwrap() as u64 * 20;
    assert_eq!(call.said().last().unwrap(), &("Goodbye.".to_owned(), false), "nobody can talk over it");
    assert!(ended.as_millis() as u64 >= last_sound, "{ended:?}, last sound at {last_sound} ms");
    let after = call.events.iter().position(|(_, event)| hang_up(event)).unwrap();
    assert_eq!(after + 1, call.events.len(), "and nothing follows");
}

#[test]
fn a_transfer_is_announced_then_wanted_and_when_it_fails_the_talk_goes_on() {
    let mut call = greeted();
    call.key('2').until_silent();
    assert!(call.has(|event| *event == AgentEvent::Transfer { to: "office".to_owned() }));
    call.run(20_000, false);
    assert_eq!(call.said().last().unwrap().0, "One moment.", "meanwhile the agent is silent");
    call.session.transfer_failed(call.now);
    call.until_silent();
    assert!(call.said().last().unwrap().0.starts_with("I am sorry"));
    call.say("opening hours").until_silent();
    assert_eq!(call.said().last().unwrap().0, "We are open from nine to five.");
}

#[test]
fn a_silent_caller_is_asked_twice_and_then_the_agent_hangs_up() {
    let mut call = greeted();
    call.run(40_000, false);
    let said: Vec<String> = call.said().into_iter().skip(1).map(|(text, _)| text).collect();
    assert_eq!(said, ["Hello?", "Are you there?", "Goodbye."]);
    assert!(call.has(hang_up));
}

#[test]
fn on_hold_nobody_is_asked_whether_they_are_there() {
    let mut call = greeted();
    call.session.hold(call.now, true);
    call.run(60_000, true);
    assert_eq!(call.said().len(), 1);
    call.session.hold(call.now, false);
    call.run(9_000, false);
    assert_eq!(call.said()[1].0, "Hello?");
}

#[test]
fn a_leg_whose_sound_stops_in_the_middle_of_a_word_ends_the_turn() {
    let mut call = greeted();
    call.script.lock().unwrap().says.push_back("opening hours");
    call.run(600, true);
    for _ in 0..100 {
        call.now += Duration::from_millis(20);
        call.session.tick(call.now);
        call.fetch();
    }
    assert!(call.has(|event| matches!(event, AgentEvent::Decision { what, .. } if what == "intent hours")));
}

#[test]
fn after_the_end_of_the_dialogue_keys_mean_nothing() {
    let mut call = greeted();
    call.say("goodbye").until_silent();
    let said = call.said().len();
    call.key('1').run(3_000, false);
    assert_eq!(call.said().len(), said);
}

#[test]
fn a_recogniser_that_fails_is_spoken_about_and_in_the_end_the_call_ends() {
    let mut call = greeted();
    call.script.lock().unwrap().stt_fails = true;
    call.run(600, true).until_silent();
    assert!(call.has(|event| matches!(event, AgentEvent::Failed { spoken: true, .. })));
    assert_eq!(call.said().last().unwrap().0, FAILURE);
    assert!(!call.has(hang_up));
    for _ in 0..2 {
        call.run(600, true).until_silent();
    }
    assert!(call.has(hang_up));
}

#[test]
fn a_voice_that_fails_once_is_asked_again() {
    let mut call = greeted();
    call.script.lock().unwrap().tts_fails = 1;
    call.say("opening hours").until_silent();
    assert_eq!(call.said().last().unwrap().0, "We are open from nine to five.");
    assert!(!call.has(|event| matches!(event, AgentEvent::Failed { .. })));
}

#[test]
fn a_voice_that_is_gone_leaves_what_is_kept_as_sound() {
    for dead in [false, true] {
        let mut call = greeted();
        (call.script.lock().unwrap().tts_fails, call.script.lock().unwrap().tts_dead) = (9, dead);
        call.say("opening hours").run(6_000, false);
        assert!(call.has(|event| matches!(event, AgentEvent::Failed { spoken: true, .. })));
        assert!(call.heard.iter().rev().take(370).any(|heard| *heard), "the caller hears something");
    }
}

#[test]
fn events_that_nobody_fetches_do_not_pile_up_but_the_last_one_is_kept() {
    let mut call = greeted();
    for _ in 0..1_000 {
        call.session.key(call.now, '9');
    }
    call.session.key(call.now, '2');
    let mut count = 0;
    let mut transfer = false;
    for _ in 0..200 {
        call.leg.spoken.read_chunk(call.leg.spoken.slots().min(160)).unwrap().commit_all();
        call.now += Duration::from_millis(20);
        call.session.tick(call.now);
    }
    while let Some(event) = call.session.poll() {
        count += 1;
        transfer |= matches!(event, AgentEvent::Transfer { .. });
    }
    assert!(count <= EVENTS + 1 && transfer, "{count}");
}
