//! A bare UDP peer for what no good phone would send, and for looking at single answers.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// A socket on loopback that talks to one gateway.
pub struct Peer {
    pub socket: UdpSocket,
    pub gateway: SocketAddr,
}

impl Peer {
    #[must_use]
    pub fn new(gateway_port: u16) -> Self {
        Self::from_address("127.0.0.1", gateway_port)
    }

    /// From another address of loopback, to be another source.
    #[must_use]
    pub fn from_address(ip: &str, gateway_port: u16) -> Self {
        let socket = UdpSocket::bind((ip, 0)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        Self { socket, gateway: SocketAddr::from(([127, 0, 0, 1], gateway_port)) }
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }

    pub fn send(&self, bytes: &[u8]) {
        let _ = self.socket.send_to(bytes, self.gateway);
    }

    /// The first message within `patience` that fits.
    pub fn expect(&self, patience: Duration, mut fits: impl FnMut(&str) -> bool) -> Option<String> {
        let end = Instant::now() + patience;
        let mut buffer = vec![0; 65_536];
        while Instant::now() < end {
            if let Ok(n) = self.socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                if fits(&text) {
                    return Some(text);
                }
            }
        }
        None
    }

    /// The status of the first final response within `patience`.
    pub fn final_status(&self, patience: Duration) -> Option<u16> {
        self.expect(patience, |m| status(m).is_some_and(|s| s >= 200)).and_then(|m| status(&m))
    }

    /// Throws away whatever has arrived.
    pub fn drain(&self) {
        let mut buffer = [0; 65_536];
        let _ = self.socket.set_nonblocking(true);
        while self.socket.recv(&mut buffer).is_ok() {}
        let _ = self.socket.set_nonblocking(false);
    }

    /// Makes a whole call: INVITE, 200, ACK, BYE, 200. The proof that the gateway is alive.
    ///
    /// # Errors
    /// What did not come.
    pub fn short_call(&self, id: &str) -> Result<(), String> {
        let sdp = sdp("127.0.0.1", 40_000);
        self.send(self.request("INVITE", id, 1, None, Some(&sdp)).as_bytes());
        let ok = self
            .expect(Duration::from_secs(5), |m| {
                m.contains(&format!("Call-ID: {id}"))
                    && status(m).is_some_and(|s| s >= 200)
                    && m.contains("INVITE")
            })
            .ok_or("no final answer to a valid INVITE")?;
        if status(&ok) != Some(200) {
            return Err(format!("a valid INVITE got {}", ok.lines().next().unwrap_or_default()));
        }
        let tag = to_tag(&ok).ok_or("no To tag in the 200")?;
        self.send(self.request("ACK", id, 1, Some(&tag), None).as_bytes());
        self.send(self.request("BYE", id, 2, Some(&tag), None).as_bytes());
        self.expect(Duration::from_secs(5), |m| {
            m.contains(&format!("Call-ID: {id}")) && m.contains("CSeq: 2 BYE") && status(m) == Some(200)
        })
        .map(|_| ())
        .ok_or_else(|| "no 200 to the BYE".to_owned())
    }

    /// A plain request of one call.
    #[must_use]
    pub fn request(
        &self,
        method: &str,
        id: &str,
        cseq: u32,
        to_tag: Option<&str>,
        sdp: Option<&str>,
    ) -> String {
        let me = self.address();
        let body = sdp.unwrap_or_default();
        let to_tag = to_tag.map(|t| format!(";tag={t}")).unwrap_or_default();
        let kind = if sdp.is_some() { "Content-Type: application/sdp\r\n" } else { "" };
        format!(
            "{method} sip:agent@{gateway} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK-{id}-{cseq}-{method};rport\r\n\
             Max-Forwards: 70\r\nFrom: \"Test\" <sip:tester@{me}>;tag=f-{id}\r\nTo: <sip:agent@{gateway}>{to_tag}\r\n\
             Call-ID: {id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:tester@{me}>\r\n{kind}Content-Length: {length}\r\n\r\n{body}",
            gateway = self.gateway,
            length = body.len()
        )
    }
}

/// The status code of a response.
#[must_use]
pub fn status(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// A header of a message, by its full name.
#[must_use]
pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().take_while(|l| !l.is_empty()).find_map(|l| {
        let (n, v) = l.split_once(':')?;
        n.trim().eq_ignore_ascii_case(name).then(|| v.trim())
    })
}

/// The tag of the To header.
#[must_use]
pub fn to_tag(message: &str) -> Option<String> {
    let to = header(message, "To")?;
    Some(to.split(";tag=").nth(1)?.split(';').next()?.to_owned())
}

/// A small G.711 offer.
#[must_use]
pub fn sdp(ip: &str, port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 8 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
    )
}
