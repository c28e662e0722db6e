//! Where bytes came from, and where they are to go.

use std::net::SocketAddr;

/// The transport protocol of a [`Flow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams: requests and responses are repeated (RFC 3261 §17).
    Udp,
    /// A stream: nothing is repeated but a 2xx.
    Tcp,
    /// The same, encrypted and with a certificate.
    Tls,
}

impl Transport {
    /// As Via writes it: `UDP`, `TCP`, `TLS`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// Does the transport deliver by itself?
    #[must_use]
    pub fn is_reliable(self) -> bool {
        self != Self::Udp
    }

    /// The port where a URI names none (RFC 3261 §19.1.2).
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

/// A TCP connection, numbered by the driver; numbers are not used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// A path between us and a peer.
///
/// `local` is our address *as this peer is to be told it* (Via, Contact): never the wildcard; the driver
/// finds it. A TCP flow without a connection asks the driver to open one to `remote`; a flow whose
/// connection is gone is opened anew in the same way (RFC 3261 §18.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// UDP or TCP.
    pub transport: Transport,
    /// Our address and port, as the peer is to be told.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
    /// The connection, for TCP.
    pub connection: Option<ConnId>,
}
