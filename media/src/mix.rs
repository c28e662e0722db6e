//! Mixing: everybody's sound summed once, and for each the sum without their own.

/// The sum of a frame of several sources; 32 bits, so that 65,536 of them cannot overflow.
#[derive(Debug, Clone)]
pub struct Mix {
    sum: Box<[i32]>,
}

impl Mix {
    /// For frames of so many samples.
    #[must_use]
    pub fn new(samples: usize) -> Self {
        Self { sum: vec![0; samples].into_boxed_slice() }
    }

    /// Begins the next frame.
    pub fn clear(&mut self) {
        self.sum.fill(0);
    }

    /// Adds a source; what it is too short for is silence.
    pub fn add(&mut self, sound: &[i16]) {
        for (sum, sample) in self.sum.iter_mut().zip(sound) {
            *sum = sum.wrapping_add(i32::from(*sample));
        }
    }

    /// What somebody hears who said `own` (of the frame; empty: only listens): everybody else, saturated.
    pub fn minus(&self, own: &[i16], out: &mut [i16]) {
        // In three plain loops, which the compiler makes into vectors: both, the sum alone, neither.
        let both = own.len().min(self.sum.len()).min(out.len());
        let (out, tail) = out.split_at_mut(both);
        for ((out, sum), own) in out.iter_mut().zip(&self.sum).zip(own) {
            *out = saturate(sum.wrapping_sub(i32::from(*own)));
        }
        let alone = self.sum.get(both..).unwrap_or_default();
        let (out, tail) = tail.split_at_mut(alone.len().min(tail.len()));
        for (out, sum) in out.iter_mut().zip(alone) {
            *out = saturate(*sum);
        }
        tail.fill(0);
    }

    /// Everybody.
    pub fn all(&self, out: &mut [i16]) {
        self.minus(&[], out);
    }
}

/// Adds one sound to another in place, saturated.
pub fn add(to: &mut [i16], sound: &[i16]) {
    for (to, sample) in to.iter_mut().zip(sound) {
        *to = to.saturating_add(*sample);
    }
}

fn saturate(sample: i32) -> i16 {
    sample.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hears_all_others_and_not_themselves() {
        let mut mix = Mix::new(3);
        let said = [[100, 1, 0], [-20, 2, 0], [3, 4, 0]];
        for sound in &said {
            mix.add(sound);
        }
        let mut out = [9; 3];
        mix.minus(&said[0], &mut out);
        assert_eq!(out, [-17, 6, 0]);
        mix.all(&mut out);
        assert_eq!(out, [83, 7, 0]);
        mix.clear();
        mix.all(&mut out);
        assert_eq!(out, [0; 3]);
    }

    #[test]
    fn loud_voices_saturate_only_in_what_is_heard() {
        let mut mix = Mix::new(1);
        for _ in 0..3 {
            mix.add(&[i16::MAX]);
        }
        let mut out = [0];
        mix.minus(&[i16::MAX], &mut out);
        assert_eq!(out, [i16::MAX]);
        mix.add(&[i16::MIN]);
        mix.add(&[i16::MIN]);
        mix.minus(&[i16::MAX], &mut out);
        assert_eq!(out, [-2], "the sum itself was not cut");
    }

    #[test]
    fn frames_of_other_lengths_are_silence_where_they_end() {
        let mut mix = Mix::new(2);
        mix.add(&[5]);
        mix.add(&[1, 1, 1]);
        let mut out = [7; 3];
        mix.minus(&[1], &mut out);
        assert_eq!(out, [5, 1, 0]);
    }
}
