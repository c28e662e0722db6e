//! LiveKit's SIP API (`/twirp/livekit.SIP/*`, JSON and protobuf) served by the gateway itself, for whoever runs
//! LiveKit without Redis: the same SDKs work by changing the URL.
//!
//! It must never know: SIP messages, sockets, how calls are placed, where trunks are kept. All of that is the
//! [`Port`] that is handed in.
//!
//! The path: a request → `token` (whose is it, what may it do) → `wire` (JSON or protobuf) → a method
//! (`inbound`, `outbound`, `rules`, `participants`) that checks as livekit-server does (`check`), turns LiveKit's
//! messages into the dialplan's and back (`convert`), and asks the port → `wire` → a response, or a [`Fault`].

mod check;
mod convert;
mod fault;
mod inbound;
mod outbound;
mod page;
mod participants;
mod port;
mod rules;
mod serve;
mod shape;
mod token;
mod wire;

pub use fault::Fault;
pub use port::{Change, Port};
pub use serve::{Api, router};
pub use token::Keys;
