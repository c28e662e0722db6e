//! `trunkline drain`.

use super::{Failure, Outcome, counted};
use crate::cli::Context;
use crate::control::client::{Client, ClientError};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

/// What can be said after `trunkline drain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Return when the last call is over and the process has ended
    #[arg(long)]
    wait: bool,
    /// End the calls that are up now, as a second SIGTERM does
    #[arg(long)]
    now: bool,
}

/// How often `--wait` looks.
const LOOK: Duration = Duration::from_millis(500);

/// Drains the running trunkline.
pub fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    let client = Client::connect(&context.config.state_dir)?;
    let before = client.get("/status")?;
    let draining = before.get("draining").and_then(Value::as_bool) == Some(true);
    // The second request is the one that ends calls; a plain `drain` said twice must not be it.
    let requests = if arguments.now { 2 - usize::from(draining) } else { usize::from(!draining) };
    for _ in 0..requests {
        client.post("/drain", &Value::Null)?;
    }
    let mut calls = up(&before);
    if !arguments.wait {
        let sentence = if arguments.now {
            format!("{} ended with a BYE", counted(calls, "call"))
        } else {
            format!("new calls are refused; {} still up", counted(calls, "call"))
        };
        let value = json!({ "draining": true, "calls": calls });
        return Ok(if context.json { Outcome::json(&value) } else { Outcome::said(sentence) });
    }
    loop {
        match client.get("/status") {
            Ok(status) => {
                let now = up(&status);
                if now != calls {
                    calls = now;
                    let _ = writeln!(std::io::stderr(), "{} still up", counted(calls, "call"));
                }
            }
            // It went away while we asked, or before: that is the end.
            Err(ClientError::NotRunning { .. } | ClientError::Unreadable(_)) => {
                let value = json!({ "draining": false, "calls": 0 });
                return Ok(if context.json { Outcome::json(&value) } else { Outcome::said("ended".into()) });
            }
            Err(error) => return Err(error.into()),
        }
        std::thread::sleep(LOOK);
    }
}

fn up(status: &Value) -> usize {
    let calls = status.get("counts").and_then(|counts| counts.get("calls")).and_then(Value::as_u64);
    calls.and_then(|calls| usize::try_from(calls).ok()).unwrap_or(0)
}
