//! What the program does besides serving: each verb a file with its arguments and `run`. A verb says
//! what there is to say as its [`Outcome`]; those that go on for a while print with [`print`].

pub mod call;
pub mod calls;
pub mod check;
mod door;
pub mod drain;
mod import;
pub mod load;
mod moment;
pub mod room;
pub mod rule;
mod show;
pub mod status;
mod table;
pub mod tail;
mod timeline;
pub mod trunk;

pub use door::Door;

use crate::control::client::ClientError;
use serde_json::Value;
use std::io::Write;
use std::process::ExitCode;
use trunkline_records::RecordsError;

/// The exit code of a wrong command line.
pub const USAGE: u8 = 2;

/// What a verb has to say at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// For stdout; ends with a line break, or is empty.
    pub text: String,
    /// `false`: said and done, and the answer is no (exit code 1).
    pub ok: bool,
}

impl Outcome {
    /// Nothing to say.
    #[must_use]
    pub fn nothing() -> Self {
        Self::said(String::new())
    }

    /// This was to be told. Texts of strangers in it are escaped already.
    #[must_use]
    pub fn said(mut text: String) -> Self {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Self { text, ok: true }
    }

    /// For machines.
    #[must_use]
    pub fn json(value: &Value) -> Self {
        Self::said(format!("{value:#}"))
    }
}

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It needs a running trunkline. Exit code 3.
    #[error("no trunkline is running ({0} is not answered); start one with `trunkline serve`")]
    NotRunning(String),
    /// The arguments do not go together. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Anything else. Exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotRunning { path } => Self::NotRunning(path),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<RecordsError> for Failure {
    fn from(error: RecordsError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => USAGE,
            Self::NotRunning(_) => 3,
        }
    }
}

/// Says the outcome, or on stderr why there is none; the code to exit with.
pub fn exit_code(result: Result<Outcome, Failure>) -> ExitCode {
    match result {
        Ok(outcome) => {
            print(&outcome.text);
            if outcome.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "trunkline: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

/// Writes to stdout; `false` when nobody reads any more (`trunkline tail | head`).
pub fn print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

/// `1 call`, `2 calls`.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
