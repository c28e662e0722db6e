//! Over loopback, with limits short enough to be met.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n";

fn listen(limits: TcpLimits) -> (Tcp, SocketAddr) {
    let tcp = Tcp::listen(&["127.0.0.1:0".parse().unwrap()], None, limits, None).unwrap();
    let address = tcp.local()[0];
    (tcp, address)
}

async fn message(tcp: &mut Tcp) -> (Flow, Bytes) {
    match tcp.next().await {
        Arrival::Message { flow, bytes } => (flow, bytes),
        other @ Arrival::Closed { .. } => panic!("{other:?}"),
    }
}

async fn closed(tcp: &mut Tcp) -> (Flow, Closing) {
    match tcp.next().await {
        Arrival::Closed { flow, why, .. } => (flow, why),
        other @ Arrival::Message { .. } => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_arrives_and_its_response_takes_the_same_connection() {
    let (mut tcp, address) = listen(TcpLimits::default());
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(&OPTIONS[..10]).await.unwrap();
    peer.write_all(&OPTIONS[10..]).await.unwrap();
    let (flow, bytes) = message(&mut tcp).await;
    assert_eq!(bytes, OPTIONS);
    assert_eq!(flow.remote, peer.local_addr().unwrap());
    tcp.send(&flow, Bytes::from_static(b"one")).unwrap();
    tcp.send(&Flow { connection: None, ..flow }, Bytes::from_static(b"two")).unwrap();
    let mut read = [0; 6];
    peer.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"onetwo");
    assert_eq!(tcp.counts().open, 1);
}

#[tokio::test]
async fn a_ping_is_answered_in_place() {
    let (tcp, address) = listen(TcpLimits::default());
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(b"\r\n\r\n").await.unwrap();
    let mut read = [0; 2];
    peer.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"\r\n");
    drop(tcp);
}

#[tokio::test]
async fn a_flow_without_a_connection_opens_one_and_what_comes_back_names_it() {
    let (mut tcp, local) = listen(TcpLimits::default());
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = peer.local_addr().unwrap();
    let flow = Flow { transport: Transport::Tcp, local, remote, connection: None };
    tcp.send(&flow, Bytes::from_static(b"first")).unwrap();
    tcp.send(&flow, Bytes::from_static(b"second")).unwrap();
    let (mut stream, _) = peer.accept().await.unwrap();
    let mut read = [0; 11];
    stream.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"firstsecond");
    stream.write_all(OPTIONS).await.unwrap();
    let (back, _) = message(&mut tcp).await;
    assert_eq!((back.remote, back.connection.is_some()), (remote, true));
    drop(stream);
    assert!(matches!(closed(&mut tcp).await, (f, Closing::Peer) if f == flow));
    assert_eq!(tcp.counts().open, 0);
}

#[tokio::test]
async fn a_peer_that_refuses_is_told_with_the_flow_that_was_asked_for() {
    let (mut tcp, local) = listen(TcpLimits::default());
    let remote = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let flow = Flow { transport: Transport::Tcp, local, remote, connection: Some(ConnId(99)) };
    tcp.send(&flow, Bytes::from_static(b"x")).unwrap();
    let (told, why) = closed(&mut tcp).await;
    assert!(matches!(why, Closing::Refused(_)), "{why}");
    assert_eq!(told.remote, remote);
}

#[tokio::test(start_paused = true)]
async fn a_message_left_half_sent_and_a_silent_connection_are_cut() {
    let (mut tcp, address) = listen(TcpLimits::default());
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"OPTIONS sip:a SIP/2.0\r\n").await.unwrap();
    assert!(matches!(closed(&mut tcp).await.1, Closing::HalfMessage));
    let _silent = TcpStream::connect(address).await.unwrap();
    assert!(matches!(closed(&mut tcp).await.1, Closing::Idle));
}

#[tokio::test(start_paused = true)]
async fn a_half_message_fed_byte_by_byte_does_not_move_its_deadline() {
    let (mut tcp, address) = listen(TcpLimits::default());
    let mut slow = TcpStream::connect(address).await.unwrap();
    let feed = tokio::spawn(async move {
        for b in b"OPTIONS sip:a SIP/2.0\r\nSubject: on and on".iter().cycle() {
            if slow.write_all(&[*b]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    assert!(matches!(closed(&mut tcp).await.1, Closing::HalfMessage));
    feed.abort();
}

#[tokio::test]
async fn a_stream_that_is_no_sip_is_cut() {
    let (mut tcp, address) = listen(TcpLimits::default());
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(matches!(closed(&mut tcp).await.1, Closing::Framing(_)));
}

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away_and_counted() {
    let (mut tcp, address) = listen(TcpLimits { connections: 2, ..TcpLimits::default() });
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(OPTIONS).await.unwrap();
        message(&mut tcp).await;
        held.push(peer);
    }
    let mut third = TcpStream::connect(address).await.unwrap();
    assert_eq!(third.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert_eq!(tcp.counts(), TcpCounts { open: 2, refused: 1 });
    held.pop();
    assert!(matches!(closed(&mut tcp).await.1, Closing::Peer));
    let mut fourth = TcpStream::connect(address).await.unwrap();
    fourth.write_all(OPTIONS).await.unwrap();
    message(&mut tcp).await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_and_its_queue_stays_bounded() {
    let limits = TcpLimits { queue: 4, write: Duration::from_millis(50), ..TcpLimits::default() };
    let (mut tcp, address) = listen(limits);
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(OPTIONS).await.unwrap();
    let (flow, _) = message(&mut tcp).await;
    let big = Bytes::from(vec![b'x'; 1 << 20]);
    let why = loop {
        match tcp.send(&flow, big.clone()) {
            Ok(()) => tokio::task::yield_now().await,
            Err(SendError::Closed(why)) => break why,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(matches!(why, Closing::NotReading));
    assert!(matches!(closed(&mut tcp).await.1, Closing::NotReading));
    assert_eq!(tcp.counts().open, 0);
}

#[tokio::test]
async fn what_is_queued_leaves_before_the_close_and_nothing_is_left_open() {
    let (mut tcp, address) = listen(TcpLimits::default());
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(OPTIONS).await.unwrap();
    let (flow, _) = message(&mut tcp).await;
    tcp.send(&flow, Bytes::from_static(b"BYE")).unwrap();
    tcp.close().await;
    let mut read = Vec::new();
    peer.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"BYE");
    assert!(TcpStream::connect(address).await.is_err());
}
