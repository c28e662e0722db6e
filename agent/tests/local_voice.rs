//! The voice in process, through the real library: `apt install libflite1`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use std::time::{Duration, Instant};
use trunkline_agent::local::Engines;
use trunkline_agent::provider::{Generation, Tts, TtsEvent};

fn voice() -> Box<dyn Tts> {
    let (engines, _) = Engines::open();
    engines.tts().unwrap_or_else(|error| panic!("{error}"))
}

/// What comes next; a worker that says nothing for ten seconds is dead.
fn next(tts: &mut dyn Tts) -> TtsEvent {
    let begun = Instant::now();
    loop {
        if let Some(event) = tts.poll() {
            return event;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "nothing came");
        std::thread::yield_now();
    }
}

#[test]
fn a_reply_comes_sentence_by_sentence_and_is_done_after_the_last() {
    let mut tts = voice();
    let turn = Generation(1);
    tts.say(turn, "Good morning. How can I help you?");
    tts.say(turn, "Say sales, or support. Or stay on the line.");
    tts.finish(turn);
    let mut pieces = 0;
    loop {
        match next(&mut *tts) {
            TtsEvent::Audio { generation, samples } => {
                assert_eq!(generation, turn);
                assert!(samples.len() > 2_000, "{} samples are no sentence", samples.len());
                pieces += 1;
            }
            TtsEvent::Done { generation } => {
                assert_eq!((generation, pieces), (turn, 4));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tts.poll(), None);
}

#[test]
fn a_cancelled_reply_is_not_heard_and_the_next_one_is() {
    let mut tts = voice();
    tts.say(
        Generation(1),
        "This is a long story. It has many sentences. Nobody wants to hear it. It is over.",
    );
    tts.finish(Generation(1));
    assert!(matches!(next(&mut *tts), TtsEvent::Audio { generation: Generation(1), .. }));
    tts.cancel(Generation(1));
    assert_eq!(tts.poll(), None);
    tts.say(Generation(1), "Late words of the cancelled turn.");
    assert_eq!(tts.poll(), None);
    tts.say(Generation(2), "Goodbye.");
    tts.finish(Generation(2));
    assert!(matches!(next(&mut *tts), TtsEvent::Audio { generation: Generation(2), .. }));
    assert_eq!(next(&mut *tts), TtsEvent::Done { generation: Generation(2) });
}

#[test]
fn a_new_turn_takes_over_from_one_that_was_never_cancelled() {
    let mut tts = voice();
    for turn in 1..50 {
        tts.say(Generation(turn), "One. Two. Three. Four.");
    }
    tts.say(Generation(50), "Stop.");
    tts.finish(Generation(50));
    assert!(matches!(next(&mut *tts), TtsEvent::Audio { generation: Generation(50), .. }));
    assert_eq!(next(&mut *tts), TtsEvent::Done { generation: Generation(50) });
}

#[test]
fn a_turn_with_nothing_to_say_is_done_at_once() {
    let mut tts = voice();
    tts.finish(Generation(7));
    assert_eq!(tts.poll(), Some(TtsEvent::Done { generation: Generation(7) }));
}

#[test]
fn a_prompt_is_rendered_whole_and_the_same_again() {
    let (engines, _) = Engines::open();
    let prompt = engines.render("Please hold. You are number two in the queue.").unwrap();
    assert!(prompt.len() > 16_000);
    assert!(engines.render("Please hold. You are number two in the queue.").unwrap() == prompt);
    assert!(engines.render("").unwrap().is_empty());
}
