//! The UDP socket of one address family.

use super::BindError;
use bytes::{Bytes, BytesMut};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use tokio::net::UdpSocket;

/// A burst of 2,000 INVITEs of 1.2 kB waits here while a tick of other work is done; the default of
/// 208 kB holds 170.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Largest datagram (RFC 3261 §18.1.1 asks for 65,535 to be taken).
const LARGEST: usize = 65_535;
/// Messages are cut from blocks of this size, so that a message costs no allocation of its own.
const BLOCK: usize = 256 << 10;

/// A bound UDP socket that hands out datagrams without copying them twice.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    /// The same socket, asked directly: tokio's takes nothing before it has looked at it once, and the first
    /// INVITE of a telephone would wait for its repetition.
    sender: std::net::UdpSocket,
    local: SocketAddr,
    block: BytesMut,
}

impl Udp {
    /// Binds `address`. An IPv6 socket serves IPv6 only: IPv4 has its own.
    ///
    /// # Errors
    /// [`BindError`] says who or what is in the way.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let open = || -> io::Result<(UdpSocket, std::net::UdpSocket)> {
            let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            // Refused where the operator set a lower limit; the socket works all the same.
            let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
            let _ = socket.set_send_buffer_size(RECEIVE_BUFFER);
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            let sender = socket.try_clone()?.into();
            Ok((UdpSocket::from_std(socket.into())?, sender))
        };
        let (socket, sender) = open().map_err(|e| BindError::from_io("UDP", address, e))?;
        let local = socket.local_addr().map_err(|e| BindError::from_io("UDP", address, e))?;
        Ok(Self { socket, sender, local, block: BytesMut::with_capacity(BLOCK) })
    }

    /// The address that is bound; may be the wildcard.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits until something may be read.
    ///
    /// # Errors
    /// The runtime is going away.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// The next datagram, or `None` when the socket is empty. An ICMP error of an earlier send is
    /// reported by Linux on the next receive; it concerns no datagram and is skipped.
    pub fn receive(&mut self) -> Option<(SocketAddr, Bytes)> {
        for _ in 0..8 {
            if self.block.capacity() < LARGEST {
                self.block = BytesMut::with_capacity(BLOCK);
            }
            match self.socket.try_recv_buf_from(&mut self.block) {
                Ok((_, source)) => return Some((source, self.block.split().freeze())),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// Sends one datagram. A full send buffer loses it, as the network may: SIP repeats.
    ///
    /// # Errors
    /// What the kernel said, where it concerns this destination (unreachable, refused, too long).
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        match self.sender.send_to(bytes, to) {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(e) => Err(e),
        }
    }
}
