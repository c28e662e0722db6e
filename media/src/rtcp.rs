//! RTCP (RFC 3550 §6): what each end tells the other of what it sent and what it heard.
//!
//! [`Rtcp`] is the exchange of one leg: it composes our reports, reads the peer's, and knows from both
//! the round trip and what the peer loses. [`parse()`] reads any datagram without harm, [`write()`] makes a
//! compound packet in place.

mod parse;
mod write;

pub use parse::{Block, Blocks, Packet, Packets, parse};
pub use write::{Outgoing, write};

use crate::rtp::ReceptionReport;
use std::time::Duration;

/// Room for any compound packet that we send.
pub const MAX_COMPOUND: usize = 256;

/// What a sender says of itself (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// Wall clock, NTP format: seconds since 1900 above, 2⁻³² seconds below.
    pub ntp: u64,
    /// The same instant on the clock of the stream.
    pub timestamp: u32,
    /// Packets so far; wraps.
    pub packets: u32,
    /// Payload bytes so far; wraps.
    pub octets: u32,
}

/// What we have sent, for a sender report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The RTP timestamp that stands for now.
    pub timestamp: u32,
    /// Packets so far; wraps.
    pub packets: u32,
    /// Payload bytes so far; wraps.
    pub octets: u32,
}

/// The reports of one leg, both ways. Pure: the time is handed in.
#[derive(Debug, Clone)]
pub struct Rtcp {
    ssrc: u32,
    cname: String,
    /// Where our sequence numbers began, so that the peer's highest tells how many it expected.
    first_sequence: u16,
    /// NTP time when `now` was zero.
    epoch: u64,
    /// The peer's last sender report: the middle of its NTP time, and when it came.
    heard: Option<(u32, Duration)>,
    round_trip: Option<Duration>,
    remote_loss: Option<f32>,
    remote_jitter: Option<u32>,
    goodbye: bool,
}

impl Rtcp {
    /// For the stream that we send. `cname` must name no person (RFC 7022); `epoch` is the NTP time at which
    /// the clock that `now` is read from stood at zero (it need not be exact: it shifts, it does not run).
    #[must_use]
    pub fn new(ssrc: u32, first_sequence: u16, cname: &str, epoch: u64) -> Self {
        Self {
            ssrc,
            cname: cname.to_owned(),
            first_sequence,
            epoch,
            heard: None,
            round_trip: None,
            remote_loss: None,
            remote_jitter: None,
            goodbye: false,
        }
    }

    /// Reads a datagram of the peer. Says whether it was RTCP at all.
    pub fn receive(&mut self, now: Duration, datagram: &[u8]) -> bool {
        let mut any = false;
        for packet in parse(datagram) {
            any = true;
            match packet {
                Packet::SenderReport { info, blocks, .. } => {
                    self.heard = Some((middle(info.ntp), now));
                    self.judge(now, blocks);
                }
                Packet::ReceiverReport { blocks, .. } => self.judge(now, blocks),
                Packet::Bye { .. } => self.goodbye = true,
                Packet::Cname { .. } | Packet::Other { .. } => {}
            }
        }
        any
    }

    /// Writes the next report into the front of `out` ([`MAX_COMPOUND`] is enough) and says how long it is; 0
    /// if it does not fit. `sent`: what we sent, if anything since the last report; `received`: from
    /// [`crate::rtp::RtpReceiver::report`].
    pub fn report(
        &self,
        now: Duration,
        sent: Option<Sent>,
        received: Option<ReceptionReport>,
        out: &mut [u8],
    ) -> usize {
        self.compose(now, sent, received, false, out)
    }

    /// The last report, with a BYE.
    pub fn bye(
        &self,
        now: Duration,
        sent: Option<Sent>,
        received: Option<ReceptionReport>,
        out: &mut [u8],
    ) -> usize {
        self.compose(now, sent, received, true, out)
    }

    /// How long a packet takes to the peer and back, if the peer reports.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// The share of what we sent that the peer never got, 0..=1, over the whole call.
    #[must_use]
    pub fn remote_loss(&self) -> Option<f32> {
        self.remote_loss
    }

    /// The jitter that the peer sees, in ticks of the RTP clock.
    #[must_use]
    pub fn remote_jitter(&self) -> Option<u32> {
        self.remote_jitter
    }

    /// Did the peer say goodbye? (The signalling ends a call; this only tells why it is silent.)
    #[must_use]
    pub fn said_goodbye(&self) -> bool {
        self.goodbye
    }

    fn compose(
        &self,
        now: Duration,
        sent: Option<Sent>,
        received: Option<ReceptionReport>,
        bye: bool,
        out: &mut [u8],
    ) -> usize {
        let sender = sent.map(|sent| SenderInfo {
            ntp: self.ntp(now),
            timestamp: sent.timestamp,
            packets: sent.packets,
            octets: sent.octets,
        });
        let block = received.map(|report| {
            let (last, delay) =
                self.heard.map_or((0, 0), |(middle, at)| (middle, units(now.saturating_sub(at))));
            Block { report, last_sender_report: last, delay }
        });
        write(&Outgoing { ssrc: self.ssrc, sender, block, cname: &self.cname, bye }, out)
    }

    fn judge(&mut self, now: Duration, blocks: Blocks<'_>) {
        for block in blocks.filter(|block| block.report.ssrc == self.ssrc) {
            let report = block.report;
            let expected = i64::from(report.highest_sequence) - i64::from(self.first_sequence) + 1;
            let loss = if expected > 0 {
                i64::from(report.cumulative_lost) as f32 / expected as f32
            } else {
                f32::from(report.fraction_lost) / 256.0
            };
            self.remote_loss = Some(loss.clamp(0.0, 1.0));
            self.remote_jitter = Some(report.jitter);
            if block.last_sender_report != 0 {
                // RFC 3550 §6.4.1: A - LSR - DLSR, on a clock of 16.16 bits. A peer that waits longer than
                // it says makes it negative; one that copies garbage makes it hours.
                let trip =
                    middle(self.ntp(now)).wrapping_sub(block.last_sender_report).wrapping_sub(block.delay);
                let trip = if trip > u32::MAX / 2 { 0 } else { trip };
                if trip < 60 << 16 {
                    self.round_trip = Some(Duration::from_micros((u64::from(trip) * 1_000_000) >> 16));
                }
            }
        }
    }

    fn ntp(&self, now: Duration) -> u64 {
        let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
        self.epoch.wrapping_add(now.as_secs() << 32).wrapping_add(fraction)
    }
}

/// The middle 32 bits of an NTP time.
fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// In 1/65,536 seconds.
fn units(time: Duration) -> u32 {
    ((time.as_micros() << 16) / 1_000_000).min(u128::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests;
