//! Datagrams, each behind a byte of length, into the figures of one stream.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::Duration;
use trunkline_media::rtp::{RtpPacket, RtpReceiver, is_rtcp};

fuzz_target!(|data: &[u8]| {
    let mut receiver = RtpReceiver::new();
    let mut now = Duration::ZERO;
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first() {
        let (datagram, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = behind;
        now += Duration::from_millis(20);
        let _ = is_rtcp(datagram);
        if let Ok(packet) = RtpPacket::parse(datagram) {
            assert!(packet.payload.len() <= datagram.len() && packet.payload_type < 128);
            receiver.receive(now, &packet, 8000);
        }
    }
    let _ = (receiver.report(), receiver.lost(), receiver.jitter());
});
