//! From the file to a [`Dialogue`]: names that lead nowhere, texts that speak of what nobody knows, and
//! phrases that mean two things are found here, each with its line.

use super::file::{self, Entries, File, Kind, Texts};
use super::phrase::{spelled, words};
use super::slot::{self, Takes};
use super::template::Template;
use super::{Dialogue, Intent, Menu, Next, Phrase, Reply, Reprompt, Slot};
use serde_saphyr::Spanned;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Facts that every call has.
const CALL_FACTS: [&str; 7] = ["caller", "called", "name", "trunk", "rule", "room", "time"];
const KEYS: &str = "0123456789*#";

pub(super) struct Fault {
    pub line: u64,
    pub message: String,
}

fn fault<T>(line: u64, message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { line, message: message.into() })
}

fn line<T>(of: &Spanned<T>) -> u64 {
    of.referenced.line()
}

pub(super) fn dialogue(yaml: &str) -> Result<Dialogue, Fault> {
    let file: File = serde_saphyr::from_str(yaml).map_err(|error| {
        let error = error.without_snippet();
        let line = error.location().map_or(1, |at| at.line());
        let message = error.to_string().lines().next().unwrap_or_default().escape_debug().to_string();
        Fault { line: line.max(1), message }
    })?;
    let names = Names {
        slots: file.slots.0.iter().map(|(name, _)| name.value.clone()).collect(),
        menus: file.menus.0.iter().map(|(name, _)| name.value.clone()).collect(),
        facts: file.facts.0.iter().map(|(name, _)| name.value.clone()).collect(),
    };
    Checker { names, replies: 0 }.dialogue(file)
}

struct Names {
    slots: Vec<String>,
    menus: Vec<String>,
    facts: Vec<String>,
}

struct Checker {
    names: Names,
    replies: usize,
}

impl Checker {
    fn dialogue(mut self, file: File) -> Result<Dialogue, Fault> {
        let utc_offset = match &file.utc_offset {
            Some(text) => utc_offset(text)?,
            None => 0,
        };
        let greeting = self.reply("greeting", &file.greeting)?;
        let slots =
            file.slots.0.iter().map(|(name, slot)| self.slot(name, slot)).collect::<Result<Vec<_>, _>>()?;
        let menus =
            file.menus.0.iter().map(|(name, menu)| self.menu(name, menu)).collect::<Result<Vec<_>, _>>()?;
        let intents = self.intents(&file.intents, &slots)?;
        let no_input = file.no_input.as_ref();
        let no_input_after = no_input.and_then(|n| n.after_seconds.as_ref());
        if let Some(seconds) = no_input_after.filter(|s| !(1..=600).contains(&s.value)) {
            return fault(
                line(seconds),
                format!("no_input.after_seconds: {} is not 1 to 600", seconds.value),
            );
        }
        let no_match = file.no_match.as_ref();
        let mut dialogue = Dialogue {
            facts: file
                .facts
                .0
                .iter()
                .map(|(name, value)| (name.value.clone(), value.value.clone()))
                .collect(),
            utc_offset,
            greeting,
            intents,
            menus,
            slots,
            no_input_after: Duration::from_secs(no_input_after.map_or(8, |s| u64::from(s.value))),
            no_input: self.no_input(no_input)?,
            no_match: self.reprompt(
                "no_match",
                no_match.and_then(|n| n.say.as_ref()),
                no_match.and_then(|n| n.then.as_ref()),
                &["Sorry, I did not get that."],
            )?,
            guess: self.guess(no_match.and_then(|n| n.guess.as_ref()))?,
            failure: self.plain(
                "failure",
                file.failure.as_ref(),
                "Sorry, I cannot hear you well. Please say it again.",
            )?,
            transfer_failed: self.plain(
                "transfer_failed",
                file.transfer_failed.as_ref(),
                "I am sorry, nobody can take your call there. What else can I do for you?",
            )?,
            phrases: Vec::new(),
            replies: self.replies,
        };
        dialogue.phrases = expected(&dialogue);
        Ok(dialogue)
    }

