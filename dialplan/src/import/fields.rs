//! The keys of one trunk or rule, read one by one; what nobody asked for is an error.

use super::find::snake;
use super::{ImportError, wrong};
use crate::{Encryption, HeaderMapping, IncludeHeaders, MediaTerms};
use std::collections::BTreeMap;
use trunkline_yaml::{Node, Value, nearest};

pub(super) struct Fields<'a> {
    /// `trunk` or `rule`, or what in it.
    path: String,
    /// In snake_case.
    entries: Vec<(String, u64, &'a Node)>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(node: &'a Node, path: &str) -> Result<Self, ImportError> {
        let Value::Map(entries) = &node.value else { return Err(wrong(node, path, "keys and values")) };
        let mut fields: Vec<(String, u64, &Node)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = snake(&entry.key);
            if fields.iter().any(|(other, ..)| *other == key) {
                let message = format!("{path}.{key}: expected once, found again in another spelling");
                return Err(ImportError { line: entry.line, message });
            }
            fields.push((key, entry.line, &entry.value));
        }
        Ok(Self { path: path.into(), entries: fields, known: Vec::new() })
    }

    /// The first of a key's names that is there.
    pub(super) fn take(&mut self, names: &[&'static str]) -> Option<&'a Node> {
        self.known.extend(names);
        self.entries
            .iter()
            .find(|(key, _, node)| names.contains(&key.as_str()) && node.value != Value::Null)
            .map(|(.., node)| *node)
    }

    pub(super) fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// A text; a number is taken as it is written. Empty when it is not there.
    pub(super) fn text(&mut self, names: &[&'static str]) -> Result<String, ImportError> {
        let Some(node) = self.take(names) else { return Ok(String::new()) };
        match &node.value {
            Value::Text(text) | Value::Number(text) => Ok(text.clone()),
            _ => Err(wrong(node, &self.path(names.first().unwrap_or(&"")), "a text")),
        }
    }

    /// A list of texts; one text is a list of one.
    pub(super) fn texts(&mut self, names: &[&'static str]) -> Result<Vec<String>, ImportError> {
        let Some(node) = self.take(names) else { return Ok(Vec::new()) };
        let path = self.path(names.first().unwrap_or(&""));
        let text = |node: &Node| match &node.value {
            Value::Text(text) | Value::Number(text) => Ok(text.trim().to_owned()),
            _ => Err(wrong(node, &path, "a list of texts")),
        };
        match &node.value {
            Value::List(items) => items.iter().map(text).collect(),
            _ => Ok(vec![text(node)?]),
        }
    }

    pub(super) fn flag(&mut self, names: &[&'static str]) -> Result<bool, ImportError> {
        match self.take(names) {
            None => Ok(false),
            Some(Node { value: Value::Bool(value), .. }) => Ok(*value),
            Some(node) => Err(wrong(node, &self.path(names.first().unwrap_or(&"")), "true or false")),
        }
    }

    pub(super) fn count(&mut self, name: &'static str) -> Result<u32, ImportError> {
        let Some(node) = self.take(&[name]) else { return Ok(0) };
        let number = if let Value::Number(text) = &node.value { text.parse().ok() } else { None };
        number.ok_or_else(|| wrong(node, &self.path(name), "a whole number, 0 for no limit"))
    }

    pub(super) fn map(&mut self, name: &'static str) -> Result<BTreeMap<String, String>, ImportError> {
        let Some(node) = self.take(&[name]) else { return Ok(BTreeMap::new()) };
        let path = self.path(name);
        let Value::Map(entries) = &node.value else { return Err(wrong(node, &path, "keys and values")) };
        let text = |node: &Node| node.scalar().map(str::to_owned).ok_or_else(|| wrong(node, &path, "texts"));
        entries.iter().map(|entry| Ok((entry.key.clone(), text(&entry.value)?))).collect()
    }

    /// How headers and attributes turn into each other.
    pub(super) fn mapping(&mut self) -> Result<HeaderMapping, ImportError> {
        let include_headers = match self.word("include_headers")?.as_deref() {
            None | Some("SIP_NO_HEADERS" | "0") => IncludeHeaders::None,
            Some("SIP_X_HEADERS" | "1") => IncludeHeaders::XHeaders,
            Some("SIP_ALL_HEADERS" | "2") => IncludeHeaders::All,
            Some(_) => {
                return Err(
                    self.no_such("include_headers", "SIP_NO_HEADERS, SIP_X_HEADERS or SIP_ALL_HEADERS")
                );
            }
        };
        Ok(HeaderMapping {
            headers: self.map("headers")?,
            headers_to_attributes: self.map("headers_to_attributes")?,
            attributes_to_headers: self.map("attributes_to_headers")?,
            include_headers,
        })
    }

    /// SRTP or not.
    pub(super) fn media(&mut self) -> Result<MediaTerms, ImportError> {
        let encryption = match self.word("media_encryption")?.as_deref() {
            None => None,
            Some("SIP_MEDIA_ENCRYPT_DISABLE" | "0") => Some(Encryption::Disable),
            Some("SIP_MEDIA_ENCRYPT_ALLOW" | "1") => Some(Encryption::Allow),
            Some("SIP_MEDIA_ENCRYPT_REQUIRE" | "2") => Some(Encryption::Require),
            Some(_) => {
                let expected =
                    "SIP_MEDIA_ENCRYPT_DISABLE, SIP_MEDIA_ENCRYPT_ALLOW or SIP_MEDIA_ENCRYPT_REQUIRE";
                return Err(self.no_such("media_encryption", expected));
            }
        };
        Ok(MediaTerms { encryption, ..MediaTerms::default() })
    }

    fn word(&mut self, name: &'static str) -> Result<Option<String>, ImportError> {
        let word = self.text(&[name])?;
        Ok((!word.is_empty()).then_some(word))
    }

    fn no_such(&mut self, name: &'static str, expected: &str) -> ImportError {
        let path = self.path(name);
        match self.take(&[name]) {
            Some(node) => wrong(node, &path, expected),
            None => ImportError { line: 0, message: path },
        }
    }

    /// Keys of livekit that are known and do nothing here; told unless they are empty.
    pub(super) fn without_effect(&mut self, names: &[&'static str], why: &str, notes: &mut Vec<String>) {
        self.known.extend(names);
        for (key, line, node) in &self.entries {
            let empty = match &node.value {
                Value::Null | Value::Bool(false) => true,
                Value::Bool(true) => false,
                Value::Number(text) => text == "0",
                Value::Text(text) => text.is_empty(),
                Value::List(items) => items.is_empty(),
                Value::Map(entries) => entries.is_empty(),
            };
            if names.contains(&key.as_str()) && !empty {
                notes.push(format!("line {line}: {}.{key} has no effect: {why}", self.path));
            }
        }
    }

    pub(super) fn finish(self) -> Result<(), ImportError> {
        let Some((key, line, _)) = self.entries.iter().find(|(key, ..)| !self.known.contains(&key.as_str()))
        else {
            return Ok(());
        };
        let advice = match nearest(key, self.known.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("expected one of {}", self.known.join(", ")),
        };
        let shown: String = key.escape_debug().take(60).collect();
        Err(ImportError { line: *line, message: format!("{}.{shown}: unknown key; {advice}", self.path) })
    }
}
