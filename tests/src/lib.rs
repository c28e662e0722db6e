//! Whole-system tests: the program as users run it, with peers that we did not write.
//!
//! [`gateway::Gateway`] starts the built program with a configuration and a folder of its own, on ports
//! that the kernel gave, and ends it at the end of the test (it asserts that nothing is left).
//! [`sipp`], [`baresip`] are strangers that call it, [`kamailio`] is one that stands between,
//! [`livekit`] is a LiveKit server with people in its rooms; [`terminal`] is our own telephone; [`wire`] sends what no good phone would;
//! [`rtp`] is the sound of a telephone; [`malform`] makes malformed input of every kind;
//! [`ears`] judges sound: tones by Goertzel, speech by Whisper.

// Tests may fail, and say so by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod baresip;
pub mod ears;
pub mod gateway;
pub mod kamailio;
pub mod livekit;
pub mod malform;
pub mod person;
pub mod place;
pub mod rtp;
pub mod sipp;
pub mod terminal;
pub mod wire;

use std::net::UdpSocket;

/// Is only what takes seconds wanted (`tests/run --quick`)?
#[must_use]
pub fn is_quick() -> bool {
    std::env::var("TRUNKLINE_TEST_MODE").is_ok_and(|mode| mode == "quick")
}

/// A UDP port of loopback that nobody holds, with the next one free as well.
#[must_use]
pub fn free_port() -> u16 {
    for _ in 0..200 {
        if let Ok(a) = UdpSocket::bind("127.0.0.1:0")
            && let Ok(address) = a.local_addr()
            && address.port() < 65_000
            && std::net::TcpListener::bind(address).is_ok()
            && UdpSocket::bind(("127.0.0.1", address.port() + 1)).is_ok()
        {
            return address.port();
        }
    }
    panic!("no free UDP port on loopback");
}
