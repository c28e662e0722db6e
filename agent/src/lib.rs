//! The voice agent: turn taking, dialogue, providers. Hears and speaks through a
//! [`trunkline_media::port::AudioPort`]; must never know SIP, RTP, trunks or rules.
//!
//! The path, 20 ms by 20 ms on one thread ([`host`]), a [`session`] a call: `hear` ring → VAD → [`provider::Stt`] →
//! [`turn`] (the arbiter, a pure machine) → [`dialogue`] → [`provider::Tts`] → playout → `speak` ring.
//! Whatever belongs to a turn carries its [`provider::Generation`].

pub mod dialogue;
mod event;
pub mod host;
pub mod local;
pub mod provider;
pub mod session;
pub mod turn;
