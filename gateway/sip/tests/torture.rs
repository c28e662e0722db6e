//! The 49 torture messages of RFC 4475: what the parser owes each of them. The messages of
//! `tests/torture` are our own, one for each section; where `TRUNKLINE_RFC4475` names a folder with the
//! originals, they are held to the same table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use std::path::{Path, PathBuf};
use trunkline_sip::Message;
use trunkline_sip::message::{HeaderName, Method, Scheme, Wrong};

/// What a message is owed by the parser and [`Message::check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// A sound request.
    Request,
    /// A sound response.
    Response,
    /// Refused by the parser: the fault, and the status if there is still somebody to answer.
    Unparsed(Wrong, Option<u16>),
    /// Refused by the check with 400.
    Unchecked(Wrong),
}

use Owed::{Request, Response, Unchecked, Unparsed};

const TABLE: &[(&str, Owed)] = &[
    // §3.1.1, valid
    ("wsinv", Request),
    ("intmeth", Request),
    ("esc01", Request),
    ("escnull", Request),
    ("esc02", Request),
    ("lwsdisp", Request),
    ("longreq", Request),
    ("dblreq", Request),
    ("semiuri", Request),
    ("transports", Request),
    ("mpart01", Request),
    ("unreason", Response),
    ("noreason", Response),
    // §3.1.2, invalid
    ("badinv01", Unchecked(Wrong::Malformed("Via"))),
    ("clerr", Unparsed(Wrong::ShortBody, Some(400))),
    ("ncl", Unparsed(Wrong::Malformed("Content-Length"), Some(400))),
    ("scalar02", Unchecked(Wrong::Malformed("CSeq"))),
    ("scalarlg", Unchecked(Wrong::Malformed("CSeq"))), // a response: dropped
    ("quotbal", Unchecked(Wrong::Malformed("To"))),
    ("ltgtruri", Unparsed(Wrong::RequestUri, Some(400))),
    ("lwsruri", Unparsed(Wrong::RequestUri, Some(400))),
    ("lwsstart", Unparsed(Wrong::RequestUri, Some(400))),
    ("trws", Unparsed(Wrong::StartLine, Some(400))),
    ("escruri", Request), // leniently: headers in a Request-URI mean nothing (§19.1.5) and are not read
    ("baddate", Request), // leniently: nothing depends on Date
    ("regbadct", Unchecked(Wrong::Malformed("Contact"))),
    ("badaspec", Unchecked(Wrong::Malformed("To"))),
    ("baddn", Unchecked(Wrong::Malformed("From"))),
    ("badvers", Unparsed(Wrong::Version, Some(505))),
    ("mismatch01", Unchecked(Wrong::CSeqMethod)),
    ("mismatch02", Unchecked(Wrong::CSeqMethod)),
    ("bigcode", Unparsed(Wrong::Status, None)),
    // §3.2, transactions
    ("badbranch", Request),
    // §3.3, what the layers above decide
    ("insuf", Unchecked(Wrong::Missing("From"))),
    ("unkscm", Request),
    ("novelsc", Request),
    ("unksm2", Request),
    ("bext01", Request),
    ("invut", Request),
    ("regaut01", Request),
    ("multi01", Unchecked(Wrong::Twice("From"))),
    ("mcl01", Unchecked(Wrong::Twice("Content-Length"))),
    ("bcast", Response),
    ("zeromf", Request),
    ("cparam01", Request),
    ("cparam02", Request),
    ("regescrt", Request),
    ("sdp01", Request),
    // §3.4, RFC 2543
    ("inv2543", Request),
];

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/torture")
}

fn read(folder: &Path, name: &str) -> Bytes {
    std::fs::read(folder.join(format!("{name}.dat"))).unwrap().into()
}

fn message(name: &str) -> Message {
    Message::parse(read(&ours(), name)).unwrap()
}

fn verdict(bytes: Bytes) -> Owed {
    match Message::parse_leniently(bytes) {
        (message, Some(fault)) => Unparsed(fault.wrong, fault.status().filter(|_| message.is_some())),
        (Some(message), None) => match message.check() {
            Ok(()) if message.is_request() => Request,
            Ok(()) => Response,
            Err(fault) => Unchecked(fault.wrong),
        },
        (None, None) => panic!("neither a message nor a fault"),
    }
}

