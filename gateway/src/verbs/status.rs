//! `trunkline status`.

use super::{Failure, Outcome, counted};
use crate::cli::Context;
use crate::control::client::Client;
use crate::shown::Shown;
use serde_json::Value;
use std::fmt::Write;

/// Asks the running trunkline.
pub fn run(context: &Context) -> Result<Outcome, Failure> {
    let status = Client::connect(&context.config.state_dir)?.get("/status")?;
    Ok(if context.json { Outcome::json(&status) } else { Outcome::said(text(&status)) })
}

fn text(status: &Value) -> String {
    let word = |key: &str| Shown(status.get(key).and_then(Value::as_str).unwrap_or("?")).to_string();
    let number = |group: &str, key: &str| {
        status.get(group).unwrap_or(status).get(key).and_then(Value::as_u64).unwrap_or(0)
    };
    let yes = |key: &str| status.get(key).and_then(Value::as_bool).unwrap_or(false);
    let mut text = format!(
        "trunkline {}, pid {}, up for {}\n",
        word("version"),
        number("", "pid"),
        super::moment::length(number("", "uptime_s") * 1_000_000)
    );
    let sip: Vec<String> = status
        .get("sip")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|address| Shown(address).to_string())
        .collect();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  SIP      {}", sip.join(", "));
    let _ = writeln!(text, "  agent    {}", word("agent"));
    if yes("draining") {
        text.push_str("  draining: new calls are refused\n");
    }
    if yes("full") {
        text.push_str("  full: limits.calls or max_cpu_utilization is reached\n");
    }
    if yes("open") {
        text.push_str(
            "  open: no trunk is set up, so anybody may call; `trunkline trunk add` closes the door\n",
        );
    }
    let count = |key, noun| counted(usize::try_from(number("counts", key)).unwrap_or(usize::MAX), noun);
    let _ = writeln!(
        text,
        "  now      {}, {}, {} with {}, {}, {}, {}",
        count("calls", "call"),
        count("agents", "agent session"),
        count("rooms", "room"),
        count("participants", "participant"),
        count("legs", "leg"),
        count("dialogs", "dialog"),
        count("transactions", "transaction"),
    );
    let total = |key| number("totals", key);
    let _ = writeln!(
        text,
        "  so far   {} in, {} out, {} answered, {} refused",
        total("inbound"),
        total("outbound"),
        total("answered"),
        total("refused")
    );
    let (flood, malformed, lost) = (total("over_budget"), total("malformed"), total("timeline_lost"));
    if flood + malformed + lost > 0 {
        let _ = writeln!(
            text,
            "           {flood} datagrams over budget, {malformed} messages malformed, {lost} timeline entries lost"
        );
    }
    text
}
