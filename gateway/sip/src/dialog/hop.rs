//! Where the next request of a dialog goes: the first Route, else the peer's Contact (RFC 3261 §12.2.1.1).
//!
//! Names are not resolved here. A host that is no address, and an address that cannot be reached from
//! where we stand (a phone behind NAT that writes its private one), give way to the path on which the
//! peer itself was heard.

use super::Dialog;
use crate::message::Uri;
use crate::{Flow, Transport};
use std::net::{IpAddr, SocketAddr};

impl Dialog {
    pub fn next_hop(&self) -> Flow {
        let uri = match self.first_route() {
            Some((_, uri)) => Some(uri),
            None => Uri::parse(&self.target).ok(),
        };
        uri.and_then(|uri| self.towards(&uri)).unwrap_or(self.flow)
    }

    fn towards(&self, uri: &Uri<'_>) -> Option<Flow> {
        let ip = uri.ip()?.to_canonical();
        let heard = self.flow.remote.ip().to_canonical();
        let unreachable = ip.is_unspecified()
            || ip.is_ipv4() != heard.is_ipv4()
            || (ip.is_loopback() && !heard.is_loopback())
            || (is_inner(ip) && !is_inner(heard));
        if unreachable {
            return None;
        }
        let transport = match uri.transport() {
            Some(t) if t.eq_ignore_ascii_case("tcp") => Transport::Tcp,
            Some(t) if t.eq_ignore_ascii_case("udp") => Transport::Udp,
            _ => self.flow.transport,
        };
        // A connection that the peer opened comes from a port on which it does not listen; while it
        // stands, it is the way (RFC 5923).
        if transport == Transport::Tcp && self.flow.connection.is_some() && ip == heard {
            return Some(self.flow);
        }
        let remote = SocketAddr::new(ip, uri.port.unwrap_or(5060));
        let remote = if remote.ip() == heard && remote.port() == self.flow.remote.port() {
            self.flow.remote
        } else {
            remote
        };
        Some(Flow { transport, remote, connection: None, ..self.flow })
    }
}

/// Addresses that mean something else to the peer than to us, unless it is as near.
fn is_inner(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
