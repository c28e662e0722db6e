//! One INVITE of 1.1 kB: framed, and the same six headers typed with their URIs, by both.

#[path = "../../../../gateway/sip/benches/invite/mod.rs"]
mod invite;

use bytes::Bytes;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

#[divan::bench_group]
mod framed {
    use super::*;

    #[divan::bench(sample_size = 100)]
    fn trunkline(bencher: Bencher<'_, '_>) {
        let bytes = Bytes::from(invite::invite());
        bencher.bench_local(|| trunkline_sip::Message::parse(black_box(bytes.clone())).unwrap());
    }

    #[divan::bench(sample_size = 100)]
    fn rsipstack(bencher: Bencher<'_, '_>) {
        let bytes = Bytes::from(invite::invite());
        bencher.bench_local(|| rsipstack::sip::SipMessage::try_from(black_box(bytes.clone())).unwrap());
    }
}

#[divan::bench_group]
mod framed_and_six_headers_typed {
    use super::*;

    #[divan::bench(sample_size = 100)]
    fn trunkline(bencher: Bencher<'_, '_>) {
        let bytes = Bytes::from(invite::invite());
        bencher.bench_local(|| {
            let m = trunkline_sip::Message::parse(black_box(bytes.clone())).unwrap();
            black_box((m.via().unwrap(), m.cseq().unwrap(), m.call_id().unwrap()));
            black_box((m.from().unwrap().uri().unwrap(), m.to().unwrap().uri().unwrap()));
            black_box(m.contacts().next().unwrap().unwrap().uri().unwrap());
        });
    }

    #[divan::bench(sample_size = 100)]
    fn rsipstack(bencher: Bencher<'_, '_>) {
        use rsipstack::sip::{HeadersExt, SipMessage, headers::untyped::ToTypedHeader};
        let bytes = Bytes::from(invite::invite());
        bencher.bench_local(|| {
            let SipMessage::Request(m) = SipMessage::try_from(black_box(bytes.clone())).unwrap() else {
                unreachable!("a request")
            };
            black_box((m.via_header().unwrap().typed().unwrap(), m.cseq_header().unwrap().typed().unwrap()));
            black_box((m.from_header().unwrap().typed().unwrap(), m.to_header().unwrap().typed().unwrap()));
            black_box((
                m.contact_header().unwrap().typed().unwrap(),
                m.call_id_header().unwrap().value().len(),
            ));
        });
    }
}
