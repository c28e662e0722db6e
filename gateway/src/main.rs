//! trunkline: a SIP voice gateway with an agent inside. See README.md; the architecture in one line:
//! `transport` (bytes) → `trunkline_sip::Endpoint` → `call` (one plain struct a call) → dialplan, media
//! leg, room or agent; where livekit-server owns the dialplan, [`authority`] asks it; [`control`] is how calls are commanded and watched. [`cli`] is where it starts.

mod authority;
mod call;
mod cli;
mod control;
mod http;
mod load;
mod logging;
mod metrics;
mod phone;
mod prompts;
mod serve;
mod shown;
mod stun;
mod transport;
mod verbs;
mod wav;

/// A short call allocates some 400 times and frees half of it on another thread, the worst case of glibc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
