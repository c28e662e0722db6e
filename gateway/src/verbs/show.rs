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
    match &cdr.encryption {
        Some(suite) => {
            let _ = write!(text, ", encrypted ({})", Shown(suite));
        }
        None => text.push_str(", not encrypted"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call() -> Value {
        let sip = |at: u64, sent: bool, text: &str| {
            json!({ "at": at, "kind": "sip", "sent": sent, "transport": "udp",
                    "local": "10.0.0.1:5060", "remote": "10.0.0.2:5062", "text": text })
        };
        json!({
            "cdr": {
                "id": "SCL_1", "sip_call_id": "x@y", "direction": "inbound", "from": "+1555\u{1b}[2J", "to": "agent",
                "source": "10.0.0.2:5062", "destination": "agent", "started": 1_709_210_096_000_000_u64,
                "answered": 1_709_210_096_004_000_u64, "ended": 1_709_210_103_000_000_u64, "status": 200,
                "end": "the caller hung up", "codec": "PCMU",
                "media": { "received": 349, "sent": 350, "lost": 1, "jitter_ms": 1.25, "mos": 4.375 }
            },
            "timeline": [
                sip(1_709_210_096_000_000, false, "INVITE sip:agent@10.0.0.1 SIP/2.0\r\nVia: v\r\n\r\n"),
                { "at": 1_709_210_096_001_000_u64, "kind": "decision", "what": "the agent", "why": "no rule is set up" },
                sip(1_709_210_096_004_000, true, "SIP/2.0 200 OK\r\nVia: v\r\n\r\n"),
                { "at": 1_709_210_096_004_000_u64, "kind": "state", "state": "answered", "why": "" },
                { "at": 1_709_210_098_500_000_u64, "kind": "dtmf", "digit": "5", "received": true, "how": "rfc4733", "ms": 100 },
                { "at": 1_709_210_099_000_000_u64, "kind": "transcript", "caller": true, "text": "good\nbye",
                  "confidence": 0.9, "interrupted": false }
            ]
        })
    }

    #[test]
    fn a_call_is_shown_with_offsets_arrows_and_figures() {
        assert_eq!(
            text(&call(), false).expect("shown"),
            "call        SCL_1 (inbound)\n\
             Call-ID     x@y\n\
             from        +1555\\u{1b}[2J\n\
             to          agent\n\
             source      10.0.0.2:5062\n\
             went to     agent\n\
             began       2024-02-29 12:34:56 UTC\n\
             answered    after 0.004 s\n\
             lasted      0:06\n\
             ended       200 the caller hung up\n\
             \n    \
                 +0.000  ← INVITE sip:agent@10.0.0.1 SIP/2.0  (udp 10.0.0.2:5062)\n    \
                 +0.001  ◆ the agent: no rule is set up\n    \
                 +0.004  → SIP/2.0 200 OK  (udp 10.0.0.2:5062)\n    \
                 +0.004  ● answered\n    \
                 +2.500  # caller pressed 5 (rfc4733, 100 ms)\n    \
                 +3.000  \u{201c} caller: good\\u{a}bye\n\
             \n\
             media       PCMU, not encrypted, 349 packets in, 350 out, 1 lost (0.29 %), jitter 1.2 ms, MOS 4.38\n"
        );
    }

    #[test]
    fn in_full_the_headers_stand_below_the_first_line() {
        let text = text(&call(), true).expect("shown");
        assert!(text.contains("SIP/2.0  (udp 10.0.0.2:5062)\n               Via: v\n"), "{text}");
    }
}
