//! Whom a leg talks with. Behind a [`crate::port`] it lives on another thread (agent, local room); a
//! participant of a LiveKit room is served by the leg's own thread, so that a packet of the room waits for no
//! other clock and wakes nobody.

use std::time::Duration;

/// The company of a leg. Called once in 20 ms, in this order: [`Company::hear`], then, unless a key or a
/// prompt goes first, [`Company::speak`]. It must not wait for anything, and allocate nothing per packet.
pub trait Company: Send + std::fmt::Debug {
    /// 20 ms of the far party at the leg's rate, mono; always called, silence too. What the company does
    /// with the network it does here. `now` is the engine's clock, which counts from the engine's start.
    fn hear(&mut self, now: Duration, far: &[i16]);
    /// Fills the front of `near` (20 ms, zeros so far) for the far party; false: there is nothing at all.
    fn speak(&mut self, near: &mut [i16]) -> bool;
    /// The leg's rate: 8,000 or 16,000 Hz. Told before the first frame, and when the codec changes.
    fn set_rate(&mut self, rate: u32);
    /// Frames of 20 ms that it did not take in time.
    fn overrun(&self) -> u64 {
        0
    }
}
