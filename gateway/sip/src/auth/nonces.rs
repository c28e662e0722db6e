//! The side that challenges. A nonce is its own record: expiry, serial number, and an HMAC over both,
//! the source, the realm and the algorithm. Only nonces that have been *used* are remembered, in a
//! table of fixed size, so that a request cannot be replayed.

use super::Verdict;
use super::digest::{Algorithm, Fields, Hash, Inputs, from_hex, same, to_hex};
use crate::Time;
use crate::message::{HeaderName, Message};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::IpAddr;

/// How long a challenge may be answered. A phone that asks its user for the password is challenged anew.
const LIFE: Time = Time::from_secs(60);
/// Used nonces that are remembered; a nonce that a newer one pushed out counts as stale.
const USED: usize = 4096;
/// Credentials of one request that are looked at; the rest is noise.
const MOST_CREDENTIALS: usize = 8;
const TAG: usize = 16;
const NONCE: usize = 8 + 8 + TAG;

/// The nonces of a server.
pub struct Nonces {
    mac: Hmac<Sha256>,
    sha256: bool,
    serial: u64,
    /// By serial number modulo [`USED`]: the serial and the highest count that was accepted with it.
    used: Vec<(u64, u32)>,
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nonces").field("serial", &self.serial).finish_non_exhaustive()
    }
}

/// What a nonce that arrives is worth by itself.
enum Opened {
    /// Ours, for this source, realm and algorithm, and in time.
    Fresh(u64),
    /// Too old, or never issued (a restart, another source).
    Useless,
}

impl Nonces {
    /// `key` comes from the driver's randomness; nonces of another key are stale. MD5 is always offered;
    /// `sha256` says whether SHA-256 is, before it.
    #[must_use]
    pub fn new(key: [u8; 32], sha256: bool) -> Self {
        // A block of the hash: the key, padded with zeros, is what RFC 2104 makes of it anyway.
        let mut block = [0; 64];
        for (slot, byte) in block.iter_mut().zip(key) {
            *slot = byte;
        }
        Self { mac: Hmac::new(&block.into()), sha256, serial: 0, used: vec![(0, 0); USED] }
    }

    /// Values of WWW-Authenticate (or Proxy-Authenticate), one header each, the preferred first.
    #[must_use]
    pub fn challenge(&mut self, now: Time, realm: &str, source: IpAddr, stale: bool) -> Vec<String> {
        self.serial += 1;
        let realm_quoted = crate::message::text::quoted(realm);
        let stale = if stale { ", stale=true" } else { "" };
        [(Hash::Sha256, "SHA-256"), (Hash::Md5, "MD5")]
            .into_iter()
            .filter(|(hash, _)| self.offers(*hash))
            .map(|(hash, name)| {
                let nonce = self.issue(now + LIFE, realm, source, hash);
                format!(
                    "Digest realm={realm_quoted}, nonce=\"{nonce}\", algorithm={name}, qop=\"auth\"{stale}"
                )
            })
            .collect()
    }

    /// What the credentials of a request prove. An accepted request spends its nonce count: ask once a
    /// request. A right response with a nonce that is too old, spent, or not of ours is
    /// [`Verdict::Stale`], so that an honest phone tries again without asking its user.
    pub fn verify(
        &mut self,
        now: Time,
        request: &Message,
        source: IpAddr,
        realm: &str,
        username: &str,
        password: &str,
    ) -> Verdict {
        let mut verdict = Verdict::Missing;
        let values =
            request.headers(HeaderName::Authorization).chain(request.headers(HeaderName::ProxyAuthorization));
        for value in values.take(MOST_CREDENTIALS) {
            let Some(fields) = Fields::parse(value) else { continue };
            if fields.realm.as_deref() != Some(realm) {
                continue;
            }
            match self.judge(now, request, source, &fields, username, password) {
                Verdict::Accepted => return Verdict::Accepted,
                other if verdict != Verdict::Stale => verdict = other,
                _ => {}
            }
        }
        verdict
    }

    fn offers(&self, hash: Hash) -> bool {
        hash == Hash::Md5 || (self.sha256 && hash == Hash::Sha256)
    }

