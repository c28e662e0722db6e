//! What the pure parts cost in each 20 ms of a call.

use divan::{Bencher, black_box};
use std::time::Duration;
use trunkline_media::dtmf::inband::Detector;
use trunkline_media::jitter::JitterBuffer;
use trunkline_media::mix::Mix;
use trunkline_media::rtcp::{MAX_COMPOUND, Rtcp, Sent};
use trunkline_media::rtp::{ReceptionReport, RtpPacket};
use trunkline_media::tone::{Country, Tone};

fn main() {
    divan::main();
}

const TICK: Duration = Duration::from_millis(20);

#[divan::bench]
fn jitter_buffer_one_packet_in_and_out(bencher: Bencher<'_, '_>) {
    let mut buffer = JitterBuffer::new(8_000);
    let payload = [0xd5; 160];
    let mut n = 0u32;
    bencher.bench_local(|| {
        n = n.wrapping_add(1);
        let now = TICK * n;
        let packet = RtpPacket {
            payload_type: 8,
            marker: false,
            sequence: n as u16,
            timestamp: n.wrapping_mul(160),
            ssrc: 1,
            payload: &payload,
        };
        black_box(buffer.insert(now, &packet, 160));
        black_box(buffer.pull(now));
    });
}

#[divan::bench(args = [8_000, 16_000])]
fn keys_listened_for_in_a_loud_frame(bencher: Bencher<'_, '_>, rate: u32) {
    let mut detector = Detector::new(rate);
    let mut frame = vec![0; rate as usize / 50];
    Tone::ringback(Country::America, rate).fill(&mut frame);
    bencher.bench_local(|| black_box(detector.hear(black_box(&frame))));
}

#[divan::bench]
fn keys_listened_for_in_a_quiet_frame(bencher: Bencher<'_, '_>) {
    let mut detector = Detector::new(8_000);
    bencher.bench_local(|| black_box(detector.hear(black_box(&[3; 160]))));
}

#[divan::bench]
fn mix_minus_of_ten_at_16_khz(bencher: Bencher<'_, '_>) {
    let mut mix = Mix::new(320);
    let said = [[1_000i16; 320]; 10];
    let mut out = [0; 320];
    bencher.bench_local(|| {
        mix.clear();
        for sound in &said {
            mix.add(black_box(sound));
        }
        for sound in &said {
            mix.minus(black_box(sound), &mut out);
            black_box(&out);
        }
    });
}

#[divan::bench]
fn rtcp_report_written_and_read(bencher: Bencher<'_, '_>) {
    let ours = Rtcp::new(1, 0, "0123456789abcdef", 1 << 40);
    let mut peer = Rtcp::new(2, 0, "fedcba9876543210", 1 << 40);
    let mut out = [0; MAX_COMPOUND];
    let sent = Some(Sent { timestamp: 160, packets: 1, octets: 160 });
    let received = Some(ReceptionReport { ssrc: 2, ..ReceptionReport::default() });
    bencher.bench_local(|| {
        let length = ours.report(TICK, sent, received, &mut out);
        black_box(peer.receive(TICK, out.get(..length).unwrap_or_default()));
    });
}
