//! All sockets at once, over loopback.

use super::*;
use std::net::UdpSocket;
use tokio::io::AsyncWriteExt;

fn on(ip: &str) -> Listen {
    Listen { ip: Some(ip.parse().unwrap()), ..Listen::default() }
}

#[tokio::test]
async fn udp_and_tcp_share_a_port_that_the_kernel_chose_and_both_are_heard() {
    let mut sockets = Sockets::bind(&on("127.0.0.1")).unwrap();
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, sockets.port()).into();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.send_to(b"by udp", address).unwrap();
    let Arrival::Message { flow, bytes } = sockets.next().await else { panic!("closed") };
    assert_eq!((flow.transport, flow.local, &bytes[..]), (Transport::Udp, address, &b"by udp"[..]));
    sockets.send(&flow, Bytes::from_static(b"back")).unwrap();
    let mut read = [0; 8];
    assert_eq!(udp.recv(&mut read).unwrap(), 4);

    let mut tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    tcp.write_all(b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n").await.unwrap();
    let Arrival::Message { flow, .. } = sockets.next().await else { panic!("closed") };
    assert_eq!((flow.transport, flow.local), (Transport::Tcp, address));
    assert!(sockets.try_next().is_none());
    sockets.close().await;
}

#[tokio::test]
async fn on_every_address_a_loopback_peer_is_told_loopback_and_ipv6_is_heard_where_it_exists() {
    let mut sockets = Sockets::bind(&Listen::default()).unwrap();
    let port = sockets.port();
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", ("127.0.0.1", port)).unwrap();
    let Arrival::Message { flow, .. } = sockets.next().await else { panic!("closed") };
    assert_eq!(flow.local, (Ipv4Addr::LOCALHOST, port).into());
    if let Ok(six) = UdpSocket::bind("[::1]:0") {
        six.send_to(b"y", ("::1", port)).unwrap();
        let Arrival::Message { flow, .. } = sockets.next().await else { panic!("closed") };
        assert_eq!(flow.local, (Ipv6Addr::LOCALHOST, port).into());
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_its_protocol() {
    let first = Sockets::bind(&on("127.0.0.1")).unwrap();
    let error = Sockets::bind(&Listen { port: first.port(), ..on("127.0.0.1") }).unwrap_err();
    assert!(matches!(error, BindError::Taken { protocol: "UDP", .. }), "{error}");
    let elsewhere = Sockets::bind(&on("192.0.2.77")).unwrap_err();
    assert!(elsewhere.to_string().contains("listen_ip"), "{elsewhere}");
}

#[tokio::test]
async fn a_source_over_its_budget_is_dropped_and_counted() {
    let mut sockets = Sockets::bind(&Listen { packets_per_second: 2, ..on("127.0.0.1") }).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        peer.send_to(b"flood", ("127.0.0.1", sockets.port())).unwrap();
    }
    let mut heard = 0;
    sockets.next().await;
    heard += 1;
    while sockets.dropped() + heard < 100 {
        if sockets.try_next().is_some() {
            heard += 1;
        } else {
            tokio::task::yield_now().await;
        }
    }
    // Twenty at once (loopback), and what comes due while the test runs.
    assert!((20..100).contains(&heard), "{heard}");
}

#[tokio::test]
async fn a_datagram_for_a_family_without_a_socket_is_refused() {
    let mut sockets = Sockets::bind(&on("127.0.0.1")).unwrap();
    let flow = sockets.flow_to(Transport::Udp, "[2001:db8::1]:5060".parse().unwrap(), "");
    assert!(matches!(sockets.send(&flow, Bytes::from_static(b"x")), Err(SendError::NoSocket(_))));
}
