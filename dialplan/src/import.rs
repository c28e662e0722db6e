//! Trunks and dispatch rules from the texts that livekit's users have: YAML of any number of documents,
//! what `lk sip … create` takes and `lk sip … list --json` gives, values of a chart, pages of Markdown with
//! such texts in them; keys in snake_case or camelCase.

mod fields;
mod find;
mod outbound;
mod rule;
mod trunk;

use crate::{DispatchRule, OutboundTrunk, Trunk};
use std::fmt::Write;
use trunkline_yaml::Node;

/// What a text holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imported {
    /// Without ids where the text gives none.
    pub trunks: Vec<Trunk>,
    pub rules: Vec<DispatchRule>,
    /// Trunks through which calls go out.
    pub outbound: Vec<OutboundTrunk>,
    /// What was left out or has no effect, a sentence each, with its line.
    pub notes: Vec<String>,
}

/// A text that cannot be imported. Nothing of it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ImportError {
    /// From 1.
    pub line: u64,
    /// `trunk.allowed_adresses: unknown key; did you mean allowed_addresses?`
    pub message: String,
}

/// Reads trunks and rules. A key inside a trunk or rule that nobody knows is an error, because a misspelt
/// `allowed_addresses` would let everybody in; what stands around them is left out with a note.
///
/// # Errors
/// [`ImportError`]: no YAML or JSON, an unknown key, a wrong type, a trunk or rule that cannot be, or none at all.
pub fn import(text: &str) -> Result<Imported, ImportError> {
    let fenced = fenced(text);
    let documents = trunkline_yaml::parse(fenced.as_deref().unwrap_or(text))
        .map_err(|fault| ImportError { line: fault.line.max(1), message: fault.message })?;
    let mut imported = Imported::default();
    for document in &documents {
        let found = find::find(document);
        if found.is_empty() {
            imported.notes.push(format!("line {}: left out: no trunk or dispatch rule in it", document.line));
        }
        for what in found {
            match what {
                find::Found::Trunk(node) => imported.trunks.extend(trunk::read(node, &mut imported.notes)?),
                find::Found::Rule(node) => imported.rules.push(rule::read(node, &mut imported.notes)?),
                find::Found::Outbound(node) => {
                    imported.outbound.extend(outbound::read(node, &mut imported.notes)?);
                }
                find::Found::Other(line, key) => {
                    imported.notes.push(format!("line {line}: {key}: left out: no trunk or dispatch rule"));
                }
            }
        }
    }
    if imported.trunks.is_empty() && imported.rules.is_empty() && imported.outbound.is_empty() {
        let message =
            "expected a trunk or a dispatch rule (trunk:, dispatch_rule:, or what lk sip takes), found none";
        return Err(ImportError {
            line: documents.first().map_or(1, |node| node.line),
            message: message.into(),
        });
    }
    join(&mut imported);
    Ok(imported)
}

/// In examples the one rule names the one trunk by a made-up id, because LiveKit gives the true one: so the
/// trunk gets that id, and the text works as it stands.
fn join(imported: &mut Imported) {
    let [trunk] = imported.trunks.as_mut_slice() else { return };
    let mut names: Vec<&String> = imported.rules.iter().flat_map(|rule| &rule.trunk_ids).collect();
    names.sort_unstable();
    names.dedup();
    if let ([id], true) = (names.as_slice(), trunk.id.is_empty()) {
        trunk.id.clone_from(id);
        imported.notes.push(format!(
            "trunk \"{}\" gets the id {} that the dispatch rule names",
            crate::verdict::Shown(&trunk.name),
            crate::verdict::Shown(id)
        ));
    }
}

/// The YAML and JSON of a page of Markdown, each block a document, every line where it was; `None`: no
/// such page.
fn fenced(text: &str) -> Option<String> {
    let opens = |line: &str| matches!(line.trim(), "```yaml" | "```yml" | "```json");
    if !text.lines().any(opens) {
        return None;
    }
    let mut inside = false;
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        let _ = match line.trim() {
            _ if opens(line) && !inside => {
                inside = true;
                writeln!(kept, "---")
            }
            "```" => {
                inside = false;
                writeln!(kept)
            }
            _ if inside => writeln!(kept, "{line}"),
            _ => writeln!(kept),
        };
    }
    Some(kept)
}

/// A fault at a node.
fn wrong(node: &Node, path: &str, expected: &str) -> ImportError {
    ImportError {
        line: node.line,
        message: format!("{path}: expected {expected}, found {}", node.describe()),
    }
}
