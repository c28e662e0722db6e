//! pocketsphinx through the real library: `apt install libpocketsphinx3 pocketsphinx-en-us`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use std::path::Path;
use trunkline_engines::pocketsphinx::{Channel, Decoder, Sphinx};

fn decoder(phrases: &[&str]) -> Decoder {
    let sphinx = Sphinx::open().unwrap_or_else(|error| panic!("{error}"));
    let phrases: Vec<_> = phrases.iter().map(|phrase| (*phrase).to_owned()).collect();
    sphinx.decoder(&sphinx.vocabulary(&phrases).unwrap()).unwrap()
}

#[test]
fn a_missing_model_is_a_sentence_with_the_package() {
    let error = Sphinx::open_model(Path::new("/nowhere")).unwrap_err().to_string();
    assert!(error.contains("/nowhere/en-us/feat.params"), "{error}");
    assert!(error.ends_with("install the Debian package pocketsphinx-en-us"), "{error}");
}

#[test]
fn silence_says_nothing() {
    let mut decoder = decoder(&["yes", "no"]);
    decoder.start(&Channel::default()).unwrap();
    decoder.push(&[0; 16_000]).unwrap();
    assert_eq!(decoder.finish().unwrap().text, "");
}

#[test]
fn an_utterance_without_sound_or_one_that_was_never_begun_says_nothing() {
    let mut decoder = decoder(&[]);
    decoder.push(&[0; 320]).unwrap();
    assert_eq!(decoder.finish().unwrap().text, "");
    decoder.start(&Channel::default()).unwrap();
    assert_eq!(decoder.partial(), "");
    assert_eq!(decoder.finish().unwrap().text, "");
    decoder.start(&Channel::default()).unwrap();
    decoder.push(&[7; 5]).unwrap();
    decoder.start(&Channel::default()).unwrap();
    assert_eq!(decoder.finish().unwrap().text, "");
}

#[test]
fn the_loudest_noise_and_the_longest_square_wave_are_survived() {
    let mut decoder = decoder(&["opening hours"]);
    decoder.start(&Channel::default()).unwrap();
    let square: Vec<i16> = (0..48_000).map(|n| if n / 40 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    decoder.push(&square).unwrap();
    decoder.push(&[i16::MIN; 16_000]).unwrap();
    decoder.finish().unwrap();
}

#[test]
fn words_that_the_dictionary_lacks_are_named() {
    let sphinx = Sphinx::open().unwrap_or_else(|error| panic!("{error}"));
    let vocabulary = sphinx.vocabulary(&["ask for Mister Xqzzt".to_owned()]).unwrap();
    assert_eq!(vocabulary.unknown(), ["xqzzt"]);
}
