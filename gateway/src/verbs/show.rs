//! `trunkline calls show`: a call as a person reads it.

use super::{Failure, calls, moment, timeline};
use crate::shown::Shown;
use serde_json::Value;
use std::fmt::Write;
use trunkline_records::{Cdr, Entry};

/// The CDR, the timeline with times since the beginning, the figures.
///
/// # Errors
/// The answer is of another version.
pub fn text(call: &Value, full: bool) -> Result<String, Failure> {
    let field = |key: &str| call.get(key).cloned().unwrap_or_default();
    let other = |error: serde_json::Error| {
        Failure::Failed(format!("the running trunkline is of another version: {error}"))
    };
    let cdr: Cdr = serde_json::from_value(field("cdr")).map_err(other)?;
    let entries: Vec<Entry> = serde_json::from_value(field("timeline")).map_err(other)?;
    let mut text = head(&cdr);
    for entry in &entries {
        // Writing to a String cannot fail.
        let _ =
            writeln!(text, "{:>10}  {}", moment::offset(cdr.started, entry.at), timeline::line(entry, full));
    }
    if entries.is_empty() {
        text.push_str("  (its timeline has been pruned)\n");
    }
    text.push_str(&figures(&cdr));
    Ok(text)
}

fn head(cdr: &Cdr) -> String {
    let mut text = String::new();
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{name:<12}{}", Shown(value));
        }
    };
    field("call", &format!("{} ({})", cdr.id, cdr.direction));
    field("Call-ID", &cdr.sip_call_id);
    field("from", &cdr.from);
    field("to", &cdr.to);
    field("source", &cdr.source);
    field("trunk", cdr.trunk.as_deref().unwrap_or_default());
    field("rule", cdr.rule.as_deref().unwrap_or_default());
    field("went to", &cdr.destination);
    field("began", &format!("{} UTC", moment::date_and_time(cdr.started)));
    if let Some(answered) = cdr.answered {
        field(
            "answered",
            &format!("after {} s", moment::offset(cdr.started, answered).trim_start_matches('+')),
        );
    }
    match cdr.ended {
        Some(ended) => {
            field("lasted", &moment::length(ended.saturating_sub(cdr.answered.unwrap_or(cdr.started))));
            field("ended", &calls::ending(cdr));
        }
        None => field("ended", "not yet"),
    }
    field("recording", cdr.recording.as_deref().unwrap_or_default());
    text.push('\n');
    text
}

/// Codec, loss, jitter, MOS.
fn figures(cdr: &Cdr) -> String {
    let Some(media) = &cdr.media else { return String::new() };
    let number = |key: &str| media.get(key).and_then(Value::as_f64);
    let mut text = format!("\nmedia       {}", Shown(cdr.codec.as_deref().unwrap_or("?")));
    if let (Some(received), Some(sent), Some(lost)) = (number("received"), number("sent"), number("lost")) {
        let all = received + lost;
        let share = if all > 0.0 { lost * 100.0 / all } else { 0.0 };
        let _ = write!(text, ", {received} packets in, {sent} out, {lost} lost ({share:.2} %)");
    }
    if let Some(jitter) = number("jitter_ms") {
        let _ = write!(text, ", jitter {jitter:.1} ms");
    }
    if let Some(round_trip) = number("round_trip_ms") {
        let _ = write!(text, ", round trip {round_trip:.1} ms");
    }
    if let Some(mos) = number("mos") {
        let _ = write!(text, ", MOS {mos:.2}");
    }
    text.push('\n');
    text
}
