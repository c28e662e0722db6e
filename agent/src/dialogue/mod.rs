//! A dialogue written in YAML: greeting, intents by phrases, menus by keys, slots, says, transfer and
//! hang-up actions. Every key of the file is told in `docs/dialogue.md`.
//!
//! [`Dialogue::parse`] reads and checks a file; a [`Conversation`] is one call's way through it: pure, told
//! what the caller said or pressed, it answers what is to be said and done.

mod check;
mod conversation;
mod file;
mod guess;
mod intent;
mod phrase;
mod slot;
mod sound;
mod template;

#[cfg(test)]
mod tests;

pub use conversation::{After, Answer, Conversation};

use std::time::Duration;
use template::Template;

/// A dialogue that has been read and checked.
#[derive(Debug)]
pub struct Dialogue {
    facts: Vec<(String, String)>,
    utc_offset: i32,
    greeting: Reply,
    intents: Vec<Intent>,
    menus: Vec<Menu>,
    slots: Vec<Slot>,
    no_input_after: Duration,
    no_input: Reprompt,
    no_match: Reprompt,
    /// "Did you mean {guess}?"
    guess: Template,
    failure: String,
    transfer_failed: String,
    phrases: Vec<String>,
    /// How many replies there are; each counts its turns on its own.
    replies: usize,
}

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

#[derive(Debug)]
struct Reply {
    number: usize,
    says: Vec<Template>,
    next: Next,
    barge_in: bool,
}

impl Reply {
    /// It cannot be taken back.
    fn sends_away(&self) -> bool {
        matches!(self.next, Next::HangUp | Next::Transfer(_))
    }
}

#[derive(Debug)]
enum Next {
    Listen,
    Ask(usize),
    Menu(usize),
    Transfer(Template),
    HangUp,
    Repeat,
}

#[derive(Debug)]
struct Intent {
    name: String,
    phrases: Vec<Phrase>,
    /// What it is about, to ask whether it was meant.
    about: Option<Template>,
    reply: Reply,
}

/// Words; behind them a slot may be filled at once ("my name is {name}").
#[derive(Debug)]
struct Phrase {
    words: Vec<String>,
    /// As a recogniser's dictionary spells it.
    spelled: String,
    slot: Option<usize>,
}

#[derive(Debug)]
struct Menu {
    name: String,
    say: Template,
    keys: Vec<(char, Reply)>,
}

#[derive(Debug)]
struct Slot {
    name: String,
    ask: Template,
    again: Option<Template>,
    takes: slot::Takes,
    strip: Vec<Phrase>,
    then: Reply,
}

#[derive(Debug)]
struct Reprompt {
    says: Vec<Template>,
    then: Option<Reply>,
}

impl Dialogue {
    /// Reads and checks one. `file` is named in errors.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with its line.
    pub fn parse(file: &str, yaml: &str) -> Result<Self, DialogueError> {
        check::dialogue(yaml).map_err(|fault| DialogueError {
            file: file.to_owned(),
            line: fault.line,
            message: fault.message,
        })
    }

    /// The example that is compiled in: `agent/flows/front-desk.yaml`.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    #[allow(clippy::panic, reason = "the file is compiled in, and a test reads it")]
    pub fn example() -> Self {
        match Self::parse("front-desk.yaml", include_str!("../../flows/front-desk.yaml")) {
            Ok(dialogue) => dialogue,
            Err(error) => panic!("{error}"),
        }
    }

    /// What callers are expected to say, for a recogniser that hears expected words better: whole
    /// phrases and single words, in lower case, each once.
    #[must_use]
    pub fn phrases(&self) -> &[String] {
        &self.phrases
    }

    /// How long a silent caller is waited for.
    #[must_use]
    pub fn no_input_after(&self) -> Duration {
        self.no_input_after
    }

    /// What is said when the agent cannot hear or think.
    #[must_use]
    pub fn failure(&self) -> &str {
        &self.failure
    }

    /// Texts that are the same for every call, the facts of the file in their places: worth rendering ahead.
    #[must_use]
    pub fn fixed_texts(&self) -> Vec<String> {
        let value = |name: &str| self.facts.iter().find(|(fact, _)| fact == name).map(|(_, value)| value);
        let fixed = |template: &&Template| template.names().all(|name| value(name).is_some());
        let fill =
            |template: &Template| template.fill(|name| value(name).map(|value| template::spoken(value)));
        let replies = self.intents.iter().map(|intent| &intent.reply);
        let replies =
            replies.chain(self.menus.iter().flat_map(|menu| menu.keys.iter().map(|(_, reply)| reply)));
        let replies = replies.chain(self.slots.iter().map(|slot| &slot.then));
        let replies =
            replies.chain([&self.no_match, &self.no_input].into_iter().filter_map(|r| r.then.as_ref()));
        let prompts = self.no_match.says.iter().chain(&self.no_input.says);
        let prompts = prompts.chain(self.menus.iter().map(|menu| &menu.say));
        let prompts = prompts.chain(self.slots.iter().flat_map(|slot| slot.again.iter().chain([&slot.ask])));
        replies.flat_map(|reply| &reply.says).chain(prompts).filter(fixed).map(fill).collect()
    }
}
