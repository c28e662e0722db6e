//! Which rule takes a call, in which order, what a PIN changes, and how the caller appears in the room.

#![allow(clippy::panic)]

use proptest::prelude::*;
use trunkline_dialplan::{Destination, DispatchRule, Evaluation, Facts, Plan, Trunk, Verdict, evaluate};

fn rule(id: &str, destination: Destination) -> DispatchRule {
    DispatchRule { id: id.into(), ..DispatchRule::to(destination) }
}

fn direct(room: &str, pin: &str) -> Destination {
    Destination::Direct { room_name: room.into(), pin: pin.into() }
}

fn individual(prefix: &str, pin: &str) -> Destination {
    Destination::Individual { room_prefix: prefix.into(), pin: pin.into(), no_randomness: true }
}

fn callee(prefix: &str, pin: &str) -> Destination {
    Destination::Callee { room_prefix: prefix.into(), pin: pin.into(), randomize: false }
}

fn facts(pin: Option<&'static str>) -> Facts<'static> {
    Facts { from: "+15550100", from_host: "carrier.example", to: "+15550199", source: None, pin }
}

fn decide(rules: &[DispatchRule], pin: Option<&'static str>) -> Evaluation {
    evaluate(&Plan { rules: rules.to_vec(), ..Plan::default() }, &facts(pin), None, "r4nd")
}

/// The rule that was chosen, whatever the verdict.
fn chosen(evaluation: &Evaluation) -> Option<&str> {
    evaluation
        .reasons
        .iter()
        .find(|reason| reason.kind == "rule" && reason.chosen)
        .map(|reason| reason.id.as_str())
}

fn room(evaluation: &Evaluation) -> &str {
    match &evaluation.verdict {
        Verdict::Room { room, .. } => room,
        other => panic!("{other}"),
    }
}

/// livekit's order, best first; names run backwards so that the id cannot explain it.
fn in_order() -> Vec<DispatchRule> {
    let mut rules = Vec::new();
    for (callers, numbers) in [(true, true), (true, false), (false, false)] {
        for pin in ["7", ""] {
            for destination in [direct("r", pin), individual("r", pin), callee("r", pin)] {
                rules.push(DispatchRule {
                    inbound_numbers: if callers { vec!["+15550100".into()] } else { Vec::new() },
                    numbers: if numbers { vec!["+15550199".into()] } else { Vec::new() },
                    ..rule(&format!("SDR_{:02}", 99 - rules.len()), destination)
                });
            }
        }
    }
    rules.push(rule("SDR_00", Destination::Agent { dialogue: String::new() }));
    rules
}

#[test]
fn of_any_two_rules_that_fit_the_one_of_better_priority_takes_the_call() {
    let rules = in_order();
    for better in 0..rules.len() {
        for worse in better + 1..rules.len() {
            for pair in [[better, worse], [worse, better]] {
                let two = pair.map(|i| rules[i].clone());
                let evaluation = decide(&two, None);
                assert_eq!(chosen(&evaluation), Some(rules[better].id.as_str()), "{}", evaluation.explain());
            }
        }
    }
}

#[test]
fn naming_callers_and_naming_numbers_weigh_the_same() {
    let callers =
        DispatchRule { inbound_numbers: vec!["+15550100".into()], ..rule("SDR_a", direct("b", "")) };
    let numbers = DispatchRule { numbers: vec!["+15550199".into()], ..rule("SDR_b", direct("a", "")) };
    assert_eq!(chosen(&decide(&[callers, numbers], None)), Some("SDR_b"), "room a sorts before room b");
}

#[test]
fn a_tie_goes_to_the_room_that_sorts_first_and_then_to_the_id() {
    let rules =
        [rule("SDR_2", direct("b", "")), rule("SDR_3", direct("a", "")), rule("SDR_1", direct("a", ""))];
    assert_eq!(chosen(&decide(&rules, None)), Some("SDR_1"));
}

#[test]
fn a_rule_that_names_the_trunk_goes_before_any_that_does_not() {
    let plan = Plan {
        trunks: vec![Trunk { id: "ST_a".into(), numbers: vec!["+15550199".into()], ..Trunk::default() }],
        rules: vec![
            DispatchRule { numbers: vec!["+15550199".into()], ..rule("SDR_wild", direct("wild", "")) },
            DispatchRule { trunk_ids: vec!["ST_a".into()], ..rule("SDR_own", callee("own", "")) },
            DispatchRule { trunk_ids: vec!["ST_b".into()], ..rule("SDR_other", direct("other", "")) },
        ],
        ..Plan::default()
    };
    let evaluation = evaluate(&plan, &facts(None), None, "");
    assert_eq!(chosen(&evaluation), Some("SDR_own"), "{}", evaluation.explain());
    let other = evaluation.reasons.iter().find(|reason| reason.id == "SDR_other").unwrap();
    assert_eq!(other.why, "serves only calls through ST_b, and this one came through ST_a");
}

#[test]
fn a_rule_with_trunks_is_not_for_calls_without_one() {
    let rules = [DispatchRule { trunk_ids: vec!["ST_a".into()], ..rule("SDR_a", direct("a", "")) }];
    assert!(matches!(decide(&rules, None).verdict, Verdict::Reject { status: 404, .. }));
}

#[test]
fn no_rule_that_fits_is_a_404_that_says_why() {
    let rules = [DispatchRule { numbers: vec!["+1".into()], ..rule("SDR_a", direct("a", "")) }];
    let Verdict::Reject { status: 404, reason } = decide(&rules, None).verdict else { panic!() };
    assert_eq!(
        reason,
        "no dispatch rule takes a call from +15550100 to +15550199; SDR_a: +15550199 is not among its numbers (+1)"
    );
}

#[test]
fn numbers_of_a_rule_may_be_written_otherwise() {
    let rules = [DispatchRule { numbers: vec!["1 (555) 0199".into()], ..rule("SDR_a", direct("a", "")) }];
    assert_eq!(room(&decide(&rules, None)), "a");
}

#[test]
fn a_pin_is_wanted_then_right_wrong_or_not_there() {
    let ask = |wrong| Verdict::AskPin { trunk: None, wrong };
    let locked = [rule("SDR_a", direct("a", "1234")), rule("SDR_b", direct("b", "99"))];
    assert_eq!(decide(&locked, None).verdict, ask(false));
    assert_eq!(room(&decide(&locked, Some("1234"))), "a");
    assert_eq!(room(&decide(&locked, Some("99"))), "b");
    for wrong in ["123", "12345", "1235", "0", "1234567890123456789012345"] {
        let pin: &'static str = wrong;
        assert_eq!(decide(&locked, Some(pin)).verdict, ask(true), "{wrong}");
    }
    assert!(matches!(decide(&locked, Some("")).verdict, Verdict::Reject { status: 404, .. }));

    let half_open = [locked[0].clone(), rule("SDR_open", direct("lobby", ""))];
    assert_eq!(decide(&half_open, None).verdict, ask(false), "a PIN goes before an open door");
    assert_eq!(room(&decide(&half_open, Some(""))), "lobby", "# alone: I have none");
    assert_eq!(
        room(&decide(&half_open, Some("77"))),
        "lobby",
        "as livekit: it opened nothing, the lobby is open"
    );

    let open = [rule("SDR_open", direct("lobby", ""))];
    assert_eq!(room(&decide(&open, Some("5"))), "lobby", "a key pressed by mistake");
}

#[test]
fn no_pin_is_ever_in_a_text() {
    let rules = [rule("SDR_a", direct("a", "481516"))];
    for pin in [None, Some("481516"), Some("2342")] {
        let evaluation = decide(&rules, pin);
        let texts = format!("{evaluation:?} {} {rules:?} {:?}", evaluation.explain(), facts(pin));
        assert!(!texts.contains("481516") && !texts.contains("2342"), "{texts}");
    }
}

#[test]
fn rooms_are_named_after_caller_or_number_with_randomness_where_it_is_wanted() {
    let random =
        Destination::Individual { room_prefix: "call".into(), pin: String::new(), no_randomness: false };
    let randomized = Destination::Callee { room_prefix: "line".into(), pin: String::new(), randomize: true };
    for (destination, expected) in [
        (direct("one", ""), "one"),
        (individual("call", ""), "call_+15550100"),
        (individual("", ""), "+15550100"),
        (random, "call_+15550100_r4nd"),
        (callee("line", ""), "line_+15550199"),
        (randomized, "line_+15550199_r4nd"),
    ] {
        assert_eq!(room(&decide(&[rule("SDR_a", destination)], None)), expected);
    }
}

#[test]
fn a_caller_appears_as_livekit_shows_them() {
    let mut shown = rule("SDR_a", direct("a", ""));
    shown.attributes.insert("queue".into(), "sales".into());
    shown.attributes.insert("sip.ruleID".into(), "forged".into());
    let Verdict::Room { identity, name, attributes, .. } = decide(&[shown], None).verdict else { panic!() };
    assert_eq!((identity.as_str(), name.as_str()), ("sip_+15550100", "Phone +15550100"));
    let attributes: Vec<(&str, &str)> = attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        attributes,
        [
            ("queue", "sales"),
            ("sip.hostname", "carrier.example"),
            ("sip.phoneNumber", "+15550100"),
            ("sip.ruleID", "SDR_a"),
            ("sip.trunkPhoneNumber", "+15550199"),
        ]
    );
}

