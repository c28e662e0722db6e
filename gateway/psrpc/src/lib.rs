//! psrpc over Redis, as livekit-server and livekit/sip speak it: `SIPInternal` served, `IOInfo` called.
//!
//! It must never know: SIP messages, calls, rooms, configuration files.
