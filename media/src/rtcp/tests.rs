use super::*;
use proptest::prelude::*;

const EPOCH: u64 = 0xe000_0000_8000_0000;

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn reception(ssrc: u32) -> ReceptionReport {
    ReceptionReport {
        ssrc,
        fraction_lost: 26,
        cumulative_lost: -3,
        highest_sequence: 65_536 + 10,
        jitter: 99,
    }
}

fn sent(packets: u32) -> Option<Sent> {
    Some(Sent { timestamp: 1_600, packets, octets: packets * 160 })
}

#[test]
fn a_compound_reads_back_as_it_was_written() {
    let mut out = [0; MAX_COMPOUND];
    let rtcp = Rtcp::new(0x1234_5678, 1, "a1b2", EPOCH);
    let n = rtcp.bye(millis(500), sent(10), Some(reception(7)), &mut out);
    assert_eq!(n % 4, 0);
    let packets: Vec<_> = parse(&out[..n]).collect();
    let [
        Packet::SenderReport { ssrc, info, blocks },
        Packet::Cname { name, .. },
        Packet::Bye { ssrc: leaving },
    ] = &packets[..]
    else {
        panic!("{packets:?}");
    };
    assert_eq!((*ssrc, *leaving), (0x1234_5678, 0x1234_5678));
    assert_eq!(*info, SenderInfo { ntp: EPOCH + (1 << 31), timestamp: 1_600, packets: 10, octets: 1_600 });
    assert_eq!(blocks.clone().collect::<Vec<_>>(), [Block { report: reception(7), ..Block::default() }]);
    assert_eq!(*name, b"a1b2");
}

#[test]
fn who_sent_nothing_reports_as_a_receiver() {
    let mut out = [0; MAX_COMPOUND];
    let n = Rtcp::new(1, 1, "", EPOCH).report(millis(0), None, None, &mut out);
    let packets: Vec<_> = parse(&out[..n]).collect();
    assert!(matches!(packets[..], [Packet::ReceiverReport { ssrc: 1, .. }, Packet::Cname { name: b"", .. }]));
    assert_eq!(Rtcp::new(1, 1, "abc", EPOCH).report(millis(0), None, None, &mut out[..12]), 0, "no room");
}

#[test]
fn the_round_trip_is_what_the_network_took_and_not_what_the_peer_waited() {
    let mut out = [0; MAX_COMPOUND];
    let ours = Rtcp::new(1, 100, "us", EPOCH);
    let mut ours_later = ours.clone();
    let mut peer = Rtcp::new(2, 0, "them", 0x1111_2222_3333_4444);
    let n = ours.report(millis(1_000), sent(50), None, &mut out);
    assert!(peer.receive(millis(70_030), &out[..n]));
    let heard =
        ReceptionReport { ssrc: 1, fraction_lost: 0, cumulative_lost: 5, highest_sequence: 149, jitter: 16 };
    let n = peer.report(millis(72_030), sent(9), Some(heard), &mut out);
    assert!(ours_later.receive(millis(3_060), &out[..n]));
    let trip = ours_later.round_trip().unwrap();
    assert!((59..=61).contains(&trip.as_millis()), "{trip:?}");
    assert_eq!(ours_later.remote_loss(), Some(0.1));
    assert_eq!(ours_later.remote_jitter(), Some(16));
    assert!(!ours_later.said_goodbye());
}

#[test]
fn blocks_about_others_say_nothing_of_us() {
    let mut out = [0; MAX_COMPOUND];
    let n = Rtcp::new(2, 0, "them", EPOCH).report(millis(0), None, Some(reception(77)), &mut out);
    let mut ours = Rtcp::new(1, 0, "us", EPOCH);
    assert!(ours.receive(millis(10), &out[..n]));
    assert_eq!((ours.round_trip(), ours.remote_loss()), (None, None));
}

#[test]
fn a_negative_loss_is_none_and_garbage_makes_no_round_trip() {
    let block = Block { report: reception(1), last_sender_report: 0x1234_5678, delay: 5 };
    let mut out = [0; MAX_COMPOUND];
    let n = write(&Outgoing { ssrc: 2, sender: None, block: Some(block), cname: "x", bye: true }, &mut out);
    let mut ours = Rtcp::new(1, 0, "us", EPOCH);
    ours.receive(millis(10), &out[..n]);
    assert_eq!((ours.remote_loss(), ours.said_goodbye()), (Some(0.0), true));
    assert!(ours.round_trip().is_none_or(|trip| trip == Duration::ZERO));
}

#[test]
fn a_length_that_does_not_fit_ends_the_compound() {
    let mut out = [0; MAX_COMPOUND];
    let n = Rtcp::new(2, 0, "them", EPOCH).report(millis(0), None, Some(reception(1)), &mut out);
    assert_eq!(parse(&out[..n - 4]).count(), 1);
    assert_eq!(parse(&[0x80, 0, 0, 0]).count(), 0, "an RTP packet");
}

proptest! {
    #[test]
    fn no_datagram_does_harm(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), kind in 200u8..=206, words in 0u8..32) {
        let mut rtcp = Rtcp::new(1, 0, "us", EPOCH);
        rtcp.receive(millis(5), &bytes);
        if let [first, second, high, low, ..] = &mut bytes[..] {
            (*first, *second, *high, *low) = (0x80 | (*first & 0x3f), kind, 0, words);
        }
        rtcp.receive(millis(5), &bytes);
        for packet in parse(&bytes) {
            if let Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } = packet {
                prop_assert!(blocks.count() <= 31);
            }
        }
    }
}
