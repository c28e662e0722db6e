//! Framing and typed access, told by messages of our own.

use super::*;

fn parse(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.replace('\n', "\r\n").as_bytes())).unwrap()
}

fn fault(text: &str) -> Wrong {
    Message::parse(Bytes::copy_from_slice(text.replace('\n', "\r\n").as_bytes())).unwrap_err().wrong
}

const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP a.example.com;branch=z9hG4bK776\n\
Max-Forwards: 70\nTo: Bob <sip:bob@example.com>\nFrom: Alice <sip:alice@example.com>;tag=1928\nCall-ID: a84@pc33\n\
CSeq: 314159 INVITE\nContact: <sip:alice@pc33.example.com>\nContent-Type: application/sdp\nContent-Length: 4\n\nv=0\n";

#[test]
fn an_invite_gives_its_parts() {
    let m = parse(INVITE);
    assert_eq!(m.method(), Some(Method::Invite));
    assert_eq!(m.request_uri().unwrap().host, "example.com");
    assert_eq!(m.via().unwrap().branch(), Some("z9hG4bK776"));
    assert_eq!(m.from().unwrap().tag(), Some("1928"));
    assert_eq!(m.cseq().unwrap().number, 314_159);
    assert_eq!(m.call_id(), Some("a84@pc33"));
    assert_eq!(m.contacts().next().unwrap().unwrap().uri_raw, "sip:alice@pc33.example.com");
    assert_eq!(m.body_of("application/sdp").unwrap(), &b"v=0\r"[..]);
    m.check().unwrap();
}

#[test]
fn folded_compact_and_oddly_cased_headers_are_read() {
    let m = parse(
        "OPTIONS sip:a@b SIP/2.0\nv: SIP/2.0/UDP h;branch=z9hG4bKx\nTO : sip:a@b\nf:\n <sip:c@d>\n\t;tag=1\ni: x\nCSEQ: 1\n OPTIONS\n\n",
    );
    assert_eq!(m.from().unwrap().tag(), Some("1"));
    assert_eq!(m.header_named("from").unwrap(), "<sip:c@d> ;tag=1");
    assert_eq!(m.cseq().unwrap().method, Method::Options);
    m.check().unwrap();
}

#[test]
fn an_unknown_method_and_header_are_data() {
    let m = parse("FETCH!-'~ sip:a@b SIP/2.0\nX-Thing: 1\n\n");
    assert_eq!(m.method(), Some(Method::Other("FETCH!-'~")));
    assert_eq!(m.header_named("x-thing").unwrap(), "1");
}

#[test]
fn broken_utf8_in_one_header_does_not_hide_the_next() {
    let m = Message::parse(Bytes::from_static(
        b"OPTIONS sip:a SIP/2.0\r\nSubject: \xff\xfe\r\nCall-ID: x\r\n\r\n",
    ))
    .unwrap();
    assert_eq!(m.call_id(), Some("x"));
    assert_eq!(m.header(HeaderName::Subject), None);
}

#[test]
fn without_content_length_a_datagram_is_body_to_its_end_and_with_it_the_surplus_is_ignored() {
    assert_eq!(parse("OPTIONS sip:a SIP/2.0\n\nabc").body(), &b"abc"[..]);
    assert_eq!(parse("OPTIONS sip:a SIP/2.0\nl: 1\n\nabc").body(), &b"a"[..]);
}

#[test]
fn each_fault_is_named() {
    assert_eq!(fault("hello"), Wrong::StartLine);
    assert_eq!(fault("INVITE sip:a@b SIP/7.0\n\n"), Wrong::Version);
    assert_eq!(fault("INVITE <sip:a@b> SIP/2.0\n\n"), Wrong::RequestUri);
    assert_eq!(fault("SIP/2.0 4294967301 better\n\n"), Wrong::Status);
    assert_eq!(fault("INVITE sip:a@b SIP/2.0\nVia: x\n"), Wrong::NoEnd);
    assert_eq!(fault("INVITE sip:a@b SIP/2.0\nno colon\n\n"), Wrong::Header);
    assert_eq!(fault("INVITE sip:a@b SIP/2.0\nl: 9999\n\nabc"), Wrong::ShortBody);
    assert_eq!(fault("INVITE sip:a@b SIP/2.0\nl: -9\n\nabc"), Wrong::Malformed("Content-Length"));
    assert_eq!(fault("\n\n"), Wrong::KeepAlive);
    assert_eq!(fault(&format!("INVITE sip:a@b SIP/2.0\n{}\n", "X: 1\n".repeat(300))), Wrong::TooManyHeaders);
}

