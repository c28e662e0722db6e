//! Our side of a description, as text.

use super::payload_types::Format;
use crate::session::Direction;
use sdp_types::{Attribute, Connection, Media, Origin};
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
}

impl Description {
    /// As text, under an o= line of this session and version.
    pub(super) fn text(&self, session: u64, version: u64) -> String {
        let mut sdp = sdp_types::Session::new(Origin::with_ip_addr(session, version, self.ip), "-");
        sdp.origin.username = Some("-".to_owned());
        sdp.connection = Some(Connection::from_ip_addr(self.ip));
        sdp.medias = self.lines.iter().map(|line| self.media(line)).collect();
        let mut out = Vec::with_capacity(512);
        // a Vec takes every byte; its io::Write has no error to give
        let _ = sdp.write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn media(&self, line: &Line) -> Media {
        let (media, proto, fmt, port) = match line {
            Line::Refused { media, proto, fmt } => (media.as_str(), proto, fmt.clone(), 0),
            Line::Audio { proto } => {
                let numbers: Vec<String> =
                    self.formats.iter().map(|(number, _)| number.to_string()).collect();
                ("audio", proto, numbers.join(" "), self.port)
            }
        };
        Media {
            media: media.to_owned(),
            port,
            num_ports: None,
            proto: proto.clone(),
            fmt,
            media_title: None,
            connections: Vec::new(),
            bandwidths: Vec::new(),
            key: None,
            attributes: if matches!(line, Line::Audio { .. }) { self.attributes() } else { Vec::new() },
        }
    }

    fn attributes(&self) -> Vec<Attribute> {
        let mut lines = Vec::with_capacity(2 * self.formats.len() + 3);
        for (number, format) in &self.formats {
            lines.push(Attribute::with_value("rtpmap", format!("{number} {}", format.rtpmap())));
            if let Some(fmtp) = format.fmtp() {
                lines.push(Attribute::with_value("fmtp", format!("{number} {fmtp}")));
            }
        }
        lines.push(Attribute::with_value("ptime", self.ptime_ms));
        lines.push(Attribute::new(match self.direction {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }));
        if self.rtcp_mux {
            lines.push(Attribute::new("rtcp-mux"));
        }
        lines
    }
}
