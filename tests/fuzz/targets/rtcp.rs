//! Datagrams, each behind a byte of length, into the reports of one leg.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::Duration;
use trunkline_media::rtcp::{MAX_COMPOUND, Packet, Rtcp, parse};

fuzz_target!(|data: &[u8]| {
    let mut rtcp = Rtcp::new(1, 7, "0123456789abcdef", 0xe000_0000_0000_0000);
    let mut now = Duration::ZERO;
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first() {
        let (datagram, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = behind;
        now += Duration::from_millis(777);
        for packet in parse(datagram) {
            if let Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } = packet {
                assert!(blocks.count() <= 31);
            }
        }
        rtcp.receive(now, datagram);
    }
    assert!(rtcp.remote_loss().is_none_or(|loss| (0.0..=1.0).contains(&loss)));
    assert!(rtcp.round_trip().is_none_or(|trip| trip < Duration::from_secs(60)));
    let mut out = [0; MAX_COMPOUND];
    let length = rtcp.bye(now, None, None, &mut out);
    assert!(parse(&out[..length]).count() == 3);
});