#[test]
fn what_must_stand_in_a_request_is_checked() {
    let without = |line: &str| parse(&INVITE.replace(line, "")).check().unwrap_err().wrong;
    assert_eq!(without("Call-ID: a84@pc33\n"), Wrong::Missing("Call-ID"));
    let with = |from: &str, to: &str| parse(&INVITE.replace(from, to)).check().unwrap_err().wrong;
    assert_eq!(with("314159 INVITE", "314159 OPTIONS"), Wrong::CSeqMethod);
    assert_eq!(with("314159 INVITE", "36893488147419103232 INVITE"), Wrong::Malformed("CSeq"));
    assert_eq!(with("Max-Forwards: 70", "Max-Forwards: 300"), Wrong::Malformed("Max-Forwards"));
    assert_eq!(with("To: Bob <", "To: \"Bob <"), Wrong::Malformed("To"));
    assert_eq!(with("CSeq", "From: x <sip:x@y>;tag=1\nCSeq"), Wrong::Twice("From"));
}

#[test]
fn a_list_runs_over_lines_and_commas() {
    let m = parse("OPTIONS sip:a SIP/2.0\nSupported: timer, 100rel\nk: path\n\n");
    assert_eq!(m.list(HeaderName::Supported).collect::<Vec<_>>(), ["timer", "100rel", "path"]);
    assert!(m.lists(HeaderName::Supported, "100REL"));
}

#[test]
fn forty_headers_spill_and_are_all_found() {
    let text = format!("OPTIONS sip:a SIP/2.0\n{}Call-ID: last\n\n", "X-Y: 1\n".repeat(40));
    let m = parse(&text);
    assert_eq!(m.call_id(), Some("last"));
    assert_eq!(m.all_headers().count(), 41);
}

#[test]
fn a_response_copies_what_it_must_and_tags_to() {
    let m = parse(INVITE);
    let out = Builder::response_to(&m, 200, "", "t1", None).build().unwrap();
    let r = Message::parse(out).unwrap();
    assert_eq!((r.status(), r.reason()), (Some(200), "OK"));
    assert_eq!(r.to().unwrap().tag(), Some("t1"));
    assert_eq!(r.header(HeaderName::CSeq), m.header(HeaderName::CSeq));
    assert_eq!(r.header(HeaderName::Via), m.header(HeaderName::Via));
}

#[test]
fn no_value_smuggles_a_line_into_a_message() {
    let error = Builder::request(Method::Bye, "sip:a").named("X-A", "1\r\nX-B: 2").build().unwrap_err();
    assert_eq!(error.place, "X-A");
    assert!(Builder::request(Method::Bye, "sip:a\r\nX: 1").build().is_err());
    assert!(Builder::response(200, "OK\n").build().is_err());
    assert!(Builder::request(Method::Bye, "sip:a").named("X A", "1").build().is_err());
}

#[test]
fn what_is_built_is_parsed_back() {
    let bytes = Builder::request(Method::Info, "sip:a@b;x=1")
        .header(HeaderName::CallId, "c")
        .named("X-Custom", "v w")
        .body("application/dtmf-relay", b"Signal=1\r\n")
        .unwrap();
    let m = Message::parse(bytes).unwrap();
    assert_eq!(m.method(), Some(Method::Info));
    assert_eq!(m.header_named("x-custom").unwrap(), "v w");
    assert_eq!(m.body_of("application/dtmf-relay").unwrap(), &b"Signal=1\r\n"[..]);
}

#[test]
fn a_bare_cr_smuggles_no_header() {
    for text in [
        &b"OPTIONS sip:a SIP/2.0\r\nX: 1\rVia: y\r\n\r\n"[..],
        b"OPTIONS sip:a SIP/2.0\r\nX\r: 1\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nX: 1\r\n \r2\r\n\r\n",
    ] {
        assert_eq!(Message::parse(Bytes::from_static(text)).unwrap_err().wrong, Wrong::Header);
    }
}

#[test]
fn a_line_without_a_colon_does_not_take_that_of_the_next() {
    assert_eq!(fault("OPTIONS sip:a SIP/2.0\nSubject\nVia: x\n\n"), Wrong::Header);
    assert_eq!(fault("OPTIONS sip:a SIP/2.0\nVia\n: x\n\n"), Wrong::Header);
}

#[test]
fn bare_line_feeds_end_lines_too() {
    let m = Message::parse(Bytes::from_static(b"OPTIONS sip:a SIP/2.0\nCall-ID: x\n y\n\nbody")).unwrap();
    assert_eq!(m.header_named("call-id").unwrap(), "x y");
    assert_eq!(m.body(), &b"body"[..]);
}