impl Owed {
    /// The status that the parser's fault is answered with.
    fn status(self) -> Option<u16> {
        match self {
            Request | Response => None,
            Unparsed(_, status) => status,
            Unchecked(_) => Some(400),
        }
    }
}

#[test]
fn every_section_of_rfc_4475_gets_what_it_is_owed() {
    assert_eq!(TABLE.len(), 49);
    for (name, owed) in TABLE {
        assert_eq!(verdict(read(&ours(), name)), *owed, "{name}");
    }
}

#[test]
fn the_originals_get_what_they_are_owed_where_they_are_at_hand() {
    if let Some(folder) = std::env::var_os("TRUNKLINE_RFC4475") {
        // Some of them have a second fault (baddn lacks its last line): the status counts, not which is met first.
        for (name, owed) in TABLE {
            assert_eq!(verdict(read(Path::new(&folder), name)).status(), owed.status(), "{name}");
        }
    }
}

#[test]
fn folds_and_white_space_hide_nothing_of_a_tortuous_invite() {
    let m = message("wsinv");
    assert_eq!((m.to().unwrap().uri_raw, m.to().unwrap().tag()), ("sip:desk@pbx.test", Some("to-77")));
    assert_eq!(
        (m.from().unwrap().display().as_ref(), m.from().unwrap().tag()),
        ("Ann \\\"", Some("from-78"))
    );
    assert_eq!((m.cseq().unwrap().number, m.cseq().unwrap().method), (21, Method::Invite));
    assert_eq!(m.max_forwards(), Some(55));
    let vias: Vec<_> =
        m.vias().map(Result::unwrap).map(|v| (v.transport, v.host, v.port, v.branch())).collect();
    assert_eq!(
        vias,
        [
            ("UDP", "198.51.100.7", Some(5062), Some("oldstyle")),
            ("TCP", "edge.test", None, Some("z9hG4bKedge")),
            ("UDP", "198.51.100.200", None, Some("z9hG4bKfar")),
        ]
    );
    let contact = m.contacts().next().unwrap().unwrap();
    assert_eq!((contact.display().as_ref(), contact.params.get("one")), ("Say \"\"", Some("two")));
    assert_eq!(contact.params.get("q"), Some("0.5"));
    assert!(m.routes().next().unwrap().unwrap().uri().unwrap().is_loose_router());
    assert_eq!(m.header_named("future-header").unwrap(), "one two");
    assert_eq!(m.header(HeaderName::Subject), Some(""));
    assert!(m.body_of("application/sdp").unwrap().starts_with(b"v=0\r\n"));
}

#[test]
fn a_method_of_odd_characters_is_kept_and_its_nul_and_unicode_are_data() {
    let m = message("intmeth");
    let method = "FETCH.+-!_%*`'~09";
    assert_eq!(m.method(), Some(Method::Other(method)));
    assert_eq!(m.cseq().unwrap().method, Method::Other(method));
    assert_eq!(m.to().unwrap().display(), "bell \x07 null \0 delete \x7f");
    assert_eq!(m.from().unwrap().display(), "odd~` name'+_ *%!.-");
    assert_eq!(m.from().unwrap().params.get("par''~+*_!.-%"), Some("\"тест\""));
    assert_eq!(m.request_uri().unwrap().host, "pbx.test");
    assert_eq!(m.header_named("odd-!.%*+_`'~").unwrap(), "長い値");
}

#[test]
fn escapes_are_undone_in_values_and_never_in_names() {
    let m = message("esc01");
    assert_eq!(m.request_uri().unwrap().user_unescaped(), "sips:ann@caller.test");
    assert_eq!(m.to().unwrap().uri().unwrap().user_unescaped(), "desk");
    assert_eq!(m.from().unwrap().uri().unwrap().user_unescaped(), "two words");
    let uri = m.contacts().next().unwrap().unwrap().uri().unwrap();
    assert_eq!(uri.params.as_str(), "%6C%72;%6eame=v%2541");
    let m = message("esc02");
    assert_eq!(m.method(), Some(Method::Other("INV%49TE")));
    assert_eq!(m.contacts().count(), 2);
    assert_eq!(m.to().unwrap().display(), "%Q%41");
    assert_eq!(message("escnull").contacts().count(), 2);
}

#[test]
fn long_values_and_thirty_five_vias_are_all_read() {
    let m = message("longreq");
    assert_eq!(m.vias().filter(Result::is_ok).count(), 35);
    assert_eq!(m.from().unwrap().tag().unwrap().len(), 190);
    assert_eq!(m.to().unwrap().uri().unwrap().port, Some(6000));
}

