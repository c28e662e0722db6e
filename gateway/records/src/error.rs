//! What goes wrong with files and the store.

/// What went wrong with what is written down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// The state folder or a file in it.
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    /// The store is held by another process.
    #[error("{path} is in use by a running trunkline")]
    InUse { path: String },
    /// The store is damaged, or of a later version.
    #[error("{path}: {why}")]
    Store { path: String, why: String },
    /// No such trunk, rule or call.
    #[error("no {kind} {id}")]
    Unknown { kind: &'static str, id: String },
    /// A trunk or rule that cannot be, with the reason.
    #[error("{0}")]
    Invalid(String),
}

impl RecordsError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Io { path: path.display().to_string(), source }
    }
}
