//! The audio port: the one way in which sound leaves or enters a leg inside the process.
//!
//! A leg (RTP) has one end, its *company* (an agent session, a local room, a prompt player, the
//! telephone of `trunkline call`) has the other. Each direction is a single-producer
//! single-consumer ring of mono `i16` samples at the leg's rate (8,000 or 16,000 Hz): no lock, no
//! allocation, no socket. The leg writes 20 ms every 20 ms (silence is written too, so that the
//! listener's clock is the leg's clock) and reads 20 ms every 20 ms; when its company has nothing to
//! say the leg sends silence. A full `hear` ring loses its newest frame and counts it.
//!
//! Who speaks keeps about three frames ahead in `speak`; what is in the ring cannot be taken back, so
//! a barge-in is heard by the caller at most that much later.

use rtrb::{Consumer, Producer, RingBuffer};

/// The end that the leg's company holds.
#[derive(Debug)]
pub struct AudioPort {
    /// Samples a second, both directions: 8,000 or 16,000.
    pub rate: u32,
    /// What the far party says.
    pub hear: Consumer<i16>,
    /// What the far party is to hear.
    pub speak: Producer<i16>,
}

/// The end that the leg holds.
#[derive(Debug)]
pub struct LegPort {
    /// Samples a second, both directions: 8,000 or 16,000.
    pub rate: u32,
    /// Decoded sound of the far party, written by the leg.
    pub heard: Producer<i16>,
    /// Sound for the far party, read by the leg.
    pub spoken: Consumer<i16>,
}

/// Makes both ends, with room for `frames` frames of 20 ms in each direction.
#[must_use]
pub fn audio_port(rate: u32, frames: usize) -> (AudioPort, LegPort) {
    let samples = (rate as usize / 50) * frames;
    let (heard, hear) = RingBuffer::new(samples);
    let (speak, spoken) = RingBuffer::new(samples);
    (AudioPort { rate, hear, speak }, LegPort { rate, heard, spoken })
}
