//! One entry of a timeline as a line for people.

use crate::shown::Shown;
use std::fmt::Write;
use trunkline_records::{Entry, What};

/// `←` came from the wire, `→` went out. `full`: SIP messages whole, indented below their first line, and
/// how sure the recogniser was: engines have scales of their own, which say little to a person.
#[must_use]
pub fn line(entry: &Entry, full: bool) -> String {
    match &entry.what {
        What::Sip { sent, transport, remote, text, .. } => {
            let arrow = if *sent { '→' } else { '←' };
            let first = text.lines().next().unwrap_or_default();
            let mut line = format!("{arrow} {}  ({} {})", Shown(first), Shown(transport), Shown(remote));
            if full {
                for header in text.lines().skip(1) {
                    // Writing to a String cannot fail.
                    let _ = write!(line, "\n               {}", Shown(header));
                }
            }
            line
        }
        What::State { state, why } if why.is_empty() => format!("● {}", Shown(state)),
        What::State { state, why } => format!("● {}: {}", Shown(state), Shown(why)),
        What::Media { text } => format!("♪ {}", Shown(text)),
        What::Dtmf { digit, received, how, ms } => {
            let whose = if *received { "caller pressed" } else { "sent" };
            format!("# {whose} {} ({}, {ms} ms)", Shown(&digit.to_string()), Shown(how))
        }
        What::Transcript { caller, text, confidence, interrupted } => {
            let who = if *caller { "caller" } else { "agent" };
            let mut line = format!("\u{201c} {who}: {}", Shown(text));
            if let (true, Some(confidence)) = (full, confidence) {
                let _ = write!(line, " ({:.0} %)", confidence * 100.0);
            }
            if *interrupted {
                line.push_str(" [interrupted]");
            }
            line
        }
        What::Decision { what, why } => format!("◆ {}: {}", Shown(what), Shown(why)),
        What::Fault { text } => format!("! {}", Shown(text)),
        other => format!("? {}", Shown(&format!("{other:?}"))),
    }
}
