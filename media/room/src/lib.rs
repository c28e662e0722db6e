//! What a room is: a place where several participants hear each other.
//!
//! Today the local room (mix-minus in this process); LiveKit rooms stand beside it behind the same
//! `Room` trait. It must never know SIP, trunks or agents: a participant is an identity, a name, some
//! attributes and an [`trunkline_media::port::AudioPort`].
