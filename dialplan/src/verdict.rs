//! What becomes of a call, and why: for the log, for `rule test`, for the timeline.

use serde::Serialize;
use std::fmt::{self, Write};

/// What becomes of a call.
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Credentials are wanted first: the trunk's.
    Challenge { trunk: String, realm: String, username: String, password: String },
    /// A PIN is wanted: answer, ask, evaluate again. `wrong`: one was typed and it opened nothing.
    AskPin { trunk: Option<String>, wrong: bool },
    /// Into a room.
    Room {
        trunk: Option<String>,
        rule: String,
        room: String,
        /// Free in the room or not: a suffix on conflict is the room's affair.
        identity: String,
        name: String,
        /// The rule's, then ours (`sip.trunkID`, `sip.ruleID`, and unless hidden `sip.phoneNumber`,
        /// `sip.hostname`, `sip.trunkPhoneNumber`). `sip.callID` is the gateway's to add.
        attributes: Vec<(String, String)>,
    },
    /// To the agent. `dialogue` empty: the configured one.
    Agent { trunk: Option<String>, rule: Option<String>, dialogue: String },
    /// Refused: SIP status and a sentence for the log.
    Reject { status: u16, reason: String },
}

impl fmt::Debug for Verdict {
    /// As `Display`: without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge { trunk, realm, username, .. } => write!(
                f,
                "challenge for trunk {}: realm \"{}\", user \"{}\"",
                Shown(trunk),
                Shown(realm),
                Shown(username)
            ),
            Self::AskPin { wrong: false, .. } => f.write_str("answer and ask for a PIN"),
            Self::AskPin { wrong: true, .. } => f.write_str("the PIN is wrong; ask again or hang up"),
            Self::Room { rule, room, identity, .. } => {
                write!(f, "room \"{}\" as \"{}\", by rule {}", Shown(room), Shown(identity), Shown(rule))
            }
            Self::Agent { rule, dialogue, .. } => {
                f.write_str("the agent")?;
                if !dialogue.is_empty() {
                    write!(f, " with dialogue \"{}\"", Shown(dialogue))?;
                }
                match rule {
                    Some(rule) => write!(f, ", by rule {}", Shown(rule)),
                    None => f.write_str(", because no rule is set up"),
                }
            }
            Self::Reject { status, reason } => write!(f, "reject with {status}: {}", Shown(reason)),
        }
    }
}

/// Why a trunk or rule took a call or did not. Holds no password and no PIN; what the caller sent is escaped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// `trunk` or `rule`.
    pub kind: &'static str,
    pub id: String,
    pub name: String,
    /// Did it take the call?
    pub chosen: bool,
    /// `+15550100 is not among its numbers (+15550199)`
    pub why: String,
}

/// The verdict with the reasons of every trunk and rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    pub verdict: Verdict,
    pub reasons: Vec<Reason>,
}

impl Evaluation {
    /// Lines for a person: the verdict, then each trunk and rule, `*` before what was chosen.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = format!("{}\n", self.verdict);
        for Reason { kind, id, name, chosen, why } in &self.reasons {
            let mark = if *chosen { '*' } else { ' ' };
            let name = if name.is_empty() { String::new() } else { format!(" ({})", Shown(name)) };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{mark} {kind} {}{name}: {why}", Shown(id));
        }
        text
    }
}

/// Text from outside, with everything that would move a terminal's cursor or split a log line escaped.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// A list for a sentence: the first few entries, then how many more.
pub(crate) fn list(entries: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = String::new();
    for (i, entry) in entries.iter().take(SHOWN).enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{}", Shown(entry));
    }
    if entries.len() > SHOWN {
        let _ = write!(text, " and {} more", entries.len() - SHOWN);
    }
    text
}
