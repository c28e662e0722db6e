//! What is written down of a call, and told to whoever watches.

use crate::control::{CallEvent, Figure};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::broadcast;
use trunkline_records::{Cdr, Entry, Records, What};
use trunkline_sip::{Flow, Time};

/// The pen: entries go to the records and to the watchers, with the wall clock on them.
pub(super) struct Chronicle {
    records: Arc<Records>,
    events: broadcast::Sender<CallEvent>,
    /// Listeners that count calls and need no entries: those are worth sending only when more listen.
    counters: usize,
    /// Microseconds since 1970 at the signalling's time zero.
    epoch: u64,
}

impl Chronicle {
    /// `now` is the signalling's time at this moment; `counted`: whether the metrics listen.
    pub fn new(
        records: Arc<Records>,
        events: broadcast::Sender<CallEvent>,
        counted: bool,
        now: Time,
    ) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { records, events, counters: usize::from(counted), epoch: micros(wall.saturating_sub(now)) }
    }

    /// The wall clock at a time of the signalling, in microseconds since 1970.
    pub fn wall(&self, now: Time) -> u64 {
        self.epoch + micros(now)
    }

    /// A call is up: from here on a crash leaves a CDR of it.
    pub fn begin(&self, cdr: &Cdr) {
        self.records.begin(cdr);
        self.tell(|| CallEvent::Began(Arc::new(cdr.clone())));
    }

    /// More is known of it.
    pub fn update(&self, cdr: &Cdr) {
        self.records.update(cdr);
        self.tell(|| CallEvent::Updated(Arc::new(cdr.clone())));
    }

    /// Something happened to it.
    pub fn note(&self, now: Time, call: &Arc<str>, what: What) {
        let entry = Entry { at: self.wall(now), what };
        if self.events.receiver_count() > self.counters {
            // Nobody listening any more is no fault.
            let _ =
                self.events.send(CallEvent::Entry { call: Arc::clone(call), entry: Arc::new(entry.clone()) });
        }
        self.records.append(call, entry);
    }

    /// For those who count; nothing is said where nobody does.
    pub fn measure(&self, call: &Arc<str>, outbound: bool, figure: Figure) {
        if self.counters > 0 {
            let _ = self.events.send(CallEvent::Measured { call: Arc::clone(call), outbound, figure });
        }
    }

    /// It is over.
    pub fn end(&self, cdr: Cdr) {
        self.tell(|| CallEvent::Ended(Arc::new(cdr.clone())));
        self.records.end(cdr);
    }

    /// To whoever watches; nothing is made of it when nobody does.
    fn tell(&self, event: impl FnOnce() -> CallEvent) {
        if self.events.receiver_count() > 0 {
            let _ = self.events.send(event());
        }
    }
}

fn micros(time: Time) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Writes messages on the wire as the timeline keeps them. The addresses of the last one are kept as text:
/// those of the next are most often the same, and to write them anew cost more than to copy the message.
#[derive(Default)]
pub(super) struct Wire {
    last: Option<(SocketAddr, SocketAddr)>,
    local: String,
    remote: String,
}

impl Wire {
    pub fn sip(&mut self, sent: bool, flow: &Flow, bytes: &[u8]) -> What {
        if self.last != Some((flow.local, flow.remote)) {
            self.last = Some((flow.local, flow.remote));
            self.local = flow.local.to_string();
            self.remote = flow.remote.to_string();
        }
        let mut text = text(bytes);
        hide_master_keys(&mut text);
        What::Sip {
            sent,
            transport: flow.transport.as_str().to_owned(),
            local: self.local.clone(),
            remote: self.remote.clone(),
            text,
        }
    }
}

/// The SRTP keys of SDP (RFC 4568) stay unknown: whoever reads the timeline, or has its pcap, is not to decrypt
/// the sound. At the same length.
fn hide_master_keys(text: &mut String) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(':')) {
        from += at + 1;
        let (before, key) = text.split_at(from);
        let method = before.len().checked_sub("inline:".len()).and_then(|start| before.get(start..));
        if method.is_some_and(|method| method.eq_ignore_ascii_case("inline:")) {
            let key = key.split(['|', ' ', ';', '\r', '\n']).next().unwrap_or_default();
            let hidden = "x".repeat(key.len());
            text.replace_range(from..from + hidden.len(), &hidden);
            from += hidden.len();
        }
    }
}

/// A key in an INFO stays unknown: the timeline, its watchers and the pcap see `x`, at the same length.
pub(super) fn hide_key(what: &mut What) {
    let What::Sip { text, .. } = what else { return };
    let head = text.find("\r\n\r\n").map_or(text.len(), |at| at + 4);
    if text.starts_with("INFO ") && head < text.len() {
        let body = text.split_off(head);
        text.extend(body.chars().map(|c| if c.is_ascii_digit() || matches!(c, '*' | '#') { 'x' } else { c }));
    }
}

/// Bytes as text; what is no UTF-8 is escaped, so that nothing is lost.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.utf8_chunks().fold(String::with_capacity(bytes.len() + 16), |mut text, chunk| {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
            text
        }),
    }
}

/// `address` as a CDR has it: IPv4 in IPv6 as IPv4.
pub(super) fn shown(address: SocketAddr) -> String {
    SocketAddr::new(address.ip().to_canonical(), address.port()).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Flow, SocketAddr, What};
    use trunkline_sip::Transport;

    #[test]
    fn a_key_of_a_pin_in_an_info_is_hidden() {
        let address = SocketAddr::from(([127, 0, 0, 1], 5060));
        let flow = Flow { transport: Transport::Udp, local: address, remote: address, connection: None };
        let message = b"INFO sip:1@h SIP/2.0\r\nCSeq: 2 INFO\r\n\r\nSignal=5\r\nDuration=160\r\n";
        let mut what = super::Wire::default().sip(false, &flow, message);
        super::hide_key(&mut what);
        let What::Sip { text, .. } = what else { panic!("a message") };
        assert!(text.ends_with("CSeq: 2 INFO\r\n\r\nSignal=x\r\nDuration=xxx\r\n"), "{text}");
    }

    #[test]
    fn the_srtp_keys_of_a_description_are_hidden() {
        let address = SocketAddr::from(([127, 0, 0, 1], 5060));
        let flow = Flow { transport: Transport::Udp, local: address, remote: address, connection: None };
        let message = b"INVITE sip:1@h SIP/2.0\r\n\r\nm=audio 1 RTP/SAVP 0\r\n\
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET+/1|2^20|1:4\r\na=crypto:2 X INLINE:SECRET2;inline:SECRET3\r\n\
            a=crypto:3 Y inline:SECRET\xff4";
        let What::Sip { text, .. } = super::Wire::default().sip(false, &flow, message) else {
            panic!("a message")
        };
        assert!(!text.contains("SECRET"), "{text}");
        assert!(text.contains("AES_CM_128_HMAC_SHA1_80 inline:xxxxxxxxx|2^20|1:4\r\n"), "{text}");
    }

    #[test]
    fn bytes_that_are_no_utf8_are_escaped_and_the_rest_stays() {
        assert_eq!(super::text(b"INVITE \xff\xc3\xa9"), "INVITE \\xff\u{e9}");
    }
}
