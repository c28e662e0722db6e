//! A bare UDP peer for what no good phone would send, and for looking at single answers.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// A socket on loopback that talks to one gateway.
pub struct Peer {
    pub socket: UdpSocket,
    pub gateway: SocketAddr,
}

/// A call that is up.
#[derive(Debug, Clone)]
pub struct Talk {
    /// Its Call-ID.
    pub id: String,
    /// The gateway's tag.
    pub tag: String,
    /// Where the gateway wants our sound.
    pub rtp: SocketAddr,
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
        self.hang_up(&self.dial(id, 40_000)?)
    }

    /// Makes a call that stays up: INVITE, 200, ACK. Our sound is announced at this port.
    ///
    /// # Errors
    /// What did not come.
    pub fn dial(&self, id: &str, rtp_port: u16) -> Result<Talk, String> {
        let sdp = sdp("127.0.0.1", rtp_port);
        let invite = self.request("INVITE", id, 1, None, Some(&sdp));
        let ok = self.ask(&invite, id, "1 INVITE").ok_or("no final answer to a valid INVITE")?;
        if status(&ok) != Some(200) {
            return Err(format!("a valid INVITE got {}", ok.lines().next().unwrap_or_default()));
        }
        let tag = to_tag(&ok).ok_or("no To tag in the 200")?;
        self.send(self.request("ACK", id, 1, Some(&tag), None).as_bytes());
        let port = media_port(&ok).ok_or("no audio in the 200")?;
        Ok(Talk { id: id.to_owned(), tag, rtp: SocketAddr::from(([127, 0, 0, 1], port)) })
    }

    /// Ends a call that is up: BYE, 200.
    ///
    /// # Errors
    /// What did not come.
    pub fn hang_up(&self, talk: &Talk) -> Result<(), String> {
        let bye = self.request("BYE", &talk.id, 2, Some(&talk.tag), None);
        let answer = self.ask(&bye, &talk.id, "2 BYE").ok_or("no answer to the BYE")?;
        if status(&answer) == Some(200) { Ok(()) } else { Err(format!("the BYE was answered {answer}")) }
    }

    /// Sends a request again each half second, as phones do, until its final answer comes.
    #[must_use]
    pub fn ask(&self, request: &str, id: &str, cseq: &str) -> Option<String> {
        (0..20).find_map(|_| {
            self.send(request.as_bytes());
            self.answer_within(Duration::from_millis(500), id, cseq)
        })
    }

    /// The first final answer to one request of one call.
    #[must_use]
    pub fn final_answer(&self, id: &str, cseq: &str) -> Option<String> {
        self.answer_within(Duration::from_secs(10), id, cseq)
    }

    fn answer_within(&self, patience: Duration, id: &str, cseq: &str) -> Option<String> {
        self.expect(patience, |m| {
            status(m).is_some_and(|s| s >= 200)
                && header(m, "Call-ID") == Some(id)
                && header(m, "CSeq") == Some(cseq)
        })
    }

    /// Answers a request of the gateway, with a tag of ours where the dialog has none yet.
    pub fn respond(&self, request: &str, line: &str) {
        let copied = ["Via", "From", "Call-ID", "CSeq"]
            .map(|name| format!("{name}: {}\r\n", header(request, name).unwrap_or_default()));
        let tag = if to_tag(request).is_some() { "" } else { ";tag=ours" };
        let text = format!(
            "SIP/2.0 {line}\r\n{}To: {}{tag}\r\nContact: <sip:us@{}>\r\nContent-Length: 0\r\n\r\n",
            copied.concat(),
            header(request, "To").unwrap_or_default(),
            self.address()
        );
        self.send(text.as_bytes());
    }

    /// An INVITE for this number, with more headers (whole lines).
    #[must_use]
    pub fn invite(&self, number: &str, id: &str, headers: &str) -> String {
        let sdp = sdp("127.0.0.1", 40_000);
        let plain = self.request("INVITE", id, 1, None, Some(&sdp));
        plain.replace("sip:agent@", &format!("sip:{number}@")).replacen(
            "Max-Forwards",
            &format!("{headers}Max-Forwards"),
            1,
        )
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

/// The port of the first audio stream of a message's SDP.
#[must_use]
pub fn media_port(message: &str) -> Option<u16> {
    message.lines().find_map(|l| l.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok())
}

/// Bytes that wait unread at a UDP port of 127.0.0.1, and datagrams that the kernel dropped there.
#[must_use]
pub fn unread(port: u16) -> (u64, u64) {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let wanted = format!("0100007F:{port:04X}");
    let (mut waiting, mut dropped) = (0, 0);
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields.get(1).is_some_and(|local| **local == wanted) {
            let queue = fields.get(4).and_then(|q| q.split(':').nth(1)).unwrap_or_default();
            waiting += u64::from_str_radix(queue, 16).unwrap_or(0);
            dropped += fields.last().and_then(|d| d.parse().ok()).unwrap_or(0);
        }
    }
    (waiting, dropped)
}

/// A small G.711 offer.
#[must_use]
pub fn sdp(ip: &str, port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 8 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
    )
}
