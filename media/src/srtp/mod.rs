//! SRTP and SRTCP (RFC 3711, 6188, 7714) of one peer: datagrams in the clear on one side, protected on the other.
//!
//! [`Protect`] takes what a leg sends, [`Unprotect`] gives what a peer sent, and only that: a packet whose tag is
//! wrong, or that came before, is refused with the [`Refusal`] that it earned and leaves no trace in the state.
//! Keys are derived once ([`Security`] holds the master keys that SDP agreed on); after that a packet costs a
//! copy, a cipher and a tag, and no allocation. One crypto context a master key: a new key begins with rollover
//! counter 0 (RFC 4568 §7.1.4), the same key goes on where it was.
//!
//! The state machine is ours and the ciphers are aws-lc's: `rtc-srtp` returns a fresh buffer a packet and keeps
//! state for every SSRC that anybody writes into a datagram, before it is authenticated. It is the peer in tests.

mod cipher;
mod protect;
#[cfg(test)]
mod tests;
mod unprotect;
mod window;

pub use protect::Protect;
pub use unprotect::{Refusal, Unprotect};

use aws_lc_rs::hmac;
use std::fmt;

/// The longest master key and salt: AES-256 in counter mode.
const MOST_KEY: usize = 46;
/// The largest datagram that is protected or taken.
const DATAGRAM: usize = 2_048;

/// How packets are protected (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-128 in counter mode, SHA-1 tags of 80 bits: what every telephone has.
    AesCm128Sha1_80,
    /// The same with RTP tags of 32 bits.
    AesCm128Sha1_32,
    /// AES-256 in counter mode, tags of 80 bits.
    AesCm256Sha1_80,
    /// The same with RTP tags of 32 bits.
    AesCm256Sha1_32,
    /// AES-128 in Galois/counter mode.
    AesGcm128,
    /// AES-256 in Galois/counter mode.
    AesGcm256,
}

impl Suite {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AesCm128Sha1_80,
        Self::AesCm128Sha1_32,
        Self::AesCm256Sha1_80,
        Self::AesCm256Sha1_32,
        Self::AesGcm128,
        Self::AesGcm256,
    ];

    /// As SDP writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AesCm128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256Sha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AesGcm128 => "AEAD_AES_128_GCM",
            Self::AesGcm256 => "AEAD_AES_256_GCM",
        }
    }

    /// Octets of the master key.
    #[must_use]
    pub fn key_length(self) -> usize {
        match self {
            Self::AesCm128Sha1_80 | Self::AesCm128Sha1_32 | Self::AesGcm128 => 16,
            Self::AesCm256Sha1_80 | Self::AesCm256Sha1_32 | Self::AesGcm256 => 32,
        }
    }

    /// Octets of the master salt.
    #[must_use]
    pub fn salt_length(self) -> usize {
        if self.is_gcm() { 12 } else { 14 }
    }

    fn is_gcm(self) -> bool {
        matches!(self, Self::AesGcm128 | Self::AesGcm256)
    }

    /// Octets of the tag behind an RTP packet. SRTCP has 80 bits in every SHA-1 suite (RFC 4568 §6.2.2).
    fn rtp_tag(self) -> usize {
        match self {
            Self::AesCm128Sha1_80 | Self::AesCm256Sha1_80 => 10,
            Self::AesCm128Sha1_32 | Self::AesCm256Sha1_32 => 4,
            Self::AesGcm128 | Self::AesGcm256 => 16,
        }
    }
}

/// A master key and its salt. Neither is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    octets: [u8; MOST_KEY],
}

impl MasterKey {
    /// Key, then salt, as SDP carries them; `None` if that is not the suite's length.
    #[must_use]
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<Self> {
        if key_and_salt.len() != suite.key_length() + suite.salt_length() {
            return None;
        }
        let mut octets = [0; MOST_KEY];
        octets.get_mut(..key_and_salt.len())?.copy_from_slice(key_and_salt);
        Some(Self { suite, octets })
    }

    /// Which suite it is for.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Key, then salt: for the description that goes to the peer, and nowhere else.
    #[must_use]
    pub fn key_and_salt(&self) -> &[u8] {
        self.octets.get(..self.suite.key_length() + self.suite.salt_length()).unwrap_or_default()
    }

    fn key(&self) -> &[u8] {
        self.octets.get(..self.suite.key_length()).unwrap_or_default()
    }

    fn salt(&self) -> &[u8] {
        self.key_and_salt().get(self.suite.key_length()..).unwrap_or_default()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// The keys of a session: ours protect what we send, the peer's what it sends. One suite for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// What we send is protected with this.
    pub ours: MasterKey,
    /// What comes is protected with this.
    pub theirs: MasterKey,
}

impl Security {
    /// How.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.ours.suite
    }
}

/// Where the master keys of a leg come from: chance that was handed in, stretched. The same chance gives the same
/// keys, so that a leg can be replayed.
pub struct KeySource {
    chance: hmac::Key,
    drawn: u64,
}

impl KeySource {
    /// From 256 random bits, which nobody else uses.
    #[must_use]
    pub fn new(chance: &[u8; 32]) -> Self {
        Self { chance: hmac::Key::new(hmac::HMAC_SHA512, chance), drawn: 0 }
    }

    /// The next key; no two are the same.
    pub fn next(&mut self, suite: Suite) -> MasterKey {
        self.drawn += 1;
        let stretched = hmac::sign(&self.chance, &self.drawn.to_be_bytes());
        let mut octets = [0; MOST_KEY];
        let length = suite.key_length() + suite.salt_length();
        for (octet, random) in octets.iter_mut().zip(stretched.as_ref()).take(length) {
            *octet = *random;
        }
        MasterKey { suite, octets }
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySource").finish_non_exhaustive()
    }
}

/// The ciphers of a key could not be set up: the system lacks memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ciphers of an SRTP key cannot be set up")]
pub struct NoCipher;

/// Where the payload of an RTP packet begins: behind contributors and extension (RFC 3550 §5.1).
fn rtp_header(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    if first >> 6 != 2 {
        return None;
    }
    let fixed = 12 + 4 * usize::from(first & 0x0f);
    let length = if first & 0x10 == 0 {
        fixed
    } else {
        let [high, low] = *packet.get(fixed + 2..)?.first_chunk()?;
        fixed + 4 + 4 * usize::from(u16::from_be_bytes([high, low]))
    };
    (length <= packet.len()).then_some(length)
}

fn u32_at(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at..)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
}
