//! The four transaction machines of RFC 3261 §17 with the Accepted states of RFC 6026, and what is
//! derived from a transaction's request: its key, its ACK, its CANCEL, its next attempt.
//!
//! A machine holds its last bytes and its two deadlines (next repetition, end) and says at each what
//! is to be done; it sends nothing itself and knows no call but by its handle.

mod client;
mod derived;
mod key;
mod server;

pub(crate) use client::{Client, ClientState, Purpose, SentAck};
pub(crate) use derived::{Again, ack_of_refusal, again, cancel_of};
pub(crate) use key::{branch, client_key, merge_key, server_key};
pub(crate) use server::{Server, ServerState};

use crate::Time;

/// RFC 3261 §17.1.1.1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub t1: Time,
    pub t2: Time,
    pub t4: Time,
}

impl Times {
    /// 64*T1: timers B, D, F, H, J, L, M.
    pub fn timeout(&self) -> Time {
        self.t1 * 64
    }
}

/// What a machine wants when its deadline has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tick {
    /// Nothing yet.
    Wait,
    /// Its last message is to be sent again.
    Repeat,
    /// A client's request was not answered (timers B and F).
    NoAnswer,
    /// A server's 2xx was not acknowledged (timer L without an ACK).
    NoAck,
    /// It is over: forget it.
    Over,
}
