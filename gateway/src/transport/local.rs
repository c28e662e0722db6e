//! Which of our addresses a peer sees.
//!
//! A socket on the wildcard address does not say through which of our addresses a peer is reached,
//! yet Contact, Via and `c=` must name it (livekit/sip#597, #208: a private or wrong address there is
//! silence on the line). The kernel knows: connecting a UDP socket sends nothing and picks the source
//! address by the routing table. The answer is kept for a while, a bounded number of peers at a time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Peers whose route is remembered. A flood of sources clears the table rather than growing it.
const REMEMBERED: usize = 4096;
/// A route is looked up again after this long: addresses change with leases, tunnels and networks.
const FRESH: Duration = Duration::from_secs(30);

/// Finds and remembers the local address for each peer.
#[derive(Debug)]
pub struct LocalAddresses {
    /// Said by the operator (`nat_1_to_1_ip`, `listen_ip`): wins over the routing table.
    announced: Option<IpAddr>,
    known: HashMap<IpAddr, (IpAddr, Instant)>,
}

impl LocalAddresses {
    /// `announced` is the address that peers outside should be told, when the operator gave one.
    #[must_use]
    pub fn new(announced: Option<IpAddr>) -> Self {
        Self { announced, known: HashMap::new() }
    }

    /// Our address as `peer` should be told it.
    pub fn towards(&mut self, peer: IpAddr) -> IpAddr {
        if let Some(ip) = self.announced
            && ip.is_ipv4() == peer.is_ipv4()
            && !peer.is_loopback()
        {
            return ip;
        }
        self.interface(peer)
    }

    /// Our address on the interface that leads to `peer`, whatever the operator announces.
    pub fn interface(&mut self, peer: IpAddr) -> IpAddr {
        let now = Instant::now();
        let known = self.known.get(&peer).copied();
        if let Some((ip, since)) = known
            && now - since < FRESH
        {
            return ip;
        }
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        // While there is no route, the address of before is the best guess.
        let ip = route(peer).or(known.map(|(ip, _)| ip)).unwrap_or(match peer {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
        self.known.insert(peer, (ip, now));
        ip
    }
}

fn route(peer: IpAddr) -> Option<IpAddr> {
    let any: SocketAddr = match peer {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect((peer, 9)).ok()?;
    socket.local_addr().ok().map(|a| a.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_on_loopback_sees_us_on_loopback_even_with_an_announced_address() {
        let announced: IpAddr = "203.0.113.7".parse().unwrap();
        let mut local = LocalAddresses::new(Some(announced));
        assert_eq!(local.towards("127.0.0.9".parse().unwrap()).to_string(), "127.0.0.1");
        assert_eq!(local.towards("198.51.100.1".parse().unwrap()), announced);
    }

    #[test]
    fn an_announced_v4_address_is_not_told_to_a_v6_peer() {
        let mut local = LocalAddresses::new(Some("203.0.113.7".parse().unwrap()));
        assert!(local.towards("::1".parse().unwrap()).is_ipv6());
    }

    #[test]
    fn many_peers_do_not_grow_the_table_without_bound() {
        let mut local = LocalAddresses::new(None);
        for n in 0..10_000_u32 {
            local.interface(IpAddr::V4(Ipv4Addr::from(0x7f00_0000 + n)));
        }
        assert!(local.known.len() <= REMEMBERED);
    }
}
