//! How many calls, and how fast: the whole, a trunk, a source address. Pure: `now` is handed in.

use crate::Trunk;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// The limits of the whole; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ceiling {
    /// Calls at a time.
    pub calls: u32,
    /// New calls a second; as many at once.
    pub calls_per_second: u32,
    /// Calls at a time of one source address.
    pub source_calls: u32,
}

/// A call that there is no room for. SIP: `status` with Retry-After.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 503.
    pub status: u16,
    /// When another try is worth it; at least a second.
    pub retry_after: Duration,
    /// A sentence for the log.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// When a call ends nobody knows: what is full is worth another try after this long.
const FULL_RETRY: Duration = Duration::from_secs(5);

/// Addresses that are kept before those of which nothing is left are looked for.
const KEPT: usize = 256;

/// New calls a second as one number (GCRA): the time at which the bucket would be full again. A whole
/// second's worth may come at once.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    full_at: Duration,
}

impl Rate {
    fn interval(per_second: u32) -> Duration {
        Duration::from_secs(1) / per_second.max(1)
    }

    /// How long until one more fits; zero: now.
    fn wait(self, now: Duration, per_second: u32) -> Duration {
        if per_second == 0 {
            return Duration::ZERO;
        }
        let burst = Duration::from_secs(1).saturating_sub(Self::interval(per_second));
        self.full_at.saturating_sub(burst).saturating_sub(now)
    }

