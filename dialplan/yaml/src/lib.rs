//! A YAML (or JSON) text as a tree whose nodes remember their lines, for texts that people write: the
//! configuration, and trunks and rules that are imported. Errors about a value that is well-formed but
//! wrong need the line as much as syntax errors do, and keys that nobody knows have to be found.
//!
//! It must never know: what any key means.

mod near;

pub use near::nearest;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// One value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// From 1.
    pub line: u64,
    pub value: Value,
    /// Bytes of the source, for [`parse`] to look up how a number was written.
    source: Option<(usize, usize)>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// A whole number or a fraction, as it is written: `+4930` may be meant as a telephone number.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One `key: value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    /// From 1.
    pub line: u64,
    pub value: Node,
}

/// A text that is no YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// From 1; 0: not known.
    pub line: u64,
    pub message: String,
}

/// Reads all documents of a text; empty ones are left out. Depth, aliases and size are bounded by the
/// reader's budget, so that a hostile text costs no more than a long one.
///
/// # Errors
/// [`Fault`]: syntax, a key twice in one map, an unknown alias.
pub fn parse(text: &str) -> Result<Vec<Node>, Fault> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        // `n` and `no` are texts unless a switch is asked for, as in Go's reader.
        strict_booleans: true,
        budget: serde_saphyr::budget! { max_depth: DEEPEST },
    };
    let mut documents: Vec<Node> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|error| Fault {
            line: error.location().map_or(0, |at| at.line()),
            message: one_line(&error.to_string()),
        })?;
    for document in &mut documents {
        document.restore_numbers(text);
    }
    Ok(documents)
}

/// Deepest nesting. A level costs the reader several frames of stack, and nobody's file goes below ten.
const DEEPEST: usize = 24;

/// serde-saphyr's sentence without the position, which [`Fault::line`] has.
fn one_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let sentence = line.rsplit_once(" at line ").map_or(line, |(sentence, _)| sentence);
    // What to set in the reader's options is of no use to whoever wrote the text.
    sentence.split(", set DuplicateKeyPolicy").next().unwrap_or(sentence).into()
}

impl Node {
    /// What it is, for "found …" in an error. Long texts are cut, control characters escaped.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Bool(value) => value.to_string(),
            Value::Number(text) => text.escape_debug().take(LONGEST).collect(),
            Value::Text(text) => {
                let mut shown: String = text.escape_debug().take(LONGEST).collect();
                if text.chars().nth(LONGEST).is_some() {
                    shown.push('…');
                }
                format!("\"{shown}\"")
            }
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
        }
    }

    /// What kind it is, for errors about values that must not be shown.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The text of a text, number or boolean.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Number(text) | Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// YAML reads `+4930` and `0049` as numbers; what is wanted is what was written.
    fn restore_numbers(&mut self, text: &str) {
        match &mut self.value {
            Value::Number(number) => {
                if let Some(written) = self.source.and_then(|(start, length)| text.get(start..start + length))
                {
                    *number = written.trim().into();
                }
            }
            Value::List(nodes) => nodes.iter_mut().for_each(|node| node.restore_numbers(text)),
            Value::Map(entries) => entries.iter_mut().for_each(|entry| entry.value.restore_numbers(text)),
            Value::Null | Value::Bool(_) | Value::Text(_) => {}
        }
    }
}

/// Most characters of a stranger's value in an error.
const LONGEST: usize = 60;

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<Value>::deserialize(deserializer)?;
        let span = spanned.defined.span();
        let source = span
            .byte_offset()
            .zip(span.byte_len())
            .and_then(|(start, length)| Some((usize::try_from(start).ok()?, usize::try_from(length).ok()?)));
        Ok(Self { line: spanned.referenced.line(), value: spanned.value, source })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }
    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }
    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(key) = pairs.next_key::<Node>()? {
            let Some(name) = key.scalar() else {
                return Err(A::Error::custom(format!("expected a key, found {}", key.describe())));
            };
            entries.push(Entry { key: name.into(), line: key.line, value: pairs.next_value()? });
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_knows_its_line_and_numbers_stay_as_written() {
        let documents = parse("a: 1\nb:\n  - +4930\n  - \"0049\"\n  - 30s\n---\n{\"c\": true}\n").unwrap();
        let [first, second] = documents.as_slice() else { panic!("{documents:?}") };
        let Some(Node { value: Value::List(list), .. }) = first.get("b") else { panic!("{first:?}") };
        let seen: Vec<_> = list.iter().map(|node| (node.line, node.scalar().unwrap())).collect();
        assert_eq!(seen, [(3, "+4930"), (4, "0049"), (5, "30s")]);
        assert_eq!(list[0].kind(), "a number");
        assert_eq!(list[1].kind(), "a text");
        assert_eq!(second.get("c").unwrap().value, Value::Bool(true));
        assert_eq!(second.line, 7);
    }

    #[test]
    fn an_empty_text_has_no_documents() {
        for text in ["", "\n\n", "# nothing\n", "---\n"] {
            assert_eq!(parse(text), Ok(vec![]), "{text:?}");
        }
    }

    #[test]
    fn a_fault_names_its_line_in_one_sentence() {
        for (text, line) in [("a: 1\nb: [1\nc: 2\n", 3), ("a: 1\na: 2\n", 2), ("a: *nobody\n", 1)] {
            let fault = parse(text).unwrap_err();
            println!("{fault:?}");
            assert_eq!(fault.line, line, "{fault:?}");
            assert!(!fault.message.contains('\n') && !fault.message.is_empty(), "{fault:?}");
        }
    }

    #[test]
    fn a_hostile_depth_is_a_fault_and_no_overflow() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"a: {".repeat(50_000)).is_err());
    }
}
