//! Messages out, and the transactions that they open.

use super::call::Call;
use super::{ALLOW, CallHandle, CommandError, Endpoint, Event, Output};
use crate::arena::Id;
use crate::message::{BuildError, Builder, HeaderName, Message, Method};
use crate::timers::Owner;
use crate::transaction::{Client, Purpose, Server, branch, client_key};
use crate::{Flow, Time, Transport};
use bytes::Bytes;
use std::fmt::Write;
use std::net::SocketAddr;

impl From<BuildError> for CommandError {
    fn from(_: BuildError) -> Self {
        Self::Value
    }
}

/// The path of a response (RFC 3261 §18.2.2, RFC 3581 §4): the connection; else the source address with
/// the source port where `rport` asks for it, with the port of sent-by where not.
pub(super) fn response_flow(request: &Message, flow: Flow) -> Flow {
    let Ok(via) = request.via() else { return flow };
    if flow.transport.is_reliable() || via.params.get("rport").is_some() {
        return flow;
    }
    Flow { remote: SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(flow.transport.port())), ..flow }
}

/// The topmost Via with `received` and `rport` filled in (RFC 3581 §4); `None` where it stays as it is.
pub(super) fn response_via(request: &Message, flow: Flow) -> Option<String> {
    let via = request.via().ok()?;
    let source = flow.remote.ip().to_canonical();
    let rport = via.params.get("rport").is_some();
    let host = via.host.trim_start_matches('[').trim_end_matches(']');
    if !rport && host.parse() == Ok(source) && via.params.get("received").is_none() {
        return None;
    }
    let mut out = format!("SIP/2.0/{} {}", via.transport, via.host);
    if let Some(port) = via.port {
        let _ = write!(out, ":{port}");
    }
    for (name, value) in via.params.iter() {
        if name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport") {
            continue;
        }
        let equals = if value.is_empty() { "" } else { "=" };
        let _ = write!(out, ";{name}{equals}{value}");
    }
    let _ = write!(out, ";received={source}");
    if rport {
        let _ = write!(out, ";rport={}", flow.remote.port());
    }
    Some(out)
}

/// Builds a request for this path, or for a connection where it is too large for a datagram (RFC 3261
/// §18.1.1). Returns the path, the one to fall back to, and the bytes.
pub(super) fn fitting(
    limit: usize,
    flow: Flow,
    build: impl Fn(&Flow) -> Result<Bytes, BuildError>,
) -> Result<(Flow, Option<Flow>, Bytes), BuildError> {
    let bytes = build(&flow)?;
    if flow.transport.is_reliable() || bytes.len() <= limit {
        return Ok((flow, None, bytes));
    }
    let stream = Flow { transport: Transport::Tcp, connection: None, ..flow };
    let bytes = build(&stream)?;
    Ok((stream, Some(flow), bytes))
}

impl Endpoint {
    pub(super) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn send(&mut self, now: Time, call: Option<CallHandle>, flow: Flow, bytes: Bytes) {
        if let Some(call) = call {
            self.outputs.push_back(Output::Trace { call, at: now, sent: true, flow, bytes: bytes.clone() });
        }
        self.outputs.push_back(Output::Send { flow, bytes });
    }

    /// A message of a call has come.
    pub(super) fn seen(&mut self, now: Time, call: CallHandle, flow: Flow, message: &Message) {
        let bytes = message.bytes().clone();
        self.outputs.push_back(Output::Trace { call, at: now, sent: false, flow, bytes });
    }

    /// What every response of ours bears.
    pub(super) fn response(
        &self,
        request: &Message,
        status: u16,
        reason: &str,
        to_tag: &str,
        via: Option<&str>,
    ) -> Builder {
        Builder::response_to(request, status, reason, to_tag, via)
            .header(HeaderName::Server, &self.config.user_agent)
    }

