//! Each rule of the arbiter, on a clock of 20 ms steps.

use super::*;

const STEP: Duration = Duration::from_millis(20);

/// The arbiter, and what it has said so far with the time at which it said it.
struct Scene {
    arbiter: Arbiter,
    now: Time,
    log: Vec<(u64, Output)>,
}

impl Scene {
    fn new() -> Self {
        Self { arbiter: Arbiter::new(Timing::default()), now: Time::ZERO, log: Vec::new() }
    }

    fn drain(&mut self) {
        while let Some(output) = self.arbiter.poll() {
            self.log.push((self.now.as_millis() as u64, output));
        }
    }

    /// So many milliseconds with or without the caller's voice; what came of it.
    fn run(&mut self, ms: u64, voice: bool) -> Vec<Output> {
        let from = self.log.len();
        for _ in 0..ms / 20 {
            self.now += STEP;
            self.arbiter.voice(self.now, voice);
            self.arbiter.tick(self.now);
            self.drain();
        }
        self.log[from..].iter().map(|(_, output)| output.clone()).collect()
    }

    fn generation(&self) -> Generation {
        let hears = self.log.iter().rev().find_map(|(_, output)| match output {
            Output::Hear(generation) => Some(*generation),
            _ => None,
        });
        hears.unwrap()
    }

    /// Everything means something here but "pizza", "uh huh", little words and silence.
    fn heard(&mut self, text: &str, last: bool, sure: bool) -> Vec<Output> {
        let meaning = match text {
            "pizza" | "uh huh" | "that" | "add i" | "" => Meaning::Unclear,
            _ if sure => Meaning::Sure,
            _ => Meaning::Clear,
        };
        let (generation, from) = (self.generation(), self.log.len());
        self.arbiter.heard(self.now, generation, text, None, last);
        self.arbiter.judge(self.now, meaning);
        self.drain();
        self.log[from..].iter().map(|(_, output)| output.clone()).collect()
    }

    fn speak(&mut self) -> Generation {
        let generation = self.arbiter.speak(true);
        self.drain();
        generation
    }

    /// When the caller's turn ended, counted from the last sound of it.
    fn committed_after(&self) -> Option<(String, u64)> {
        self.log.iter().find_map(|(at, output)| match output {
            Output::Commit { text, ended, .. } => Some((text.clone(), at - ended.as_millis() as u64)),
            _ => None,
        })
    }
}

#[test]
fn a_turn_is_heard_from_its_first_voice_and_ends_after_600_ms() {
    let mut scene = Scene::new();
    assert_eq!(scene.run(600, true), [Output::Hear(Generation(1))]);
    assert_eq!(scene.run(300, false), [Output::Finish(Generation(1))]);
    scene.heard("good evening", true, false);
    scene.run(400, false);
    assert_eq!(scene.committed_after(), Some(("good evening".to_owned(), 600)));
}

#[test]
fn what_can_mean_one_thing_only_ends_the_turn_sooner() {
    let mut scene = Scene::new();
    scene.run(600, true);
    scene.heard("opening hours", false, true);
    assert_eq!(scene.run(140, false), [Output::Finish(Generation(1))]);
    scene.heard("opening hours", true, true);
    scene.run(300, false);
    assert_eq!(scene.committed_after(), Some(("opening hours".to_owned(), 260)));
}

#[test]
fn a_pause_inside_a_sentence_does_not_end_the_turn() {
    let mut scene = Scene::new();
    scene.run(600, true);
    scene.run(300, false);
    scene.heard("i would like to", true, false);
    assert_eq!(scene.run(500, true), [Output::Hear(Generation(2))], "the second piece is heard");
    scene.run(300, false);
    scene.heard("book a table", true, false);
    scene.run(600, false);
    assert_eq!(scene.committed_after().unwrap().0, "i would like to book a table");
}

#[test]
fn a_caller_who_goes_on_before_the_result_is_there_is_heard_whole() {
    let mut scene = Scene::new();
    scene.run(600, true);
    scene.run(260, false);
    assert_eq!(scene.run(100, true), [], "one recognition at a time");
    assert_eq!(scene.heard("well", true, false), [Output::Hear(Generation(2))]);
}

