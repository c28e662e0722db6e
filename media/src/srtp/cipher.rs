//! The ciphers of one direction and one kind of packet, with the session keys that they use.

use super::{MasterKey, NoCipher, Suite};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

/// Octets of a GCM tag.
const GCM_TAG: usize = 16;
/// Octets of an SRTCP tag in the SHA-1 suites.
const SRTCP_TAG: usize = 10;

/// RTP or RTCP: the labels of key derivation (RFC 3711 §4.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rtp,
    Rtcp,
}

/// The tag is wrong, or the packet is too short to have one.
pub(super) struct Wrong;

pub(super) enum Cipher {
    Counter(Box<Counter>),
    Galois { key: LessSafeKey, salt: [u8; 12] },
}

/// AES in counter mode and SHA-1: large, as both keep their keys prepared.
pub(super) struct Counter {
    key: EncryptingKey,
    salt: [u8; 16],
    auth: hmac::Key,
    tag: usize,
}

impl Cipher {
    pub(super) fn new(master: &MasterKey, kind: Kind) -> Result<Self, NoCipher> {
        let labels = match kind {
            Kind::Rtp => [0, 1, 2],
            Kind::Rtcp => [3, 4, 5],
        };
        let suite = master.suite();
        let (mut key, mut auth, mut salt) = ([0; 32], [0; 20], [0; 16]);
        let key = key.get_mut(..suite.key_length()).ok_or(NoCipher)?;
        let derived_salt = salt.get_mut(..suite.salt_length()).ok_or(NoCipher)?;
        for (label, out) in labels.into_iter().zip([&mut *key, &mut auth, derived_salt]) {
            derive(master, label, out)?;
        }
        if suite.is_gcm() {
            let algorithm = if suite == Suite::AesGcm128 { &AES_128_GCM } else { &AES_256_GCM };
            let key = UnboundKey::new(algorithm, key).map_err(|_| NoCipher)?;
            let salt = *salt.first_chunk().ok_or(NoCipher)?;
            return Ok(Self::Galois { key: LessSafeKey::new(key), salt });
        }
        Ok(Self::Counter(Box::new(Counter {
            key: counter_key(key)?,
            salt,
            auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth),
            tag: if kind == Kind::Rtp { suite.rtp_tag() } else { SRTCP_TAG },
        })))
    }

    /// Protects `length` octets of an RTP packet in `buffer`; says how many there are then.
    pub(super) fn seal_rtp(
        &self,
        buffer: &mut [u8],
        header: usize,
        length: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        match self {
            Self::Counter(keys) => {
                let Counter { key, salt, auth, tag } = &**keys;
                counter(key, salt, ssrc, index, buffer.get_mut(header..length)?)?;
                let made = self::tag(auth, buffer.get(..length)?, &rollover(index));
                buffer.get_mut(length..length + tag)?.copy_from_slice(made.as_ref().get(..*tag)?);
                Some(length + tag)
            }
            Self::Galois { key, salt } => {
                let (head, rest) = buffer.split_at_mut_checked(header)?;
                let payload = rest.get_mut(..length - header)?;
                let nonce = rtp_nonce(salt, ssrc, index);
                let made = key.seal_in_place_separate_tag(nonce, Aad::from(&*head), payload).ok()?;
                rest.get_mut(length - header..)?.get_mut(..GCM_TAG)?.copy_from_slice(made.as_ref());
                Some(length + GCM_TAG)
            }
        }
    }

    /// Takes the protection off an RTP packet; says how many octets are left.
    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, Wrong> {
        match self {
            Self::Counter(keys) => {
                let Counter { key, salt, auth, tag } = &**keys;
                let length =
                    packet.len().checked_sub(*tag).filter(|length| *length >= header).ok_or(Wrong)?;
                let (packet, sent) = packet.split_at_mut_checked(length).ok_or(Wrong)?;
                same(&self::tag(auth, packet, &rollover(index)), sent)?;
                counter(key, salt, ssrc, index, packet.get_mut(header..).ok_or(Wrong)?).ok_or(Wrong)?;
                Ok(length)
            }
            Self::Galois { key, salt } => {
                let (head, sealed) = packet.split_at_mut_checked(header).ok_or(Wrong)?;
                let nonce = rtp_nonce(salt, ssrc, index);
                let opened = key.open_in_place(nonce, Aad::from(&*head), sealed).map_err(|_| Wrong)?;
                Ok(header + opened.len())
            }
        }
    }

    /// Protects `length` octets of RTCP in `buffer`; says how many there are then.
    pub(super) fn seal_rtcp(&self, buffer: &mut [u8], length: usize, ssrc: u32, index: u32) -> Option<usize> {
        let word = (ENCRYPTED | index).to_be_bytes();
        match self {
            Self::Counter(keys) => {
                let Counter { key, salt, auth, tag } = &**keys;
                counter(key, salt, ssrc, u64::from(index), buffer.get_mut(8..length)?)?;
                buffer.get_mut(length..length + 4)?.copy_from_slice(&word);
                let made = self::tag(auth, buffer.get(..length + 4)?, &[]);
                buffer.get_mut(length + 4..length + 4 + tag)?.copy_from_slice(made.as_ref().get(..*tag)?);
                Some(length + 4 + tag)
            }
            Self::Galois { key, salt } => {
                let (head, rest) = buffer.split_at_mut_checked(8)?;
                let nonce = rtcp_nonce(salt, ssrc, index);
                let aad = authenticated(head, word)?;
                let payload = rest.get_mut(..length - 8)?;
                let made = key.seal_in_place_separate_tag(nonce, Aad::from(aad), payload).ok()?;
                let behind = rest.get_mut(length - 8..)?;
                behind.get_mut(..GCM_TAG)?.copy_from_slice(made.as_ref());
                behind.get_mut(GCM_TAG..GCM_TAG + 4)?.copy_from_slice(&word);
                Some(length + GCM_TAG + 4)
            }
        }
    }

    /// The word of an SRTCP packet that says whether it is encrypted, and its index.
    pub(super) fn rtcp_word(&self, packet: &[u8]) -> Option<u32> {
        let behind = match self {
            Self::Counter(keys) => 4 + keys.tag,
            Self::Galois { .. } => 4,
        };
        super::u32_at(packet, packet.len().checked_sub(behind).filter(|at| *at >= 8)?)
    }

    /// Takes the protection off RTCP; says how many octets are left.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, word: u32) -> Result<usize, Wrong> {
        let index = word & !ENCRYPTED;
        match self {
            Self::Counter(keys) => {
                let Counter { key, salt, auth, tag } = &**keys;
                let end = packet.len().checked_sub(*tag).ok_or(Wrong)?;
                let (packet, sent) = packet.split_at_mut_checked(end).ok_or(Wrong)?;
                same(&self::tag(auth, packet, &[]), sent)?;
                let length = end.checked_sub(4).filter(|length| *length >= 8).ok_or(Wrong)?;
                if word & ENCRYPTED != 0 {
                    let payload = packet.get_mut(8..length).ok_or(Wrong)?;
                    counter(key, salt, ssrc, u64::from(index), payload).ok_or(Wrong)?;
                }
                Ok(length)
            }
            Self::Galois { key, salt } => {
                let end = packet.len().checked_sub(4).ok_or(Wrong)?;
                let (head, sealed) =
                    packet.get_mut(..end).and_then(|p| p.split_at_mut_checked(8)).ok_or(Wrong)?;
                // RFC 7714 §9.3 has another shape for what is not encrypted; nobody was seen to send it.
                if word & ENCRYPTED == 0 {
                    return Err(Wrong);
                }
                let aad = authenticated(head, word.to_be_bytes()).ok_or(Wrong)?;
                let nonce = rtcp_nonce(salt, ssrc, index);
                let opened = key.open_in_place(nonce, Aad::from(aad), sealed).map_err(|_| Wrong)?;
                Ok(8 + opened.len())
            }
        }
    }
}

