//! psrpc over Redis, as livekit-server and livekit/sip speak it: `SIPInternal` served, `IOInfo` called.
//!
//! It must never know: SIP messages, calls, rooms, configuration files. What it serves it hands out as
//! [`Incoming`], each with a [`Reply`] that is owed; whether a request may be claimed it asks a [`Gate`].
//!
//! The path: Redis → one subscription ([`Bus`]) → `envelope` → `server` (lock, expiry, claim, handler, response)
//! or `client` (claims and responses of our own requests) → Redis. The subscription is made again whenever
//! Redis was away; what is under way meanwhile runs into its own time-out, and calls that are up notice nothing.

mod bus;
mod client;
mod envelope;
mod error;
mod messages;
mod redis_link;
mod server;

pub use bus::{Bus, BusState};
pub use error::{PsrpcError, code};
pub use messages::*;
pub use redis_link::{RedisFault, RedisSettings, Tls};
pub use server::{Gate, Incoming, Reply};
