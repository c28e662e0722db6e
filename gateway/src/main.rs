//! trunkline: a SIP voice gateway with an agent inside. See README.md; the architecture in one line:
//! `transport` (bytes) → `trunkline_sip::Endpoint` → `call` (one plain struct a call) → dialplan, media
//! leg, room or agent; [`control`] is how calls are commanded and watched.

mod control;
mod transport;

fn main() {}