#[test]
fn a_hidden_number_shows_nowhere_but_for_its_last_digits() {
    for (from, kept) in [("+15550100", "0100"), ("911", "1"), ("1001", "1")] {
        let hidden = DispatchRule { hide_phone_number: true, ..rule("SDR_a", individual("call", "")) };
        let plan = Plan { rules: vec![hidden], ..Plan::default() };
        let verdict = evaluate(&plan, &Facts { from, ..facts(None) }, None, "").verdict;
        let Verdict::Room { identity, name, attributes, room, .. } = verdict else { panic!() };
        assert_eq!(name, format!("Phone {kept}"));
        assert_eq!(identity.len(), "sip_".len() + 16);
        assert!(!identity.contains(from) && !room.contains(from));
        assert!(attributes.iter().all(|(key, _)| key == "sip.ruleID"), "{attributes:?}");
    }
}

#[test]
fn rules_without_trunks_serve_the_agent_too() {
    let rules = [rule("SDR_a", Destination::Agent { dialogue: "night.yaml".into() })];
    assert_eq!(
        decide(&rules, None).verdict,
        Verdict::Agent { trunk: None, rule: Some("SDR_a".into()), dialogue: "night.yaml".into() }
    );
}

#[test]
fn a_rule_that_cannot_be_is_refused_with_a_sentence() {
    for (bad, expected) in [
        (rule("", direct(" ", "")), "room_name"),
        (rule("", direct("a", "12a4")), "pin"),
        (rule("", direct("a", "12345678901234567")), "pin"),
        (DispatchRule { trunk_ids: vec![String::new()], ..rule("", direct("a", "")) }, "trunk_ids"),
    ] {
        let said = bad.check().unwrap_err();
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(rule("", direct("a", "*1234")).check(), Ok(()));
}

fn any_rule() -> impl Strategy<Value = DispatchRule> {
    let list = prop_oneof![
        Just(Vec::new()),
        Just(vec!["+15550100".to_string()]),
        Just(vec!["+15550199".to_string()]),
        Just(vec!["+1".to_string()])
    ];
    let pin = prop_oneof![Just(String::new()), Just("12".to_string()), Just("34".to_string())];
    let destination = ("[ab]{0,2}", pin, 0..4).prop_map(|(name, pin, kind)| match kind {
        0 => Destination::Direct { room_name: name, pin },
        1 => Destination::Individual { room_prefix: name, pin, no_randomness: true },
        2 => Destination::Callee { room_prefix: name, pin, randomize: false },
        _ => Destination::Agent { dialogue: name },
    });
    (list.clone(), list, destination).prop_map(|(inbound_numbers, numbers, destination)| DispatchRule {
        inbound_numbers,
        numbers,
        ..rule("", destination)
    })
}

proptest! {
    #[test]
    fn the_order_in_which_rules_are_kept_decides_nothing(
        mut rules in proptest::collection::vec(any_rule(), 0..8),
        rotation in 0_usize..8,
        pin in prop_oneof![Just(None), Just(Some("")), Just(Some("12")), Just(Some("99"))],
    ) {
        for (i, rule) in rules.iter_mut().enumerate() {
            rule.id = format!("SDR_{i}");
        }
        let before = decide(&rules, pin);
        prop_assert_eq!(before.reasons.len(), rules.len());
        prop_assert!(before.reasons.iter().filter(|r| r.chosen).count() <= 1);
        if !rules.is_empty() {
            let by = rotation % rules.len();
            rules.rotate_left(by);
        }
        let after = decide(&rules, pin);
        prop_assert_eq!(chosen(&before), chosen(&after));
        if !matches!(before.verdict, Verdict::Reject { .. }) {
            prop_assert_eq!(before.verdict, after.verdict);
        }
    }

    #[test]
    fn nobody_gets_past_a_pin_without_it(
        rules in proptest::collection::vec(any_rule(), 1..8),
        pin in prop_oneof![Just(None), Just(Some("")), Just(Some("12")), Just(Some("99"))],
    ) {
        let rules: Vec<DispatchRule> = rules
            .into_iter()
            .enumerate()
            .map(|(i, r)| DispatchRule { id: format!("SDR_{i}"), ..r })
            .collect();
        if let Verdict::Room { rule, .. } = decide(&rules, pin).verdict {
            let own = rules.iter().find(|r| r.id == rule).unwrap().destination.pin();
            prop_assert!(own.is_empty() || pin == Some(own));
        }
    }
}
