//! Where the next request of a dialog goes: the first Route, else the peer's Contact (RFC 3261 §12.2.1.1).
//!
//! Names are not resolved here. A host that is no address, and an address that cannot be reached from
//! where we stand (a phone behind NAT that writes its private one), give way to the path on which the
//! peer itself was heard.

use super::Dialog;
use crate::message::{Scheme, Uri};
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
            // What began encrypted stays so, whatever a Contact says.
            _ if self.flow.transport == Transport::Tls || uri.scheme == Scheme::Sips => Transport::Tls,
            Some(t) if t.eq_ignore_ascii_case("tls") => Transport::Tls,
            Some(t) if t.eq_ignore_ascii_case("tcp") => Transport::Tcp,
            Some(t) if t.eq_ignore_ascii_case("udp") => Transport::Udp,
            _ => self.flow.transport,
        };
        // A connection that the peer opened comes from a port on which it does not listen; while it
        // stands, it is the way (RFC 5923).
        if transport == self.flow.transport
            && transport.is_reliable()
            && self.flow.connection.is_some()
            && ip == heard
        {
            return Some(self.flow);
        }
        let remote = SocketAddr::new(ip, uri.port.unwrap_or(transport.port()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConnId;

    fn hop(
        transport: Transport,
        connection: Option<ConnId>,
        heard: &str,
        target: &str,
        route: &[&str],
    ) -> String {
        let flow = Flow {
            transport,
            local: "203.0.113.1:5060".parse().unwrap(),
            remote: heard.parse().unwrap(),
            connection,
        };
        let dialog = Dialog {
            call_id: "c".into(),
            local_tag: "l".into(),
            remote_tag: "r".into(),
            local: "".into(),
            remote: "".into(),
            contact: "".into(),
            target: target.into(),
            route: route.iter().map(|r| (*r).into()).collect(),
            local_cseq: 1,
            remote_cseq: None,
            flow,
        };
        let hop = dialog.next_hop();
        let new = if hop.transport.is_reliable() && hop.connection.is_none() { " new" } else { "" };
        format!("{} {}{new}", hop.transport.as_str(), hop.remote)
    }

    #[test]
    fn a_request_goes_to_the_first_route_else_to_the_contact_else_to_where_the_peer_was_heard() {
        use Transport::{Tcp, Tls, Udp};
        let heard = "198.51.100.7:5060";
        let proxy = ["<sip:198.51.100.9:5070;lr>"];
        for (transport, connection, heard, target, route, wanted) in [
            (Udp, None, heard, "sip:a@198.51.100.8:5062", &[][..], "UDP 198.51.100.8:5062"),
            (Udp, None, heard, "sip:a@198.51.100.8", &proxy[..], "UDP 198.51.100.9:5070"),
            (Udp, None, heard, "sip:a@198.51.100.8;transport=tcp", &[], "TCP 198.51.100.8:5060 new"),
            (Udp, None, heard, "sip:a@198.51.100.8;transport=tls", &[], "TLS 198.51.100.8:5061 new"),
            (Udp, None, heard, "sips:a@198.51.100.8", &[], "TLS 198.51.100.8:5061 new"),
            // Encrypted once is encrypted for good.
            (Tls, None, heard, "sip:a@198.51.100.8:5080;transport=tcp", &[], "TLS 198.51.100.8:5080 new"),
            (Tls, Some(ConnId(1)), heard, "sip:a@198.51.100.7:40001", &[], "TLS 198.51.100.7:5060"),
            // A name; a private address seen from outside; another family.
            (Udp, None, heard, "sip:a@phone.example.com", &[], "UDP 198.51.100.7:5060"),
            (Udp, None, "198.51.100.7:40001", "sip:a@192.168.1.4", &[], "UDP 198.51.100.7:40001"),
            (Udp, None, heard, "sip:a@[2001:db8::1]", &[], "UDP 198.51.100.7:5060"),
            (Udp, None, "10.0.0.4:5060", "sip:a@127.0.0.1:5080", &[], "UDP 10.0.0.4:5060"),
            // Both of them near: the Contact counts.
            (Udp, None, "192.168.1.1:40001", "sip:a@192.168.1.4", &[], "UDP 192.168.1.4:5060"),
            // The connection while it stands, then one to the Contact.
            (
                Tcp,
                Some(ConnId(1)),
                "198.51.100.7:40001",
                "sip:a@198.51.100.7:5061",
                &[],
                "TCP 198.51.100.7:40001",
            ),
            (Tcp, None, "198.51.100.7:40001", "sip:a@198.51.100.7:5061", &[], "TCP 198.51.100.7:5061 new"),
        ] {
            assert_eq!(hop(transport, connection, heard, target, route), wanted, "{target}");
        }
    }
}
