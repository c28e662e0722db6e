//! Where a message goes: to its transaction, to its dialog, to a new call, or back with a refusal.

use super::wire::{response_flow, response_via};
use super::{ALLOW, CallHandle, Endpoint};
use crate::message::{Builder, HeaderName, Message, Method, ParseError};
use crate::transaction::{ServerState, client_key, server_key};
use crate::{Flow, Time};
use bytes::Bytes;

impl Endpoint {
    pub(super) fn receive_bytes(&mut self, now: Time, flow: Flow, bytes: Bytes) {
        // Keep-alives (RFC 5626 §3.5.1, and the NUL bytes of some phones) are no messages.
        let blank = bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0));
        match Message::parse_leniently(bytes) {
            (Some(request), fault) if request.is_request() => self.receive_request(now, flow, request, fault),
            // Its To goes into the ACK, its tag into all that follows.
            (Some(response), None) if response.check().is_ok() => self.receive_response(now, flow, &response),
            _ => self.malformed += u64::from(!blank),
        }
    }

    fn receive_request(&mut self, now: Time, flow: Flow, request: Message, fault: Option<ParseError>) {
        if let Some(fault) = fault {
            return self.refuse_malformed(now, flow, &request, fault);
        }
        let Some(method) = request.method() else { return };
        let Ok(via) = request.via() else {
            return request
                .check()
                .map_or_else(|fault| self.refuse_malformed(now, flow, &request, fault), |()| {});
        };
        let key = server_key(&self.keyed, &request, &via, method);
        if self.repeated(now, flow, key, &request, method) {
            return;
        }
        if let Err(fault) = request.check() {
            return self.refuse_malformed(now, flow, &request, fault);
        }
        if smuggles(&request, method == Method::Invite) {
            return self.refuse(now, flow, &request, 400, "control character in a header", |b| b);
        }
        let to_tag = request.to().ok().and_then(|t| t.tag());
        match (method, to_tag) {
            (Method::Cancel, _) => {
                let key = server_key(&self.keyed, &request, &via, Method::Invite);
                self.receive_cancel(now, flow, &request, key);
            }
            (_, Some(tag)) => {
                let call = self.call_of(request.call_id().unwrap_or(""), tag);
                match call.filter(|c| self.knows_peer(*c, &request)) {
                    Some(call) => self.in_dialog(now, flow, request, key, call),
                    // A dialog of which nothing is left, or one of another life of ours (§12.2.2).
                    None => self.refuse(now, flow, &request, 481, "", |b| b),
                }
            }
            (Method::Ack, None) => {}
            (_, None) => self.out_of_dialog(now, flow, request, key),
        }
    }

    fn knows_peer(&self, call: CallHandle, request: &Message) -> bool {
        let tag = request.from().ok().and_then(|f| f.tag()).unwrap_or("");
        self.call(call).is_ok_and(|c| {
            c.dialog.is_with(tag)
                || c.outgoing.as_ref().is_some_and(|o| o.forks.iter().any(|f| *f.tag == *tag))
        })
    }

    /// A repetition of a request that has its transaction, or the ACK of a refusal: dealt with here.
    fn repeated(&mut self, now: Time, flow: Flow, key: u64, request: &Message, method: Method<'_>) -> bool {
        let Some(id) = self.server_keys.get(&key).copied() else { return false };
        let times = self.times;
        let Some(tx) = self.servers.get_mut(id) else { return false };
        let (call, back) = (tx.call, tx.flow);
        if method == Method::Ack {
            // An ACK of a 2xx that bears the branch of its INVITE, as RFC 2543 had it.
            if matches!(tx.state, ServerState::Accepted { .. }) {
                return false;
            }
            tx.ack_of_refusal(now, times);
            self.arm_server(id);
            self.seen(now, call, flow, request);
            return true;
        }
        let again = tx.repeated();
        self.seen(now, call, flow, request);
        if let Some(bytes) = again {
            self.send(now, Some(call), back, bytes);
        }
        true
    }

    fn receive_response(&mut self, now: Time, flow: Flow, response: &Message) {
        let Ok(via) = response.via() else { return };
        let (Some(number), Some(cseq), Some(status)) = (via.our_branch(), response.cseq(), response.status())
        else {
            return;
        };
        let key = client_key(number, cseq.method.as_str());
        let Some(id) = self.client_keys.get(&key).copied() else { return };
        let Some(tx) = self.clients.get(id) else { return };
        // One Via only: another one means that it went astray (§8.1.3.3).
        if tx.purpose.method() != cseq.method.as_str()
            || response.vias().count() != 1
            || smuggles(response, true)
        {
            return;
        }
        let (call, purpose) = (tx.call, tx.purpose);
        self.seen(now, call, flow, response);
        if purpose.is_invite() {
            self.invite_answered(now, id, response, status);
        } else {
            self.request_answered(now, id, response, status);
        }
    }

    fn refuse_malformed(&mut self, now: Time, flow: Flow, request: &Message, fault: ParseError) {
        self.malformed += 1;
        if let Some(status) = fault.status() {
            let reason = if status == 400 { fault.wrong.to_string() } else { String::new() };
            self.refuse(now, flow, request, status, &reason, |b| b);
        }
    }

    /// A final response without a transaction (§8.2.7): a flood of such requests costs no memory, and a
    /// repetition gets the same answer with the same tag.
    pub(super) fn refuse(
        &mut self,
        now: Time,
        flow: Flow,
        request: &Message,
        status: u16,
        reason: &str,
        add: impl FnOnce(Builder) -> Builder,
    ) {
        // A Via that cannot be read (of SIP/7.0, say) is sent back as it is, to where it came from.
        let Some(raw_via) = request.header(HeaderName::Via) else { return };
        if request.method() == Some(Method::Ack) {
            return;
        }
        let tag = self.keyed.hash(&[raw_via.as_bytes(), request.call_id().unwrap_or("").as_bytes()]);
        let via = response_via(request, flow);
        let response = self.response(request, status, reason, &format!("{tag:016x}"), via.as_deref());
        let response = match status {
            405 => response.header(HeaderName::Allow, ALLOW),
            503 => response.header(HeaderName::RetryAfter, self.draining.unwrap_or(super::RETRY_WHEN_FULL)),
            _ => response,
        };
        if let Ok(bytes) = add(response).build() {
            self.send(now, None, response_flow(request, flow), bytes);
        }
    }
}

/// Does the head hold a CR that ends no line? Such a value could not be sent back to anyone. NUL may stand
/// in a quoted pair (RFC 4475 §3.1.1.2) and goes back as it came; but no dialog is made of it, for there
/// it would go out in requests of ours.
fn smuggles(message: &Message, nul: bool) -> bool {
    let head = message.head();
    memchr::memchr2_iter(0, b'\r', head).any(|at| match head.get(at) {
        Some(0) => nul,
        _ => head.get(at + 1).is_some_and(|next| *next != b'\n'),
    })
}
