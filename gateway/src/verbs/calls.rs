//! `trunkline calls`: list, show, hang up.

use super::table::Table;
use super::{Door, Failure, Outcome, moment, show};
use crate::cli::Context;
use crate::control::client::{Client, segment};
use serde_json::{Value, json};
use std::path::PathBuf;
use trunkline_records::Cdr;

/// What can be said after `trunkline calls`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Option<CallsVerb>,
}

/// What to do with calls.
#[derive(Debug, clap::Subcommand)]
pub enum CallsVerb {
    /// Calls that are up and calls that ended, newest first (the default)
    List {
        /// Most ended calls that are listed
        #[arg(long, value_name = "N", default_value_t = 20)]
        most: usize,
    },
    /// Everything that happened in a call
    Show {
        /// Call id, SIP Call-ID, or a beginning of one
        id: String,
        /// Print SIP messages whole
        #[arg(long)]
        full: bool,
        /// Write its signalling, and its audio where it was recorded, for Wireshark
        #[arg(long, value_name = "FILE")]
        pcap: Option<PathBuf>,
    },
    /// End a call
    Hangup {
        /// Call id, SIP Call-ID, or a beginning of one
        id: String,
    },
}

/// Does it. What ended is read from the store when no trunkline runs.
pub fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    match arguments.verb.unwrap_or(CallsVerb::List { most: 20 }) {
        CallsVerb::List { most } => list(context, most),
        CallsVerb::Show { id, pcap: Some(file), .. } => write_pcap(context, &id, &file),
        CallsVerb::Show { id, full, .. } => {
            let call = Door::open(&context.config)?.call(&id)?;
            Ok(if context.json { Outcome::json(&call) } else { Outcome::said(show::text(&call, full)?) })
        }
        CallsVerb::Hangup { id } => {
            Client::connect(&context.config.state_dir)?.delete(&format!("/calls/{}", segment(&id)))?;
            let value = json!({ "hung_up": id });
            Ok(if context.json { Outcome::json(&value) } else { Outcome::said("hung up".into()) })
        }
    }
}

fn write_pcap(context: &Context, id: &str, file: &std::path::Path) -> Result<Outcome, Failure> {
    let bytes = Door::open(&context.config)?.pcap(id)?;
    let name = file.display().to_string();
    std::fs::write(file, &bytes).map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
    let value = json!({ "file": name, "bytes": bytes.len() });
    Ok(if context.json {
        Outcome::json(&value)
    } else {
        Outcome::said(format!("{name}: {} bytes; open it with Wireshark", bytes.len()))
    })
}

fn list(context: &Context, most: usize) -> Result<Outcome, Failure> {
    let calls = Door::open(&context.config)?.calls(most)?;
    if context.json {
        return Ok(Outcome::json(&calls));
    }
    let of = |key: &str| -> Vec<Cdr> {
        calls.get(key).cloned().and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default()
    };
    let mut table =
        Table::new(&["CALL", "DIR", "FROM", "TO", "WENT TO", "BEGAN (UTC)", "TALK", "CODEC", "MOS", "STATE"]);
    for cdr in of("up") {
        let state = if cdr.answered.is_some() { "up" } else { "not answered yet" };
        row(&mut table, &cdr, state);
    }
    for cdr in of("ended") {
        row(&mut table, &cdr, &ending(&cdr));
    }
    Ok(Outcome::said(if table.is_empty() { "no calls yet".into() } else { table.fitted() }))
}

fn row(table: &mut Table, cdr: &Cdr, state: &str) {
    // Enough of an id to name the call.
    let id: String = cdr.id.chars().take(12).collect();
    let end = cdr.ended.unwrap_or_else(moment::now_us);
    let talk = cdr.answered.map_or_else(String::new, |answered| moment::length(end.saturating_sub(answered)));
    table.row(&[
        &id,
        if cdr.direction == "outbound" { "out" } else { "in" },
        &cdr.from,
        &cdr.to,
        &cdr.destination,
        &moment::date_and_time(cdr.started),
        &talk,
        cdr.codec.as_deref().unwrap_or_default(),
        &mos(cdr),
        state,
    ]);
}

/// `486: the caller hung up`
pub(super) fn ending(cdr: &Cdr) -> String {
    let mark = if cdr.interrupted { "interrupted: " } else { "" };
    if cdr.status == 0 { format!("{mark}{}", cdr.end) } else { format!("{mark}{} {}", cdr.status, cdr.end) }
}

/// `4.38`
pub(super) fn mos(cdr: &Cdr) -> String {
    let mos = cdr.media.as_ref().and_then(|media| media.get("mos")).and_then(Value::as_f64);
    mos.map_or_else(String::new, |mos| format!("{mos:.2}"))
}
