//! `trunkline load`: a call generator.

use super::{Failure, Outcome};
use trunkline_config::Config;

/// What can be said after `trunkline load`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Whom to call: sip:agent@127.0.0.1
    pub uri: String,
}

/// Generates the calls.
pub fn run(_config: &Config, _arguments: Arguments) -> Result<Outcome, Failure> {
    Err(Failure::Failed("this build generates no calls".into()))
}
