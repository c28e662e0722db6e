//! One call's way through a dialogue: what the caller said or pressed in, what is to be said and done out.

use super::guess::guess;
use super::intent::intent;
use super::phrase::words;
use super::slot::{Takes, Value, is_yes_or_no, spoken_key};
use super::template::{Template, spoken, time_of_day};
use super::{Dialogue, Next, Reply};
use std::sync::Arc;

/// What happens when the agent has said its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// It listens.
    Listen,
    /// It hangs up.
    HangUp {
        /// Why.
        reason: String,
    },
    /// It sends the caller there.
    Transfer {
        /// A number or a SIP address.
        to: String,
    },
}

/// What the agent says and does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it says; may be empty.
    pub text: String,
    /// And then.
    pub after: After,
    /// May the caller talk over it?
    pub barge_in: bool,
    /// What was decided, and why, in order.
    pub decisions: Vec<(String, String)>,
}

/// A conversation. Knows no clock: what the time is it is told.
#[derive(Debug)]
pub struct Conversation {
    dialogue: Arc<Dialogue>,
    facts: Vec<(String, String)>,
    values: Vec<Option<String>>,
    /// How often each reply was given, so that its texts take turns.
    turns: Vec<usize>,
    asking: Option<usize>,
    menu: Option<usize>,
    typed: String,
    /// The intent of which the caller was asked whether it was meant.
    guessed: Option<usize>,
    last: String,
    silences: usize,
    misses: usize,
    unix: u64,
}

/// Letters of a fact that are spoken: facts come from strangers, too.
const FACT: usize = 80;

/// Recognition that is less sure than this has heard something, and hardly what it says: of what is heard
/// right, noise or not, nine in ten have 0.06 and more.
const DOUBTFUL: f32 = 0.04;

type Decisions = Vec<(String, String)>;

impl Conversation {
    /// A new one. `facts` go before those of the file.
    #[must_use]
    pub fn new(dialogue: Arc<Dialogue>, facts: Vec<(String, String)>) -> Self {
        let short = |(name, value): (String, String)| (name, value.chars().take(FACT).collect());
        let facts = facts.into_iter().map(short).collect();
        let (values, turns) = (vec![None; dialogue.slots.len()], vec![0; dialogue.replies]);
        Self {
            dialogue,
            facts,
            values,
            turns,
            asking: None,
            menu: None,
            typed: String::new(),
            guessed: None,
            last: String::new(),
            silences: 0,
            misses: 0,
            unix: 0,
        }
    }

    /// Tells the time: seconds since 1970, UTC.
    pub fn set_clock(&mut self, unix_seconds: u64) {
        self.unix = unix_seconds;
    }

    /// The greeting.
    pub fn begin(&mut self) -> Answer {
        let dialogue = Arc::clone(&self.dialogue);
        self.answer(&dialogue.greeting, Vec::new())
    }

    /// Could no further word of the caller change what this means? Then nobody waits for one.
    #[must_use]
    pub fn is_sure(&self, text: &str) -> bool {
        let heard = words(text);
        if self.guess_answered(&heard).is_some() {
            return true;
        }
        match self.value_asked_for(&heard) {
            Some((_, value)) if value.sure => return true,
            Some(_) => {}
            None if self.asking.is_none() && self.menu_key_said(&heard).is_some() => return true,
            None => {}
        }
        let text_follows = |slot: Option<usize>| {
            slot.and_then(|s| self.dialogue.slots.get(s)).map(|s| &s.takes) == Some(&Takes::Text)
        };
        intent(&self.dialogue, &heard).is_some_and(|found| {
            found.fit.sure && found.value.as_ref().map_or(!text_follows(found.slot), |value| value.sure)
        })
    }

    /// Would this be understood?
    #[must_use]
    pub fn understands(&self, text: &str) -> bool {
        let heard = words(text);
        self.guess_answered(&heard).is_some()
            || self.value_asked_for(&heard).is_some()
            || (self.asking.is_none() && self.menu_key_said(&heard).is_some())
            || intent(&self.dialogue, &heard).is_some()
    }

