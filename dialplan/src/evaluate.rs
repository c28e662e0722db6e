//! The decision: trunk, credentials, rule, destination. livekit's order (reference §1.3), except that a
//! call which no trunk takes is refused (there it falls through to any rule without trunks).

use crate::rule::RuleMatch;
use crate::trunk::TrunkMatch;
use crate::verdict::Shown;
use crate::{DefaultRoute, Destination, DispatchRule, Evaluation, Facts, Plan, Reason, Trunk, Verdict};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Decides. `authenticated` is the id of the trunk whose credentials were right; `random` makes room
/// names unique (handed in: this crate has no randomness; empty: none is added).
#[must_use]
pub fn evaluate(plan: &Plan, facts: &Facts<'_>, authenticated: Option<&str>, random: &str) -> Evaluation {
    let mut reasons = Vec::with_capacity(plan.trunks.len() + plan.rules.len());
    let verdict = match choose_trunk(&plan.trunks, facts, &mut reasons) {
        Err(refused) => {
            skip_rules(&plan.rules, "not looked at, because no trunk takes the call", &mut reasons);
            Verdict::Reject { status: refused.0, reason: refused.1 }
        }
        Ok(Some(trunk)) if trunk.wants_credentials() && authenticated != Some(trunk.id.as_str()) => {
            skip_rules(&plan.rules, "looked at once the caller has shown credentials", &mut reasons);
            challenge(trunk)
        }
        Ok(trunk) => route(plan, facts, trunk, random, &mut reasons),
    };
    Evaluation { verdict, reasons }
}

fn challenge(trunk: &Trunk) -> Verdict {
    let realm = if trunk.auth_realm.is_empty() { "trunkline" } else { &trunk.auth_realm };
    Verdict::Challenge {
        trunk: trunk.id.clone(),
        realm: realm.into(),
        username: trunk.auth_username.clone(),
        password: trunk.auth_password.clone(),
    }
}

/// The trunk that takes the call; `None`: there are no trunks, so every call comes in without one.
/// Else SIP status and reason.
fn choose_trunk<'p>(
    trunks: &'p [Trunk],
    facts: &Facts<'_>,
    reasons: &mut Vec<Reason>,
) -> Result<Option<&'p Trunk>, (u16, String)> {
    let first = reasons.len();
    let (mut specific, mut default) = (Vec::new(), Vec::new());
    for (index, trunk) in trunks.iter().enumerate() {
        let why = match trunk.takes(facts) {
            TrunkMatch::Specific(why) => {
                specific.push(index);
                why
            }
            TrunkMatch::Default(why) => {
                default.push(index);
                why
            }
            TrunkMatch::No(why) => why,
        };
        reasons.push(Reason {
            kind: "trunk",
            id: trunk.id.clone(),
            name: trunk.name.clone(),
            chosen: false,
            why,
        });
    }
    // A trunk with the number goes before one for any number, so the latter only matters without the former.
    let candidates = if specific.is_empty() { &default } else { &specific };
    match candidates.as_slice() {
        [] if trunks.is_empty() => Ok(None),
        [] => Err(no_trunk(trunks, facts, &reasons[first..])),
        [only] => {
            if let Some(reason) = reasons.get_mut(first + only) {
                reason.chosen = true;
            }
            for passed_over in if specific.is_empty() { &[][..] } else { default.as_slice() } {
                if let Some(reason) = reasons.get_mut(first + passed_over) {
                    reason.why.push_str(", but another has the number itself");
                }
            }
            Ok(trunks.get(*only))
        }
        [one, two, ..] => Err(ambiguous(facts, trunks.get(*one), trunks.get(*two), specific.is_empty())),
    }
}

fn no_trunk(trunks: &[Trunk], facts: &Facts<'_>, reasons: &[Reason]) -> (u16, String) {
    let source = facts.source.map_or_else(|| "an unknown address".into(), |ip| ip.to_string());
    let mut reason =
        format!("no trunk takes a call from {} at {source} to {}", Shown(facts.from), Shown(facts.to));
    // Who called a number that is set up wants to know what kept them out of its trunk.
    let of_the_number =
        trunks.iter().zip(reasons).find(|(trunk, _)| crate::number::among(facts.to, &trunk.numbers));
    if let Some((trunk, why)) = of_the_number.or_else(|| trunks.iter().zip(reasons).next()) {
        let _ = write!(reason, "; {}: {}", named(&trunk.id, &trunk.name), why.why);
        if trunks.len() > 1 {
            let _ = write!(reason, " ({} trunks looked at)", trunks.len());
        }
    }
    (404, reason)
}

