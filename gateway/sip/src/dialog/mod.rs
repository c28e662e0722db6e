//! Dialogs (RFC 3261 §12): the names of the two sides, the numbers of their requests, and the way.
//!
//! A dialog is what both ends remember of each other; which call it belongs to, and what state that is
//! in, is the endpoint's affair.

mod hop;

use crate::message::{Builder, HeaderName, Message, Method, Uri};
use crate::{Flow, Transport};

/// One side of a dialog; before the peer has said its tag, the beginnings of one.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    pub call_id: Box<str>,
    pub local_tag: Box<str>,
    /// Empty while unknown.
    pub remote_tag: Box<str>,
    /// Our From, tag included.
    local: Box<str>,
    /// Our To, tag included as soon as it is known.
    remote: Box<str>,
    /// Our Contact.
    pub contact: Box<str>,
    /// The peer's Contact URI.
    target: Box<str>,
    route: Vec<Box<str>>,
    pub local_cseq: u32,
    pub remote_cseq: Option<u32>,
    /// The path on which the peer was heard last, or on which it was called first.
    pub flow: Flow,
}

/// A header value on one line.
pub(crate) fn one_line(text: &str) -> Box<str> {
    if text.contains(['\r', '\n']) {
        text.lines().map(str::trim).collect::<Vec<_>>().join(" ").into()
    } else {
        text.into()
    }
}

/// `<sip:user@host:port>`, with the transport where it is not the usual one.
fn contact(user: &str, flow: &Flow) -> Box<str> {
    let at = if user.is_empty() { "" } else { "@" };
    let transport = match flow.transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    };
    format!("<sip:{user}{at}{}{transport}>", flow.local).into()
}

fn contact_uri(message: &Message) -> Option<&str> {
    message.contacts().next()?.ok().map(|c| c.uri_raw)
}

fn header(message: &Message, name: HeaderName) -> Box<str> {
    one_line(message.header(name).unwrap_or(""))
}

impl Dialog {
    /// Of an INVITE that came (§12.1.1). Without a Contact (RFC 2543) the From URI stands for it.
    pub fn of_server(invite: &Message, flow: Flow, local_tag: String) -> Self {
        let from = invite.from().ok();
        let to = header(invite, HeaderName::To);
        let user = invite.request_uri().ok().and_then(|u| match u.scheme {
            crate::message::Scheme::Sip | crate::message::Scheme::Sips => u.user,
            _ => None,
        });
        Self {
            call_id: header(invite, HeaderName::CallId),
            remote_tag: from.and_then(|f| f.tag()).unwrap_or("").into(),
            local: format!("{to};tag={local_tag}").into(),
            local_tag: local_tag.into(),
            remote: header(invite, HeaderName::From),
            contact: contact(user.unwrap_or(""), &flow),
            target: contact_uri(invite).or(from.map(|f| f.uri_raw)).unwrap_or("").into(),
            route: invite.list(HeaderName::RecordRoute).map(one_line).collect(),
            local_cseq: 0,
            remote_cseq: invite.cseq().map(|c| c.number),
            flow,
        }
    }

    /// Of an INVITE that is to be sent.
    pub fn of_client(invite: &crate::Invite, call_id: String, local_tag: String) -> Self {
        let remote = if invite.to.is_empty() { format!("<{}>", invite.uri) } else { invite.to.clone() };
        Self {
            call_id: call_id.into(),
            local: format!("{};tag={local_tag}", invite.from).into(),
            local_tag: local_tag.into(),
            remote_tag: "".into(),
            remote: remote.into(),
            contact: contact(&invite.contact_user, &invite.flow),
            target: invite.uri.as_str().into(),
            route: invite.route.iter().map(|r| r.as_str().into()).collect(),
            local_cseq: 1,
            remote_cseq: None,
            flow: invite.flow,
        }
    }

    /// Of a request that we sent, for a fork that answered it when the call had another peer already.
    pub fn of_fork(sent: &Message, response: &Message, flow: Flow) -> Self {
        let mut dialog = Self {
            call_id: header(sent, HeaderName::CallId),
            local_tag: sent.from().ok().and_then(|f| f.tag()).unwrap_or("").into(),
            remote_tag: "".into(),
            local: header(sent, HeaderName::From),
            remote: header(sent, HeaderName::To),
            contact: header(sent, HeaderName::Contact),
            target: sent.request_uri_raw().into(),
            route: Vec::new(),
            local_cseq: sent.cseq().map_or(0, |c| c.number),
            remote_cseq: None,
            flow,
        };
        dialog.learn(response);
        dialog
    }

    /// What a response that makes the dialog says of the peer (§12.1.2).
    pub fn learn(&mut self, response: &Message) {
        if let Some(tag) = response.to().ok().and_then(|t| t.tag()) {
            self.remote_tag = tag.into();
            self.remote = header(response, HeaderName::To);
        }
        self.route = response.list(HeaderName::RecordRoute).map(one_line).collect();
        self.route.reverse();
        self.refresh_target(response);
    }

    /// A target refresh: the peer's Contact may have changed (§12.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Some(uri) = contact_uri(message) {
            self.target = uri.into();
        }
    }

    /// The number of the next request of ours.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq += 1;
        self.local_cseq
    }

    /// A request inside the dialog (§12.2.1.1), up to and including the headers that every one has.
    pub fn request(&self, method: Method<'_>, cseq: u32, branch: &str, flow: &Flow, agent: &str) -> Builder {
        let (uri, strict) = self.request_uri();
        let mut builder = Builder::request(method, uri).header(
            HeaderName::Via,
            format_args!("SIP/2.0/{} {};branch={branch};rport", flow.transport.as_str(), flow.local),
        );
        for route in self.route.iter().skip(usize::from(strict)) {
            builder = builder.header(HeaderName::Route, route);
        }
        if strict {
            builder = builder.header(HeaderName::Route, format_args!("<{}>", self.target));
        }
        builder = builder
            .header(HeaderName::MaxForwards, 70)
            .header(HeaderName::From, &self.local)
            .header(HeaderName::To, &self.remote)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format_args!("{cseq} {method}"));
        if matches!(method, Method::Invite | Method::Update) {
            builder = builder.header(HeaderName::Contact, &self.contact);
        }
        builder.header(HeaderName::UserAgent, agent)
    }

    /// The Request-URI, and whether the first Route is a strict router that takes its place.
    fn request_uri(&self) -> (&str, bool) {
        match self.first_route() {
            Some((raw, uri)) if !uri.is_loose_router() => (raw, true),
            _ => (&self.target, false),
        }
    }

    fn first_route(&self) -> Option<(&str, Uri<'_>)> {
        let address = crate::message::NameAddr::parse(self.route.first()?).ok()?;
        Some((address.uri_raw, address.uri().ok()?))
    }

    /// Does this message's remote tag belong to this dialog? A peer of RFC 2543 has none.
    pub fn is_with(&self, remote_tag: &str) -> bool {
        *self.remote_tag == *remote_tag
    }
}
