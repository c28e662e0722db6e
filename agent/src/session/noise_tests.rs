//! What is no caller: echoes, coughs, doors, music. The recogniser makes a little word of each.

use super::fakes::Call;
use super::*;
use crate::local::SileroVad;

const FLOW: &str = r#"
greeting: "Welcome to the front desk. We are here for you all day long."
intents:
  hours: { phrases: [opening hours], reply: We are open from nine to five. }
no_match: { say: What? }
no_input: { after_seconds: 60 }
"#;
/// The greeting's length in samples: 60 ms a letter.
const GREETING: usize = 60 * 480;

fn silence(samples: usize) -> impl Iterator<Item = i16> {
    std::iter::repeat_n(0, samples)
}

/// White noise of this amplitude.
fn hiss(amplitude: f32) -> impl Iterator<Item = f32> {
    let mut random = 1u64;
    std::iter::repeat_with(move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((random >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * amplitude
    })
}

/// A door slams: a dull blow that dies away within 300 ms.
fn door() -> impl Iterator<Item = i16> {
    let mut low = 0.0;
    (0..2_400).zip(hiss(30_000.0)).map(move |(n, noise)| {
        low += (noise - low) * 0.3;
        (low * (-(n as f32) / 500.0).exp()) as i16
    })
}

/// Two coughs: rough bursts of 150 ms with a throat's resonance.
fn cough() -> impl Iterator<Item = i16> {
    let (mut one, mut two) = (0.0f32, 0.0f32);
    (0..4_800).zip(hiss(9_000.0)).map(move |(n, noise)| {
        let burst = n % 2_400;
        let loud = if burst < 1_200 { (-(burst as f32) / 600.0).exp() } else { 0.0 };
        let next = noise * loud + 1.5 * one - 0.8 * two;
        (two, one) = (one, next);
        next.clamp(-20_000.0, 20_000.0) as i16
    })
}

/// Music: plucked chords, two a second.
fn music(samples: usize) -> impl Iterator<Item = i16> {
    const CHORDS: [[f32; 3]; 4] =
        [[262.0, 330.0, 392.0], [220.0, 262.0, 330.0], [175.0, 220.0, 262.0], [196.0, 247.0, 294.0]];
    (0..samples).map(|n| {
        let (chord, at) = (CHORDS[n / 4_000 % 4], (n % 4_000) as f32);
        let tones = chord.iter().flat_map(|tone| [(*tone, 1.0), (2.0 * tone, 0.5), (3.0 * tone, 0.3)]);
        let sum: f32 =
            tones.map(|(hz, part)| part * (n as f32 * hz / 8_000.0 * std::f32::consts::TAU).sin()).sum();
        (sum * 2_500.0 * (-at / 2_500.0).exp()) as i16
    })
}

fn call() -> Call {
    let call = Call::with(Box::new(SileroVad::default()), 8_000, FLOW);
    call.script.lock().unwrap().says.extend(["that"; 50]);
    call.script.lock().unwrap().partial_after = Some(15);
    call
}

fn interrupted(call: &Call) -> bool {
    call.has(|event| matches!(event, AgentEvent::Interrupted { .. }))
}

#[test]
fn the_agents_own_echo_stops_nobody() {
    let mut call = Call::new(FLOW);
    // Whatever comes back is understood as something that would stop it.
    call.script.lock().unwrap().says.extend(["opening hours"; 50]);
    call.script.lock().unwrap().partial_after = Some(5);
    call.play(silence(GREETING + 8_000), 0.1);
    assert!(call.said().iter().all(|(_, cut)| !cut), "{:?}", call.said());
    assert_eq!(call.said().len(), 1);
    let loud = call.heard.iter().filter(|heard| **heard).count();
    assert_eq!(loud, GREETING / 160, "and not even paused it");
}

#[test]
fn a_caller_is_heard_over_the_echo() {
    let mut call = Call::new(FLOW);
    call.script.lock().unwrap().says.push_back("opening hours");
    call.script.lock().unwrap().partial_after = Some(5);
    call.play(silence(8_000), 0.1).play(std::iter::repeat_n(5_000, 4_800), 0.1);
    assert!(interrupted(&call));
}

#[test]
fn a_door_a_cough_and_music_do_not_stop_the_agent() {
    let sounds: [(&str, Vec<i16>); 3] =
        [("door", door().collect()), ("cough", cough().collect()), ("music", music(16_000).collect())];
    for (name, sound) in sounds {
        let mut call = call();
        call.play(silence(8_000), 0.0).play(sound, 0.0).play(silence(GREETING + 24_000), 0.0);
        assert!(!interrupted(&call), "{name}");
        assert_eq!(call.said().len(), 1, "{name}: {:?}", call.said());
        assert!(call.said().iter().all(|(_, cut)| !cut), "{name}");
    }
}

#[test]
fn a_door_a_cough_and_music_are_no_turn_of_the_caller() {
    let sounds: [(&str, Vec<i16>); 3] =
        [("door", door().collect()), ("cough", cough().collect()), ("music", music(32_000).collect())];
    for (name, sound) in sounds {
        let mut call = call();
        call.play(silence(GREETING + 8_000), 0.0).play(sound, 0.0).play(silence(16_000), 0.0);
        assert_eq!(call.said().len(), 1, "{name}: {:?}", call.said());
    }
}
