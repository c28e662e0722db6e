//! Our side of a description, as text: written at once, as a model of it in between costs twice the text.

use super::crypto::Crypto;
use super::payload_types::Format;
use crate::session::Direction;
use std::fmt::{self, Write};
use std::net::IpAddr;

/// One m= line of a description of ours; the order of the lines never changes (RFC 3264 §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Our audio stream, under the peer's name of the profile.
    Audio { proto: String },
    /// A stream of the peer's that we do not take: port 0.
    Refused { media: String, proto: String, fmt: String },
}

/// What our description says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    pub ip: IpAddr,
    /// 0: the stream is off.
    pub port: u16,
    pub lines: Vec<Line>,
    pub formats: Vec<(u8, Format)>,
    pub ptime_ms: u8,
    pub direction: Direction,
    pub rtcp_mux: bool,
    /// Our keys: in an offer one line a suite, in an answer the one that is taken.
    pub crypto: Vec<Crypto>,
}

impl Description {
    /// As text, under an o= line of this session and version.
    pub(super) fn text(&self, session: u64, version: u64) -> String {
        let (ip, family) = (self.ip, if self.ip.is_ipv4() { "IP4" } else { "IP6" });
        let ip = ip.to_string();
        let mut out = String::with_capacity(512);
        // A String takes everything; fmt::Write has no error to give.
        let _ = write!(
            out,
            "v=0\r\no=- {session} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n"
        );
        for line in &self.lines {
            match line {
                Line::Audio { proto } => self.audio(&mut out, proto),
                Line::Refused { media, proto, fmt } => {
                    let _ = write!(out, "m={} 0 {} {}\r\n", Plain(media), Plain(proto), Plain(fmt));
                }
            }
        }
        out
    }

    fn audio(&self, out: &mut String, proto: &str) {
        let _ = write!(out, "m=audio {} {}", self.port, Plain(proto));
        for (number, _) in &self.formats {
            let _ = write!(out, " {number}");
        }
        for (number, format) in &self.formats {
            let _ = write!(out, "\r\na=rtpmap:{number} {}", format.rtpmap());
            if let Some(fmtp) = format.fmtp() {
                let _ = write!(out, "\r\na=fmtp:{number} {fmtp}");
            }
        }
        let _ = write!(out, "\r\na=ptime:{}", self.ptime_ms);
        out.push_str(match self.direction {
            Direction::SendRecv => "\r\na=sendrecv\r\n",
            Direction::SendOnly => "\r\na=sendonly\r\n",
            Direction::RecvOnly => "\r\na=recvonly\r\n",
            Direction::Inactive => "\r\na=inactive\r\n",
        });
        if self.rtcp_mux {
            out.push_str("a=rtcp-mux\r\n");
        }
        for line in &self.crypto {
            let _ = line.write(out);
        }
    }
}

/// What the peer wrote, without what would begin a line of its own (RFC 8866 §5).
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.split(['\0', '\r', '\n']).try_for_each(|part| f.write_str(part))
    }
}
