//! `trunkline rule`: where calls go.

use super::table::Table;
use super::trunk::any;
use super::{Door, Failure, Outcome, import};
use crate::cli::Context;
use crate::control::plan::Imagined;
use crate::shown::Shown;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt::Write;
use trunkline_dialplan::{Destination, DispatchRule};

/// What can be said after `trunkline rule`.
#[derive(Debug, clap::Subcommand)]
pub enum RuleVerb {
    /// All rules
    List,
    /// Add a rule, or replace the one with the same --id
    Add(Box<New>),
    /// Remove a rule
    Remove {
        /// SDR_…
        id: String,
    },
    /// Add the trunks and dispatch rules of a file of livekit's (YAML or JSON)
    Import(import::Arguments),
    /// Which trunk and rule would take a call, and why each of the others would not
    Test {
        /// Who calls: a number, or user@host
        #[arg(long)]
        from: String,
        /// The number that is called
        #[arg(long)]
        to: String,
        /// The address that the call comes from; without: any
        #[arg(long, value_name = "ADDRESS")]
        source: Option<String>,
        /// What the caller types
        #[arg(long)]
        pin: Option<String>,
    },
}

/// A new rule.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("destination").required(true))]
pub struct New {
    /// Everybody into this room
    #[arg(long, group = "destination", value_name = "NAME")]
    room: Option<String>,
    /// A room for each caller: PREFIX_<caller>_<random>
    #[arg(long, group = "destination", value_name = "PREFIX")]
    room_for_each_caller: Option<String>,
    /// A room for each number called: PREFIX_<number>
    #[arg(long, group = "destination", value_name = "PREFIX")]
    room_for_each_number: Option<String>,
    /// The agent, with this dialogue; without one: with the configured dialogue
    #[arg(long, group = "destination", value_name = "DIALOGUE", num_args = 0..=1, default_missing_value = "")]
    agent: Option<String>,
    /// Keys that the caller must type first
    #[arg(long, default_value = "", hide_default_value = true)]
    pin: String,
    /// What to call it
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// A trunk that it serves; repeat for more; none: all
    #[arg(long = "trunk", value_name = "ID")]
    trunk_ids: Vec<String>,
    /// A caller that it is for; repeat for more; none: any
    #[arg(long = "caller", value_name = "NUMBER")]
    inbound_numbers: Vec<String>,
    /// A called number that it is for; repeat for more; none: any
    #[arg(long = "number", value_name = "NUMBER")]
    numbers: Vec<String>,
    /// Rooms get a random end (with --room-for-each-number)
    #[arg(long, requires = "room_for_each_number")]
    randomize: bool,
    /// Rooms get no random end (with --room-for-each-caller)
    #[arg(long, requires = "room_for_each_caller")]
    no_randomness: bool,
    /// Do not show the caller's number in the room
    #[arg(long)]
    hide_phone_number: bool,
    /// An attribute of the participant; repeat for more
    #[arg(long = "attribute", value_name = "KEY=VALUE")]
    attributes: Vec<String>,
    /// Metadata of the participant
    #[arg(long, default_value = "", hide_default_value = true)]
    metadata: String,
    /// Its id, instead of one that is made up
    #[arg(long, default_value = "", hide_default_value = true)]
    id: String,
}

/// Does it.
pub fn run(context: &Context, verb: RuleVerb) -> Result<Outcome, Failure> {
    match verb {
        RuleVerb::List => list(context),
        RuleVerb::Add(new) => {
            let stored = Door::open(&context.config)?.add_rule(new.into_rule()?)?;
            Ok(if context.json {
                Outcome::json(&json!(stored))
            } else {
                Outcome::said(format!("added {}", Shown(&stored.id)))
            })
        }
        RuleVerb::Remove { id } => {
            Door::open(&context.config)?.remove_rule(&id)?;
            Ok(if context.json {
                Outcome::json(&json!({ "removed": id }))
            } else {
                Outcome::said("removed".into())
            })
        }
        RuleVerb::Import(arguments) => import::run(context, &arguments),
        RuleVerb::Test { from, to, source, pin } => {
            let answer = Door::open(&context.config)?.test(&Imagined { from, to, source, pin })?;
            Ok(if context.json { Outcome::json(&answer) } else { Outcome::said(explained(&answer)) })
        }
    }
}

impl New {
    fn into_rule(self) -> Result<DispatchRule, Failure> {
        let pin = self.pin;
        let destination = if let Some(room_name) = self.room {
            Destination::Direct { room_name, pin }
        } else if let Some(room_prefix) = self.room_for_each_caller {
            Destination::Individual { room_prefix, pin, no_randomness: self.no_randomness }
        } else if let Some(room_prefix) = self.room_for_each_number {
            Destination::Callee { room_prefix, pin, randomize: self.randomize }
        } else if pin.is_empty() {
            Destination::Agent { dialogue: self.agent.unwrap_or_default() }
        } else {
            return Err(Failure::Usage("--pin guards a room; a rule for the agent has none".into()));
        };
        let attributes = self.attributes.iter().map(|pair| attribute(pair)).collect::<Result<_, _>>()?;
        Ok(DispatchRule {
            id: self.id,
            name: self.name,
            trunk_ids: self.trunk_ids,
            inbound_numbers: self.inbound_numbers,
            numbers: self.numbers,
            hide_phone_number: self.hide_phone_number,
            metadata: self.metadata,
            attributes,
            ..DispatchRule::to(destination)
        })
    }
}

