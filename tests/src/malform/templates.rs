//! What is valid before it is spoilt.

const BODY: &str = "@SDP@";

/// Requests; `@SDP@` stands for a description of its own, Content-Length is put in.
pub const REQUESTS: &[&str] = &[
    "INVITE sip:agent@198.51.100.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7:5070;branch=z9hG4bK-m1;rport\n\
     Via: SIP/2.0/TCP edge.test;branch=z9hG4bK-m0, SIP/2.0/UDP [2001:db8::7]:5060;branch=z9hG4bK-m\n\
     Record-Route: <sip:edge.test;lr>, <sip:198.51.100.5:5080;transport=tcp;lr>\nMax-Forwards: 70\n\
     From: \"Ann \\\"A\\\" Caller\" <sip:ann:pw@caller.test:5060;user=phone?x=y>;tag=f1\n\
     To: Desk <sip:agent@198.51.100.1>\nCall-ID: malformed-1@caller.test\nCSeq: 4711 INVITE\n\
     Contact: <sip:ann@198.51.100.7:5070;ob>;+sip.instance=\"<urn:uuid:1>\";expires=60\nAllow: INVITE, ACK, BYE\n\
     Supported: 100rel, timer\nSession-Expires: 1800;refresher=uac\nMin-SE: 90\n\
     Authorization: Digest username=\"ann\", realm=\"pbx\", nonce=\"abc==\", uri=\"sip:agent@198.51.100.1\", \
     response=\"0123456789abcdef0123456789abcdef\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"x\"\n\
     P-Asserted-Identity: <tel:+15550100>\nReplaces: other;to-tag=a;from-tag=b\n\
     Date: Tue, 03 Mar 2026 09:00:00 GMT\nContent-Type: application/sdp\n\n@SDP@",
    "INVITE tel:+1-555-0101;phone-context=caller.test SIP/2.0\nv: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-m2\n\
     Max-Forwards: 70\nf: <sip:ann@caller.test>;tag=f2\nt: <tel:+15550101>\ni: malformed-2\nCSeq: 1 INVITE\n\
     m: <sip:ann@198.51.100.7>\nk: timer\nx: 90\nc: multipart/mixed;boundary=\"b 1\"\n\n\
     --b 1\nContent-Type: application/sdp\n\n@SDP@\n--b 1\nContent-Type: multipart/alternative;boundary=in\n\n\
     --in\n\ntext\n--in--\n--b 1--\n",
    "ACK sip:agent@198.51.100.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-m3\nMax-Forwards: 70\n\
     From: <sip:ann@caller.test>;tag=f1\nTo: <sip:agent@198.51.100.1>;tag=t1\nCall-ID: malformed-1@caller.test\n\
     CSeq: 4711 ACK\nRoute: <sip:198.51.100.1;lr>\n\n",
    "BYE sip:agent@198.51.100.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-m4\nMax-Forwards: 70\n\
     From: <sip:ann@caller.test>;tag=f1\nTo: <sip:agent@198.51.100.1>;tag=t1\nCall-ID: malformed-1@caller.test\n\
     CSeq: 4712 BYE\nReason: Q.850;cause=16;text=\"done\"\n\n",
    "CANCEL sip:agent@198.51.100.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-m1\nMax-Forwards: 70\n\
     From: <sip:ann@caller.test>;tag=f1\nTo: <sip:agent@198.51.100.1>\nCall-ID: malformed-1@caller.test\n\
     CSeq: 4711 CANCEL\n\n",
    "REGISTER sip:198.51.100.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-m5\nMax-Forwards: 70\n\
     From: <sip:ann@caller.test>;tag=f5\nTo: <sip:ann@caller.test>\nCall-ID: malformed-5\nCSeq: 2 REGISTER\n\
     Contact: <sip:ann@198.51.100.7>;q=0.5;expires=3600, *\nExpires: 3600\n\n",
    "OPTIONS sip:198.51.100.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-m6\nMax-Forwards: 0\n\
     From: <sip:ann@caller.test>;tag=f6\nTo: <sip:198.51.100.1>\nCall-ID: malformed-6\nCSeq: 3 OPTIONS\n\
     Accept: application/sdp,\n\ttext/plain\nRequire: 100rel\n\n",
    "INFO sip:agent@198.51.100.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-m7\nMax-Forwards: 70\n\
     From: <sip:ann@caller.test>;tag=f1\nTo: <sip:agent@198.51.100.1>;tag=t1\nCall-ID: malformed-1@caller.test\n\
     CSeq: 4713 INFO\nContent-Type: application/dtmf-relay\n\nSignal=5\nDuration=160\n",
    "PRACK sip:agent@198.51.100.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-m8\nMax-Forwards: 70\n\
     From: <sip:ann@caller.test>;tag=f1\nTo: <sip:agent@198.51.100.1>;tag=t1\nCall-ID: malformed-1@caller.test\n\
     CSeq: 4714 PRACK\nRAck: 1 4711 INVITE\n\n",
    "UPDATE sip:agent@198.51.100.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-m9\nMax-Forwards: 70\n\
     From: <sip:ann@caller.test>;tag=f1\nTo: <sip:agent@198.51.100.1>;tag=t1\nCall-ID: malformed-1@caller.test\n\
     CSeq: 4715 UPDATE\nContact: <sip:ann@198.51.100.7>\nContent-Type: application/sdp\n\n@SDP@",
];