#[test]
fn a_result_that_never_comes_is_replaced_by_what_was_heard_so_far() {
    let mut scene = Scene::new();
    scene.run(600, true);
    scene.heard("opening", false, false);
    scene.run(1_300, false);
    assert_eq!(scene.committed_after().unwrap().0, "opening");
}

#[test]
fn speech_without_a_known_word_is_told_and_a_click_is_not() {
    for (voice, told) in [(700, true), (300, false)] {
        let mut scene = Scene::new();
        scene.run(voice, true);
        scene.run(300, false);
        scene.heard("", true, false);
        scene.run(600, false);
        assert_eq!(scene.committed_after().is_some(), told, "{voice} ms");
    }
}

#[test]
fn a_voice_over_the_agents_pauses_it_after_200_ms_and_words_cancel_it() {
    let mut scene = Scene::new();
    let reply = scene.speak();
    assert_eq!(scene.run(200, true), [Output::Hear(Generation(2))]);
    assert_eq!(scene.run(20, true), [Output::Pause(reply)]);
    assert_eq!(scene.heard("stop", false, false), [Output::Cancel { generation: reply, by_voice: true }]);
    scene.run(300, false);
    scene.heard("stop it", true, false);
    scene.run(600, false);
    assert_eq!(scene.committed_after().unwrap().0, "stop it");
}

#[test]
fn a_pause_between_the_first_words_does_not_begin_the_count_anew() {
    let mut scene = Scene::new();
    let reply = scene.speak();
    scene.run(140, true);
    scene.run(100, false);
    assert_eq!(scene.run(100, true), [Output::Pause(reply)]);
}

#[test]
fn noise_lets_the_agent_go_on() {
    let mut scene = Scene::new();
    let reply = scene.speak();
    scene.run(500, true);
    scene.run(300, false);
    scene.heard("", true, false);
    assert_eq!(scene.run(20, false), [Output::Resume(reply), Output::FalseInterruption]);
    scene.run(2_000, false);
    assert_eq!(scene.committed_after(), None);
}

#[test]
fn an_agent_does_not_wait_longer_than_a_second_for_words() {
    let mut scene = Scene::new();
    let reply = scene.speak();
    scene.run(500, true);
    let outputs = scene.run(1_040, false);
    assert!(outputs.contains(&Output::Resume(reply)), "{outputs:?}");
}

#[test]
fn words_that_come_late_still_interrupt() {
    let mut scene = Scene::new();
    let reply = scene.speak();
    scene.run(500, true);
    scene.run(1_040, false);
    assert_eq!(scene.heard("wait", true, false), [Output::Cancel { generation: reply, by_voice: true }]);
    scene.run(600, false);
    assert_eq!(scene.committed_after().unwrap().0, "wait");
}

#[test]
fn a_listeners_uh_huh_interrupts_nobody() {
    let mut scene = Scene::new();
    let reply = scene.speak();
    scene.run(400, true);
    scene.heard("uh huh", false, false);
    scene.run(300, false);
    scene.heard("uh huh", true, false);
    assert_eq!(scene.run(20, false), [Output::Resume(reply), Output::FalseInterruption]);
}

#[test]
fn a_cough_that_was_taken_for_a_word_interrupts_nobody_and_an_unknown_sentence_does() {
    for (voice, interrupts) in [(400, false), (700, true)] {
        let mut scene = Scene::new();
        let reply = scene.speak();
        scene.run(voice, true);
        scene.run(300, false);
        scene.heard("pizza", true, false);
        scene.run(600, false);
        let cancelled =
            scene.log.iter().any(|(_, o)| *o == Output::Cancel { generation: reply, by_voice: true });
        assert_eq!((cancelled, scene.committed_after().is_some()), (interrupts, interrupts), "{voice} ms");
    }
}

#[test]
fn an_unknown_word_into_the_silence_is_answered_unless_it_was_a_click() {
    for (voice, answered) in [(200, false), (400, true)] {
        let mut scene = Scene::new();
        scene.run(voice, true);
        scene.run(300, false);
        scene.heard("pizza", true, false);
        scene.run(600, false);
        assert_eq!(scene.committed_after().is_some(), answered, "{voice} ms");
    }
}

