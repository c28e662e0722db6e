//! `trunkline room list`.

use super::table::Table;
use super::{Failure, Outcome};
use crate::cli::Context;
use crate::control::client::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use trunkline_records::Cdr;

/// What can be said after `trunkline room`.
#[derive(Debug, clap::Subcommand)]
pub enum RoomVerb {
    /// Rooms that callers are in, and who
    List,
}

/// Lists rooms by the calls that are in them: a local room is there as long as somebody is in it.
pub fn run(context: &Context, verb: &RoomVerb) -> Result<Outcome, Failure> {
    let RoomVerb::List = verb;
    let calls = Client::connect(&context.config.state_dir)?.get("/calls?most=0")?;
    let up: Vec<Cdr> =
        calls.get("up").cloned().and_then(|up| serde_json::from_value(up).ok()).unwrap_or_default();
    let mut rooms: BTreeMap<&str, Vec<&Cdr>> = BTreeMap::new();
    for cdr in &up {
        if let Some(room) = cdr.destination.strip_prefix("room ") {
            rooms.entry(room).or_default().push(cdr);
        }
    }
    if context.json {
        let list: Vec<Value> = rooms
            .iter()
            .map(|(room, calls)| {
                let callers: Vec<Value> =
                    calls.iter().map(|cdr| json!({ "call": cdr.id, "from": cdr.from })).collect();
                json!({ "room": room, "callers": callers })
            })
            .collect();
        return Ok(Outcome::json(&Value::Array(list)));
    }
    if rooms.is_empty() {
        return Ok(Outcome::said("nobody is in a room".into()));
    }
    let mut table = Table::new(&["ROOM", "CALLERS", "WHO"]);
    for (room, calls) in &rooms {
        let who: Vec<&str> = calls.iter().map(|cdr| cdr.from.as_str()).collect();
        table.row(&[room, &calls.len().to_string(), &who.join(", ")]);
    }
    Ok(Outcome::said(table.fitted()))
}
