//! A URI that is read is written and read back the same; an address and a Via never panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_sip::message::{NameAddr, Uri, Via};

fuzz_target!(|text: &str| {
    if let Ok(uri) = Uri::parse(text) {
        let written = uri.to_string();
        let again = Uri::parse(&written).expect("what was written can be read");
        assert_eq!(written, again.to_string());
        assert!(uri.same_as(&again) && again.same_as(&uri));
        let _ = (uri.user_unescaped(), uri.ip(), uri.transport(), uri.is_loose_router());
    }
    if let Ok(address) = NameAddr::parse(text) {
        let _ = (address.display(), address.tag(), address.uri());
    }
    if let Ok(via) = Via::parse(text) {
        let _ = (via.branch(), via.has_unique_branch());
    }
});
