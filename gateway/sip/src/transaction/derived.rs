//! Requests that are made of a request of ours: the ACK of a refusal, CANCEL, and the next attempt.

use crate::Flow;
use crate::message::{BuildError, Builder, HeaderName, Message, Method};
use bytes::Bytes;

/// The ACK of a 3xx to 6xx (RFC 3261 §17.1.1.3): the INVITE's own Via, the response's To.
pub(crate) fn ack_of_refusal(invite: &Message, response: &Message) -> Result<Bytes, BuildError> {
    let to = response.header_unfolded(HeaderName::To);
    bare(invite, Method::Ack, to.as_deref())
}

/// CANCEL (§9.1).
pub(crate) fn cancel_of(invite: &Message) -> Result<Bytes, BuildError> {
    bare(invite, Method::Cancel, None)
}

fn bare(invite: &Message, method: Method<'_>, to: Option<&str>) -> Result<Bytes, BuildError> {
    let mut builder = Builder::request(method, invite.request_uri_raw());
    for name in [HeaderName::Via, HeaderName::Route, HeaderName::MaxForwards, HeaderName::From] {
        for value in invite.headers(name) {
            builder = builder.header(name, value);
        }
    }
    let to = to.or_else(|| invite.header(HeaderName::To)).unwrap_or("");
    let number = invite.cseq().map_or(0, |c| c.number);
    builder
        .header(HeaderName::To, to)
        .header(HeaderName::CallId, invite.call_id().unwrap_or(""))
        .header(HeaderName::CSeq, format_args!("{number} {method}"))
        .build()
}

/// What is different in the next attempt of a request.
#[derive(Debug)]
pub(crate) struct Again<'a> {
    pub branch: &'a str,
    pub flow: Flow,
    pub cseq: u32,
    /// Headers that take the place of those of the same name.
    pub instead: &'a [(HeaderName, String)],
}

/// The same request once more: after a challenge, after 422, or over another transport.
pub(crate) fn again(request: &Message, change: &Again<'_>) -> Result<Bytes, BuildError> {
    let method = request.method().unwrap_or(Method::Options);
    let mut builder = Builder::request(method, request.request_uri_raw()).header(
        HeaderName::Via,
        format_args!(
            "SIP/2.0/{} {};branch={};rport",
            change.flow.transport.as_str(),
            change.flow.local,
            change.branch
        ),
    );
    for (name, value) in request.all_headers() {
        match HeaderName::recognise(name.as_bytes()) {
            HeaderName::Via | HeaderName::ContentLength | HeaderName::ContentType => {}
            HeaderName::CSeq => {
                builder = builder.header(HeaderName::CSeq, format_args!("{} {method}", change.cseq));
            }
            known if change.instead.iter().any(|(n, _)| *n == known) => {}
            _ => builder = builder.named(name, value),
        }
    }
    for (name, value) in change.instead {
        builder = builder.header(*name, value);
    }
    let kind = request.header(HeaderName::ContentType).unwrap_or("");
    builder.body(kind, &request.body())
}
