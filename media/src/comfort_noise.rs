//! Comfort noise (RFC 3389): the level of the silence at the other end, and a noise of that level.
//!
//! The spectrum that may follow the level is not used: the noise is dulled a little instead, which
//! over 20 ms of a telephone line sounds like any other.

/// Bytes of the payloads that we send: the level alone.
pub const PAYLOAD: usize = 1;
/// Silence below this level (−dBov) is none at all.
const LOWEST: u8 = 127;
/// How much of the last sample is in the next: −3 dB at about 1.5 kHz of 8.
const DULL: f32 = 0.4;

/// The level of a payload in −dBov (0 loudest, 127 silence). `None` for an empty one.
#[must_use]
pub fn decode(payload: &[u8]) -> Option<u8> {
    payload.first().map(|level| level & 0x7f)
}

/// The payload of a level in −dBov.
#[must_use]
pub fn encode(level: u8) -> [u8; PAYLOAD] {
    [level.min(LOWEST)]
}

/// The level of this sound in −dBov, over all of it; silence is 127.
#[must_use]
pub fn level(sound: &[i16]) -> u8 {
    let sum: f64 = sound.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    if sum == 0.0 {
        return LOWEST;
    }
    let mean = sum / sound.len() as f64 / (32_768.0 * 32_768.0);
    (-10.0 * mean.log10()).round().clamp(0.0, f64::from(LOWEST)) as u8
}

/// Makes noise of a level.
#[derive(Debug, Clone)]
pub struct Generator {
    state: u32,
    amplitude: f32,
    last: f32,
}

impl Generator {
    /// Silent at first. Streams of different seeds differ.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Self { state: seed | 1, amplitude: 0.0, last: 0.0 }
    }

    /// From now on this loud, −dBov. No louder than −30 dBov, whatever a stranger says.
    pub fn set_level(&mut self, level: u8) {
        if level >= LOWEST {
            self.amplitude = 0.0;
            return;
        }
        let rms = 32_768.0 * 10f32.powf(-f32::from(level.max(30)) / 20.0);
        // White noise in ±a has a mean square of a²/3, and the filter leaves (1-d)/(1+d) of it.
        self.amplitude = rms * (3.0 * (1.0 + DULL) / (1.0 - DULL)).sqrt();
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            // xorshift32: cheap, and no ear tells it from better ones.
            self.state ^= self.state << 13;
            self.state ^= self.state >> 17;
            self.state ^= self.state << 5;
            let white = (self.state as i32 as f32) / 2_147_483_648.0;
            self.last = DULL * self.last + (1.0 - DULL) * white * self.amplitude;
            *sample = self.last as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_has_the_level_that_was_asked_for() {
        let mut sound = [0; 16_000];
        for wanted in [30, 45, 60, 70] {
            let mut generator = Generator::new(7);
            generator.set_level(decode(&encode(wanted)).unwrap());
            generator.fill(&mut sound);
            let heard = level(&sound);
            assert!(heard.abs_diff(wanted) <= 1, "-{wanted} dBov came as -{heard}");
        }
    }

    #[test]
    fn silence_is_silent_and_a_stranger_cannot_make_it_loud() {
        let mut sound = [1; 800];
        let mut generator = Generator::new(0);
        generator.fill(&mut sound);
        assert_eq!(level(&sound), 127);
        generator.set_level(0);
        generator.fill(&mut sound);
        assert!(level(&sound) >= 29);
        generator.set_level(127);
        generator.fill(&mut sound);
        generator.fill(&mut sound);
        assert_eq!(level(&sound), 127);
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[0xff, 1, 2]), Some(127));
    }
}
