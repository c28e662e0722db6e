//! `trunkline call`: a telephone in the terminal.

use super::{Failure, Outcome};
use trunkline_config::Config;

/// What can be said after `trunkline call`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Whom to call: sip:agent@127.0.0.1
    pub uri: String,
}

/// Places the call.
pub fn run(_config: &Config, _arguments: Arguments) -> Result<Outcome, Failure> {
    Err(Failure::Failed("this build has no telephone".into()))
}