#[test]
fn octets_behind_the_body_are_ignored() {
    let m = message("dblreq");
    assert_eq!((m.method(), m.body().len()), (Some(Method::Register), 0));
}

#[test]
fn semicolons_of_the_user_part_are_no_parameters() {
    let m = message("semiuri");
    let uri = m.request_uri().unwrap();
    assert_eq!((uri.user_unescaped().as_ref(), uri.host), ("desk;ext=q@caller.test", "pbx.test"));
    assert_eq!(uri.params.get("ext"), None);
    assert_eq!(m.list(HeaderName::Accept).last(), Some("multipart/mixed"));
}

#[test]
fn every_transport_stands_in_a_via() {
    let m = message("transports");
    let names: Vec<_> = m.vias().map(|v| v.unwrap().transport).collect();
    assert_eq!(names, ["UDP", "SCTP", "TLS", "CARRIER-PIGEON", "TCP"]);
}

#[test]
fn a_binary_part_is_kept_byte_for_byte() {
    let m = message("mpart01");
    let part = m.body_of("application/octet-stream").unwrap();
    assert_eq!(part.len(), 300);
    assert_eq!(m.body_of("text/plain").unwrap(), &b"Good day"[..]);
}

#[test]
fn a_reason_phrase_may_be_unicode_or_nothing() {
    assert_eq!(message("unreason").reason(), "= 5**2 всё хорошо");
    assert_eq!((message("noreason").status(), message("noreason").reason()), (Some(100), ""));
}

#[test]
fn numbers_beyond_their_range_are_not_read() {
    let m = message("scalarlg");
    assert_eq!((m.cseq(), m.retry_after()), (None, None));
}

#[test]
fn a_branch_that_is_only_the_cookie_names_no_transaction() {
    assert!(!message("badbranch").via().unwrap().has_unique_branch());
}

#[test]
fn unknown_schemes_are_data() {
    assert_eq!(message("unkscm").request_uri().unwrap().scheme, Scheme::Other("carrierpigeon"));
    assert_eq!(message("novelsc").request_uri().unwrap().scheme, Scheme::Other("mesh.beep"));
    assert_eq!(message("unksm2").to().unwrap().uri().unwrap().scheme, Scheme::Other("isbn"));
}

#[test]
fn parameters_of_a_contact_and_of_its_uri_are_told_apart() {
    let header = message("cparam01");
    let contact = header.contacts().next().unwrap().unwrap();
    assert_eq!((contact.params.get("odd"), contact.uri().unwrap().params.get("odd")), (Some(""), None));
    let uri = message("cparam02");
    let contact = uri.contacts().next().unwrap().unwrap();
    assert_eq!((contact.params.get("odd"), contact.uri().unwrap().params.get("odd")), (None, Some("")));
    let escaped = message("regescrt");
    let contact = escaped.contacts().next().unwrap().unwrap();
    assert_eq!(contact.uri().unwrap().headers, Some("Route=%3Csip:edge.test%3E"));
}

#[test]
fn a_request_of_rfc_2543_has_neither_branch_nor_from_tag_nor_max_forwards() {
    let m = message("inv2543");
    assert_eq!((m.via().unwrap().branch(), m.from().unwrap().tag(), m.max_forwards()), (None, None, None));
    assert_eq!(
        m.record_routes().next().unwrap().unwrap().uri().unwrap().params.get("maddr"),
        Some("edge.test")
    );
    assert!(m.body_of("application/sdp").is_some());
}

#[test]
fn whatever_is_sound_can_be_answered_whole_and_on_single_lines() {
    for (name, _) in TABLE.iter().filter(|(_, owed)| *owed == Request) {
        let request = message(name);
        let answer = trunkline_sip::message::Builder::response_to(&request, 501, "", "tag-1", None).build();
        let answer = Message::parse(answer.unwrap_or_else(|e| panic!("{name}: {e}"))).unwrap();
        assert_eq!(answer.vias().count(), request.vias().count(), "{name}");
        assert_eq!(answer.from().unwrap().tag(), request.from().unwrap().tag(), "{name}");
        assert_eq!(answer.cseq(), request.cseq(), "{name}");
        assert_eq!(answer.call_id(), request.call_id(), "{name}");
    }
}