fn ambiguous(facts: &Facts<'_>, one: Option<&Trunk>, two: Option<&Trunk>, default: bool) -> (u16, String) {
    let name = |trunk: Option<&Trunk>| trunk.map_or_else(String::new, |t| named(&t.id, &t.name));
    let both = if default { "serve any number" } else { "have the number" };
    (
        503,
        format!(
            "two trunks take the call to {}: {} and {} both {both}; give one of them other numbers, \
             allowed_addresses or allowed_numbers",
            Shown(facts.to),
            name(one),
            name(two)
        ),
    )
}

fn named(id: &str, name: &str) -> String {
    if name.is_empty() { format!("{}", Shown(id)) } else { format!("{} \"{}\"", Shown(id), Shown(name)) }
}

fn skip_rules(rules: &[DispatchRule], why: &str, reasons: &mut Vec<Reason>) {
    reasons.extend(rules.iter().map(|rule| reason_of(rule, why.into())));
}

fn reason_of(rule: &DispatchRule, why: String) -> Reason {
    Reason { kind: "rule", id: rule.id.clone(), name: rule.name.clone(), chosen: false, why }
}

fn route(
    plan: &Plan,
    facts: &Facts<'_>,
    trunk: Option<&Trunk>,
    random: &str,
    reasons: &mut Vec<Reason>,
) -> Verdict {
    let trunk_id = trunk.map(|trunk| trunk.id.clone());
    if plan.rules.is_empty() {
        return match plan.default {
            DefaultRoute::Agent => Verdict::Agent { trunk: trunk_id, rule: None, dialogue: String::new() },
            DefaultRoute::Reject => Verdict::Reject {
                status: 404,
                reason: "no dispatch rule is set up, and dialplan.default is reject".into(),
            },
        };
    }
    match choose_rule(&plan.rules, facts, trunk, reasons) {
        Choice::Rule(rule, false) => destination(rule, facts, trunk_id, random),
        Choice::Rule(_, true) => Verdict::AskPin { trunk: trunk_id, wrong: false },
        Choice::WrongPin => Verdict::AskPin { trunk: trunk_id, wrong: true },
        Choice::None => {
            let through =
                trunk.map_or_else(String::new, |t| format!(" through trunk {}", named(&t.id, &t.name)));
            let mut reason = format!(
                "no dispatch rule takes a call from {} to {}{through}",
                Shown(facts.from),
                Shown(facts.to)
            );
            if let Some(last) = reasons.iter().find(|reason| reason.kind == "rule") {
                let _ = write!(reason, "; {}: {}", named(&last.id, &last.name), last.why);
                if plan.rules.len() > 1 {
                    let _ = write!(reason, " ({} rules looked at)", plan.rules.len());
                }
            }
            Verdict::Reject { status: 404, reason }
        }
    }
}

enum Choice<'p> {
    /// This one; `true`: once its PIN was typed.
    Rule(&'p DispatchRule, bool),
    /// Only rules with a PIN are left, and what was typed opens none of them.
    WrongPin,
    None,
}

/// Rules that name the trunk go before rules for all trunks, whatever their priorities; a typed PIN
/// leaves out the rules whose PIN is another, so an open rule may still take the call.
fn choose_rule<'p>(
    rules: &'p [DispatchRule],
    facts: &Facts<'_>,
    trunk: Option<&Trunk>,
    reasons: &mut Vec<Reason>,
) -> Choice<'p> {
    let first = reasons.len();
    let mut wrong_pin = false;
    // (names no trunk, priority, index, asks): the smallest is chosen.
    let mut best: Option<(bool, _, usize, bool)> = None;
    let mut fit = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let serves =
            rule.trunk_ids.is_empty() || trunk.is_some_and(|trunk| rule.trunk_ids.contains(&trunk.id));
        let why = if serves {
            match rule.takes(facts) {
                RuleMatch::Yes { asks } => {
                    let candidate = (rule.trunk_ids.is_empty(), rule.priority(), index, asks);
                    fit.push(index);
                    if best.as_ref().is_none_or(|best| candidate < *best) {
                        best = Some(candidate);
                    }
                    if asks { "takes it, with a PIN".into() } else { "takes it".into() }
                }
                RuleMatch::WrongPin => {
                    wrong_pin = true;
                    "the PIN that was typed is not its own".into()
                }
                RuleMatch::No(why) => why,
            }
        } else {
            format!(
                "serves only calls through {}, and this one came {}",
                crate::verdict::list(&rule.trunk_ids),
                trunk.map_or_else(
                    || "through no trunk".into(),
                    |t| format!("through {}", named(&t.id, &t.name))
                )
            )
        };
        reasons.push(reason_of(rule, why));
    }
    let Some((_, _, chosen, asks)) = best else {
        return if wrong_pin { Choice::WrongPin } else { Choice::None };
    };
    for index in fit {
        if let Some(reason) = reasons.get_mut(first + index) {
            reason.chosen = index == chosen;
            if index != chosen
                && let (Some(rule), Some(winner)) = (rules.get(index), rules.get(chosen))
            {
                let _ = write!(
                    reason.why,
                    ", but {} goes first: {}",
                    Shown(&winner.id),
                    precedence(winner, rule)
                );
            }
        }
    }
    rules.get(chosen).map_or(Choice::None, |rule| Choice::Rule(rule, asks))
}