#[test]
fn what_would_make_a_call_that_cannot_be_ended_is_refused() {
    let with = |from: &str, to: &str| parse(&INVITE.replace(from, to)).check().unwrap_err().wrong;
    assert_eq!(with("tag=1928", "tag=19\u{1}28"), Wrong::Malformed("From"));
    assert_eq!(with("tag=1928", "tag=19 28"), Wrong::Malformed("From"));
    assert_eq!(with("a84@pc33", "a84\u{0}@pc33"), Wrong::Malformed("Call-ID"));
    assert_eq!(
        with("<sip:alice@pc33.example.com>", "<sip:alice@pc33 .example.com>"),
        Wrong::Malformed("Contact")
    );
    assert_eq!(with("Contact", "Record-Route: <sip:h:99999;lr>\nContact"), Wrong::Malformed("Record-Route"));
    assert_eq!(with("INVITE sip:bob@example.com ", "INVITE sip:bob@example.com:x "), Wrong::RequestUri);
}

#[test]
fn a_via_that_is_no_utf8_is_not_passed_over_for_the_next() {
    let text =
        INVITE.replace('\n', "\r\n").replacen("Via: ", "Via: SIP/2.0/UDP ~;branch=z9hG4bKx\r\nVia: ", 1);
    let bytes: Vec<u8> = text.bytes().map(|b| if b == b'~' { 0xff } else { b }).collect();
    assert_eq!(Message::parse(bytes.into()).unwrap().check().unwrap_err().wrong, Wrong::Malformed("Via"));
}

#[test]
fn a_response_is_checked_for_what_an_ack_copies() {
    let response = |to: &str| {
        parse(&format!(
            "SIP/2.0 486 Busy Here\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\nFrom: <sip:a@b>;tag=1\nTo: {to}\nCall-ID: x\nCSeq: 1 INVITE\n\n"
        ))
        .check()
    };
    assert!(response("<sip:c@d>;tag=2").is_ok());
    assert_eq!(response("\"<sip:c@d>;tag=2").unwrap_err().wrong, Wrong::Malformed("To"));
}

#[test]
fn a_telephone_number_is_called_and_is_an_identity() {
    let m = parse(
        &INVITE
            .replace("INVITE sip:bob@example.com", "INVITE tel:+1-555-0101;phone-context=x")
            .replace("Contact:", "P-Asserted-Identity: \"Ann\" <tel:+15550100>\nContact:"),
    );
    m.check().unwrap();
    assert_eq!(m.request_uri().unwrap().user_unescaped(), "+15550101");
    let identity = NameAddr::parse(m.header(HeaderName::PAssertedIdentity).unwrap()).unwrap();
    assert_eq!((identity.display().as_ref(), identity.uri().unwrap().scheme), ("Ann", Scheme::Tel));
}

#[test]
fn every_compact_form_of_a_call_is_read() {
    let m = parse(
        "INVITE sip:a@b SIP/2.0\nv: SIP/2.0/UDP h;branch=z9hG4bKx\nf: <sip:c@d>;tag=1\nt: <sip:a@b>\ni: x\nCSeq: 1 INVITE\n\
         m: <sip:c@h>\nk: timer\nx: 1800;refresher=uas\nr: <sip:e@f>\nb: <sip:g@h>\ns: hello\ne: identity\nc: application/sdp\nl: 3\n\nv=0",
    );
    m.check().unwrap();
    assert_eq!(m.session_expires().unwrap().refresher, Some(Refresher::Uas));
    assert!(m.lists(HeaderName::Supported, "timer"));
    assert_eq!(m.header(HeaderName::ReferTo), Some("<sip:e@f>"));
    assert_eq!(m.header(HeaderName::ReferredBy), Some("<sip:g@h>"));
    assert_eq!(m.header(HeaderName::ContentEncoding), Some("identity"));
    assert_eq!(m.body_of("application/sdp").unwrap(), &b"v=0"[..]);
}

#[test]
fn sdp_is_found_in_a_multipart_and_one_level_deeper() {
    let sdp = "--in\nContent-Type: application/sdp\nContent-Disposition: session\n\nv=0\n--in--";
    let text = INVITE.split("Content-Type").next().unwrap().to_owned()
        + "Content-Type: Multipart/Mixed; boundary=\"out\"\n\n--out\nContent-Type: multipart/alternative;boundary=in\n\n"
        + sdp
        + "\n--out\nContent-Type: application/isup\n\n\u{1}\u{2}\n--out--\n";
    assert_eq!(parse(&text).body_of("application/sdp").unwrap(), &b"v=0"[..]);
    assert_eq!(parse(&text).body_of("application/isup").unwrap(), &b"\x01\x02"[..]);
}
