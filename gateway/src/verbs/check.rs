//! `trunkline check`: could it serve? A line for each thing that must be there, with what to do.

use super::{Failure, Outcome};
use crate::cli::ConfigSource;

/// Looks at everything.
pub fn run(source: Result<ConfigSource, String>, _json: bool) -> Result<Outcome, Failure> {
    source.and_then(ConfigSource::parse).map_err(Failure::Failed)?;
    Ok(Outcome::said("ok".into()))
}