/// Why `winner` goes before `loser`: the first of livekit's criteria that tells them apart.
fn precedence(winner: &DispatchRule, loser: &DispatchRule) -> &'static str {
    let ((won, won_label, _), (lost, lost_label, _)) = (winner.priority(), loser.priority());
    if winner.trunk_ids.is_empty() != loser.trunk_ids.is_empty() {
        "it names the trunk"
    } else if won / 1000 != lost / 1000 {
        "it names more of the numbers"
    } else if won / 100 % 10 != lost / 100 % 10 {
        "it has a PIN"
    } else if won != lost {
        "direct goes before individual, individual before callee, callee before agent"
    } else if won_label != lost_label {
        "its room name sorts first"
    } else {
        "its id sorts first"
    }
}

fn destination(rule: &DispatchRule, facts: &Facts<'_>, trunk: Option<String>, random: &str) -> Verdict {
    let caller = Caller::of(facts, rule.hide_phone_number);
    let room = match &rule.destination {
        Destination::Agent { dialogue } => {
            return Verdict::Agent { trunk, rule: Some(rule.id.clone()), dialogue: dialogue.clone() };
        }
        Destination::Direct { room_name, .. } => room_name.clone(),
        Destination::Individual { room_prefix, no_randomness, .. } => {
            room_name(room_prefix, &caller.in_room_name, if *no_randomness { "" } else { random })
        }
        Destination::Callee { room_prefix, randomize, .. } => {
            room_name(room_prefix, facts.to, if *randomize { random } else { "" })
        }
    };
    let mut attributes = rule.attributes.clone();
    attributes.insert("sip.ruleID".into(), rule.id.clone());
    if let Some(trunk) = &trunk {
        attributes.insert("sip.trunkID".into(), trunk.clone());
    }
    hide_or_show(&mut attributes, facts, rule.hide_phone_number);
    Verdict::Room {
        trunk,
        rule: rule.id.clone(),
        room,
        identity: caller.identity,
        name: caller.name,
        attributes: attributes.into_iter().collect(),
    }
}

fn hide_or_show(attributes: &mut BTreeMap<String, String>, facts: &Facts<'_>, hide: bool) {
    if !hide {
        attributes.insert("sip.phoneNumber".into(), facts.from.into());
        attributes.insert("sip.hostname".into(), facts.from_host.into());
        attributes.insert("sip.trunkPhoneNumber".into(), facts.to.into());
    }
}

fn room_name(prefix: &str, middle: &str, random: &str) -> String {
    let parts: Vec<&str> = [prefix, middle, random].into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("_")
}

/// How a caller appears in a room.
struct Caller {
    identity: String,
    name: String,
    in_room_name: String,
}

impl Caller {
    fn of(facts: &Facts<'_>, hide: bool) -> Self {
        let from = if facts.from.is_empty() { "anonymous" } else { facts.from };
        if !hide {
            return Self {
                identity: format!("sip_{from}"),
                name: format!("Phone {from}"),
                in_room_name: from.into(),
            };
        }
        let hidden = Sha256::digest(from.as_bytes()).iter().take(8).fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        // Four digits tell callers apart for a person; a short number would be shown whole, so one.
        let length = from.chars().count();
        let kept: String = from.chars().skip(length - if length <= 4 { 1 } else { 4 }).collect();
        Self { identity: format!("sip_{hidden}"), name: format!("Phone {kept}"), in_room_name: hidden }
    }
}
