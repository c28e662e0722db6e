//! Session timers (RFC 4028): who refreshes, how often, and when a silent session is dead.

use crate::Time;
use crate::message::{HeaderName, Message, Refresher};
use crate::timers::earlier;

/// The least that may be asked of anybody (§5).
const LEAST: u32 = 90;
/// Longest interval that a 422 may talk us into.
const MOST: u32 = 86_400;

/// What two sides have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub seconds: u32,
    /// In the words of the request that negotiated it.
    pub refresher: Refresher,
    /// Does the one who asked know session timers at all?
    pub known: bool,
}

/// The clock of a session that expires.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionTimer {
    pub seconds: u32,
    pub we_refresh: bool,
    refresh_at: Option<Time>,
    expires_at: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionDue {
    Nothing,
    Refresh,
    Expired,
}

/// Does the request ask for less than we accept, and can its sender do anything about it (§9)?
pub(crate) fn is_too_small(request: &Message, min_se: u32) -> bool {
    request.session_expires().is_some_and(|s| s.seconds < min_se.max(LEAST))
        && request.lists(HeaderName::Supported, "timer")
}

/// What our 2xx to this request says. `wish` is what we ask for where the peer left it open; 0 is nothing.
pub(crate) fn agree(request: &Message, wish: u32, min_se: u32) -> Option<Agreed> {
    let known = request.lists(HeaderName::Supported, "timer");
    match request.session_expires() {
        // A proxy asked on behalf of a caller that cannot be told 422: too often is not served at all.
        Some(asked) if asked.seconds < min_se.max(LEAST) => None,
        Some(asked) => {
            let usual = if known { Refresher::Uac } else { Refresher::Uas };
            let refresher = asked.refresher.filter(|r| known || *r == Refresher::Uas).unwrap_or(usual);
            Some(Agreed { seconds: asked.seconds, refresher, known })
        }
        None if known && wish > 0 => {
            let seconds = wish.max(request.min_se().unwrap_or(0)).clamp(LEAST, MOST);
            Some(Agreed { seconds, refresher: Refresher::Uas, known })
        }
        None => None,
    }
}

/// The interval to try next after a 422.
pub(crate) fn after_too_small(response: &Message) -> Option<u32> {
    response.min_se().filter(|s| (LEAST..=MOST).contains(s))
}

impl Agreed {
    /// Session-Expires, and Require where the peer has to do something for it (§9).
    pub fn headers(self) -> Vec<(HeaderName, String)> {
        let mut headers = vec![(HeaderName::SessionExpires, value(self.seconds, self.refresher))];
        if self.known && self.refresher == Refresher::Uac {
            headers.push((HeaderName::Require, "timer".to_owned()));
        }
        headers
    }
}

/// `1800;refresher=uac`.
pub(crate) fn value(seconds: u32, refresher: Refresher) -> String {
    let who = if refresher == Refresher::Uac { "uac" } else { "uas" };
    format!("{seconds};refresher={who}")
}

impl SessionTimer {
    pub fn start(now: Time, seconds: u32, we_refresh: bool) -> Self {
        let whole = Time::from_secs(u64::from(seconds));
        let early = Time::from_secs(u64::from((seconds / 3).min(32)));
        Self {
            seconds,
            we_refresh,
            refresh_at: we_refresh.then(|| now + whole / 2),
            expires_at: now + whole - early,
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        earlier(self.refresh_at, Some(self.expires_at))
    }

    /// What is due; a refresh is due once, until the session is begun anew or it is put off.
    pub fn due(&mut self, now: Time) -> SessionDue {
        if self.expires_at <= now {
            return SessionDue::Expired;
        }
        if self.refresh_at.take_if(|t| *t <= now).is_some() {
            return SessionDue::Refresh;
        }
        SessionDue::Nothing
    }

    /// The line was busy: a refresh is tried again at this time.
    pub fn put_off(&mut self, until: Time) {
        self.refresh_at = Some(until);
    }
}
