//! Requests inside a dialog (RFC 3261 §12.2.2).

use super::arriving::{Refusal, capabilities, check_require};
use super::call::State;
use super::wire::response_via;
use super::{ALLOW, CallHandle, End, Endpoint, Event};
use crate::arena::Id;
use crate::message::{Builder, HeaderName, Message, Method};
use crate::{Flow, Time};

/// Bodies of INFO that are understood.
const DTMF: [&str; 2] = ["application/dtmf-relay", "application/dtmf"];

impl Endpoint {
    pub(super) fn in_dialog(
        &mut self,
        now: Time,
        flow: Flow,
        request: Message,
        key: u64,
        handle: CallHandle,
    ) {
        self.seen(now, handle, flow, &request);
        let Some(method) = request.method() else { return };
        if method == Method::Ack {
            return self.receive_ack(now, handle, &request);
        }
        let full = self.servers.len() + self.clients.len() >= self.config.transactions;
        if full && !matches!(method, Method::Bye | Method::Prack) {
            return self.refuse(now, flow, &request, 503, "", |b| b);
        }
        let tx = self.open_server(key, None, &request, flow, handle);
        let order = self.check_order(handle, &request);
        if let Err(refusal) = order.and_then(|()| check_require(&request)) {
            return self.say(now, tx, flow, &request, &refusal);
        }
        match method {
            Method::Bye => self.receive_bye(now, flow, &request, handle, tx),
            Method::Options => {
                self.say_with(now, tx, flow, &request, 200, capabilities);
            }
            Method::Info => self.receive_info(now, flow, &request, handle, tx),
            Method::Notify => self.receive_notify(now, flow, &request, handle, tx),
            Method::Invite | Method::Update => self.receive_offer(now, flow, request, handle, tx),
            Method::Prack => self.receive_prack(now, flow, &request, handle, tx),
            Method::Other(_) => self.say(now, tx, flow, &request, &Refusal::new(501)),
            _ => self.say(now, tx, flow, &request, &Refusal::with(405, HeaderName::Allow, ALLOW)),
        }
    }

    /// A number below the last one is out of order (§12.2.2); the peer's path is learned otherwise.
    fn check_order(&mut self, handle: CallHandle, request: &Message) -> Result<(), Refusal> {
        let tag = request.from().ok().and_then(|f| f.tag()).unwrap_or("");
        let Ok(call) = self.call_mut(handle) else { return Err(Refusal::new(481)) };
        if !call.dialog.is_with(tag) {
            // A fork that never became the call: it may end itself, nothing more.
            return if request.method() == Some(Method::Bye) { Ok(()) } else { Err(Refusal::new(481)) };
        }
        let number = request.cseq().map_or(0, |c| c.number);
        if call.dialog.remote_cseq.is_some_and(|last| number < last) {
            return Err(Refusal::new(500));
        }
        call.dialog.remote_cseq = Some(number);
        Ok(())
    }

    pub(super) fn say(&mut self, now: Time, tx: Id, flow: Flow, request: &Message, refusal: &Refusal) {
        self.say_with(now, tx, flow, request, refusal.status, |b| refusal.on(b));
    }

    /// A final answer to a request inside a dialog.
    pub(super) fn say_with(
        &mut self,
        now: Time,
        tx: Id,
        flow: Flow,
        request: &Message,
        status: u16,
        add: impl FnOnce(Builder) -> Builder,
    ) {
        let via = response_via(request, flow);
        // To bears our tag already: the dialog was found by it.
        let response = self.response(request, status, "", "", via.as_deref());
        match add(response).build() {
            Ok(bytes) => self.respond(now, tx, status, bytes),
            Err(_) => self.close_server(tx),
        }
    }

    fn receive_bye(&mut self, now: Time, flow: Flow, request: &Message, handle: CallHandle, tx: Id) {
        self.say_with(now, tx, flow, request, 200, |b| b);
        let tag = request.from().ok().and_then(|f| f.tag()).unwrap_or("");
        let Ok(call) = self.call(handle) else { return };
        if !call.dialog.is_with(tag) {
            return;
        }
        let (state, accepted) = (call.state, call.accepted.as_ref().map(|a| a.tx));
        // Who hangs up has had our 2xx, whatever became of the ACK.
        if let Some(tx) = accepted.and_then(|id| self.servers.get_mut(id)) {
            tx.acknowledged();
        }
        // An INVITE that is open when the BYE comes is over, too (§15.1.2).
        self.refuse_open(now, handle, 487);
        match state {
            State::Leaving => self.end(now, handle, End::LocalBye),
            State::Calling | State::Cancelling => self.callee_left(now, handle),
            _ => {
                let reason = request.header_unfolded(HeaderName::Reason).map(|r| r.into_owned());
                self.end(now, handle, End::RemoteBye { reason });
            }
        }
    }

    fn receive_info(&mut self, now: Time, flow: Flow, request: &Message, handle: CallHandle, tx: Id) {
        let body = request.body();
        let kind = request.content_type().map_or_else(String::new, |(k, _)| k.to_ascii_lowercase());
        if !body.is_empty() && !DTMF.contains(&kind.as_str()) {
            let refusal = Refusal::with(415, HeaderName::Accept, DTMF.join(", "));
            return self.say(now, tx, flow, request, &refusal);
        }
        self.say_with(now, tx, flow, request, 200, |b| b);
        self.event(Event::Info { call: handle, content_type: kind, body });
    }
}
