//! Two legs over a network in memory, on a virtual clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod encrypted;
mod guard;
mod keys;
mod network;
mod reports;
mod sound;
