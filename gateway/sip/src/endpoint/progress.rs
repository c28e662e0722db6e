//! Provisional responses to our INVITE, and PRACK for the reliable ones (RFC 3262 §4).

use super::call::{Fork, State};
use super::wire::fitting;
use super::{CallHandle, Endpoint, Event};
use crate::Time;
use crate::arena::Id;
use crate::dialog::Dialog;
use crate::message::{HeaderName, Message, Method};
use crate::transaction::Purpose;

/// Early dialogs of one INVITE that are told apart; a proxy that forks to more is no telephone network.
const MOST_FORKS: usize = 16;

impl Endpoint {
    pub(super) fn progress(
        &mut self,
        now: Time,
        handle: CallHandle,
        id: Id,
        response: &Message,
        status: u16,
    ) {
        let Ok(call) = self.call_mut(handle) else { return };
        let state = call.state;
        if call.outgoing.as_ref().is_none_or(|o| o.tx != id) {
            return;
        }
        if state != State::Calling || status == 100 {
            return;
        }
        let tag = response.to().ok().and_then(|t| t.tag()).unwrap_or("");
        if call.dialog.remote_tag.is_empty() && !tag.is_empty() {
            call.dialog.learn(response);
        }
        if !self.acknowledge_provisional(now, handle, id, response, tag) {
            return;
        }
        self.event(Event::Progress { call: handle, response: response.clone() });
    }

    /// `false` for one that is not to be told: a repetition, or one that came before its predecessor.
    fn acknowledge_provisional(
        &mut self,
        now: Time,
        handle: CallHandle,
        id: Id,
        response: &Message,
        tag: &str,
    ) -> bool {
        let Ok(call) = self.call_mut(handle) else { return false };
        let main = call.dialog.is_with(tag);
        if main {
            call.learn_allow(response);
        }
        let Some(outgoing) = call.outgoing.as_mut() else { return false };
        let last = if main {
            &mut outgoing.rseq
        } else {
            let forks = &mut outgoing.forks;
            let known = forks.iter().any(|f| *f.tag == *tag);
            if !known && forks.len() < MOST_FORKS && !tag.is_empty() {
                forks.push(Fork { tag: tag.into(), rseq: 0 });
            }
            match forks.iter_mut().find(|f| *f.tag == *tag) {
                Some(fork) => &mut fork.rseq,
                // No dialog, so nothing to acknowledge in.
                None => return true,
            }
        };
        let rseq = response.rseq().filter(|_| response.lists(HeaderName::Require, "100rel"));
        let Some(rseq) = rseq else { return true };
        if *last != 0 && rseq != last.saturating_add(1) {
            return false;
        }
        *last = rseq;
        if main && outgoing.offered && response.body_of("application/sdp").is_some() {
            call.early_agreed = true;
        }
        self.send_prack(now, handle, id, response, rseq, main);
        true
    }

    fn send_prack(
        &mut self,
        now: Time,
        handle: CallHandle,
        id: Id,
        response: &Message,
        rseq: u32,
        main: bool,
    ) {
        let Some(tx) = self.clients.get(id) else { return };
        let Ok(sent) = Message::parse(tx.request.clone()) else { return };
        let number = sent.cseq().map_or(0, |c| c.number);
        let flow = tx.flow;
        let rack = format!("{rseq} {number} INVITE");
        if main {
            let add = |b: crate::message::Builder| b.header(HeaderName::RAck, &rack);
            let _ = self.request(now, handle, Purpose::Prack, add, ("", &[]));
            return;
        }
        let (branch_number, branch) = self.new_branch();
        let Ok(call) = self.call_mut(handle) else { return };
        let cseq = call.dialog.next_cseq();
        let dialog = Dialog::of_fork(&sent, response, flow);
        let prack = fitting(self.config.udp_limit, dialog.next_hop(), |flow| {
            dialog
                .request(Method::Prack, cseq, &branch, flow, &self.config.user_agent)
                .header(HeaderName::RAck, &rack)
                .build()
        });
        if let Ok(prack) = prack {
            self.launch(now, Purpose::Prack, handle, branch_number, prack);
        }
    }
}