/// The E flag of SRTCP (RFC 3711 §3.4).
const ENCRYPTED: u32 = 0x8000_0000;

/// Key derivation at rate 0 (RFC 3711 §4.3): the key stream of the salt with the label in it. GCM's shorter salt
/// is followed by zeros (RFC 7714 §11).
fn derive(master: &MasterKey, label: u8, out: &mut [u8]) -> Result<(), NoCipher> {
    let mut input = [0; 16];
    input.get_mut(..master.salt().len()).ok_or(NoCipher)?.copy_from_slice(master.salt());
    if let Some(octet) = input.get_mut(7) {
        *octet ^= label;
    }
    stream(&counter_key(master.key())?, input, out).ok_or(NoCipher)
}

fn counter_key(key: &[u8]) -> Result<EncryptingKey, NoCipher> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    UnboundCipherKey::new(algorithm, key).and_then(EncryptingKey::ctr).map_err(|_| NoCipher)
}

/// AES in counter mode under the IV of RFC 3711 §4.1.1: salt, SSRC and index, one upon the other.
fn counter(key: &EncryptingKey, salt: &[u8; 16], ssrc: u32, index: u64, payload: &mut [u8]) -> Option<()> {
    let place = (u128::from(ssrc) << 64) | (u128::from(index) << 16);
    stream(key, (u128::from_be_bytes(*salt) ^ place).to_be_bytes(), payload)
}

