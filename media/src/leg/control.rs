//! RTCP of one leg: when reports go, where, and whose are believed.

use super::Seed;
use crate::rtcp::{MAX_COMPOUND, Rtcp, Sent};
use crate::rtp::{ReceptionReport, RtpSender};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The least time between reports (RFC 3550 §6.2), varied by half of it up and down (§6.3.1).
const INTERVAL: Duration = Duration::from_secs(5);
/// From the epoch of NTP, 1900, to that of UNIX, 1970.
const NTP_EPOCH_SECONDS: u64 = 2_208_988_800;

/// The reports of a leg.
pub(super) struct Control {
    rtcp: Rtcp,
    due: Duration,
    chance: u64,
    /// Packets that were sent when the last report was.
    told: u32,
    /// Where the peer's reports come from.
    source: Option<SocketAddr>,
}

impl Control {
    pub(super) fn new(sender: &RtpSender, first_sequence: u16, seed: &Seed, now: Duration) -> Self {
        let [_, random] = seed.random;
        let fraction = (u64::from(seed.wall.subsec_nanos()) << 32) / 1_000_000_000;
        let epoch = ((seed.wall.as_secs() + NTP_EPOCH_SECONDS) << 32).wrapping_add(fraction);
        let cname = format!("{random:016x}");
        let rtcp = Rtcp::new(sender.ssrc(), first_sequence, &cname, epoch);
        let mut control = Self { rtcp, due: now, chance: random | 1, told: 0, source: None };
        control.due = now + control.interval();
        control
    }

    /// Another peer may report from now on.
    pub(super) fn forget_source(&mut self) {
        self.source = None;
    }

    /// A datagram of the peer's. Says whether it was RTCP.
    pub(super) fn receive(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> bool {
        let is_rtcp = self.rtcp.receive(now, datagram);
        if is_rtcp {
            self.source = Some(from);
        }
        is_rtcp
    }

    /// Is it time for a report?
    pub(super) fn is_due(&mut self, now: Duration) -> bool {
        if now < self.due {
            return false;
        }
        self.due = now + self.interval();
        true
    }

    /// Writes a report, the last one with a BYE. A sender report if anything was sent since the last.
    pub(super) fn write(
        &mut self,
        now: Duration,
        sender: &RtpSender,
        received: Option<ReceptionReport>,
        bye: bool,
        out: &mut [u8; MAX_COMPOUND],
    ) -> usize {
        let (packets, octets) = sender.sent();
        let sent = (packets != self.told).then_some(Sent { timestamp: sender.timestamp(), packets, octets });
        self.told = packets;
        if bye { self.rtcp.bye(now, sent, received, out) } else { self.rtcp.report(now, sent, received, out) }
    }

    /// Where reports go: to where the peer's come from, else beside its RTP if that is not where it was
    /// announced, else as announced.
    pub(super) fn target(
        &self,
        announced: Option<SocketAddr>,
        latched: Option<SocketAddr>,
    ) -> Option<SocketAddr> {
        let beside = || latched.map(|rtp| SocketAddr::new(rtp.ip(), rtp.port().wrapping_add(1)));
        let announced_ip = announced.map(|address| address.ip());
        let moved = latched.map(|rtp| rtp.ip()).is_some_and(|ip: IpAddr| Some(ip) != announced_ip);
        self.source.or_else(|| if moved { beside() } else { announced })
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.rtcp.round_trip()
    }

    pub(super) fn remote_loss(&self) -> Option<f32> {
        self.rtcp.remote_loss()
    }

    /// Half to one and a half of the interval; xorshift is chance enough for that.
    fn interval(&mut self) -> Duration {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        INTERVAL / 2 + Duration::from_millis(self.chance % INTERVAL.as_millis() as u64)
    }
}
