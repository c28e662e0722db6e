//! The streams of the peer's description, as facts: address, port, formats, direction, packet time.

use super::SdpError;
use super::crypto::{Crypto, Encryption, MOST_LINES};
use super::payload_types::Format;
use crate::session::Direction;
use std::net::{IpAddr, SocketAddr};

/// More m= lines than any telephone sends; an answer has to repeat each of them.
const MOST_STREAMS: usize = 32;
/// Formats of a stream that are looked at.
const MOST_FORMATS: usize = 64;

/// One m= line and what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub media: String,
    pub proto: String,
    /// The format list as it stood, to be repeated when the stream is refused.
    pub fmt: String,
    pub port: u16,
    /// Formats that we know, in the peer's order.
    pub formats: Vec<(u8, Format)>,
    /// `c=`, of the stream or of the session.
    pub connection: Option<String>,
    /// `a=rtcp:` (RFC 3605).
    rtcp: Option<(u16, Option<IpAddr>)>,
    pub rtcp_mux: bool,
    pub ptime: Option<u32>,
    pub maxptime: Option<u32>,
    /// As the peer sees it.
    pub direction: Direction,
    /// Every format by name, for the log.
    pub offered: String,
    /// `a=crypto` lines that can be used, in the peer's order.
    pub crypto: Vec<Crypto>,
    /// Why others cannot.
    unusable: String,
}

/// Where the peer wants its packets; `None` where it wants none (RFC 3264 §8.4: 0.0.0.0).
pub(super) type Target = (Option<SocketAddr>, Option<SocketAddr>);

/// Reads a description.
pub(super) fn read(body: &[u8]) -> Result<Vec<Stream>, SdpError> {
    let session = sdp_types::Session::parse(body)
        .map_err(|error| SdpError::Malformed(error.to_string().escape_debug().to_string()))?;
    if session.medias.len() > MOST_STREAMS {
        return Err(SdpError::Malformed(format!("more than {MOST_STREAMS} streams")));
    }
    let direction = direction(|name| session.has_attribute(name)).unwrap_or_default();
    let of_session = Session {
        connection: session.connection.as_ref().map(|line| line.connection_address.clone()),
        direction,
        rtcp_mux: session.has_attribute("rtcp-mux"),
        ptime: session.get_first_attribute_value("ptime").flatten().and_then(milliseconds),
        maxptime: session.get_first_attribute_value("maxptime").flatten().and_then(milliseconds),
    };
    Ok(session.medias.iter().map(|media| stream(media, &of_session)).collect())
}

/// What the session part says for streams that say nothing themselves.
struct Session {
    connection: Option<String>,
    direction: Direction,
    rtcp_mux: bool,
    ptime: Option<u32>,
    maxptime: Option<u32>,
}

fn stream(media: &sdp_types::Media, session: &Session) -> Stream {
    let value = |name: &'static str| media.get_first_attribute_value(name).flatten();
    let (formats, offered) = formats(media);
    let (crypto, unusable) = crypto(media);
    Stream {
        media: media.media.clone(),
        proto: media.proto.clone(),
        fmt: media.fmt.clone(),
        port: media.port,
        formats,
        connection: media
            .connections
            .first()
            .map(|line| line.connection_address.clone())
            .or_else(|| session.connection.clone()),
        rtcp: value("rtcp").and_then(rtcp),
        rtcp_mux: media.has_attribute("rtcp-mux") || session.rtcp_mux,
        ptime: value("ptime").and_then(milliseconds).or(session.ptime),
        maxptime: value("maxptime").and_then(milliseconds).or(session.maxptime),
        direction: direction(|name| media.has_attribute(name)).unwrap_or(session.direction),
        offered,
        crypto,
        unusable,
    }
}

fn crypto(media: &sdp_types::Media) -> (Vec<Crypto>, String) {
    let (mut lines, mut unusable) = (Vec::new(), Vec::new());
    for value in media.get_attribute_values("crypto").flatten().take(MOST_LINES) {
        match Crypto::read(value) {
            Ok(line) => lines.push(line),
            Err(why) => unusable.push(why),
        }
    }
    (lines, unusable.join("; "))
}

/// The known formats in the order of the m= line, and all of them by name.
fn formats(media: &sdp_types::Media) -> (Vec<(u8, Format)>, String) {
    let rtpmaps: Vec<(u8, &str)> = media
        .get_attribute_values("rtpmap")
        .flatten()
        .filter_map(|text| text.trim().split_once(char::is_whitespace))
        .filter_map(|(number, rest)| Some((number.parse().ok()?, rest)))
        .take(MOST_FORMATS)
        .collect();
    let mut known: Vec<(u8, Format)> = Vec::new();
    let (mut offered, mut named) = (String::with_capacity(192), 0);
    for text in media.fmt.split_whitespace().take(MOST_FORMATS) {
        let number: u8 = match text.parse() {
            // 72..=76 cannot be told from RTCP (RFC 5761 §4)
            Ok(number @ (0..=71 | 77..=127)) => number,
            _ => continue,
        };
        let rtpmap = rtpmaps.iter().find(|(of, _)| *of == number).map(|(_, rest)| *rest);
        let format = match rtpmap {
            Some(rest) => Format::from_rtpmap(rest),
            None => Format::from_static(number),
        };
        if named < 16 {
            offered.push_str(if named == 0 { "" } else { ", " });
            name(&mut offered, rtpmap.map_or(text, str::trim));
            named += 1;
        }
        if let Some(format) = format
            && known.iter().all(|(used, _)| *used != number)
        {
            known.push((number, format));
        }
    }
    if named == 0 {
        offered.push_str("nothing");
    }
    (known, offered)
}