/// Responses.
pub const ANSWERS: &[&str] = &[
    "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK-u1;received=198.51.100.1;rport=5060\n\
     Record-Route: <sip:edge.test;lr>\nFrom: <sip:agent@198.51.100.1>;tag=u1\nTo: <sip:ann@caller.test>;tag=u2\n\
     Call-ID: malformed-9\nCSeq: 1 INVITE\nContact: <sip:ann@198.51.100.7>\nRequire: timer\n\
     Session-Expires: 1800;refresher=uas\nContent-Type: application/sdp\n\n@SDP@",
    "SIP/2.0 401 Unauthorized\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK-u1\n\
     From: <sip:agent@198.51.100.1>;tag=u1\nTo: <sip:ann@caller.test>;tag=u2\nCall-ID: malformed-9\n\
     CSeq: 1 INVITE\nWWW-Authenticate: Digest realm=\"a, \\\"b\\\"\", nonce=\"n\", qop=\"auth,auth-int\", stale=true\n\
     Retry-After: 18 (busy);duration=3600\nWarning: 399 pbx \"no\"\n\n",
    "SIP/2.0 183 Session Progress\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK-u1\n\
     From: <sip:agent@198.51.100.1>;tag=u1\nTo: <sip:ann@caller.test>;tag=u2\nCall-ID: malformed-9\n\
     CSeq: 1 INVITE\nRequire: 100rel\nRSeq: 77\nContact: <sip:ann@198.51.100.7>\n\n",
];

/// A template as it stands on the wire.
pub(super) fn message(template: &str) -> String {
    let text = template.replace(BODY, &sdp()).replace("\r\n", "\n").replace('\n', "\r\n");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// An offer with one of everything that we read.
#[must_use]
pub fn sdp() -> String {
    "v=0\no=ann 3100 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nb=AS:64\nt=0 0\na=sendrecv\n\
     m=audio 31000 RTP/AVP 0 8 9 96 13 101\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:9 G722/8000\n\
     a=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1;maxaveragebitrate=24000\na=rtpmap:101 telephone-event/8000\n\
     a=fmtp:101 0-16\na=ptime:20\na=maxptime:60\na=rtcp:31001 IN IP4 198.51.100.7\na=rtcp-mux\n\
     m=video 0 RTP/AVP 31\na=inactive\n"
        .replace('\n', "\r\n")
}

/// A packet with two CSRCs, an extension and padding.
#[must_use]
pub fn rtp() -> Vec<u8> {
    let mut packet = vec![0xb2, 0x80, 0x12, 0x34, 0, 0, 0, 160, 1, 2, 3, 4];
    packet.extend([5, 5, 5, 5, 6, 6, 6, 6]);
    packet.extend([0xbe, 0xde, 0, 2, 0x10, 1, 0, 0, 0x22, 1, 2, 3]);
    packet.extend([0xff; 160]);
    packet.extend([0, 0, 0, 4]);
    packet
}

/// A compound of SR with one report block, SDES and BYE.
#[must_use]
pub fn rtcp() -> Vec<u8> {
    let mut packet = vec![0x81, 200, 0, 12, 1, 2, 3, 4];
    packet.extend([0xe0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 160, 0, 0, 0, 50, 0, 0, 31, 64]);
    packet.extend([9, 9, 9, 9, 12, 0, 0, 3, 0, 0, 18, 52, 0, 0, 0, 17, 0, 1, 2, 3, 0, 0, 16, 0]);
    packet.extend([0x81, 202, 0, 3, 1, 2, 3, 4, 1, 4, b'a', b'n', b'n', b'1', 0, 0]);
    packet.extend([0x81, 203, 0, 3, 1, 2, 3, 4, 6]);
    packet.extend(*b"gone\0\0\0");
    packet
}
