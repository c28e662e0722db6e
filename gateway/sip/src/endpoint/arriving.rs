//! Requests outside of any dialog: what this user agent serves, and the refusals of RFC 3261 §8.2.

use super::call::{Call, Pending, State};
use super::wire::response_via;
use super::{ACCEPT, ALLOW, CallHandle, End, Endpoint, Event, SUPPORTED};
use crate::arena::Id;
use crate::dialog::Dialog;
use crate::message::{Builder, HeaderName, Message, Method, Scheme};
use crate::transaction::{ServerState, merge_key};
use crate::{Flow, Time};

/// Extensions that a request may require of us.
const UNDERSTOOD: [&str; 2] = ["100rel", "timer"];

/// Why a request is not served, and what the refusal says besides.
pub(super) struct Refusal {
    pub status: u16,
    pub headers: Vec<(HeaderName, String)>,
}

impl Refusal {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new() }
    }

    pub fn with(status: u16, name: HeaderName, value: impl Into<String>) -> Self {
        Self { status, headers: vec![(name, value.into())] }
    }

    pub fn on(&self, builder: Builder) -> Builder {
        self.headers.iter().fold(builder, |b, (name, value)| b.header(*name, value))
    }
}

/// 420 for what we do not understand (§8.2.2.3). Proxy-Require is none of ours.
pub(super) fn check_require(request: &Message) -> Result<(), Refusal> {
    let unknown: Vec<&str> = request
        .list(HeaderName::Require)
        .filter(|tag| !UNDERSTOOD.iter().any(|u| u.eq_ignore_ascii_case(tag)))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refusal::with(420, HeaderName::Unsupported, unknown.join(", ")))
}

/// 415 for a body that is no session description (§8.2.3).
pub(super) fn check_content(request: &Message) -> Result<(), Refusal> {
    if request.body().is_empty() {
        return Ok(());
    }
    let encoded = request.list(HeaderName::ContentEncoding).any(|e| !e.eq_ignore_ascii_case("identity"));
    if encoded {
        return Err(Refusal::with(415, HeaderName::AcceptEncoding, "identity"));
    }
    if request.body_of("application/sdp").is_some() {
        return Ok(());
    }
    // A body that we may ignore when it says so, as ISUP alone in an INVITE without an offer does.
    let optional = request
        .header(HeaderName::ContentDisposition)
        .is_some_and(|d| d.to_ascii_lowercase().contains("handling=optional"));
    if optional {
        return Ok(());
    }
    Err(Refusal::with(415, HeaderName::Accept, ACCEPT))
}

impl Endpoint {
    pub(super) fn out_of_dialog(&mut self, now: Time, flow: Flow, request: Message, key: u64) {
        let verdict = match request.method() {
            Some(Method::Invite) => self.check_invite(&request),
            Some(Method::Options) => self.check_options(&request),
            Some(Method::Bye | Method::Info | Method::Update | Method::Prack | Method::Notify) => {
                Err(Refusal::new(481))
            }
            Some(Method::Other(_)) => Err(Refusal::new(501)),
            _ => Err(Refusal::new(405)),
        };
        match verdict {
            Err(refusal) => self.refuse(now, flow, &request, refusal.status, "", |b| refusal.on(b)),
            Ok(()) if request.method() == Some(Method::Options) => {
                self.refuse(now, flow, &request, 200, "", capabilities);
            }
            Ok(()) => self.new_call(now, flow, request, key),
        }
    }

    fn check_service(&self, request: &Message) -> Result<(), Refusal> {
        let full = self.calls.len() >= self.config.calls
            || self.servers.len() + self.clients.len() >= self.config.transactions;
        if self.draining.is_some() || full {
            return Err(Refusal::new(503));
        }
        let served = request.request_uri().map(|u| !matches!(u.scheme, Scheme::Other(_)));
        match served {
            Ok(true) => check_require(request),
            Ok(false) => Err(Refusal::new(416)),
            Err(_) => Err(Refusal::new(400)),
        }
    }

    fn check_options(&self, request: &Message) -> Result<(), Refusal> {
        if self.full {
            return Err(Refusal::new(503));
        }
        self.check_service(request)
    }