/// A format for the log: a stranger's text, so that all but the plainest of it is escaped.
fn name(out: &mut String, text: &str) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'.' | b'_');
    if text.len() <= 32 && text.bytes().all(plain) {
        out.push_str(text);
    } else {
        text.chars().take(32).for_each(|c| out.extend(c.escape_debug()));
    }
}

impl Stream {
    pub(super) fn is_audio(&self) -> bool {
        self.media.eq_ignore_ascii_case("audio")
    }

    /// AVPF and SAVPF differ by feedback that we need not send (RFC 4585 §5: answered in kind).
    fn is_plain_rtp(&self) -> bool {
        ["RTP/AVP", "RTP/AVPF"].iter().any(|profile| self.proto.eq_ignore_ascii_case(profile))
    }

    fn is_secure_rtp(&self) -> bool {
        ["RTP/SAVP", "RTP/SAVPF"].iter().any(|profile| self.proto.eq_ignore_ascii_case(profile))
    }

    /// The crypto line of an offer that we take: the peer's first that can be used. `None`: in the clear. Keys
    /// under a plain profile are an offer, too, that many telephones make (and RFC 4568 does not).
    pub(super) fn encrypted(&self, mode: Encryption) -> Result<Option<&Crypto>, SdpError> {
        let secure = self.is_secure_rtp();
        if !secure && !self.is_plain_rtp() || secure && mode == Encryption::Disable {
            return Err(SdpError::Profile(
                self.proto.chars().take(32).collect::<String>().escape_debug().to_string(),
            ));
        }
        let line = self.crypto.first().filter(|_| mode != Encryption::Disable);
        if line.is_none() && (secure || mode == Encryption::Require) {
            return Err(SdpError::Encryption(self.no_crypto()));
        }
        Ok(line)
    }

    /// Why there is no key that can be used.
    pub(super) fn no_crypto(&self) -> String {
        match self.unusable.as_str() {
            "" => format!("{} without a=crypto", shown(&self.proto)),
            why => why.to_owned(),
        }
    }

    /// The direction from our side. With nowhere to send to, we do not send; off is off.
    pub(super) fn reversed(&self, reachable: bool) -> Direction {
        let on = self.port != 0;
        Direction::from_parts(on && self.direction.receives() && reachable, on && self.direction.sends())
    }

    /// The addresses of RTP and RTCP, from a socket of `ours`' family.
    pub(super) fn target(&self, ours: IpAddr) -> Result<Target, SdpError> {
        let text = self.connection.as_deref().unwrap_or_default();
        let bad = || SdpError::Address(if text.is_empty() { "nothing".to_owned() } else { shown(text) });
        let ip: IpAddr = text.trim().parse().map_err(|_| bad())?;
        if ip.is_multicast() {
            return Err(bad());
        }
        if ip.is_ipv4() != ours.is_ipv4() {
            return Err(SdpError::Family { theirs: ip, ours });
        }
        if ip.is_unspecified() || self.port == 0 {
            return Ok((None, None));
        }
        let rtp = SocketAddr::new(ip, self.port);
        let rtcp = if self.rtcp_mux {
            Some(rtp)
        } else {
            match self.rtcp {
                Some((0, _)) => None,
                Some((port, address)) => {
                    Some(SocketAddr::new(address.filter(|a| a.is_ipv4() == ip.is_ipv4()).unwrap_or(ip), port))
                }
                None => self.port.checked_add(1).map(|port| SocketAddr::new(ip, port)),
            }
        };
        Ok((Some(rtp), rtcp))
    }
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect::<String>().escape_debug().to_string()
}

fn direction(has: impl Fn(&'static str) -> bool) -> Option<Direction> {
    [
        ("inactive", Direction::Inactive),
        ("sendonly", Direction::SendOnly),
        ("recvonly", Direction::RecvOnly),
        ("sendrecv", Direction::SendRecv),
    ]
    .into_iter()
    .find(|(name, _)| has(name))
    .map(|(_, direction)| direction)
}

/// `20`, and `20.0` as some write it.
fn milliseconds(text: &str) -> Option<u32> {
    let whole = text.trim().split('.').next()?;
    whole.parse().ok().filter(|ms| *ms > 0)
}

/// `53020`, `53020 IN IP4 126.16.64.4`.
fn rtcp(text: &str) -> Option<(u16, Option<IpAddr>)> {
    let mut parts = text.split_whitespace();
    let port = parts.next()?.parse().ok()?;
    Some((port, parts.nth(2).and_then(|address| address.parse().ok())))
}
