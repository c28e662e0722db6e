//! How many datagrams a second one source may have looked at.
//!
//! The table has a fixed size. When it is full, the newcomer takes the place of the source that has used
//! least of its budget, so nothing is forgotten about whoever floods, and whoever is forgotten begins
//! with a full budget again: no number of (forged) sources takes anything from a peer that is quiet.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use trunkline_sip::Time;

const SETS: usize = 1024;
const WAYS: usize = 4;
/// A burst may be as long as this at the full rate: a registrar that restarts, a PBX that rings a group.
const BURST: u64 = 1_000_000_000;
/// Loopback is ours: load generators, a proxy on the same machine.
const LOOPBACK_FACTOR: u64 = 10;

/// One source: when its budget will be whole again, in nanoseconds of the driver's clock.
#[derive(Debug, Clone, Copy)]
struct Source {
    address: IpAddr,
    whole_at: u64,
}

const NOBODY: Source = Source { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), whole_at: 0 };

/// A token bucket a source, written as the time at which it is full.
#[derive(Debug)]
pub struct Budget {
    /// Nanoseconds that one datagram costs; 0: no limit.
    cost: u64,
    table: Vec<[Source; WAYS]>,
    hasher: RandomState,
    dropped: u64,
}

impl Budget {
    /// `per_second` datagrams a second and source, a second's worth in a burst; 0 sets no limit. Loopback
    /// has ten times as much. IPv6 sources are one a /64: whoever has one address there has them all.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self {
            cost: 1_000_000_000_u64.checked_div(u64::from(per_second)).unwrap_or(0),
            table: vec![[NOBODY; WAYS]; SETS],
            hasher: RandomState::new(),
            dropped: 0,
        }
    }

    /// May a datagram of `source` be looked at?
    pub fn take(&mut self, now: Time, source: IpAddr) -> bool {
        if self.cost == 0 {
            return true;
        }
        let address = neighbourhood(source);
        let cost = if address.is_loopback() { self.cost / LOOPBACK_FACTOR } else { self.cost };
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let set = usize::try_from(self.hasher.hash_one(address) % SETS as u64).unwrap_or(0);
        let Some(ways) = self.table.get_mut(set) else { return true };
        let Some(entry) = find(ways, address) else { return true };
        let whole_at = entry.whole_at.max(now).saturating_add(cost);
        if whole_at - now > BURST {
            self.dropped += 1;
            return false;
        }
        entry.whole_at = whole_at;
        true
    }

    /// Datagrams that were dropped unread since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The entry of this source, made by forgetting the least busy one where there is none.
fn find(ways: &mut [Source; WAYS], address: IpAddr) -> Option<&mut Source> {
    let known = ways.iter().position(|s| s.address == address);
    let index = known.or_else(|| {
        let least = ways.iter().enumerate().min_by_key(|(_, s)| s.whole_at)?.0;
        *ways.get_mut(least)? = Source { address, whole_at: 0 };
        Some(least)
    })?;
    ways.get_mut(index)
}

/// Who shares a budget: one IPv4 address, one IPv6 network of 64 bits.
pub(super) fn neighbourhood(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            let network = ip.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const NOW: Time = Time::from_secs(5);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn taken(budget: &mut Budget, now: Time, source: IpAddr, tries: u32) -> u32 {
        (0..tries).map(|_| u32::from(budget.take(now, source))).sum()
    }

    #[test]
    fn a_burst_of_a_second_is_let_in_then_the_rate_holds() {
        let mut budget = Budget::new(100);
        let source = ip("192.0.2.1");
        assert_eq!(taken(&mut budget, NOW, source, 500), 100);
        assert_eq!(budget.dropped(), 400);
        assert_eq!(taken(&mut budget, NOW + Time::from_millis(500), source, 500), 50);
        assert_eq!(taken(&mut budget, NOW + Time::from_secs(60), source, 500), 100);
    }

    #[test]
    fn one_source_that_floods_takes_nothing_from_another() {
        let mut budget = Budget::new(10);
        taken(&mut budget, NOW, ip("192.0.2.1"), 10_000);
        assert_eq!(taken(&mut budget, NOW, ip("192.0.2.2"), 10), 10);
    }

    #[test]
    fn loopback_has_ten_times_the_budget_and_zero_is_no_limit() {
        assert_eq!(taken(&mut Budget::new(10), NOW, ip("127.0.0.1"), 500), 100);
        assert_eq!(taken(&mut Budget::new(10), NOW, ip("::1"), 500), 100);
        assert_eq!(taken(&mut Budget::new(0), NOW, ip("192.0.2.1"), 500), 500);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_share_a_budget() {
        let mut budget = Budget::new(10);
        let total: u32 = (0..100_u16)
            .map(|n| u32::from(budget.take(NOW, IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n)))))
            .sum();
        assert_eq!(total, 10);
    }

    #[test]
    fn a_flood_of_forged_sources_neither_grows_the_table_nor_frees_the_one_who_floods() {
        let mut budget = Budget::new(10);
        let (loud, quiet) = (ip("192.0.2.1"), ip("192.0.2.2"));
        taken(&mut budget, NOW, loud, 100);
        for n in 0..100_000_u32 {
            budget.take(NOW, IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n)));
        }
        assert!(!budget.take(NOW, loud), "whoever floods stays known");
        assert!(budget.take(NOW, quiet), "whoever is quiet is heard");
        assert_eq!(budget.table.len() * WAYS, 4096);
    }
}