    fn check_invite(&self, request: &Message) -> Result<(), Refusal> {
        // The same request by another path (§8.2.2.2).
        if self.merged.contains_key(&merge_key(&self.keyed, request)) {
            return Err(Refusal::new(482));
        }
        self.check_service(request)?;
        check_content(request)?;
        self.check_interval(request)
    }

    fn new_call(&mut self, now: Time, flow: Flow, request: Message, key: u64) {
        let via = response_via(&request, flow);
        let tag = self.random.token();
        let dialog = Dialog::of_server(&request, flow, tag);
        let dialog_key = self.dialog_key(&dialog.call_id, &dialog.local_tag);
        let call = self.add_call(Call::new(State::Ringing, dialog, dialog_key));
        let merge = Some(merge_key(&self.keyed, &request));
        let tx = self.open_server(key, merge, &request, flow, call);
        if let Ok(state) = self.call_mut(call) {
            state.invite_cseq = request.cseq().map_or(0, |c| c.number);
            state.offered_in_invite = request.body_of("application/sdp").is_some();
            state.learn_allow(&request);
            state.pending = Some(Box::new(Pending { tx, request: request.clone(), via, flow }));
        }
        // The message first: a timeline begins with it, and what the application says of the call follows.
        self.seen(now, call, flow, &request);
        self.event(Event::Incoming { call, invite: request, flow });
        self.unheard.push_back((now, tx, call));
    }

    /// 100 to an INVITE that nobody has said a word about by the time that all outputs were taken. A call
    /// that is answered on the spot needs none (RFC 3261 §17.2.1: it is owed within 200 ms).
    pub(super) fn try_on(&mut self, now: Time, tx: Id, call: CallHandle) {
        if self.servers.get(tx).is_none_or(|tx| tx.has_responded()) {
            return;
        }
        let pending = self.call(call).ok().and_then(|c| c.pending.as_ref()).filter(|p| p.tx == tx);
        let Some(pending) = pending else { return };
        let trying = self.response(&pending.request, 100, "", "", pending.via.as_deref()).build();
        if let Ok(trying) = trying {
            self.respond(now, tx, 100, trying);
        }
    }

    /// CANCEL (§9.2): answered by itself; the INVITE, when it is open still, with 487.
    pub(super) fn receive_cancel(&mut self, now: Time, flow: Flow, request: &Message, key: u64) {
        let found = self.server_keys.get(&key).and_then(|id| Some((*id, self.servers.get(*id)?)));
        let Some((id, tx)) = found else {
            return self.refuse(now, flow, request, 481, "", |b| b);
        };
        let (handle, open) = (tx.call, tx.state == ServerState::Proceeding);
        self.seen(now, handle, flow, request);
        let tag = self.call(handle).map_or_else(|_| String::new(), |c| c.dialog.local_tag.to_string());
        let via = response_via(request, flow);
        let ok = self.response(request, 200, "", &tag, via.as_deref()).build();
        if let Ok(bytes) = ok {
            self.send(now, Some(handle), super::wire::response_flow(request, flow), bytes);
        }
        if open {
            self.cancelled(now, handle, id);
        }
    }

    fn cancelled(&mut self, now: Time, handle: CallHandle, tx: Id) {
        let Ok(call) = self.call_mut(handle) else { return };
        if let Some(theirs) = call.theirs.take_if(|p| p.tx == tx) {
            return self.refuse_one(now, handle, &theirs, 487);
        }
        if call.pending.as_ref().is_some_and(|p| p.tx == tx) {
            self.refuse_pending(now, handle, 487);
            self.end(now, handle, End::Cancelled);
        }
    }
}

/// What OPTIONS is told (§11.2).
pub(super) fn capabilities(builder: Builder) -> Builder {
    builder
        .header(HeaderName::Allow, ALLOW)
        .header(HeaderName::Accept, ACCEPT)
        .header(HeaderName::AcceptEncoding, "identity")
        .named("Accept-Language", "en")
        .header(HeaderName::Supported, SUPPORTED)
}
