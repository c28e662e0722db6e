//! Mix-minus: each hears the sum of all others. Pure; one [`MixRoom::tick`] is 20 ms.

use crate::ParticipantId;
use trunkline_media::mix::Mix;
use trunkline_media::port::AudioPort;
use trunkline_media::resample::Resampler;

/// Which room of this process; not used twice, so that a name can be.
pub(crate) type RoomNumber = u64;

/// Samples of 20 ms at 16,000 Hz.
const FRAME: usize = 320;
/// Frames that a listener may have waiting: one that is being read, one for a clock that comes late.
const AHEAD: usize = 2;
/// Frames of a speaker that may wait; more is delay that nobody needs.
const BEHIND: usize = 4;

/// One room. It mixes at 16,000 Hz if anybody's codec has that, else at 8,000.
pub(crate) struct MixRoom {
    rate: u32,
    seats: Vec<Seat>,
    mix: Mix,
}

struct Seat {
    who: ParticipantId,
    port: AudioPort,
    into: Resampler,
    back: Resampler,
    /// What this one says in this tick, at the room's rate.
    own: [i16; FRAME],
    speaks: bool,
    /// Enough has come to begin with, so that a leg whose tick comes a little late leaves no gap.
    ready: bool,
}

impl Default for MixRoom {
    fn default() -> Self {
        Self { rate: 8_000, seats: Vec::new(), mix: Mix::new(FRAME) }
    }
}

impl MixRoom {
    pub(crate) fn join(&mut self, who: ParticipantId, port: AudioPort) {
        self.seats.push(Seat {
            who,
            port,
            into: Resampler::Same,
            back: Resampler::Same,
            own: [0; FRAME],
            speaks: false,
            ready: false,
        });
        self.rate = 0;
        self.settle();
    }

    pub(crate) fn leave(&mut self, who: ParticipantId) {
        self.seats.retain(|seat| seat.who != who);
        self.settle();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Takes 20 ms of everybody, gives everybody 20 ms of the others.
    pub(crate) fn tick(&mut self) {
        self.mix.clear();
        for seat in &mut self.seats {
            seat.listen();
            if seat.speaks {
                self.mix.add(&seat.own);
            }
        }
        // Alone, one hears nothing; the leg makes its own silence.
        if self.seats.len() > 1 {
            let length = (self.rate / 50) as usize;
            for seat in &mut self.seats {
                seat.speak(&self.mix, length);
            }
        }
    }

    /// The room's rate, and everybody's way to it, after somebody came or went.
    fn settle(&mut self) {
        let rate = if self.seats.iter().any(|seat| seat.port.rate == 16_000) { 16_000 } else { 8_000 };
        if rate == self.rate {
            return;
        }
        self.rate = rate;
        for seat in &mut self.seats {
            seat.into = Resampler::new(seat.port.rate, rate).unwrap_or(Resampler::Same);
            seat.back = Resampler::new(rate, seat.port.rate).unwrap_or(Resampler::Same);
        }
    }
}

impl Seat {
    /// Samples of 20 ms at the port's rate.
    fn frame(&self) -> usize {
        (self.port.rate as usize / 50).min(FRAME)
    }

    fn listen(&mut self) {
        let frame = self.frame();
        let waiting = self.port.hear.slots();
        self.ready = waiting >= if self.ready { frame } else { 2 * frame };
        self.speaks = self.ready;
        if !self.ready {
            return;
        }
        if waiting > BEHIND * frame
            && let Ok(late) = self.port.hear.read_chunk(waiting - 2 * frame)
        {
            late.commit_all();
        }
        let mut buffer = [0; FRAME];
        let Some(buffer) = buffer.get_mut(..frame) else { return };
        if self.port.hear.pop_entire_slice(buffer).is_ok() {
            self.into.process(buffer, &mut self.own);
        }
    }

    /// Gives it `length` samples of the others.
    fn speak(&mut self, mix: &Mix, length: usize) {
        let (mut others, mut buffer) = ([0; FRAME], [0; FRAME]);
        let Some(others) = others.get_mut(..length) else { return };
        mix.minus(if self.speaks { &self.own } else { &[] }, others);
        let written = self.back.process(others, &mut buffer);
        let waiting = self.port.speak.buffer().capacity() - self.port.speak.slots();
        if waiting < AHEAD * self.frame() {
            let _ = self.port.speak.push_entire_slice(buffer.get(..written).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_media::port::{LegPort, audio_port};

    /// A room with a leg for each of these rates.
    fn room(rates: &[u32]) -> (MixRoom, Vec<LegPort>) {
        let mut room = MixRoom::default();
        let mut legs = Vec::new();
        for (id, rate) in rates.iter().enumerate() {
            let (port, leg) = audio_port(*rate, 10);
            room.join(ParticipantId(id as u64), port);
            legs.push(leg);
        }
        (room, legs)
    }

    /// Everybody says their level for some ticks; what each heard in the last of them.
    fn talk(room: &mut MixRoom, legs: &mut [LegPort], levels: &[i16]) -> Vec<i16> {
        let mut heard = vec![0; legs.len()];
        for _ in 0..10 {
            for (leg, level) in legs.iter_mut().zip(levels) {
                let frame = vec![*level; leg.rate as usize / 50];
                leg.heard.push_entire_slice(&frame).unwrap();
            }
            room.tick();
            for (leg, heard) in legs.iter_mut().zip(&mut heard) {
                let mut frame = vec![0; leg.rate as usize / 50];
                let _ = leg.spoken.pop_partial_slice(&mut frame);
                *heard = *frame.last().unwrap();
            }
        }
        heard
    }

    #[test]
    fn everybody_hears_the_others_and_not_themselves() {
        let (mut room, mut legs) = room(&[8_000, 8_000, 8_000]);
        assert_eq!(talk(&mut room, &mut legs, &[100, 20, 3]), [23, 103, 120]);
    }

    #[test]
    fn a_sum_that_is_too_loud_saturates() {
        let (mut room, mut legs) = room(&[8_000, 8_000, 8_000]);
        let heard = talk(&mut room, &mut legs, &[30_000, 30_000, -1]);
        assert_eq!(heard, [29_999, 29_999, i16::MAX]);
    }

    #[test]
    fn a_room_with_a_wideband_leg_mixes_wideband_and_narrowband_legs_still_hear() {
        let (mut room, mut legs) = room(&[8_000, 16_000, 8_000]);
        let heard = talk(&mut room, &mut legs, &[1_000, 200, 30]);
        assert_eq!(room.rate, 16_000);
        for (heard, expected) in heard.iter().zip([230i32, 1_030, 1_200]) {
            assert!((i32::from(*heard) - expected).abs() < 12, "{heard} for {expected}");
        }
        room.leave(ParticipantId(1));
        assert_eq!(room.rate, 8_000);
    }

    #[test]
    fn who_says_nothing_leaves_the_others_unharmed() {
        let (mut room, mut legs) = room(&[8_000, 8_000, 8_000]);
        let mut silent = legs.pop().unwrap();
        assert_eq!(talk(&mut room, &mut legs, &[100, 20]), [20, 100]);
        assert_eq!(silent.spoken.pop(), Ok(0));
    }

    #[test]
    fn sound_that_piled_up_is_thrown_away_so_that_no_delay_stays() {
        let (mut room, mut legs) = room(&[8_000, 8_000]);
        for n in 0..10 {
            legs[0].heard.push_entire_slice(&[n; 160]).unwrap();
        }
        room.tick();
        assert_eq!(legs[0].heard.slots(), 160 * 9);
    }
}
