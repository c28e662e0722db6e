//! The RFCs' vectors, and another implementation as the peer.

use super::*;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

fn profile(suite: Suite) -> ProtectionProfile {
    match suite {
        Suite::AesCm128Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm128Sha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::AesCm256Sha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Suite::AesCm256Sha1_32 => ProtectionProfile::Aes256CmHmacSha1_32,
        Suite::AesGcm128 => ProtectionProfile::AeadAes128Gcm,
        Suite::AesGcm256 => ProtectionProfile::AeadAes256Gcm,
    }
}

fn theirs(suite: Suite, key: &MasterKey) -> Context {
    let crypto = rtc_srtp::crypto::default_provider().unwrap();
    Context::new(
        key.key(),
        key.salt(),
        profile(suite),
        Some(srtp_replay_protection(64)),
        Some(srtcp_replay_protection(64)),
        crypto.crypto(),
    )
    .unwrap()
}

fn key(suite: Suite) -> MasterKey {
    KeySource::new(&[7; 32]).next(suite)
}

/// An RTP packet with a contributor and an extension.
fn packet(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x91, 0x80];
    packet.extend(sequence.to_be_bytes());
    packet.extend(u32::from(sequence).wrapping_mul(160).to_be_bytes());
    packet.extend(0xcafe_babe_u32.to_be_bytes());
    packet.extend([0, 0, 0, 9]);
    packet.extend([0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0]);
    packet.extend((0..160).map(|n| n ^ sequence as u8));
    packet
}

const REPORT: [u8; 28] = [
    0x80, 200, 0, 6, 0xca, 0xfe, 0xba, 0xbe, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
    19, 20,
];

#[test]
fn another_implementation_reads_what_we_protect_and_we_what_it_does_over_the_rollover() {
    for suite in Suite::ALL {
        let key = key(suite);
        let (mut protect, mut unprotect) = (Protect::new(&key).unwrap(), Unprotect::new(&key).unwrap());
        let (mut writes, mut reads) = (theirs(suite, &key), theirs(suite, &key));
        for step in 0..3_000u32 {
            let packet = packet((step * 50) as u16);
            let sealed = protect.rtp(&packet).unwrap();
            assert_ne!(sealed, packet);
            assert_eq!(reads.decrypt_rtp(sealed).unwrap(), packet, "{suite:?} {step}");
            let sealed = writes.encrypt_rtp(&packet).unwrap();
            assert_eq!(unprotect.rtp(&sealed), Ok(&packet[..]), "{suite:?} {step}");
        }
        for _ in 0..3 {
            assert_eq!(reads.decrypt_rtcp(protect.rtcp(&REPORT).unwrap()).unwrap(), REPORT[..]);
            assert_eq!(unprotect.rtcp(&writes.encrypt_rtcp(&REPORT).unwrap()), Ok(&REPORT[..]));
        }
    }
}

#[test]
fn what_was_changed_cut_replayed_or_made_with_another_key_is_refused_and_harms_nothing() {
    for suite in Suite::ALL {
        let key = key(suite);
        let (mut protect, mut unprotect) = (Protect::new(&key).unwrap(), Unprotect::new(&key).unwrap());
        let mut other = Protect::new(&KeySource::new(&[9; 32]).next(suite)).unwrap();
        for sequence in 0..200 {
            let good = protect.rtp(&packet(sequence)).unwrap().to_vec();
            for at in [1, 8, 30, good.len() - 1] {
                let mut changed = good.clone();
                changed[at] ^= 1;
                assert!(unprotect.rtp(&changed).is_err(), "{suite:?}: octet {at}");
            }
            assert!(unprotect.rtp(&good[..good.len() - 1]).is_err());
            assert_eq!(unprotect.rtp(other.rtp(&packet(sequence)).unwrap()), Err(Refusal::Unauthentic));
            assert_eq!(unprotect.rtp(&good), Ok(&packet(sequence)[..]));
            assert_eq!(unprotect.rtp(&good), Err(Refusal::Replayed));
        }
        let report = protect.rtcp(&REPORT).unwrap().to_vec();
        for at in 0..report.len() {
            let mut changed = report.clone();
            changed[at] ^= 1;
            assert!(unprotect.rtcp(&changed).is_err(), "{suite:?}: octet {at} of a report");
        }
        assert!(unprotect.rtcp(&report).is_ok());
        assert_eq!(unprotect.rtcp(&report), Err(Refusal::Replayed));
        for length in 0..report.len() {
            assert!(unprotect.rtcp(&report[..length]).is_err() && unprotect.rtp(&report[..length]).is_err());
        }
    }
}

#[test]
fn strangers_with_ever_new_ssrcs_do_not_push_the_peer_out() {
    let key = key(Suite::AesCm128Sha1_80);
    let (mut protect, mut unprotect) = (Protect::new(&key).unwrap(), Unprotect::new(&key).unwrap());
    unprotect.rtp(protect.rtp(&packet(65_535)).unwrap()).unwrap();
    for ssrc in 0..1_000u32 {
        let mut made = packet(7);
        made[8..12].copy_from_slice(&ssrc.to_be_bytes());
        assert_eq!(unprotect.rtp(&made), Err(Refusal::Unauthentic));
    }
    assert!(unprotect.rtp(protect.rtp(&packet(0)).unwrap()).is_ok(), "the rollover counter is still known");
}

#[test]
fn a_key_source_gives_other_keys_each_time_and_shows_none() {
    let mut source = KeySource::new(&[1; 32]);
    let (one, two) = (source.next(Suite::AesCm128Sha1_80), source.next(Suite::AesCm128Sha1_80));
    assert_ne!(one, two);
    assert_eq!(format!("{one:?}"), "MasterKey { suite: AesCm128Sha1_80, .. }");
    assert_eq!(MasterKey::new(Suite::AesCm128Sha1_80, one.key_and_salt()), Some(one));
    assert_eq!(MasterKey::new(Suite::AesGcm128, two.key_and_salt()), None, "30 octets, not 28");
}
