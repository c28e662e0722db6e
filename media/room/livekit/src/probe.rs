//! Would a LiveKit server let us in, and is its clock ours? Asked before the first call, without joining a room.

use crate::signal::{Dial, client_config};
use crate::{JoinError, Settings};
use std::time::{Duration, SystemTime};

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    /// How far the server's clock is from ours, to a second; `None`: it does not say.
    pub clock: Option<Duration>,
}

/// Asks the server at `url` whether it takes this token.
///
/// # Errors
/// [`JoinError`]: it cannot be reached, or refuses (401: key or secret).
pub async fn probe(settings: &Settings, url: &str, token: &str) -> Result<Probed, JoinError> {
    let tls = client_config(&settings.extra_roots)
        .map_err(|why| JoinError::Url { url: url.to_owned(), why: format!("rooms.roots: {why}") })?;
    let dial = Dial { url: url.to_owned(), token: token.to_owned(), tls };
    let head = dial.validate().await?;
    if head.status != 200 {
        return Err(JoinError::Refused { status: head.status, why: head.body });
    }
    let now = SystemTime::now();
    let clock = head
        .date
        .and_then(|date| httpdate::parse_http_date(&date).ok())
        .map(|theirs| now.duration_since(theirs).unwrap_or_else(|later| later.duration()));
    Ok(Probed { clock })
}