    /// The caller has said this.
    pub fn heard(&mut self, text: &str) -> Answer {
        self.heard_as(text, None)
    }

    /// The caller has said this, as far as recognition is sure of it (0..=1). Of what it is not sure at all
    /// nobody is hung up on or transferred without being asked.
    pub fn heard_as(&mut self, text: &str, confidence: Option<f32>) -> Answer {
        let doubtful = confidence.is_some_and(|confidence| confidence < DOUBTFUL);
        let dialogue = Arc::clone(&self.dialogue);
        let heard = words(text);
        self.silences = 0;
        let answered = self.guess_answered(&heard);
        let guessed = self.guessed.take();
        match (guessed.and_then(|at| dialogue.intents.get(at)), answered) {
            (Some(intent), Some(true)) => {
                self.misses = 0;
                let why = "the caller said that it was meant".to_owned();
                return self.answer(&intent.reply, vec![(format!("intent {}", intent.name), why)]);
            }
            (Some(_), Some(false)) => return self.no_match(),
            _ => {}
        }
        let asked = self.value_asked_for(&heard);
        if let Some((slot, value)) = asked.as_ref().filter(|(_, value)| value.sure) {
            return self.fill(*slot, &value.text, "said by the caller", Vec::new());
        }
        if self.asking.is_none()
            && !doubtful
            && let Some(key) = self.menu_key_said(&heard)
            && let Some(answer) = self.key(key)
        {
            return answer;
        }
        let found = intent(&dialogue, &heard);
        // While a name is asked for, only whole phrases lead elsewhere.
        if let Some(found) = found.filter(|found| asked.is_none() || found.fit.sure) {
            if matches!(found.intent.reply.next, Next::Repeat) {
                self.guessed = guessed;
            }
            self.misses = 0;
            let why = format!("heard \"{}\"", found.phrase);
            if doubtful
                && found.intent.reply.sends_away()
                && let Some(answer) = self.ask_whether(found.at, why.clone())
            {
                return answer;
            }
            let mut decisions = vec![(format!("intent {}", found.intent.name), why)];
            if let (Some(slot), Some(value)) = (found.slot, &found.value) {
                let value = value.text.clone();
                self.keep(slot, &value, "said with the phrase", &mut decisions);
            }
            return self.answer(&found.intent.reply, decisions);
        }
        match asked {
            Some((slot, value)) => self.fill(slot, &value.text, "said by the caller", Vec::new()),
            None => self.guess(&heard).unwrap_or_else(|| self.no_match()),
        }
    }

    /// No phrase fits: something that sounds like one may have been meant.
    fn guess(&mut self, heard: &[String]) -> Option<Answer> {
        let dialogue = Arc::clone(&self.dialogue);
        // Who asks for a name is not answered with the opening hours.
        let guess = guess(&dialogue, heard).filter(|_| self.asking.is_none())?;
        let (name, why) = (&guess.intent.name, format!("it sounds like \"{}\"", guess.phrase));
        if guess.near {
            self.misses = 0;
            return Some(self.answer(&guess.intent.reply, vec![(format!("intent {name}"), why)]));
        }
        self.ask_whether(guess.at, why)
    }

    /// "Did you mean …?"
    fn ask_whether(&mut self, intent: usize, why: String) -> Option<Answer> {
        let dialogue = Arc::clone(&self.dialogue);
        let asked = dialogue.intents.get(intent)?;
        let about = self.fill_in(asked.about.as_ref()?);
        let text = dialogue.guess.fill(|name| {
            if name == "guess" { Some(about.clone()) } else { self.value(name).map(|value| spoken(&value)) }
        });
        self.guessed = Some(intent);
        self.misses += 1;
        Some(self.say(text, After::Listen, vec![(format!("guess {}", asked.name), why)]))
    }

    /// Yes or no to "did you mean …?"; a phrase of the dialogue goes before it.
    fn guess_answered(&self, heard: &[String]) -> Option<bool> {
        self.guessed?;
        let more = !is_yes_or_no(heard);
        if more && intent(&self.dialogue, heard).is_some_and(|found| found.fit.words > 1) {
            return None;
        }
        Takes::YesNo.value(heard, &[]).map(|value| value.text == "yes")
    }

