//! What SRTP costs a packet of 20 ms of G.711: protected, and taken again by the other end.
#![allow(clippy::unwrap_used)]

use divan::{Bencher, black_box};
use trunkline_media::rtp::RtpSender;
use trunkline_media::srtp::{KeySource, Protect, Suite, Unprotect};

/// Shows what a packet allocates, which is nothing.
#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench(args = Suite::ALL)]
fn there_and_back(bencher: Bencher<'_, '_>, suite: Suite) {
    let key = KeySource::new(&[7; 32]).next(suite);
    let (mut protect, mut unprotect) = (Protect::new(&key).unwrap(), Unprotect::new(&key).unwrap());
    let mut sender = RtpSender::new(1, 1, 1);
    let mut packet = [0; 172];
    bencher.bench_local(|| {
        packet[..12].copy_from_slice(&sender.header(0, false, 160, 160));
        let sealed = protect.rtp(&packet).unwrap();
        black_box(unprotect.rtp(sealed).unwrap().len())
    });
}
