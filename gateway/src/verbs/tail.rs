//! `trunkline tail`: what happens, as it happens.

use super::{Failure, Outcome, calls, moment, print, timeline};
use crate::cli::Context;
use crate::control::client::{Client, segment};
use crate::shown::Shown;
use serde_json::Value;
use std::ops::ControlFlow;
use trunkline_records::{Cdr, Entry};

/// What can be said after `trunkline tail`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only this call, until it ends: call id, SIP Call-ID, or a beginning of one
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// Print SIP messages whole
    #[arg(long)]
    full: bool,
}

/// Prints until interrupted, or until the trunkline or the one call ends.
pub fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    let client = Client::connect(&context.config.state_dir)?;
    let path = match &arguments.call {
        Some(id) => format!("/events?call={}", segment(id)),
        None => "/events".into(),
    };
    client.lines(&path, &mut |line| {
        let text = if context.json { Some(line.to_owned()) } else { human(line, arguments.full) };
        let goes_on = text.is_none_or(|text| print(&(text + "\n")));
        if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(Outcome::nothing())
}

/// `23:38:12.123  SCL_abcdefgh  ← INVITE …`; `None`: nothing a person needs to see.
fn human(line: &str, full: bool) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    let at = event.get("at").and_then(Value::as_u64).unwrap_or(0);
    let call: String =
        event.get("call").and_then(Value::as_str).unwrap_or_default().chars().take(12).collect();
    let cdr = || -> Cdr {
        event.get("cdr").cloned().and_then(|cdr| serde_json::from_value(cdr).ok()).unwrap_or_default()
    };
    let what = match event.get("kind").and_then(Value::as_str)? {
        "began" => {
            let cdr = cdr();
            let (from, to) = (Shown(&cdr.from), Shown(&cdr.to));
            format!("▶ {} call from {from} to {to} ({})", Shown(&cdr.direction), Shown(&cdr.source))
        }
        "updated" => return None,
        "ended" => {
            let cdr = cdr();
            let mos = calls::mos(&cdr);
            let mos = if mos.is_empty() { mos } else { format!(", MOS {mos}") };
            format!("■ {}{mos}", Shown(&calls::ending(&cdr)))
        }
        "missed" => {
            let missed = event.get("events").and_then(Value::as_u64).unwrap_or(0);
            format!("({missed} events went by faster than they could be shown)")
        }
        _ => timeline::line(&serde_json::from_value::<Entry>(event.clone()).ok()?, full),
    };
    Some(format!("{}  {:<12}  {what}", moment::time_of_day(at), Shown(&call).to_string()))
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn an_event_is_one_line_with_its_time_and_call() {
        let ended = r#"{"at":1709210096123000,"call":"SCL_abcdefghijkl","kind":"ended","cdr":{"status":486,"end":"busy","media":{"mos":4.1}}}"#;
        assert_eq!(human(ended, false).as_deref(), Some("12:34:56.123  SCL_abcdefgh  ■ 486 busy, MOS 4.10"));
        let fault = r#"{"at":0,"call":"SCL_1","kind":"fault","text":"a\nb"}"#;
        assert_eq!(human(fault, false).as_deref(), Some("00:00:00.000  SCL_1         ! a\\u{a}b"));
    }

    #[test]
    fn what_a_later_version_tells_is_passed_over() {
        assert_eq!(human(r#"{"at":0,"call":"x","kind":"weather"}"#, false), None);
    }
}