fn attribute(pair: &str) -> Result<(String, String), Failure> {
    match pair.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err(Failure::Usage(format!("--attribute: expected KEY=VALUE, found \"{}\"", Shown(pair)))),
    }
}

fn list(context: &Context) -> Result<Outcome, Failure> {
    let rules = Door::open(&context.config)?.rules()?;
    if context.json {
        return Ok(Outcome::json(&json!(rules)));
    }
    if rules.is_empty() {
        let then = if context.config.dialplan.default_agent {
            "every call gets the agent"
        } else {
            "every call gets 404"
        };
        return Ok(Outcome::said(format!("no rule is set up, so {then}")));
    }
    let mut table = Table::new(&["RULE", "NAME", "TRUNKS", "CALLERS", "NUMBERS", "GOES TO", "PIN"]);
    for rule in &rules {
        table.row(&[
            &rule.id,
            &rule.name,
            &any(&rule.trunk_ids),
            &any(&rule.inbound_numbers),
            &any(&rule.numbers),
            &goes_to(rule),
            if rule.destination.pin().is_empty() { "" } else { "…" },
        ]);
    }
    Ok(Outcome::said(table.fitted()))
}

fn goes_to(rule: &DispatchRule) -> String {
    match &rule.destination {
        Destination::Direct { room_name, .. } => format!("room {room_name}"),
        Destination::Individual { room_prefix, no_randomness, .. } => {
            format!("room {room_prefix}_<caller>{}", if *no_randomness { "" } else { "_<random>" })
        }
        Destination::Callee { room_prefix, randomize, .. } => {
            format!("room {room_prefix}_<number>{}", if *randomize { "_<random>" } else { "" })
        }
        Destination::Agent { dialogue } if dialogue.is_empty() => "agent".into(),
        Destination::Agent { dialogue } => format!("agent with {dialogue}"),
    }
}

/// A reason as it comes over the socket.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reason {
    kind: String,
    id: String,
    name: String,
    chosen: bool,
    why: String,
}

/// The verdict, then trunks and rules one a line, `*` before what took the call.
fn explained(answer: &Value) -> String {
    let word = |key: &str| answer.get(key).and_then(Value::as_str);
    let mut text = String::new();
    // Writing to a String cannot fail.
    if let Some(challenge) = word("challenge") {
        let _ = writeln!(text, "first: {}; then, with the right credentials:", Shown(challenge));
    }
    let _ = writeln!(text, "{}", Shown(word("verdict").unwrap_or("?")));
    let reasons: Vec<Reason> =
        answer.get("reasons").cloned().and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default();
    for Reason { kind, id, name, chosen, why } in &reasons {
        let mark = if *chosen { '*' } else { ' ' };
        let name = if name.is_empty() { String::new() } else { format!(" ({})", Shown(name)) };
        let _ = writeln!(text, "{mark} {} {}{name}: {}", Shown(kind), Shown(id), Shown(why));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_dialplan::{Plan, Trunk};

    fn plan() -> Plan {
        let trunk = |id: &str, number: &str, user: &str| Trunk {
            id: id.into(),
            name: format!("{id} name"),
            numbers: vec![number.into()],
            auth_username: user.into(),
            auth_password: if user.is_empty() { String::new() } else { "secret".into() },
            ..Trunk::default()
        };
        let rule = |id: &str, trunk: &str, destination| DispatchRule {
            id: id.into(),
            trunk_ids: vec![trunk.into()],
            ..DispatchRule::to(destination)
        };
        Plan {
            trunks: vec![trunk("ST_1", "+1555", ""), trunk("ST_2", "+1777", "alice")],
            rules: vec![
                rule("SDR_1", "ST_1", Destination::Direct { room_name: "lobby".into(), pin: "4711".into() }),
                rule("SDR_2", "ST_2", Destination::Agent { dialogue: String::new() }),
            ],
            ..Plan::default()
        }
    }

    fn call(to: &str, pin: Option<&str>) -> String {
        let call = Imagined { from: "+1999".into(), to: to.into(), source: None, pin: pin.map(Into::into) };
        explained(&call.test(&plan()).expect("tested"))
    }

    #[test]
    fn a_test_names_what_took_the_call_and_why_the_others_did_not() {
        assert_eq!(
            call("1555", Some("4711")),
            "room \"lobby\" as \"sip_+1999\", by rule SDR_1\n\
             * trunk ST_1 (ST_1 name): 1555 is among its numbers\n  \
             trunk ST_2 (ST_2 name): 1555 is not among its numbers (+1777)\n\
             * rule SDR_1: takes it\n  \
             rule SDR_2: serves only calls through ST_2, and this one came through ST_1 \"ST_1 name\"\n"
        );
    }

    #[test]
    fn a_test_goes_on_behind_the_challenge_and_shows_no_secret() {
        let text = call("+1777", None);
        assert!(text.starts_with("first: challenge for trunk ST_2"), "{text}");
        assert!(text.contains("\nthe agent, by rule SDR_2\n"), "{text}");
        assert!(!text.contains("secret") && !text.contains("4711"), "{text}");
    }
}
