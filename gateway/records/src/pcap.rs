//! A call as Wireshark reads it: its messages from the timeline, its sound from the recording.

mod packet;
mod sound;

use crate::{Cdr, Entry, RecordsError, What};
use packet::Capture;
use sound::Frames;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// The signalling of a timeline as a pcap file for Wireshark; with the recording (stereo WAV, 8 or 16
/// kHz, the caller left and we right) its audio as RTP (PCMU) of both directions.
///
/// Messages are where and when they were on the wire. What came over TCP is shown as UDP: the timeline has
/// messages, not segments. The sound begins with the answer, on the addresses of the last SDP.
///
/// # Errors
/// [`RecordsError::Io`] when the recording cannot be read.
pub fn pcap(timeline: &[Entry], cdr: &Cdr, recording: Option<&Path>) -> Result<Vec<u8>, RecordsError> {
    let mut frames = match recording {
        Some(path) => Some(Frames::open(path)?),
        None => None,
    };
    let start = cdr.answered.unwrap_or(cdr.started);
    let streams = Streams::of(timeline);
    let mut capture = Capture::new();
    let mut messages = timeline.iter().filter(|entry| matches!(entry.what, What::Sip { .. })).peekable();
    let mut number: u32 = 0;
    // In the order of time: what was said before a frame goes before it.
    while let Some(frame) = frames.as_mut().and_then(Frames::next) {
        let at = start + u64::from(number) * 20_000;
        while let Some(entry) = messages.next_if(|entry| entry.at <= at) {
            message(&mut capture, entry);
        }
        let (caller, ours) = frame?;
        capture.rtp(at, streams.remote, streams.local, number, 1, &caller);
        capture.rtp(at, streams.local, streams.remote, number, 2, &ours);
        number = number.wrapping_add(1);
    }
    messages.for_each(|entry| message(&mut capture, entry));
    Ok(capture.finish())
}

fn message(capture: &mut Capture, entry: &Entry) {
    if let What::Sip { sent, local, remote, text, .. } = &entry.what {
        let (local, remote) = (address(local), address(remote));
        let (from, to) = if *sent { (local, remote) } else { (remote, local) };
        capture.udp(entry.at, from, to, text.as_bytes());
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 5060)))
}

/// Where the sound went.
struct Streams {
    local: SocketAddr,
    remote: SocketAddr,
}

impl Streams {
    /// As the last SDP of each side says; else on made-up ports of the signalling's addresses.
    fn of(timeline: &[Entry]) -> Self {
        let mut streams = Self {
            local: SocketAddr::from(([127, 0, 0, 1], 10_000)),
            remote: SocketAddr::from(([127, 0, 0, 1], 10_002)),
        };
        for entry in timeline {
            let What::Sip { sent, local, remote, text, .. } = &entry.what else { continue };
            if streams.local.ip().is_loopback() && streams.local.port() == 10_000 {
                streams.local.set_ip(address(local).ip());
                streams.remote.set_ip(address(remote).ip());
            }
            if let Some(described) = described(text) {
                *(if *sent { &mut streams.local } else { &mut streams.remote }) = described;
            }
        }
        streams
    }
}

/// The audio address in a message's SDP. A connection of the media goes before one of the session (RFC
/// 8866 §5.7); port 0 is no stream.
fn described(message: &str) -> Option<SocketAddr> {
    let (_, body) = message.split_once("\r\n\r\n")?;
    let mut ip: Option<IpAddr> = None;
    let mut port: Option<u16> = None;
    for line in body.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            if port.is_some() {
                break;
            }
            port = media.strip_prefix("audio ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        } else if let Some(connection) = line.strip_prefix("c=IN ") {
            let written = connection.split(' ').nth(1).and_then(|ip| ip.split('/').next()?.parse().ok());
            ip = written.or(ip);
        }
    }
    Some(SocketAddr::new(ip?, port.filter(|port| *port != 0)?))
}

#[cfg(test)]
mod tests;