fn stream(key: &EncryptingKey, iv: [u8; 16], payload: &mut [u8]) -> Option<()> {
    key.less_safe_encrypt(payload, EncryptionContext::Iv128(FixedLength::from(iv))).ok().map(|_| ())
}

fn tag(key: &hmac::Key, packet: &[u8], behind: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(packet);
    context.update(behind);
    context.sign()
}

fn same(made: &hmac::Tag, sent: &[u8]) -> Result<(), Wrong> {
    let made = made.as_ref().get(..sent.len()).ok_or(Wrong)?;
    verify_slices_are_equal(made, sent).map_err(|_| Wrong)
}

/// The rollover counter, which the tag covers though the packet does not carry it.
fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// RFC 7714 §8.1: two zeros, SSRC, rollover counter, sequence number, and the salt upon them.
fn rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
    nonce(salt, (u128::from(ssrc) << 48) | u128::from(index))
}

/// RFC 7714 §9.1: two zeros, SSRC, two zeros, index, and the salt upon them.
fn rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> Nonce {
    nonce(salt, (u128::from(ssrc) << 48) | u128::from(index))
}

fn nonce(salt: &[u8; 12], place: u128) -> Nonce {
    let mut octets = *salt;
    for (octet, more) in octets.iter_mut().zip(place.to_be_bytes().into_iter().skip(4)) {
        *octet ^= more;
    }
    Nonce::assume_unique_for_key(octets)
}

/// What GCM authenticates of RTCP beside what it encrypts (RFC 7714 §9.2).
fn authenticated(head: &[u8], word: [u8; 4]) -> Option<[u8; 12]> {
    let mut octets = [0; 12];
    let (first, last) = octets.split_at_mut(8);
    first.copy_from_slice(head.get(..8)?);
    last.copy_from_slice(&word);
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
        let master = octets("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6");
        let master = MasterKey::new(Suite::AesCm128Sha1_80, &master).unwrap();
        for (label, expected) in [
            (0, "C61E7A93744F39EE10734AFE3FF7A087"),
            (1, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"),
            (2, "30CBBC08863D8C85D49DB34A9AE1"),
        ] {
            let expected = octets(expected);
            let mut derived = vec![0; expected.len()];
            assert!(derive(&master, label, &mut derived).is_ok());
            assert_eq!(derived, expected, "label {label}");
        }
    }
}
