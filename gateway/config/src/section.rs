//! A map of the file, read key by key. What is asked for is what is known: [`Section::finish`] refuses the
//! rest, so that a key is declared in the one place that reads it.

use crate::ConfigError;
use crate::value;
use std::net::IpAddr;
use std::time::Duration;
use trunkline_yaml::{Entry, Node, Value, nearest};

pub(crate) struct Section<'a> {
    file: &'a str,
    /// `limits.` or empty.
    path: String,
    entries: &'a [Entry],
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The whole file; `None`: it is empty.
    pub(crate) fn root(file: &'a str, document: Option<&'a Node>) -> Result<Self, ConfigError> {
        let entries = match document {
            None => &[][..],
            Some(Node { value: Value::Map(entries), .. }) => entries,
            Some(other) => {
                let message = format!("expected keys and values, found {}", other.describe());
                return Err(ConfigError { file: file.into(), line: other.line, message });
            }
        };
        Ok(Self { file, path: String::new(), entries, known: Vec::new() })
    }

    /// The value of a key, if it is there and not left empty.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (entry.value.value != Value::Null).then_some(&entry.value)
    }

    /// A key that is read elsewhere, or not at all here.
    pub(crate) fn know(&mut self, key: &'static str) {
        self.known.push(key);
    }

    /// Is the key in the file? For faults of pairs.
    pub(crate) fn line_of(&self, key: &str) -> Option<u64> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.line)
    }

    /// A fault of a key at a line.
    pub(crate) fn fault(&self, line: u64, key: &str, what: &str) -> ConfigError {
        ConfigError { file: self.file.into(), line, message: format!("{}{key}: {what}", self.path) }
    }

    pub(crate) fn wrong(&self, node: &Node, key: &str, expected: &str) -> ConfigError {
        self.fault(node.line, key, &format!("expected {expected}, found {}", node.describe()))
    }

    /// `file:line: key` for notes.
    pub(crate) fn place(&self, line: u64, key: &str) -> String {
        format!("{}:{line}: {}{key}", self.file, self.path)
    }

    pub(crate) fn section(&mut self, key: &'static str) -> Result<Self, ConfigError> {
        let entries = match self.take(key) {
            None => &[][..],
            Some(Node { value: Value::Map(entries), .. }) => entries,
            Some(other) => return Err(self.wrong(other, key, "keys and values")),
        };
        Ok(Self { file: self.file, path: format!("{}{key}.", self.path), entries, known: Vec::new() })
    }

    pub(crate) fn number(
        &mut self,
        key: &'static str,
        least: u64,
        most: u64,
    ) -> Result<Option<u64>, ConfigError> {
        let Some(node) = self.take(key) else { return Ok(None) };
        let expected = || format!("a whole number from {least} to {most}");
        let Value::Number(text) = &node.value else { return Err(self.wrong(node, key, &expected())) };
        match text.parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(self.wrong(node, key, &expected())),
        }
    }

    pub(crate) fn port(&mut self, key: &'static str, least: u16) -> Result<Option<u16>, ConfigError> {
        let number = self.number(key, least.into(), u16::MAX.into())?;
        Ok(number.and_then(|number| u16::try_from(number).ok()))
    }

    pub(crate) fn size(&mut self, key: &'static str, least: u64) -> Result<Option<usize>, ConfigError> {
        let number = self.number(key, least, 100_000)?;
        Ok(number.and_then(|number| usize::try_from(number).ok()))
    }

    pub(crate) fn count(
        &mut self,
        key: &'static str,
        least: u32,
        most: u32,
    ) -> Result<Option<u32>, ConfigError> {
        let number = self.number(key, least.into(), most.into())?;
        Ok(number.and_then(|number| u32::try_from(number).ok()))
    }

    pub(crate) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        let Some(node) = self.take(key) else { return Ok(None) };
        flag(node).map(Some).ok_or_else(|| self.wrong(node, key, "true or false"))
    }

    /// A text of printable characters; a number is taken as it is written.
    pub(crate) fn text(&mut self, key: &'static str) -> Result<Option<&'a str>, ConfigError> {
        let Some(node) = self.take(key) else { return Ok(None) };
        match &node.value {
            Value::Text(text) | Value::Number(text) if !text.chars().any(char::is_control) => Ok(Some(text)),
            _ => Err(self.wrong(node, key, "a text of one line")),
        }
    }

    pub(crate) fn address(&mut self, key: &'static str) -> Result<Option<IpAddr>, ConfigError> {
        let Some(node) = self.take(key) else { return Ok(None) };
        match node.scalar() {
            Some("") => Ok(None),
            Some(text) => match text.parse() {
                Ok(address) => Ok(Some(address)),
                Err(_) => Err(self.wrong(node, key, "an IP address such as 192.0.2.7 or 2001:db8::7")),
            },
            None => Err(self.wrong(node, key, "an IP address such as 192.0.2.7 or 2001:db8::7")),
        }
    }

    pub(crate) fn duration(
        &mut self,
        key: &'static str,
        least: Duration,
        most: Duration,
    ) -> Result<Option<Duration>, ConfigError> {
        let Some(node) = self.take(key) else { return Ok(None) };
        match value::duration(node) {
            Some((false, duration)) if (least..=most).contains(&duration) => Ok(Some(duration)),
            _ => {
                let range = format!("from {} to {}", value::show(least), value::show(most));
                Err(self.wrong(node, key, &format!("a duration such as 30s or 1h30m, {range}")))
            }
        }
    }

    /// Refuses every key that nobody asked for.
    pub(crate) fn finish(self) -> Result<(), ConfigError> {
        let Some(unknown) = self.entries.iter().find(|entry| !self.known.contains(&entry.key.as_str()))
        else {
            return Ok(());
        };
        let shown: String = unknown.key.escape_debug().take(60).collect();
        let advice = match nearest(&unknown.key, self.known.iter().copied()) {
            // livekit/sip's own documentation once named this one.
            None if unknown.key == "log_level" => "did you mean logging.level?".into(),
            Some(meant) => format!("did you mean {}{meant}?", self.path),
            None => format!("expected one of {}", self.known.join(", ")),
        };
        Err(self.fault(unknown.line, &shown, &format!("unknown key; {advice}")))
    }
}

/// Go's YAML takes these words for a boolean key, too.
fn flag(node: &Node) -> Option<bool> {
    match &node.value {
        Value::Bool(value) => Some(*value),
        Value::Text(text) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" => Some(true),
            "no" | "off" | "n" => Some(false),
            _ => None,
        },
        _ => None,
    }
}