    /// A response to an INVITE, a re-INVITE or an UPDATE: it may make a dialog or refresh a target.
    pub(super) fn dialog_response(
        &self,
        call: &Call,
        request: &Message,
        via: Option<&str>,
        status: u16,
        reason: &str,
    ) -> Builder {
        let builder = self.response(request, status, reason, &call.dialog.local_tag, via);
        if !(101..300).contains(&status) {
            return builder;
        }
        builder
            .header(HeaderName::Contact, &call.dialog.contact)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, super::SUPPORTED)
    }

    pub(super) fn open_server(
        &mut self,
        key: u64,
        merge: Option<u64>,
        request: &Message,
        flow: Flow,
        call: CallHandle,
    ) -> Id {
        let invite = request.method() == Some(Method::Invite);
        let id = self.servers.insert(Server::new(key, merge, invite, response_flow(request, flow), call));
        self.server_keys.insert(key, id);
        if let Some(merge) = merge {
            self.merged.insert(merge, key);
        }
        id
    }

    pub(super) fn close_server(&mut self, id: Id) {
        if let Some(tx) = self.servers.remove(id) {
            self.server_keys.remove(&tx.key);
            if let Some(merge) = tx.merge {
                self.merged.remove(&merge);
            }
        }
    }

    pub(super) fn arm_server(&mut self, id: Id) {
        if let Some(tx) = self.servers.get_mut(id) {
            let deadline = tx.deadline();
            self.timers.arm(&mut tx.armed, Owner::Server(id), deadline);
        }
    }

    pub(super) fn arm_client(&mut self, id: Id) {
        if let Some(tx) = self.clients.get_mut(id) {
            let deadline = tx.deadline();
            self.timers.arm(&mut tx.armed, Owner::Client(id), deadline);
        }
    }

    pub(super) fn arm_call(&mut self, handle: CallHandle) {
        if let Some(call) = self.calls.get_mut(handle.into()) {
            let deadline = call.deadline();
            self.timers.arm(&mut call.armed, Owner::Call(handle.into()), deadline);
        }
    }

    /// Answers through a transaction.
    pub(super) fn respond(&mut self, now: Time, id: Id, status: u16, bytes: Bytes) {
        let times = self.times;
        let Some(tx) = self.servers.get_mut(id) else { return };
        tx.respond(now, times, status, bytes.clone());
        let (call, flow) = (tx.call, tx.flow);
        self.arm_server(id);
        self.send(now, Some(call), flow, bytes);
    }

    pub(super) fn new_branch(&mut self) -> (u64, String) {
        let number = self.random.next();
        (number, branch(number))
    }

    /// Sends a request through a transaction of its own.
    pub(super) fn launch(
        &mut self,
        now: Time,
        purpose: Purpose,
        call: CallHandle,
        number: u64,
        (flow, fallback, bytes): (Flow, Option<Flow>, Bytes),
    ) -> Id {
        let key = client_key(number, purpose.method());
        let tx = Client::new(now, self.times, key, purpose, (flow, fallback), call, bytes.clone());
        let id = self.clients.insert(tx);
        self.client_keys.insert(key, id);
        self.arm_client(id);
        self.send(now, Some(call), flow, bytes);
        id
    }

    pub(super) fn close_client(&mut self, id: Id) {
        if let Some(tx) = self.clients.remove(id) {
            self.client_keys.remove(&tx.key);
        }
    }

    /// A request inside the call's dialog.
    pub(super) fn request(
        &mut self,
        now: Time,
        handle: CallHandle,
        purpose: Purpose,
        add: impl Fn(Builder) -> Builder,
        (content_type, body): (&str, &[u8]),
    ) -> Result<Id, CommandError> {
        let (number, branch) = self.new_branch();
        let cseq = self.call_mut(handle)?.dialog.next_cseq();
        let call = self.call(handle)?;
        let (dialog, limit) = (&call.dialog, call.udp_limit(self.config.udp_limit));
        let method = Method::recognise(purpose.method());
        let sent = fitting(limit, dialog.next_hop(), |flow| {
            add(dialog.request(method, cseq, &branch, flow, &self.config.user_agent)).body(content_type, body)
        })?;
        Ok(self.launch(now, purpose, handle, number, sent))
    }
}
