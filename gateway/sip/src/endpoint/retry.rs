//! A request that was refused and deserves another attempt: 401, 407 and 422.

use super::Endpoint;
use super::call::Call;
use super::session::asking;
use super::wire::fitting;
use crate::Time;
use crate::arena::Id;
use crate::auth::{best_challenge, is_stale, respond};
use crate::message::{HeaderName, Message, Refresher};
use crate::session_timer::after_too_small;
use crate::transaction::{Again, Purpose, again};

impl Call {
    /// The next attempt of a request takes the place of the last one.
    pub(super) fn replace_tx(&mut self, old: Id, new: Id) {
        if let Some(outgoing) = self.outgoing.as_mut().filter(|o| o.tx == old) {
            outgoing.tx = new;
        }
        if let Some(offer) = self.offer.as_mut().filter(|o| o.tx == Some(old)) {
            offer.tx = Some(new);
        }
        if self.bye == Some(old) {
            self.bye = Some(new);
        }
    }

    /// After 422 (RFC 4028 §7.4); once, for a peer that asks for more each time would never be content.
    fn larger_interval(&mut self, response: &Message) -> Option<Vec<(HeaderName, String)>> {
        let seconds = after_too_small(response)?;
        if std::mem::replace(&mut self.interval_tried, true) {
            return None;
        }
        let refresher = self.session.as_ref().map(|s| match s.we_refresh {
            true => Refresher::Uac,
            false => Refresher::Uas,
        });
        Some(asking(seconds, refresher, seconds))
    }

    /// Once with credentials, and once more when the nonce was too old: anything else is a loop.
    fn credentials_for(
        &mut self,
        sent: &Message,
        response: &Message,
        status: u16,
        cnonce: &str,
    ) -> Option<(HeaderName, String)> {
        let (asks, answers) = match status {
            401 => (HeaderName::WwwAuthenticate, HeaderName::Authorization),
            407 => (HeaderName::ProxyAuthenticate, HeaderName::ProxyAuthorization),
            _ => return None,
        };
        let outgoing = self.outgoing.as_mut()?;
        let credentials = outgoing.credentials.as_ref()?;
        let challenge = best_challenge(response.headers(asks))?;
        if sent.count(answers) > 0 {
            if outgoing.stale_tried || !is_stale(challenge) {
                return None;
            }
            outgoing.stale_tried = true;
        }
        let method = sent.method().map_or("", |m| m.as_str());
        let value = respond(challenge, credentials, method, sent.request_uri_raw(), cnonce, 1)?;
        Some((answers, value))
    }
}

impl Endpoint {
    /// Sends a refused request again if there is something to be changed in it.
    pub(super) fn try_again(&mut self, now: Time, id: Id, response: &Message, status: u16) -> bool {
        let Some(tx) = self.clients.get(id) else { return false };
        let (handle, purpose, flow) = (tx.call, tx.purpose, tx.flow);
        let Ok(sent) = Message::parse(tx.request.clone()) else { return false };
        let cnonce = self.random.token();
        let Ok(call) = self.call_mut(handle) else { return false };
        let gave_up = call.outgoing.as_ref().is_some_and(|o| o.given_up != 0);
        if purpose == Purpose::Invite && gave_up || purpose == Purpose::Cancel {
            return false;
        }
        let instead = match status {
            422 => call.larger_interval(response),
            _ => call.credentials_for(&sent, response, status, &cnonce).map(|header| vec![header]),
        };
        let Some(instead) = instead else { return false };
        let cseq = call.dialog.next_cseq();
        if purpose == Purpose::Invite {
            // Nothing remains of the dialogs that the first attempt may have begun.
            call.dialog.remote_tag = "".into();
            if let Some(outgoing) = call.outgoing.as_mut() {
                outgoing.forks.clear();
                outgoing.rseq = 0;
            }
        }
        let (number, branch) = self.new_branch();
        let limit = self.call(handle).map_or(0, |c| c.udp_limit(self.config.udp_limit));
        let next = fitting(limit, flow, |flow| {
            again(&sent, &Again { branch: &branch, flow: *flow, cseq, instead: &instead })
        });
        let Ok(next) = next else { return false };
        let new = self.launch(now, purpose, handle, number, next);
        if let Ok(call) = self.call_mut(handle) {
            call.replace_tx(id, new);
        }
        true
    }
}
