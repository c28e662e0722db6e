//! Two endpoints in memory on a virtual clock: what becomes of calls when the network is as it is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests, all of it")]

mod auth;
mod calls;
mod chance;
mod forks;
mod network;
mod offers;
mod pair;
mod refusals;
mod reliable;
mod sessions;
mod timers;
mod torture;
