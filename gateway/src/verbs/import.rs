//! `trunkline trunk|rule import`: livekit's files, as they stand.

use super::{Failure, Outcome};
use crate::cli::Context;

/// What can be said after `import`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file; - for stdin. A rule names its trunk, so both kinds are taken from one file
    file: String,
}

/// Adds what the file holds.
pub fn run(_context: &Context, _arguments: &Arguments) -> Result<Outcome, Failure> {
    Err(Failure::Failed("this build imports nothing".into()))
}
