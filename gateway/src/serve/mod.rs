//! The serving program: everything is started, the signalling loop turns, everything ends in order.
//!
//! One thread for the signalling (this one), one media thread a core, one for rooms, one for agents, one
//! for the control socket, one that writes the records. They speak over bounded queues; whoever has
//! something for the signalling wakes it.

mod api;
mod banner;
mod livekit;
mod start;
mod turn;

pub(crate) use start::{listen_tls, open_files_limit};
pub(crate) use turn::{address_of, transport};

use std::process::ExitCode;
use tracing::error;
use trunkline_config::Config;

/// Serves until it is told to stop. `file` is where the configuration came from, for people.
pub fn run(config: Config, file: &str) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => {
            error!("cannot start: {fault}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        match start::start(config, file).await {
            Ok(program) => {
                turn::turn(program).await;
                ExitCode::SUCCESS
            }
            Err(fault) => {
                error!("cannot start: {fault}");
                ExitCode::FAILURE
            }
        }
    })
}