    fn no_input(&mut self, no_input: Option<&file::NoInput>) -> Result<Reprompt, Fault> {
        let mut reprompt = self.reprompt(
            "no_input",
            no_input.and_then(|n| n.say.as_ref()),
            no_input.and_then(|n| n.then.as_ref()),
            &["Are you still there?", "I cannot hear you. Please say something, or press a key."],
        )?;
        if reprompt.then.is_none() {
            let says = vec![Template::parse("I still cannot hear you. Goodbye.").unwrap_or_default()];
            reprompt.then = Some(Reply { number: self.number(), says, next: Next::HangUp, barge_in: true });
        }
        Ok(reprompt)
    }

    fn number(&mut self) -> usize {
        self.replies += 1;
        self.replies - 1
    }

    fn reprompt(
        &mut self,
        key: &str,
        say: Option<&Spanned<Texts>>,
        then: Option<&Spanned<file::Reply>>,
        default: &[&str],
    ) -> Result<Reprompt, Fault> {
        let says = match say {
            Some(say) => self.texts(key, line(say), &say.value)?,
            None => default.iter().filter_map(|text| Template::parse(text).ok()).collect(),
        };
        let then = then.map(|then| self.reply(key, then)).transpose()?;
        Ok(Reprompt { says, then })
    }

    /// A text that is the same for every call, so that it can be rendered ahead.
    fn plain(&self, key: &str, text: Option<&Spanned<String>>, default: &str) -> Result<String, Fault> {
        let Some(text) = text else { return Ok(default.to_owned()) };
        let template = self.template(key, line(text), &text.value)?;
        match template.names().next() {
            Some(name) => {
                fault(line(text), format!("{key}: {{{name}}} cannot be said here; expected a plain text"))
            }
            None => Ok(text.value.trim().to_owned()),
        }
    }

    /// The question whether something was meant: the one text that speaks of `{guess}`.
    fn guess(&self, text: Option<&Spanned<String>>) -> Result<Template, Fault> {
        let Some(text) = text else {
            return Ok(Template::parse("Did you mean {guess}?").unwrap_or_default());
        };
        let template = self.template_with("no_match.guess", line(text), &text.value, &["guess"])?;
        if template.names().all(|name| name != "guess") {
            return fault(
                line(text),
                "no_match.guess: does not say {guess}, which is what may have been meant",
            );
        }
        Ok(template)
    }

    fn template(&self, key: &str, line: u64, text: &str) -> Result<Template, Fault> {
        self.template_with(key, line, text, &[])
    }

    fn template_with(&self, key: &str, line: u64, text: &str, more: &[&str]) -> Result<Template, Fault> {
        let template =
            Template::parse(text).map_err(|message| Fault { line, message: format!("{key}: {message}") })?;
        for name in template.names() {
            let known = CALL_FACTS.contains(&name)
                || more.contains(&name)
                || self.names.facts.iter().chain(&self.names.slots).any(|known| known == name);
            if !known {
                let call = CALL_FACTS.join(", ");
                let why = "is neither a slot nor a fact of `facts`, nor one of every call";
                return fault(line, format!("{key}: {{{}}} {why} ({call})", name.escape_debug()));
            }
        }
        Ok(template)
    }

    fn texts(&self, key: &str, line: u64, texts: &Texts) -> Result<Vec<Template>, Fault> {
        if texts.0.is_empty() {
            return fault(line, format!("{key}: an empty list; expected at least one text"));
        }
        texts.0.iter().map(|text| self.template(key, line, text)).collect()
    }