    /// The caller has pressed this key; `None`: it means nothing here (yet).
    pub fn key(&mut self, key: char) -> Option<Answer> {
        let dialogue = Arc::clone(&self.dialogue);
        self.silences = 0;
        if let Some((slot, Takes::Number(digits))) =
            self.asking.and_then(|at| Some((at, &dialogue.slots.get(at)?.takes)))
        {
            if key.is_ascii_digit() && self.typed.len() < 32 {
                self.typed.push(key);
            }
            let typed = self.typed.len();
            let whole = digits.is_some_and(|n| typed == usize::from(n)) || (key == '#' && typed > 0);
            if !whole {
                return None;
            }
            let value = std::mem::take(&mut self.typed);
            return Some(self.fill(slot, &value, "typed by the caller", Vec::new()));
        }
        let menu = dialogue.menus.get(self.menu?)?;
        let (_, reply) = menu.keys.iter().find(|(digit, _)| *digit == key)?;
        self.misses = 0;
        self.asking = None;
        self.guessed = None;
        let decisions = vec![(format!("menu {}", menu.name), format!("key {key}"))];
        Some(self.answer(reply, decisions))
    }

    /// Would this key stop the agent's words?
    #[must_use]
    pub fn takes_key(&self, key: char) -> bool {
        let typing = self.asking.and_then(|at| self.dialogue.slots.get(at));
        if typing.is_some_and(|slot| matches!(slot.takes, Takes::Number(_))) {
            return key.is_ascii_digit() || key == '#';
        }
        let menu = self.menu.and_then(|at| self.dialogue.menus.get(at));
        menu.is_some_and(|menu| menu.keys.iter().any(|(digit, _)| *digit == key))
    }

    /// The caller says nothing.
    pub fn no_input(&mut self) -> Answer {
        let dialogue = Arc::clone(&self.dialogue);
        if let Some(slot) = self.asking.filter(|_| !self.typed.is_empty()) {
            let typed = std::mem::take(&mut self.typed);
            return self.fill(slot, &typed, "typed by the caller, who then waited", Vec::new());
        }
        self.silences += 1;
        let why = format!("time-out {} of {}", self.silences, dialogue.no_input.says.len() + 1);
        let decisions = vec![("no input".to_owned(), why)];
        match (dialogue.no_input.says.get(self.silences - 1), &dialogue.no_input.then) {
            (Some(text), _) => self.prompt_again(text, decisions),
            (None, Some(then)) => self.answer(then, decisions),
            (None, None) => self.say(String::new(), After::Listen, decisions),
        }
    }

    /// A transfer came to nothing: the caller is still here.
    pub fn transfer_failed(&mut self) -> Answer {
        let text = self.dialogue.transfer_failed.clone();
        self.say(text, After::Listen, vec![("transfer".to_owned(), "it failed".to_owned())])
    }

    fn no_match(&mut self) -> Answer {
        let dialogue = Arc::clone(&self.dialogue);
        self.misses += 1;
        let says = &dialogue.no_match.says;
        let decisions = vec![("no match".to_owned(), format!("{} in a row", self.misses))];
        match (says.get(self.misses - 1), &dialogue.no_match.then) {
            (None, Some(then)) => {
                self.misses = 0;
                self.answer(then, decisions)
            }
            (text, _) => {
                let again = self.asking.and_then(|at| dialogue.slots.get(at)?.again.as_ref());
                if let Some(again) = again {
                    return self.say(self.fill_in(again), After::Listen, decisions);
                }
                match text.or(says.last()) {
                    Some(text) => self.prompt_again(text, decisions),
                    None => self.say(String::new(), After::Listen, decisions),
                }
            }
        }
    }

    /// A text, and then what was asked before, so that the caller knows what is expected.
    fn prompt_again(&mut self, text: &Template, decisions: Decisions) -> Answer {
        let dialogue = Arc::clone(&self.dialogue);
        let mut text = self.fill_in(text);
        if let Some(slot) = self.asking.and_then(|at| dialogue.slots.get(at)) {
            push(&mut text, &self.fill_in(&slot.ask));
        }
        self.say(text, After::Listen, decisions)
    }

