//! What it costs to read a message. Beside `rsipstack`, in the same run: `tests/peer/rsipstack`.
#![allow(clippy::unwrap_used)]

mod invite;

use bytes::{Bytes, BytesMut};
use divan::{Bencher, black_box};
use trunkline_sip::Message;
use trunkline_sip::message::{Builder, Framed, Framer};

fn main() {
    divan::main();
}

fn bytes() -> Bytes {
    let bytes = Bytes::from(invite::invite());
    let message = Message::parse(bytes.clone()).unwrap();
    assert!(message.check().is_ok() && bytes.len() > 1050, "{} bytes", bytes.len());
    bytes
}

/// Lines found, names recognised, body measured.
#[divan::bench(sample_size = 100)]
fn invite_framed(bencher: Bencher<'_, '_>) {
    let bytes = bytes();
    bencher.bench_local(|| Message::parse(black_box(bytes.clone())).unwrap());
}

/// And Via, From, To, Contact with their URIs, CSeq, Call-ID read.
#[divan::bench(sample_size = 100)]
fn invite_framed_and_six_headers_typed(bencher: Bencher<'_, '_>) {
    let bytes = bytes();
    bencher.bench_local(|| {
        let m = Message::parse(black_box(bytes.clone())).unwrap();
        black_box((m.via().unwrap(), m.cseq().unwrap(), m.call_id().unwrap()));
        black_box((m.from().unwrap().uri().unwrap(), m.to().unwrap().uri().unwrap()));
        black_box(m.contacts().next().unwrap().unwrap().uri().unwrap());
    });
}

/// And everything that a request is checked for before a call is made of it.
#[divan::bench(sample_size = 100)]
fn invite_framed_and_checked(bencher: Bencher<'_, '_>) {
    let bytes = bytes();
    bencher.bench_local(|| Message::parse(black_box(bytes.clone())).unwrap().check().unwrap());
}

/// Out of a stream.
#[divan::bench(sample_size = 100)]
fn invite_cut_out_of_a_stream(bencher: Bencher<'_, '_>) {
    let bytes = bytes();
    bencher.with_inputs(|| BytesMut::from(&bytes[..])).bench_local_values(|stream| {
        let mut framer = Framer::default();
        *framer.buffer() = stream;
        match framer.frame() {
            Ok(Some(Framed::Message(m))) => m,
            other => unreachable!("{other:?}"),
        }
    });
}

/// The answer with all that is copied from the request.
#[divan::bench(sample_size = 100)]
fn response_200_built(bencher: Bencher<'_, '_>) {
    let message = Message::parse(bytes()).unwrap();
    bencher.bench_local(|| {
        Builder::response_to(black_box(&message), 200, "", "tag-1", None)
            .body("application/sdp", b"v=0\r\n")
            .unwrap()
    });
}