    fn reply(&mut self, key: &str, reply: &Spanned<file::Reply>) -> Result<Reply, Fault> {
        let (at, value) = (line(reply), &reply.value);
        let says = match &value.say {
            Some(say) => {
                let line = if line(say) == 0 { at } else { line(say) };
                self.texts(key, line, &say.value)?
            }
            None => Vec::new(),
        };
        let mut nexts = Vec::new();
        if let Some(slot) = &value.ask {
            nexts.push(Next::Ask(position(&self.names.slots, "slots", key, "ask", slot)?));
        }
        if let Some(menu) = &value.menu {
            nexts.push(Next::Menu(position(&self.names.menus, "menus", key, "menu", menu)?));
        }
        if let Some(to) = &value.transfer {
            if to.value.trim().is_empty() {
                return fault(line(to), format!("{key}: transfer: expected a number or a SIP address"));
            }
            nexts.push(Next::Transfer(self.template(key, line(to), &to.value)?));
        }
        nexts.extend(value.hangup.then_some(Next::HangUp));
        nexts.extend(value.repeat.then_some(Next::Repeat));
        if nexts.len() > 1 {
            let which = "only one of ask, menu, transfer, hangup and repeat may stand in one reply";
            return fault(at, format!("{key}: {which}"));
        }
        if says.is_empty() && nexts.is_empty() {
            return fault(
                at,
                format!("{key}: says and does nothing; expected say, ask, menu, transfer, hangup or repeat"),
            );
        }
        let next = nexts.pop().unwrap_or(Next::Listen);
        Ok(Reply { number: self.number(), says, next, barge_in: value.barge_in.unwrap_or(true) })
    }

    fn menu(&mut self, name: &Spanned<String>, menu: &file::Menu) -> Result<Menu, Fault> {
        let key = format!("menus.{}", name.value.escape_debug());
        let say = self.template(&key, line(&menu.say), &menu.say.value)?;
        let mut keys = Vec::new();
        for (digit, reply) in &menu.keys.0 {
            let mut chars = digit.value.chars();
            let (Some(c), None) = (chars.next().filter(|c| KEYS.contains(*c)), chars.next()) else {
                let given = digit.value.escape_debug();
                return fault(
                    line(digit),
                    format!("{key}.keys: {given} is no key; expected one of 0-9, * and #"),
                );
            };
            keys.push((c, self.reply(&format!("{key}.keys.{c}"), reply)?));
        }
        if keys.is_empty() {
            return fault(line(name), format!("{key}.keys: a menu without keys; expected at least one"));
        }
        Ok(Menu { name: name.value.clone(), say, keys })
    }

    fn slot(&mut self, name: &Spanned<String>, slot: &file::Slot) -> Result<Slot, Fault> {
        let key = format!("slots.{}", name.value.escape_debug());
        let kind = match &slot.kind {
            Some(kind) => kind.value,
            None if slot.choices.is_empty() => Kind::Text,
            None => Kind::Choice,
        };
        if slot.choices.is_empty() == (kind == Kind::Choice) {
            return fault(line(name), format!("{key}: `choices` go with `kind: choice`, and only with it"));
        }
        if let Some(digits) =
            slot.digits.as_ref().filter(|d| kind != Kind::Number || !(1..=32).contains(&d.value))
        {
            return fault(line(digits), format!("{key}.digits: expected 1 to 32, with `kind: number`"));
        }
        let choices = slot.choices.iter().map(|c| (c.value.clone(), words(&c.value))).collect();
        let takes = match kind {
            Kind::Text => Takes::Text,
            Kind::Choice => Takes::Choice(choices),
            Kind::Number => Takes::Number(slot.digits.as_ref().map(|d| d.value)),
            Kind::YesNo => Takes::YesNo,
        };
        let ask = self.template(&key, line(&slot.ask), &slot.ask.value)?;
        let again = slot.again.as_ref().map(|t| self.template(&key, line(t), &t.value)).transpose()?;
        let strip = slot
            .strip
            .iter()
            .map(|s| Phrase { words: words(&s.value), spelled: spelled(&s.value), slot: None })
            .collect();
        let then = self.reply(&format!("{key}.then"), &slot.then)?;
        Ok(Slot { name: name.value.clone(), ask, again, takes, strip, then })
    }

