//! Digest, both sides (RFC 8760, 7616, 2617): MD5 and SHA-256, qop auth, stale. Nonces carry an HMAC,
//! their expiry and the source, so that the server keeps no table of the ones it gave out.
//!
//! Server: [`Nonces::challenge`] gives header values, [`Nonces::verify`] a [`Verdict`].
//! Client: [`best_challenge`] picks, [`respond`] answers.

mod client;
mod digest;
mod nonces;

pub use client::{best_challenge, is_stale, respond};
pub use nonces::Nonces;

/// What a client proves itself with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password; never shown.
    pub password: String,
    /// The realm they are meant for; `None`: whichever the peer of this call names. A challenge of
    /// another realm is not answered (the digest leak of CVE-2021-41158).
    pub realm: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// What a request's credentials are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No credentials for this realm: challenge.
    Missing,
    /// Right.
    Accepted,
    /// Right but for a nonce that is too old: challenge with `stale=true`.
    Stale,
    /// Wrong; why, for the log (never told to the peer).
    Refused(&'static str),
}
