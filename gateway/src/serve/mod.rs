//! `trunkline serve`.

use std::process::ExitCode;
use trunkline_config::Config;

/// Serves calls until it is told to stop.
pub fn run(_config: Config, _file_name: &str) -> ExitCode {
    ExitCode::FAILURE
}
