//! Bytes in, bytes out: the sockets of the signalling.
//!
//! One UDP socket an address family, one TCP listener an address family, one of TLS where there are certificates, one
//! task a connection.
//! What arrives is a [`Arrival`]; what leaves is a [`Flow`] and bytes. No SIP is decided here but the
//! framing of streams (RFC 3261 §18.3) and the CRLF keep-alive of RFC 5626 §3.5.1, answered in place.
//!
//! A source that sends more than its budget is not read further than the address of its datagram:
//! a flood costs one `recvfrom` a packet and nothing else. A stream is slowed down instead.
//! [`Sockets`] is the door: bind, `next`, `try_next`, `send`.

mod budget;
mod connection;
mod local;
mod sockets;
mod tcp;
mod tls;
mod udp;

pub use budget::Budget;
pub use connection::Closing;
pub use local::LocalAddresses;
pub use sockets::{Listen, ListenTls, SendError, Sockets};
pub use tcp::{Tcp, TcpCounts, TcpLimits};
pub use tls::Certificates;
pub use udp::Udp;

use bytes::Bytes;
use std::net::SocketAddr;
use trunkline_sip::{ConnId, Flow};

/// What a socket has to say to the signalling.
#[derive(Debug)]
pub enum Arrival {
    /// One whole message, or one datagram.
    Message { flow: Flow, bytes: Bytes },
    /// A connection that is gone: closed by the peer, broken, refused, or past a limit. `flow` is the one
    /// that was asked for when we opened it (so perhaps without a connection), else the one of its messages.
    Closed { flow: Flow, connection: ConnId, why: Closing },
}

/// Why the program cannot listen; ends the start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program holds the port.
    #[error(
        "SIP port {address} ({protocol}) is taken by another program; stop it (ss -lnp 'sport = :{port}' names it) \
         or set sip_port", port = address.port()
    )]
    Taken { protocol: &'static str, address: SocketAddr },
    /// A port below 1024, or a policy.
    #[error("SIP port {address} ({protocol}) may not be opened by this user; ports below 1024 need root")]
    Forbidden { protocol: &'static str, address: SocketAddr },
    /// `listen_ip` is not an address of this machine, or the family is missing.
    #[error("cannot listen on {address} ({protocol}): {source}; is listen_ip an address of this machine?")]
    Other { protocol: &'static str, address: SocketAddr, source: std::io::Error },
    /// A file of `tls.certs`.
    #[error("tls.certs: {file}: {why}", file = file.display())]
    Certificate { file: std::path::PathBuf, why: String },
    /// Versions and cipher suites that do not go together.
    #[error("tls: {0}; expected cipher_suites of the versions that are allowed")]
    Tls(String),
}

impl BindError {
    fn from_io(protocol: &'static str, address: SocketAddr, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::AddrInUse => Self::Taken { protocol, address },
            std::io::ErrorKind::PermissionDenied => Self::Forbidden { protocol, address },
            _ => Self::Other { protocol, address, source },
        }
    }
}