    fn fill(&mut self, slot: usize, value: &str, why: &str, mut decisions: Decisions) -> Answer {
        let dialogue = Arc::clone(&self.dialogue);
        self.keep(slot, value, why, &mut decisions);
        self.asking = None;
        self.misses = 0;
        match dialogue.slots.get(slot) {
            Some(slot) => self.answer(&slot.then, decisions),
            None => self.no_match(),
        }
    }

    /// The value itself goes into the conversation, not into the decision: it may be private.
    fn keep(&mut self, slot: usize, value: &str, why: &str, decisions: &mut Decisions) {
        if let (Some(kept), Some(slot)) = (self.values.get_mut(slot), self.dialogue.slots.get(slot)) {
            *kept = Some(value.to_owned());
            decisions.push((format!("slot {} filled", slot.name), why.to_owned()));
        }
    }

    fn answer(&mut self, reply: &Reply, decisions: Decisions) -> Answer {
        let dialogue = Arc::clone(&self.dialogue);
        let mut text = String::new();
        let turn = self.turns.get_mut(reply.number).map_or(0, |turns| {
            *turns += 1;
            *turns - 1
        });
        if let Some(say) = reply.says.get(turn % reply.says.len().max(1)) {
            text = self.fill_in(say);
        }
        let mut after = After::Listen;
        match &reply.next {
            Next::Listen => {
                // An answer on the way does not drop the question that was asked before.
                if let Some(slot) = self.asking.and_then(|at| dialogue.slots.get(at)) {
                    push(&mut text, &self.fill_in(&slot.ask));
                }
            }
            Next::Ask(slot) => {
                self.asking = Some(*slot);
                self.typed.clear();
                if let Some(slot) = dialogue.slots.get(*slot) {
                    push(&mut text, &self.fill_in(&slot.ask));
                }
            }
            Next::Menu(menu) => {
                self.asking = None;
                self.menu = Some(*menu);
                if let Some(menu) = dialogue.menus.get(*menu) {
                    push(&mut text, &self.fill_in(&menu.say));
                }
            }
            Next::Repeat => {
                let last = self.last.clone();
                push(&mut text, &last);
            }
            Next::Transfer(to) => after = After::Transfer { to: to.fill(|name| self.value(name)) },
            Next::HangUp => {
                let reason = decisions
                    .last()
                    .map_or_else(|| "the dialogue is over".to_owned(), |(what, _)| what.clone());
                after = After::HangUp { reason };
            }
        }
        let mut answer = self.say(text, after, decisions);
        answer.barge_in = reply.barge_in;
        answer
    }

    fn say(&mut self, text: String, after: After, decisions: Decisions) -> Answer {
        if !text.is_empty() && decisions.iter().all(|(what, _)| what != "no input" && what != "no match") {
            self.last.clone_from(&text);
        }
        Answer { text, after, barge_in: true, decisions }
    }

    fn value_asked_for(&self, heard: &[String]) -> Option<(usize, Value)> {
        let at = self.asking?;
        let slot = self.dialogue.slots.get(at)?;
        Some((at, slot.takes.value(heard, &slot.strip)?))
    }

    fn menu_key_said(&self, heard: &[String]) -> Option<char> {
        self.menu?;
        spoken_key(heard).filter(|key| self.takes_key(*key))
    }

    fn fill_in(&self, template: &Template) -> String {
        template.fill(|name| self.value(name).map(|value| spoken(&value)))
    }

    fn value(&self, name: &str) -> Option<String> {
        let of = |facts: &[(String, String)]| facts.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let slot = self.dialogue.slots.iter().position(|slot| slot.name == name);
        slot.and_then(|at| self.values.get(at).cloned().flatten())
            .or_else(|| of(&self.facts).filter(|value| !value.is_empty()))
            .or_else(|| of(&self.dialogue.facts))
            .or_else(|| (name == "time").then(|| time_of_day(self.unix, self.dialogue.utc_offset)))
    }
}

/// Appends a sentence.
fn push(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}
