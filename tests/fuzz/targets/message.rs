//! Bytes from the wire as a datagram and as a stream; what is sound is answered, and the answer is sound.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use trunkline_sip::Message;
use trunkline_sip::message::{Builder, Escaped, Framed, Framer, HeaderName};

fuzz_target!(|data: &[u8]| {
    let (message, fault) = Message::parse_leniently(Bytes::copy_from_slice(data));
    if let Some(message) = message {
        ask_everything(&message);
        if fault.is_none() && message.is_request() && message.check().is_ok() {
            let bytes = Builder::response_to(&message, 200, "", "t", None)
                .build()
                .expect("a sound request can be answered");
            let answer = Message::parse(bytes).expect("what is built is parsed");
            assert_eq!(answer.vias().count(), message.vias().count());
            assert_eq!(answer.cseq(), message.cseq());
            assert_eq!(answer.from().ok().and_then(|f| f.tag()), message.from().ok().and_then(|f| f.tag()));
        }
    }
    let mut framer = Framer::default();
    framer.buffer().extend_from_slice(data);
    while let Ok(Some(framed)) = framer.frame() {
        if let Framed::Message(bytes) = framed {
            let _ = Message::parse(bytes);
        }
    }
});

fn ask_everything(m: &Message) {
    let _ = (m.check(), m.method(), m.request_uri(), m.reason(), m.cseq(), m.call_id(), m.content_type());
    for address in m.contacts().chain(m.routes()).chain(m.record_routes()).chain([m.from(), m.to()]).flatten()
    {
        let _ = (address.display(), address.tag(), address.uri());
    }
    let _ = (
        m.vias().count(),
        m.max_forwards(),
        m.session_expires(),
        m.min_se(),
        m.rseq(),
        m.rack(),
        m.retry_after(),
    );
    let _ = (
        m.body_of("application/sdp"),
        m.lists(HeaderName::Supported, "timer"),
        m.header_unfolded(HeaderName::Via),
    );
    for (name, value) in m.all_headers() {
        assert!(!format!("{}{}", Escaped(name), Escaped(&value)).chars().any(char::is_control));
    }
}
