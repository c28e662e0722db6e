//! The message that parsers are measured with: what a carrier sends, 1.1 kB.

/// An INVITE as it stands on the wire.
pub fn invite() -> Vec<u8> {
    HEAD.replace('\n', "\r\n").into_bytes()
}

const HEAD: &str = "INVITE sip:+15550101@198.51.100.1:5060;user=phone SIP/2.0
Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK0f2a7c31d9e84b6aa1;rport
Via: SIP/2.0/UDP 203.0.113.77:5080;received=203.0.113.77;branch=z9hG4bK-524287-1---5e1c9f
Record-Route: <sip:203.0.113.10;lr;ftag=as6f0c1b2d>
Max-Forwards: 67
From: \"Ann Caller\" <sip:+15550100@carrier.example.net;user=phone>;tag=as6f0c1b2d
To: <sip:+15550101@198.51.100.1;user=phone>
Contact: <sip:+15550100@203.0.113.77:5080;transport=udp>
Call-ID: 3f0b9ad27c1e4d5688aa0c9e17b2f640@carrier.example.net
CSeq: 102 INVITE
User-Agent: Carrier SBC 9.4.2
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, PRACK
Supported: replaces, timer, 100rel
Session-Expires: 1800;refresher=uac
P-Asserted-Identity: <sip:+15550100@carrier.example.net>
Content-Type: application/sdp
Content-Length: 242

v=0
o=carrier 183529 183529 IN IP4 203.0.113.77
s=call
c=IN IP4 203.0.113.77
t=0 0
m=audio 17302 RTP/AVP 0 8 18 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=sendrecv
";
