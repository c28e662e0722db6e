//! What holds whatever happens, and in whatever order.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Happening {
    Voice(bool, u8),
    Result { text: &'static str, last: bool, meaning: Meaning, stale: bool },
    Failed,
    Speak(bool),
    Played,
    Key,
    Hold(bool),
    Close(bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    let text = prop::sample::select(vec!["", "hours", "uh huh", "my name is"]);
    let meaning = prop::sample::select(vec![Meaning::Unclear, Meaning::Clear, Meaning::Sure]);
    prop_oneof![
        8 => (any::<bool>(), 1u8..80).prop_map(|(on, steps)| Happening::Voice(on, steps)),
        6 => (text, any::<bool>(), meaning, prop::bool::weighted(0.2))
            .prop_map(|(text, last, meaning, stale)| Happening::Result { text, last, meaning, stale }),
        1 => Just(Happening::Failed),
        4 => prop::bool::weighted(0.8).prop_map(Happening::Speak),
        2 => Just(Happening::Played),
        1 => Just(Happening::Key),
        1 => any::<bool>().prop_map(Happening::Hold),
        1 => prop::bool::weighted(0.1).prop_map(Happening::Close),
    ]
}

/// What a playout and a recogniser that obey would be doing.
#[derive(Default)]
struct World {
    newest: u64,
    playing: Option<(Generation, bool)>,
    silenced: Vec<Generation>,
    hearing: Option<(Generation, bool)>,
}

impl World {
    fn fresh(&mut self, generation: Generation) {
        assert!(generation.0 > self.newest, "generations only grow");
        self.newest = generation.0;
    }

    fn speaks(&mut self, generation: Generation) {
        self.fresh(generation);
        assert!(self.playing.is_none(), "two replies at a time");
        self.playing = Some((generation, false));
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Hear(generation) => {
                self.fresh(generation);
                self.hearing = Some((generation, false));
            }
            Output::Finish(generation) => {
                assert_eq!(self.hearing, Some((generation, false)), "finishes what was begun, once");
                self.hearing = Some((generation, true));
            }
            Output::Forget(generation) => {
                assert_eq!(self.hearing.map(|h| h.0), Some(generation));
                self.hearing = None;
            }
            Output::Pause(generation) => {
                assert!(!self.silenced.contains(&generation), "a cancelled reply is not paused");
                if let Some((playing, paused)) = &mut self.playing {
                    assert_eq!((*playing, *paused), (generation, false));
                    *paused = true;
                }
            }
            Output::Resume(generation) => {
                assert_eq!(self.playing, Some((generation, true)), "only what was paused goes on");
                self.playing = Some((generation, false));
            }
            Output::Cancel { generation, .. } => {
                assert_eq!(self.playing.map(|p| p.0), Some(generation));
                self.playing = None;
                self.silenced.push(generation);
            }
            Output::Commit { .. } => {
                assert!(self.playing.is_none(), "the caller's turn ends while the agent is silent");
            }
            Output::NoInput => assert!(self.playing.is_none(), "a silence of both"),
            Output::FalseInterruption => {}
        }
    }
}

proptest! {
    #[test]
    fn nobody_speaks_for_two_and_what_is_cancelled_stays_silent(
        happenings in prop::collection::vec(happening(), 1..120)
    ) {
        let mut arbiter = Arbiter::new(Timing::default());
        let mut world = World::default();
        let mut now = Time::ZERO;
        for happening in happenings {
            match happening {
                Happening::Voice(on, steps) => for _ in 0..steps {
                    now += Duration::from_millis(20);
                    arbiter.voice(now, on);
                    arbiter.tick(now);
                    while let Some(output) = arbiter.poll() { world.obey(output) }
                },
                Happening::Result { text, last, meaning, stale } => if let Some((generation, _)) = world.hearing {
                    let generation = Generation(generation.0.saturating_sub(u64::from(stale)));
                    arbiter.heard(now, generation, text, None, last);
                    arbiter.judge(now, meaning);
                },
                Happening::Failed => if let Some((generation, _)) = world.hearing {
                    arbiter.hearing_failed(generation);
                },
                Happening::Speak(barge_in) => {
                    let generation = arbiter.speak(barge_in);
                    // What was said before ends before what is said now begins.
                    let mut later = Vec::new();
                    while let Some(output) = arbiter.poll() {
                        if matches!(output, Output::Pause(of) if of == generation) { later.push(output) }
                        else { world.obey(output) }
                    }
                    world.speaks(generation);
                    later.into_iter().for_each(|output| world.obey(output));
                }
                Happening::Played => if let Some((generation, false)) = world.playing {
                    arbiter.played(now, generation);
                    world.playing = None;
                },
                Happening::Key => arbiter.key(now),
                Happening::Hold(on) => arbiter.hold(now, on),
                Happening::Close(closed) => arbiter.close(now, closed),
            }
            while let Some(output) = arbiter.poll() { world.obey(output) }
            prop_assert_eq!(arbiter.speaking(), world.playing.map(|p| p.0));
        }
    }

    #[test]
    fn a_paused_agent_never_waits_for_ever(voice in prop::collection::vec((any::<bool>(), 1u8..100), 1..40)) {
        let mut arbiter = Arbiter::new(Timing::default());
        arbiter.speak(true);
        let (mut now, mut paused) = (Time::ZERO, None);
        for (on, steps) in voice {
            for _ in 0..steps {
                now += Duration::from_millis(20);
                arbiter.voice(now, on);
                arbiter.tick(now);
                while let Some(output) = arbiter.poll() {
                    match output {
                        Output::Pause(_) => paused = Some(now),
                        Output::Resume(_) => paused = None,
                        _ => {}
                    }
                }
                let waits = paused.map_or(Duration::ZERO, |since| now - since);
                prop_assert!(waits <= Duration::from_secs(4), "{waits:?}");
            }
        }
    }
}
