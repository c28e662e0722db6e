//! A dialogue written in YAML: greeting, intents by phrases, menus by keys, slots, says, transfer and
//! hang-up actions.

/// A dialogue that has been read and checked.
#[derive(Debug)]
pub struct Dialogue {}

/// What is wrong with a dialogue: file, line, key, what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct DialogueError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// Key, fault, and what was expected.
    pub message: String,
}

#[allow(clippy::todo, unused_variables, clippy::missing_errors_doc)]
impl Dialogue {
    /// Reads and checks one. `file` is named in errors.
    pub fn parse(file: &str, yaml: &str) -> Result<Self, DialogueError> {
        todo!()
    }
    /// The example that is compiled in (`agent/flows/…`).
    #[must_use]
    pub fn example() -> Self {
        todo!()
    }
}
