//! Session timers at work: what requests and responses say of them, refreshes, and the end.

use super::arriving::Refusal;
use super::call::{Call, State};
use super::{CallHandle, End, Endpoint};
use crate::Time;
use crate::message::{Builder, HeaderName, Message, Refresher};
use crate::session_timer::{SessionDue, SessionTimer, agree, is_too_small, value};
use crate::transaction::Purpose;

/// How long a refresh waits when an offer is under way: that offer will do its work.
const BUSY: Time = Time::from_secs(2);

impl Call {
    /// Session-Expires of a request of ours inside the call, if its session expires.
    pub(super) fn session_headers(&self, min_se: u32) -> Vec<(HeaderName, String)> {
        let Some(session) = &self.session else { return Vec::new() };
        let refresher = if session.we_refresh { Refresher::Uac } else { Refresher::Uas };
        asking(session.seconds, Some(refresher), min_se)
    }

    /// A 2xx to a request of ours says how the session goes on.
    pub(super) fn session_from_response(&mut self, now: Time, response: &Message) {
        self.session = response
            .session_expires()
            .filter(|s| s.seconds > 0)
            .map(|s| SessionTimer::start(now, s.seconds, s.refresher != Some(Refresher::Uas)));
    }

    /// Does the peer take UPDATE?
    pub(super) fn learn_allow(&mut self, message: &Message) {
        if message.count(HeaderName::Allow) > 0 {
            self.peer_updates = message.lists(HeaderName::Allow, "UPDATE");
        }
    }
}

/// What a request that asks for a session interval bears.
pub(super) fn asking(seconds: u32, refresher: Option<Refresher>, min_se: u32) -> Vec<(HeaderName, String)> {
    let expires = refresher.map_or_else(|| seconds.to_string(), |r| value(seconds, r));
    let mut headers = vec![(HeaderName::SessionExpires, expires)];
    if min_se > 90 {
        headers.push((HeaderName::MinSe, min_se.to_string()));
    }
    headers
}

pub(super) fn on(builder: Builder, headers: &[(HeaderName, String)]) -> Builder {
    headers.iter().fold(builder, |b, (name, text)| b.header(*name, text))
}

impl Endpoint {
    pub(super) fn check_interval(&self, request: &Message) -> Result<(), Refusal> {
        let least = self.config.min_se.max(90);
        if is_too_small(request, least) {
            return Err(Refusal::with(422, HeaderName::MinSe, least.to_string()));
        }
        Ok(())
    }

    /// Agrees on a session interval for this request, begins it, and says what the 2xx bears.
    pub(super) fn begin_session(
        &mut self,
        now: Time,
        handle: CallHandle,
        request: &Message,
    ) -> Vec<(HeaderName, String)> {
        let agreed = agree(request, self.config.session_expires, self.config.min_se);
        let Ok(call) = self.call_mut(handle) else { return Vec::new() };
        call.session = agreed.map(|a| SessionTimer::start(now, a.seconds, a.refresher == Refresher::Uas));
        self.arm_call(handle);
        agreed.map(|a| a.headers()).unwrap_or_default()
    }

    pub(super) fn session_due(&mut self, now: Time, handle: CallHandle) {
        let Ok(call) = self.call_mut(handle) else { return };
        if !matches!(call.state, State::Confirmed | State::Answered | State::Unacknowledged) {
            call.session = None;
            return;
        }
        let busy = call.is_negotiating() || call.state != State::Confirmed;
        let Some(session) = call.session.as_mut() else { return };
        match session.due(now) {
            SessionDue::Nothing => {}
            SessionDue::Expired => self.abandon(now, handle, End::SessionExpired),
            SessionDue::Refresh if busy => session.put_off(now + BUSY),
            SessionDue::Refresh => self.refresh(now, handle),
        }
    }

    /// By UPDATE where the peer takes it; else by a re-INVITE that offers what stands already.
    pub(super) fn refresh(&mut self, now: Time, handle: CallHandle) {
        let Ok(call) = self.call(handle) else { return };
        let purpose = if call.peer_updates { Purpose::RefreshUpdate } else { Purpose::RefreshInvite };
        let sdp = if call.peer_updates { bytes::Bytes::new() } else { call.local_sdp.clone() };
        // Without a transaction there is no answer either: the session will expire, as it must.
        let _ = self.send_offer(now, handle, purpose, sdp);
    }
}
