//! Sound on the wire and off it: RTP, RTCP, SDP, codecs, jitter, DTMF, recording, and the 20 ms clock.
//!
//! What it must never know: SIP, trunks, rules, agents, rooms, configuration files. It is handed a
//! negotiated session and an [`port::LegPort`]; it hands back events and figures.
//!
//! The path: datagram → `rtp` (session: sequence, loss, jitter) → `jitter` (buffer, concealment) →
//! `codec` → [`company`] (at a [`port`], or in the same thread); back: [`company`] → `codec` → `rtp` → datagram. All of it is run by
//! `engine`, one thread a core, each leg on one thread for its life, each 20 ms tick in four phases; what one
//! call does in a tick is `leg`. `sdp` (offer and answer) is pure and runs with the signalling.
//!
//! Pure: everything but `engine`, `ports` and the writer thread of `record`.
//! Nothing here allocates, locks, formats or logs per packet.

pub mod codec;
pub mod comfort_noise;
pub mod company;
pub mod dtmf;
pub mod engine;
pub mod event;
pub mod jitter;
pub mod latch;
pub mod leg;
pub mod mix;
pub mod port;
pub mod ports;
pub mod quality;
pub mod record;
pub mod resample;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod session;
pub mod srtp;
pub mod tone;