    fn intents(&mut self, intents: &Entries<file::Intent>, slots: &[Slot]) -> Result<Vec<Intent>, Fault> {
        let mut seen: HashMap<Vec<String>, String> = HashMap::new();
        let mut out = Vec::new();
        for (name, intent) in &intents.0 {
            let key = format!("intents.{}", name.value.escape_debug());
            if intent.phrases.is_empty() {
                return fault(line(name), format!("{key}.phrases: expected at least one phrase"));
            }
            let mut phrases = Vec::new();
            for text in &intent.phrases {
                let phrase = phrase(&key, text, slots)?;
                if let Some(other) = seen.insert(phrase.words.clone(), name.value.clone()) {
                    let (said, other) = (text.value.escape_debug(), other.escape_debug());
                    return fault(line(text), format!("{key}.phrases: \"{said}\" stands in {other} already"));
                }
                phrases.push(phrase);
            }
            let about = intent.about.as_ref().map(|t| self.template(&key, line(t), &t.value)).transpose()?;
            let reply = self.reply(&key, &intent.reply)?;
            out.push(Intent { name: name.value.clone(), phrases, about, reply });
        }
        Ok(out)
    }
}

/// A phrase; `{slot}` may stand at its end.
fn phrase(key: &str, text: &Spanned<String>, slots: &[Slot]) -> Result<Phrase, Fault> {
    let (before, slot) = match text.value.split_once('{') {
        None => (text.value.as_str(), None),
        Some((before, behind)) => {
            let Some(name) = behind.trim_end().strip_suffix('}') else {
                return fault(
                    line(text),
                    format!("{key}.phrases: a slot may only stand at the end of a phrase"),
                );
            };
            let Some(slot) = slots.iter().position(|slot| slot.name == name.trim()) else {
                return fault(line(text), format!("{key}.phrases: there is no slot {}", name.escape_debug()));
            };
            (before, Some(slot))
        }
    };
    let words = words(before);
    if words.is_empty() {
        return fault(line(text), format!("{key}.phrases: a phrase without words"));
    }
    Ok(Phrase { words, spelled: spelled(before), slot })
}

fn position(
    names: &[String],
    of: &str,
    key: &str,
    field: &str,
    name: &Spanned<String>,
) -> Result<usize, Fault> {
    let Some(at) = names.iter().position(|known| *known == name.value) else {
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let given = name.value.escape_debug();
        return fault(line(name), format!("{key}: {field}: {given} is not one of `{of}` ({known})"));
    };
    Ok(at)
}

/// `+02:00` as minutes.
fn utc_offset(text: &Spanned<String>) -> Result<i32, Fault> {
    let parsed = || {
        let value = text.value.trim();
        let (sign, value) = match value.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, value.strip_prefix('+').unwrap_or(value)),
        };
        let (hours, minutes) = value.split_once(':')?;
        let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
        ((0..=14).contains(&hours) && (0..60).contains(&minutes)).then_some(sign * (hours * 60 + minutes))
    };
    match parsed() {
        Some(minutes) => Ok(minutes),
        None => fault(
            line(text),
            format!("utc_offset: {:?} is not an offset; expected for example \"+02:00\"", text.value),
        ),
    }
}

/// Whatever a caller may say, each once.
fn expected(dialogue: &Dialogue) -> Vec<String> {
    let mut out: BTreeSet<String> = BTreeSet::new();
    for phrase in dialogue.intents.iter().flat_map(|intent| &intent.phrases) {
        if let Some(slot) = phrase.slot.and_then(|slot| dialogue.slots.get(slot)) {
            out.extend(slot.takes.phrases().iter().map(|v| format!("{} {}", phrase.spelled, spelled(v))));
        }
        out.insert(phrase.spelled.clone());
    }
    for slot in &dialogue.slots {
        out.extend(slot.takes.phrases().iter().map(|phrase| spelled(phrase)));
        out.extend(slot.strip.iter().map(|phrase| phrase.spelled.clone()));
    }
    if dialogue.intents.iter().any(|intent| intent.about.is_some()) {
        out.extend(Takes::YesNo.phrases().iter().map(|phrase| spelled(phrase)));
    }
    if !dialogue.menus.is_empty() {
        out.extend(slot::DIGITS.iter().map(|&digit| digit.to_owned()));
    }
    out.into_iter().collect()
}
