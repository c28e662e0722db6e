//! The port pool: an even port for RTP and the odd one after it for RTCP (RFC 3550 §11), both bound.
//!
//! The search goes on where it last ended, so that a pair which was just given back is the last to be taken
//! again: late packets of the call before would otherwise knock at the next one.

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// DSCP "expedited forwarding", the class of voice (RFC 4594 §4.1), as the byte of the IP header.
const EXPEDITED_FORWARDING: u32 = 46 << 2;

/// Why there is no pair.
#[derive(Debug)]
pub enum PortError {
    /// All are in use, by us or by other programs.
    Exhausted { first: u16, last: u16, used: usize },
    /// The address cannot be bound, or no more files can be opened.
    Socket { address: SocketAddr, source: io::Error },
}

/// The range, and what of it is taken. Shared; locked when a call begins or ends, never per packet.
#[derive(Debug)]
pub struct PortPool {
    first: u16,
    last: u16,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    pairs: Vec<bool>,
    next: usize,
    count: usize,
}

/// Two bound sockets; dropping them gives the ports back.
#[derive(Debug)]
pub struct Pair {
    /// On the even port.
    pub rtp: UdpSocket,
    /// On the odd port after it.
    pub rtcp: UdpSocket,
    /// Both are IPv6 sockets, which know IPv4 peers by their mapped addresses.
    pub ipv6: bool,
    port: u16,
    // After the sockets, as fields are dropped in order: a port is free when its socket is closed.
    _lease: Lease,
}

#[derive(Debug)]
struct Lease {
    pool: Arc<PortPool>,
    pair: usize,
}

impl PortPool {
    /// Nothing is taken. Ports at the ends of the range that have no partner stay unused.
    #[must_use]
    pub fn new(range: &RangeInclusive<u16>) -> Arc<Self> {
        let (first, last) = (*range.start(), *range.end());
        let even = u32::from(first).next_multiple_of(2);
        let pairs = (u32::from(last) + 1).saturating_sub(even) / 2;
        let taken = Taken { pairs: vec![false; pairs as usize], next: 0, count: 0 };
        Arc::new(Self { first, last, taken: Mutex::new(taken) })
    }

    /// Pairs in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.taken().count
    }

    /// Binds the next free pair. Ports that other programs hold are passed over.
    ///
    /// # Errors
    /// [`PortError`].
    pub fn bind(self: &Arc<Self>, address: IpAddr) -> Result<Pair, PortError> {
        let tries = self.taken().pairs.len();
        for _ in 0..tries {
            let Some(lease) = self.lease() else { break };
            let even = (u32::from(self.first).next_multiple_of(2) + 2 * lease.pair as u32) as u16;
            match bind_pair(address, even) {
                Ok((rtp, rtcp)) => {
                    return Ok(Pair { rtp, rtcp, ipv6: address.is_ipv6(), port: even, _lease: lease });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => {
                    return Err(PortError::Socket { address: SocketAddr::new(address, even), source });
                }
            }
        }
        Err(PortError::Exhausted { first: self.first, last: self.last, used: self.used() })
    }

    fn lease(self: &Arc<Self>) -> Option<Lease> {
        let mut taken = self.taken();
        let pairs = taken.pairs.len();
        let next = taken.next;
        let pair =
            (next..pairs).chain(0..next).find(|pair| taken.pairs.get(*pair).is_some_and(|taken| !taken))?;
        if let Some(slot) = taken.pairs.get_mut(pair) {
            *slot = true;
        }
        taken.next = (pair + 1) % pairs;
        taken.count += 1;
        Some(Lease { pool: Arc::clone(self), pair })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing can panic while it is held; if it did, the bits are still true.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pair {
    /// The even one.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut taken = self.pool.taken();
        if let Some(slot) = taken.pairs.get_mut(self.pair) {
            *slot = false;
            taken.count -= 1;
        }
    }
}

fn bind_pair(address: IpAddr, even: u16) -> io::Result<(UdpSocket, UdpSocket)> {
    let rtp = bind(SocketAddr::new(address, even))?;
    let rtcp = bind(SocketAddr::new(address, even + 1))?;
    Ok((rtp, rtcp))
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    } else {
        // A host that forbids it still carries the call.
        let _ = socket.set_tos_v4(EXPEDITED_FORWARDING);
    }
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn rtp_is_even_and_rtcp_is_the_next_port() {
        let pool = PortPool::new(&(21_001..=21_020));
        let pair = pool.bind(LOCALHOST).unwrap();
        assert_eq!(pair.port() % 2, 0);
        assert_eq!(pair.rtp.local_addr().unwrap().port(), pair.port());
        assert_eq!(pair.rtcp.local_addr().unwrap().port(), pair.port() + 1);
    }

    #[test]
    fn when_all_pairs_are_used_the_error_says_so_and_a_drop_makes_room() {
        let pool = PortPool::new(&(21_030..=21_033));
        let first = pool.bind(LOCALHOST).unwrap();
        let _second = pool.bind(LOCALHOST).unwrap();
        assert!(matches!(
            pool.bind(LOCALHOST),
            Err(PortError::Exhausted { first: 21_030, last: 21_033, used: 2 })
        ));
        drop(first);
        assert_eq!(pool.used(), 1);
        assert!(pool.bind(LOCALHOST).is_ok());
    }

    #[test]
    fn a_pair_that_was_just_given_back_is_not_the_next() {
        let pool = PortPool::new(&(21_040..=21_047));
        let first = pool.bind(LOCALHOST).unwrap().port();
        assert_ne!(pool.bind(LOCALHOST).unwrap().port(), first);
    }

    #[test]
    fn a_port_that_another_program_holds_is_passed_over() {
        let _other = UdpSocket::bind((LOCALHOST, 21_051)).unwrap();
        let pool = PortPool::new(&(21_050..=21_053));
        assert_eq!(pool.bind(LOCALHOST).unwrap().port(), 21_052);
        assert_eq!(pool.used(), 0);
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error_at_once() {
        let pool = PortPool::new(&(21_060..=21_069));
        let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        assert!(matches!(pool.bind(elsewhere), Err(PortError::Socket { .. })));
        assert_eq!(pool.used(), 0);
    }
}
