//! The SIP protocol, sans-IO: bytes and time in; bytes, events and the next deadline out.
//!
//! What it must never know: sockets, tokio, threads, the system clock, randomness that was not handed
//! in, SDP beyond "a body", trunks, media. The path: datagram → `message` (one buffer, offsets) →
//! `transaction` (the four machines of RFC 3261 §17 with RFC 6026) → `dialog` → [`Event`]; back:
//! command → `dialog` → `transaction` → datagram. [`Endpoint`] is the one door.
//!
//! The contract is quinn-proto's: after every input, drain `poll()` until it is `None`, then sleep
//! until `poll_timeout()`.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod arena;
pub mod auth;
mod dialog;
pub mod endpoint;
mod flow;
pub mod message;
mod random;
mod session_timer;
mod timers;
mod transaction;

pub use endpoint::{CallHandle, CommandError, Config, Counts, End, Endpoint, Event, Extra, Invite, Output};
pub use flow::{ConnId, Flow, Transport};
pub use message::Message;

/// Monotonic time since an epoch of the driver's choosing; a plain number.
pub type Time = std::time::Duration;