    fn take(&mut self, now: Duration, per_second: u32) {
        if per_second != 0 {
            self.full_at = self.full_at.max(now) + Self::interval(per_second);
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Gate {
    calls: u32,
    rate: Rate,
}

/// Counts calls that are up. Every `admit` that said yes is owed one `release` with the same arguments.
#[derive(Debug, Default)]
pub struct Limiter {
    ceiling: Ceiling,
    whole: Gate,
    /// Holds trunks with calls up, or with a rate to remember: at most as many as came up in a second.
    trunks: HashMap<String, Gate>,
    /// Holds addresses with calls up, or with a rate to remember, as trunks are held.
    sources: HashMap<IpAddr, Gate>,
}

impl Limiter {
    #[must_use]
    pub fn new(ceiling: Ceiling) -> Self {
        Self { ceiling, ..Self::default() }
    }

    /// Calls that are up.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.whole.calls
    }

    /// Calls that are up through a trunk.
    #[must_use]
    pub fn trunk_calls(&self, trunk: &str) -> u32 {
        self.trunks.get(trunk).map_or(0, |gate| gate.calls)
    }

    /// One more call? Yes counts it; no counts nothing.
    ///
    /// # Errors
    /// The limit that was met: 503 with Retry-After.
    pub fn admit(
        &mut self,
        now: Duration,
        trunk: Option<&Trunk>,
        source: Option<IpAddr>,
    ) -> Result<(), Refusal> {
        let Ceiling { calls, calls_per_second, source_calls } = self.ceiling;
        full("limits.calls", self.whole.calls, calls)?;
        soon("limits.calls_per_second", self.whole.rate.wait(now, calls_per_second), calls_per_second)?;
        let source = source.map(neighbourhood);
        if let Some(address) = source {
            let gate = self.sources.get(&address).copied().unwrap_or_default();
            full(format_args!("limits.source_calls for {address}"), gate.calls, source_calls)?;
            if trunk.is_none() {
                let (calls, rate) = (share(calls), share(calls_per_second));
                full(
                    format_args!("what limits.calls leaves for {address} without a trunk"),
                    gate.calls,
                    calls,
                )?;
                let wait = gate.rate.wait(now, rate);
                soon(
                    format_args!("what limits.calls_per_second leaves for {address} without a trunk"),
                    wait,
                    rate,
                )?;
            }
        }
        if let Some(trunk) = trunk {
            let gate = self.trunks.get(&trunk.id);
            full(
                format_args!("max_calls of trunk {}", trunk.id),
                gate.map_or(0, |g| g.calls),
                trunk.max_calls,
            )?;
            let wait = gate.map_or(Duration::ZERO, |g| g.rate.wait(now, trunk.calls_per_second));
            soon(format_args!("calls_per_second of trunk {}", trunk.id), wait, trunk.calls_per_second)?;
        }
        self.whole.calls += 1;
        self.whole.rate.take(now, calls_per_second);
        if let Some(address) = source {
            let gate = self.sources.entry(address).or_default();
            gate.calls += 1;
            gate.rate.take(now, share(calls_per_second));
        }
        if let Some(trunk) = trunk {
            let gate = self.trunks.entry(trunk.id.clone()).or_default();
            gate.calls += 1;
            gate.rate.take(now, trunk.calls_per_second);
        }
        Ok(())
    }

    /// A call that was admitted is over. `trunk` is the id, for the trunk may be gone by now.
    pub fn release(&mut self, now: Duration, trunk: Option<&str>, source: Option<IpAddr>) {
        self.whole.calls = self.whole.calls.saturating_sub(1);
        if let Some(address) = source.map(neighbourhood)
            && let Some(gate) = self.sources.get_mut(&address)
        {
            gate.calls = gate.calls.saturating_sub(1);
        }
        if let Some(gate) = trunk.and_then(|trunk| self.trunks.get_mut(trunk)) {
            gate.calls = gate.calls.saturating_sub(1);
        }
        self.trunks.retain(|_, gate| gate.calls > 0 || gate.rate.full_at > now);
        if self.sources.len() > KEPT || self.whole.calls == 0 {
            self.sources.retain(|_, gate| gate.calls > 0 || gate.rate.full_at > now);
        }
    }
}

/// What one address may take that no trunk knows: nine tenths, so that a flood of calls from one leaves
/// something for the others. What is less than ten is not shared out.
fn share(whole: u32) -> u32 {
    whole - whole / 10
}

/// IPv6 sources are one a /64: whoever has one address there has them all.
fn neighbourhood(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        other => other,
    }
}

fn full(what: impl fmt::Display, up: u32, most: u32) -> Result<(), Refusal> {
    if most == 0 || up < most {
        return Ok(());
    }
    let reason = format!("{what} is reached: {up} calls are up");
    Err(Refusal { status: 503, retry_after: FULL_RETRY, reason })
}

fn soon(what: impl fmt::Display, wait: Duration, rate: u32) -> Result<(), Refusal> {
    if wait.is_zero() {
        return Ok(());
    }
    let reason = format!("{what} is reached: {rate} new calls a second");
    Err(Refusal { status: 503, retry_after: wait.max(Duration::from_secs(1)), reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn trunk(max_calls: u32, calls_per_second: u32) -> Trunk {
        Trunk { id: "ST_a".into(), max_calls, calls_per_second, ..Trunk::default() }
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([10, 0, 0, last]))
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_source() {
        let mut limiter = Limiter::new(Ceiling { source_calls: 1, ..Ceiling::default() });
        let source = |text: &str| Some(text.parse().unwrap());
        assert!(limiter.admit(SECOND, None, source("2001:db8::1")).is_ok());
        assert!(limiter.admit(SECOND, None, source("2001:db8::2")).is_err());
        assert!(limiter.admit(SECOND, None, source("2001:db8:0:1::1")).is_ok());
        limiter.release(SECOND, None, source("2001:db8::1"));
        assert!(limiter.admit(SECOND, None, source("2001:db8::2")).is_ok());
    }

    #[test]
    fn no_limit_is_zero() {
        let mut limiter = Limiter::new(Ceiling::default());
        for _ in 0..10_000 {
            assert!(limiter.admit(Duration::ZERO, Some(&trunk(0, 0)), address(1)).is_ok());
        }
    }

    #[test]
    fn a_full_gateway_says_503_and_when_to_try_again_until_a_call_ends() {
        let mut limiter = Limiter::new(Ceiling { calls: 2, ..Ceiling::default() });
        for _ in 0..2 {
            limiter.admit(SECOND, None, None).unwrap();
        }
        let refusal = limiter.admit(SECOND, None, None).unwrap_err();
        assert_eq!(refusal.status, 503);
        assert!(refusal.retry_after >= SECOND);
        assert_eq!(refusal.reason, "limits.calls is reached: 2 calls are up");
        limiter.release(SECOND, None, None);
        assert!(limiter.admit(SECOND, None, None).is_ok());
    }

    #[test]
    fn a_seconds_worth_may_come_at_once_and_then_one_an_interval() {
        let mut limiter = Limiter::new(Ceiling { calls_per_second: 4, ..Ceiling::default() });
        for _ in 0..4 {
            limiter.admit(SECOND, None, None).unwrap();
        }
        assert!(limiter.admit(SECOND, None, None).is_err());
        assert!(limiter.admit(SECOND + Duration::from_millis(249), None, None).is_err());
        assert!(limiter.admit(SECOND + Duration::from_millis(250), None, None).is_ok());
        assert!(limiter.admit(SECOND + Duration::from_millis(250), None, None).is_err());
    }

    #[test]
    fn one_trunk_at_its_limit_leaves_the_others_alone() {
        let mut limiter = Limiter::new(Ceiling::default());
        let small = trunk(1, 0);
        limiter.admit(SECOND, Some(&small), address(1)).unwrap();
        let refusal = limiter.admit(SECOND, Some(&small), address(1)).unwrap_err();
        assert!(refusal.reason.contains("ST_a"), "{refusal}");
        let other = Trunk { id: "ST_b".into(), ..trunk(1, 0) };
        assert!(limiter.admit(SECOND, Some(&other), address(1)).is_ok());
        assert!(limiter.admit(SECOND, None, address(1)).is_ok());
    }

    #[test]
    fn one_address_without_a_trunk_leaves_a_tenth_of_calls_and_rate_to_the_others() {
        let mut limiter = Limiter::new(Ceiling { calls: 20, ..Ceiling::default() });
        let taken = (0..50).filter(|_| limiter.admit(SECOND, None, address(1)).is_ok()).count();
        assert_eq!(taken, 18);
        assert!(limiter.admit(SECOND, None, address(2)).is_ok());
        let mut limiter = Limiter::new(Ceiling { calls_per_second: 20, ..Ceiling::default() });
        let taken = (0..50).filter(|_| limiter.admit(SECOND, None, address(1)).is_ok()).count();
        assert_eq!(taken, 18);
        assert!(limiter.admit(SECOND, None, address(2)).is_ok());
    }

    #[test]
    fn a_trunk_may_have_all_calls_and_all_the_rate() {
        let mut limiter = Limiter::new(Ceiling { calls: 20, calls_per_second: 20, ..Ceiling::default() });
        for _ in 0..20 {
            limiter.admit(SECOND, Some(&trunk(0, 0)), address(1)).unwrap();
        }
    }

    #[test]
    fn a_source_counts_its_calls_however_its_address_is_written() {
        let mut limiter = Limiter::new(Ceiling { source_calls: 1, ..Ceiling::default() });
        limiter.admit(SECOND, None, "::ffff:10.0.0.1".parse().ok()).unwrap();
        assert!(limiter.admit(SECOND, None, address(1)).is_err());
        assert!(limiter.admit(SECOND, None, address(2)).is_ok());
    }

    #[test]
    fn a_refused_call_takes_nothing_from_any_limit() {
        let mut limiter = Limiter::new(Ceiling { calls: 10, calls_per_second: 3, ..Ceiling::default() });
        let closed = trunk(1, 0);
        limiter.admit(SECOND, Some(&closed), None).unwrap();
        for _ in 0..50 {
            assert!(limiter.admit(SECOND, Some(&closed), None).is_err());
        }
        assert_eq!(limiter.calls(), 1);
        assert!(limiter.admit(SECOND, None, None).is_ok());
        assert!(limiter.admit(SECOND, None, None).is_ok());
    }

    #[test]
    fn nothing_is_kept_of_trunks_and_sources_that_are_gone() {
        let mut limiter = Limiter::new(Ceiling { source_calls: 5, ..Ceiling::default() });
        for i in 0..200_u8 {
            let trunk = Trunk { id: format!("ST_{i}"), ..trunk(3, 3) };
            limiter.admit(SECOND, Some(&trunk), address(i)).unwrap();
            limiter.release(SECOND * 3, Some(&trunk.id), address(i));
        }
        assert_eq!((limiter.calls(), limiter.trunks.len(), limiter.sources.len()), (0, 0, 0));
    }

    proptest! {
        #[test]
        fn never_more_than_the_ceiling_is_up_and_all_is_given_back(
            most in 1_u32..20,
            steps in proptest::collection::vec((any::<bool>(), 0_u8..4, 0_u64..300), 1..200),
        ) {
            let mut limiter = Limiter::new(Ceiling { calls: most, calls_per_second: 9, source_calls: 3 });
            let mut now = SECOND;
            let mut up = Vec::new();
            for (arrives, source, wait) in steps {
                now += Duration::from_millis(wait);
                if arrives {
                    if limiter.admit(now, Some(&trunk(7, 5)), address(source)).is_ok() {
                        up.push(source);
                    }
                } else if let Some(source) = up.pop() {
                    limiter.release(now, Some("ST_a"), address(source));
                }
                prop_assert_eq!(usize::try_from(limiter.calls()).unwrap(), up.len());
                prop_assert!(limiter.calls() <= most.min(7));
                for each in 0..4 {
                    prop_assert!(up.iter().filter(|s| **s == each).count() <= 3);
                }
            }
        }
    }
}
