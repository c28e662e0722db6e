//! LiveKit's SIP API (`/twirp/livekit.SIP/*`, JSON and protobuf) served by the gateway itself.
//!
//! It must never know: SIP messages, sockets, how calls are placed: that is handed in.
