//! The ears in process, through the real library: `apt install libpocketsphinx3 pocketsphinx-en-us libflite1`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use std::time::{Duration, Instant};
use trunkline_agent::local::Engines;
use trunkline_agent::provider::{Generation, Stt, SttEvent};
use trunkline_media::codec::{Decoder, Encoder};
use trunkline_media::session::Codec;

const PHRASES: [&str; 6] =
    ["what are your opening hours", "opening hours", "where are you", "tell me a joke", "goodbye", "yes"];

fn engines() -> Engines {
    let (engines, fault) = Engines::open();
    assert_eq!(fault, None);
    engines
}

fn ears(engines: &Engines) -> Box<dyn Stt> {
    let phrases = PHRASES.map(str::to_owned);
    engines.stt(&phrases).unwrap_or_else(|error| panic!("{error}"))
}

/// A sentence as a telephone carries it: flite's voice through µ-law, with the silence of a pre-roll before
/// and of the detector's wait after.
fn said(engines: &Engines, text: &str) -> Vec<i16> {
    let mut sound = vec![0; 2_400];
    sound.extend(engines.render(text).unwrap());
    sound.extend([0; 3_200]);
    let (mut encoder, mut decoder) = (Encoder::new(Codec::Pcmu).unwrap(), Decoder::new(Codec::Pcmu).unwrap());
    let (mut payload, mut frame) = ([0; 160], [0; 160]);
    let mut out = Vec::new();
    for piece in sound.chunks_exact(160) {
        let bytes = encoder.encode(piece, &mut payload).unwrap();
        let samples = decoder.decode(&payload[..bytes], &mut frame).unwrap();
        out.extend_from_slice(&frame[..samples]);
    }
    out
}

fn tell(stt: &mut dyn Stt, sound: &[i16]) {
    for frame in sound.chunks(160) {
        stt.push(frame);
    }
}

/// What comes next; a worker that says nothing for ten seconds is dead.
fn next(stt: &mut dyn Stt) -> SttEvent {
    let begun = Instant::now();
    loop {
        if let Some(event) = stt.poll() {
            return event;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "nothing came");
        std::thread::yield_now();
    }
}

fn last(stt: &mut dyn Stt) -> (Generation, String) {
    loop {
        match next(stt) {
            SttEvent::Partial { .. } => {}
            SttEvent::Final { generation, text, .. } => return (generation, text),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_question_over_a_telephone_is_understood() {
    let engines = engines();
    let mut stt = ears(&engines);
    stt.start(Generation(1));
    tell(&mut *stt, &said(&engines, "What are your opening hours?"));
    stt.finish();
    let (generation, text) = last(&mut *stt);
    assert_eq!(generation, Generation(1));
    assert!(text.contains("opening") && text.contains("hours"), "{text}");
    assert_eq!(stt.poll(), None);
}

#[test]
fn what_it_seems_to_be_is_told_while_the_caller_speaks() {
    let engines = engines();
    let mut stt = ears(&engines);
    stt.start(Generation(1));
    tell(&mut *stt, &said(&engines, "What are your opening hours?"));
    assert!(matches!(next(&mut *stt), SttEvent::Partial { generation: Generation(1), .. }));
}

#[test]
fn a_cancelled_utterance_is_forgotten_and_the_next_one_is_heard() {
    let engines = engines();
    let mut stt = ears(&engines);
    stt.start(Generation(1));
    tell(&mut *stt, &said(&engines, "Tell me a joke."));
    stt.finish();
    stt.cancel();
    assert_eq!(stt.poll(), None);
    stt.start(Generation(2));
    tell(&mut *stt, &said(&engines, "Where are you?"));
    stt.finish();
    let (generation, text) = last(&mut *stt);
    assert_eq!(generation, Generation(2));
    assert!(text.contains("are you"), "{text}");
}

#[test]
fn two_callers_who_speak_at_once_are_both_understood() {
    let engines = engines();
    let (mut one, mut two) = (ears(&engines), ears(&engines));
    one.start(Generation(1));
    two.start(Generation(1));
    let (hours, joke) = (said(&engines, "opening hours"), said(&engines, "tell me a joke"));
    for at in 0..hours.len().max(joke.len()).div_ceil(160) {
        one.push(hours.chunks(160).nth(at).unwrap_or_default());
        two.push(joke.chunks(160).nth(at).unwrap_or_default());
    }
    one.finish();
    two.finish();
    assert!(last(&mut *one).1.contains("hours"));
    assert!(last(&mut *two).1.contains("joke"));
}

#[test]
fn more_callers_than_workers_are_all_heard() {
    let engines = engines();
    let sound = said(&engines, "goodbye");
    let mut calls: Vec<_> = (0..40).map(|_| ears(&engines)).collect();
    for call in &mut calls {
        call.start(Generation(1));
        tell(&mut **call, &sound);
    }
    for call in &mut calls {
        call.finish();
    }
    for call in &mut calls {
        assert!(last(&mut **call).1.contains("goodbye"));
    }
}

#[test]
fn a_caller_who_is_not_heard_for_too_long_is_told_of() {
    let engines = engines();
    let mut stt = ears(&engines);
    stt.start(Generation(3));
    stt.push(&vec![0; 16 * 8_000]);
    assert!(matches!(next(&mut *stt), SttEvent::Failed { generation: Generation(3), .. }));
}

#[test]
fn words_that_no_dictionary_has_do_not_keep_the_others_from_being_heard() {
    let engines = engines();
    let mut stt = engines.stt(&["xqzzt blorf".to_owned(), "opening hours".to_owned()]).unwrap();
    stt.start(Generation(1));
    tell(&mut *stt, &said(&engines, "opening hours"));
    stt.finish();
    assert_eq!(last(&mut *stt).1, "opening hours");
}
