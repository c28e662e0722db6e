//! How good a call sounded: the E-model (ITU-T G.107), reduced to what a gateway knows.
//!
//! R = 93.2 − Id − Ie,eff. Id is what the one-way delay costs (echo is somebody else's); Ie,eff what codec and
//! loss cost, with the loss robustness Bpl of ITU-T G.113 for decoders that conceal. Wideband codecs are
//! judged on the same narrowband scale, which does them less than justice and keeps figures comparable.

use crate::session::Codec;
use std::time::Duration;

/// R of a connection with nothing wrong but its own noise.
const BEST: f32 = 93.2;
/// What the equipment impairment can grow to.
const WORST_EQUIPMENT: f32 = 95.0;
/// Above this one-way delay conversation suffers.
const DELAY_KNEE_MS: f32 = 177.3;

/// R, 0..=93.2.
///
/// `loss`: share of packets that could not be played, 0..=1. `burst`: mean length of a run of lost packets
/// against that of random loss, 1 or more. `delay`: one way, mouth to ear (half the round trip, the jitter
/// buffer, and the packet time).
#[must_use]
pub fn r_factor(loss: f32, burst: f32, delay: Duration, codec: Codec) -> f32 {
    let delay_ms = delay.as_secs_f32() * 1_000.0;
    let knee = (delay_ms - DELAY_KNEE_MS).max(0.0);
    let delay_cost = 0.024 * delay_ms + 0.11 * knee;
    let (equipment, robustness) = match codec {
        Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
        Codec::G722 => (0.0, 20.0),
        // In-band redundancy brings most single losses back.
        Codec::Opus => (0.0, 30.0),
    };
    let percent = if loss.is_nan() { 0.0 } else { loss.clamp(0.0, 1.0) * 100.0 };
    let burst = if burst.is_nan() { 1.0 } else { burst.max(1.0) };
    let loss_cost = if percent == 0.0 { 0.0 } else { percent / (percent / burst + robustness) };
    (BEST - delay_cost - equipment - (WORST_EQUIPMENT - equipment) * loss_cost).clamp(0.0, BEST)
}

/// Mean opinion score of R, 1.0..=4.5 (ITU-T G.107 Annex B).
#[must_use]
pub fn mos(r: f32) -> f32 {
    match r {
        r if r <= 0.0 || r.is_nan() => 1.0,
        r if r >= 100.0 => 4.5,
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7.0e-6).clamp(1.0, 4.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(loss: f32, burst: f32, millis: u64) -> f32 {
        mos(r_factor(loss, burst, Duration::from_millis(millis), Codec::Pcmu))
    }

    #[test]
    fn a_clean_call_scores_as_well_as_g711_can() {
        assert!((score(0.0, 1.0, 0) - 4.41).abs() < 0.01);
        assert!((4.3..4.41).contains(&score(0.0, 1.0, 80)));
    }

    #[test]
    fn loss_and_bursts_and_delay_each_cost() {
        let losses = [0.0, 0.01, 0.03, 0.10, 0.30, 1.0].map(|loss| score(loss, 1.0, 50));
        assert!(losses.windows(2).all(|w| w[0] > w[1]), "{losses:?}");
        assert!((3.9..4.3).contains(&losses[2]), "{losses:?}");
        assert!(losses[4] < 2.5, "{losses:?}");
        assert!(score(0.03, 3.0, 50) < score(0.03, 1.0, 50));
        assert!(score(0.0, 1.0, 400) < score(0.0, 1.0, 150) - 0.5);
    }

    #[test]
    fn no_figures_make_a_score_out_of_range() {
        for loss in [f32::NAN, -1.0, 0.0, 2.0, f32::INFINITY] {
            for burst in [f32::NAN, -5.0, 1e9] {
                let r = r_factor(loss, burst, Duration::from_secs(100), Codec::Opus);
                assert!((0.0..=93.2).contains(&r));
                assert!((1.0..=4.5).contains(&mos(r)));
            }
        }
        assert_eq!(mos(f32::NAN), 1.0);
    }
}
