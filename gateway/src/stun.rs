//! Our address as the world sees it, asked of a STUN server (RFC 8489) once, at the start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use stun_types::attribute::XorMappedAddress;
use stun_types::message::{BINDING, Message, MessageClass, MessageWrite, MessageWriteVec};
use tokio::net::UdpSocket;
use tokio::time::{timeout, timeout_at};

/// A request is sent again after these: RFC 8489 §6.2.1 doubles from half a second.
const AGAIN: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(1_000), Duration::from_millis(1_500)];
/// Longest wait for the name of a server.
const LOOK_UP: Duration = Duration::from_secs(3);

/// The address that a server sees, and which server that was; they are asked in turn.
///
/// # Errors
/// None of them answered; a sentence with the reason of each.
pub async fn external(bind: Option<IpAddr>, servers: &[String]) -> Result<(IpAddr, String), String> {
    let mut reasons = Vec::new();
    for server in servers {
        match ask(bind, server).await {
            Ok(address) => return Ok((address, server.clone())),
            Err(why) => reasons.push(format!("{server}: {why}")),
        }
    }
    Err(format!("no STUN server says which address the world sees: {}", reasons.join("; ")))
}

async fn ask(bind: Option<IpAddr>, server: &str) -> Result<IpAddr, String> {
    let bind = bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let found = timeout(LOOK_UP, tokio::net::lookup_host(server))
        .await
        .map_err(|_| "the name is not found in time")?;
    let mut places = found.map_err(|error| error.to_string())?;
    let place = places.find(|place: &SocketAddr| place.is_ipv4() == bind.is_ipv4());
    let place = place.ok_or("it has no address of our family")?;
    let socket = UdpSocket::bind((bind, 0)).await.map_err(|error| error.to_string())?;
    socket.connect(place).await.map_err(|error| error.to_string())?;
    let mut buffer = [0; 1_500];
    for patience in AGAIN {
        let request = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
        socket.send(&request).await.map_err(|error| error.to_string())?;
        let until = tokio::time::Instant::now() + patience;
        while let Ok(read) = timeout_at(until, socket.recv(&mut buffer)).await {
            let length = read.map_err(|error| error.to_string())?;
            if let Some(address) = answer(&request, buffer.get(..length).unwrap_or_default()) {
                return Ok(address);
            }
        }
    }
    Err("no answer".to_owned())
}

/// `None`: it answers another request, or says nothing of an address.
fn answer(request: &[u8], bytes: &[u8]) -> Option<IpAddr> {
    let asked = Message::from_bytes(request).ok()?.transaction_id();
    let said = Message::from_bytes(bytes).ok()?;
    if said.transaction_id() != asked || said.class() != MessageClass::Success {
        return None;
    }
    Some(said.attribute::<XorMappedAddress>().ok()?.addr(asked).ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stun_types::message::MessageWriteExt;

    #[tokio::test]
    async fn a_server_that_answers_is_believed_after_one_that_does_not() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let servers = [silent.local_addr().unwrap().to_string(), server.local_addr().unwrap().to_string()];
        tokio::spawn(async move {
            let mut buffer = [0; 1_500];
            let (length, from) = server.recv_from(&mut buffer).await.unwrap();
            let request = Message::from_bytes(&buffer[..length]).unwrap();
            let mut said = Message::builder_success(&request, MessageWriteVec::new());
            let seen = "203.0.113.9:4000".parse().unwrap();
            said.add_attribute(&XorMappedAddress::new(seen, request.transaction_id())).unwrap();
            // What answers nobody's question is passed over.
            server.send_to(b"noise", from).await.unwrap();
            server.send_to(&said.finish(), from).await.unwrap();
        });
        let found = external(Some(Ipv4Addr::LOCALHOST.into()), &servers).await;
        assert_eq!(found, Ok(("203.0.113.9".parse().unwrap(), servers[1].clone())));
    }

    #[tokio::test]
    async fn where_nobody_answers_each_reason_is_told() {
        let nobody = ["127.0.0.1:9".to_owned(), "no port".to_owned()];
        let told = external(Some(Ipv4Addr::LOCALHOST.into()), &nobody).await.unwrap_err();
        assert!(told.contains("127.0.0.1:9: ") && told.contains("no port: "), "{told}");
    }
}