#[test]
fn music_behind_the_caller_holds_the_agent_up_for_three_seconds_once() {
    let mut scene = Scene::new();
    let reply = scene.speak();
    let outputs = scene.run(10_000, true);
    let of_agent: Vec<_> =
        outputs.iter().filter(|o| matches!(o, Output::Pause(_) | Output::Resume(_))).cloned().collect();
    assert_eq!(of_agent, [Output::Pause(reply), Output::Resume(reply)]);
}

#[test]
fn a_caller_without_end_is_answered_after_twenty_seconds() {
    let mut scene = Scene::new();
    assert_eq!(scene.run(20_040, true).last(), Some(&Output::Finish(Generation(1))));
    scene.heard("and then he said", true, false);
    scene.run(40, true);
    assert!(scene.committed_after().is_some());
}

#[test]
fn words_of_the_agent_that_must_be_heard_cannot_be_talked_over() {
    let mut scene = Scene::new();
    let reply = scene.arbiter.speak(false);
    assert_eq!(scene.run(2_000, true), []);
    scene.arbiter.played(scene.now, reply);
    assert_eq!(scene.run(20, true), [Output::Hear(Generation(2))], "who still talks then is heard");
}

#[test]
fn a_key_silences_both() {
    let mut scene = Scene::new();
    let reply = scene.speak();
    scene.run(100, true);
    scene.arbiter.key(scene.now);
    scene.drain();
    let last: Vec<_> = scene.log.iter().rev().take(2).map(|(_, output)| output.clone()).collect();
    assert_eq!(last, [Output::Cancel { generation: reply, by_voice: false }, Output::Forget(Generation(2))]);
}

#[test]
fn a_silent_caller_is_spoken_to_after_eight_seconds_of_both_being_silent() {
    let mut scene = Scene::new();
    let reply = scene.speak();
    assert_eq!(scene.run(9_000, false), [], "the agent speaks");
    scene.arbiter.played(scene.now, reply);
    assert_eq!(scene.run(7_980, false), []);
    assert_eq!(scene.run(20, false), [Output::NoInput]);
}

#[test]
fn on_hold_time_stands_still_and_music_is_not_heard() {
    let mut scene = Scene::new();
    scene.run(7_000, false);
    scene.arbiter.hold(scene.now, true);
    assert_eq!(scene.run(60_000, true), []);
    scene.arbiter.hold(scene.now, false);
    assert_eq!(scene.run(980, false), []);
    assert_eq!(scene.run(20, false), [Output::NoInput]);
}

#[test]
fn on_hold_the_agent_waits_and_goes_on_afterwards() {
    let mut scene = Scene::new();
    let reply = scene.speak();
    scene.arbiter.hold(scene.now, true);
    scene.arbiter.hold(scene.now, true);
    scene.arbiter.hold(scene.now, false);
    scene.drain();
    let outputs: Vec<_> = scene.log.iter().map(|(_, output)| output.clone()).collect();
    assert_eq!(outputs, [Output::Pause(reply), Output::Resume(reply)]);
}

#[test]
fn stale_results_fall_away() {
    let mut scene = Scene::new();
    scene.run(600, true);
    scene.arbiter.key(scene.now);
    scene.arbiter.heard(scene.now, Generation(1), "goodbye", None, true);
    scene.run(1_000, false);
    assert_eq!(scene.committed_after(), None);
}

#[test]
fn little_words_that_are_made_of_a_noise_interrupt_nobody() {
    for noise in ["that", "add i"] {
        let mut scene = Scene::new();
        let agent = scene.speak();
        scene.run(700, true);
        scene.heard(noise, false, false);
        scene.run(300, false);
        scene.heard(noise, true, false);
        let then = scene.run(1_000, false);
        assert!(then.contains(&Output::Resume(agent)), "{noise}: {then:?}");
        assert_eq!(scene.committed_after(), None, "{noise}");
    }
}

#[test]
fn a_cough_that_is_taken_for_a_little_word_is_no_turn_and_speech_is() {
    for (ms, turn) in [(400, false), (800, true)] {
        let mut scene = Scene::new();
        scene.run(ms, true);
        scene.run(300, false);
        scene.heard("that", true, false);
        scene.run(600, false);
        assert_eq!(scene.committed_after().is_some(), turn, "{ms} ms");
    }
}