    fn judge(
        &mut self,
        now: Time,
        request: &Message,
        source: IpAddr,
        fields: &Fields<'_>,
        username: &str,
        password: &str,
    ) -> Verdict {
        let algorithm = match Algorithm::parse(fields.algorithm.as_deref()) {
            Some(a) if !a.session && self.offers(a.hash) => a,
            _ => return Verdict::Refused("an algorithm that was not offered"),
        };
        if fields.username.as_deref() != Some(username) {
            return Verdict::Refused("another user name");
        }
        let (Some(realm), Some(nonce), Some(uri), Some(response)) = (
            fields.realm.as_deref(),
            fields.nonce.as_deref(),
            fields.uri.as_deref(),
            fields.response.as_deref(),
        ) else {
            return Verdict::Refused("nonce, uri or response is missing");
        };
        // The uri need not be the Request-URI (RFC 2617 §3.2.2.5): proxies rewrite that one, and some phones
        // sign the host alone. What the comparison would be good for, the nonce does: one use, one source.
        let (nc, cnonce) = match (fields.qop.as_deref(), fields.nc.as_deref(), fields.cnonce.as_deref()) {
            (Some(qop), Some(nc), Some(cnonce)) if qop.eq_ignore_ascii_case("auth") => (Some(nc), cnonce),
            // A client that knows RFC 2069 only; what it sends must at least be the hash of its time.
            (None, ..) if algorithm.hash == Hash::Md5 => (None, ""),
            _ => return Verdict::Refused("its qop is not auth, or nc or cnonce is missing"),
        };
        let count = match nc.map(count_of) {
            Some(None) => return Verdict::Refused("its nc is no count"),
            Some(Some(n)) => n,
            None => 1,
        };
        let method = request.method().map_or("", |m| m.as_str());
        let expected =
            Inputs { algorithm, username, realm, password, method, uri, nonce, cnonce, nc }.response();
        if !same(expected.as_bytes(), response.to_ascii_lowercase().as_bytes()) {
            return Verdict::Refused("wrong password");
        }
        match self.open(now, nonce, realm, source, algorithm.hash) {
            Opened::Fresh(serial) if self.spend(serial, count) => Verdict::Accepted,
            _ => Verdict::Stale,
        }
    }

    fn issue(&self, expiry: Time, realm: &str, source: IpAddr, hash: Hash) -> String {
        let expiry = u64::try_from(expiry.as_millis()).unwrap_or(u64::MAX);
        let mut bytes = Vec::with_capacity(NONCE);
        bytes.extend_from_slice(&expiry.to_be_bytes());
        bytes.extend_from_slice(&self.serial.to_be_bytes());
        let tag = self.tag(&bytes, realm, source, hash);
        bytes.extend_from_slice(&tag);
        to_hex(&bytes)
    }

    fn open(&self, now: Time, nonce: &str, realm: &str, source: IpAddr, hash: Hash) -> Opened {
        let Some(bytes) = from_hex::<NONCE>(nonce) else { return Opened::Useless };
        let Some((head, tag)) = bytes.split_first_chunk::<16>() else { return Opened::Useless };
        if !same(&self.tag(head, realm, source, hash), tag) {
            return Opened::Useless;
        }
        let Some((expiry, serial)) = head.split_first_chunk::<8>() else { return Opened::Useless };
        let expiry = u64::from_be_bytes(*expiry);
        if u128::from(expiry) < now.as_millis() {
            return Opened::Useless;
        }
        Opened::Fresh(serial.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    fn tag(&self, head: &[u8], realm: &str, source: IpAddr, hash: Hash) -> [u8; TAG] {
        let mut mac = self.mac.clone();
        mac.update(head);
        mac.update(&[u8::from(hash == Hash::Sha256)]);
        match source.to_canonical() {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        // Last, because it alone has no fixed length.
        mac.update(realm.as_bytes());
        let full = mac.finalize().into_bytes();
        let mut out = [0; TAG];
        for (slot, byte) in out.iter_mut().zip(full) {
            *slot = byte;
        }
        out
    }

    /// Marks a count as used; `false` when it, or a later one, has been.
    fn spend(&mut self, serial: u64, count: u32) -> bool {
        let index = usize::try_from(serial % USED as u64).unwrap_or(0);
        let Some(slot) = self.used.get_mut(index) else { return false };
        let fresh = serial > slot.0 || (serial == slot.0 && count > slot.1);
        if fresh {
            *slot = (serial, count);
        }
        fresh
    }
}

/// Eight hex digits, at least 1.
fn count_of(nc: &str) -> Option<u32> {
    from_hex::<4>(nc).map(u32::from_be_bytes).filter(|n| *n > 0)
}

#[cfg(test)]
mod tests;
