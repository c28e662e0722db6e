//! Which trunk takes a call, and what is said when none or two do.

#![allow(clippy::panic, clippy::type_complexity)]

use trunkline_dialplan::{DefaultRoute, Evaluation, Facts, Plan, Trunk, Verdict, evaluate};

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn trunk(id: &str, numbers: &[&str], addresses: &[&str], callers: &[&str]) -> Trunk {
    Trunk {
        id: id.into(),
        name: format!("{id} name"),
        numbers: texts(numbers),
        allowed_addresses: texts(addresses),
        allowed_numbers: texts(callers),
        ..Trunk::default()
    }
}

fn facts() -> Facts<'static> {
    Facts {
        from: "+15550100",
        from_host: "carrier.example",
        to: "+15550199",
        source: "192.0.2.10".parse().ok(),
        pin: None,
    }
}

fn decide(trunks: &[Trunk], facts: &Facts<'_>) -> Evaluation {
    evaluate(&Plan { trunks: trunks.to_vec(), ..Plan::default() }, facts, None, "")
}

/// The trunk that took the call, or the status of the refusal.
fn outcome(evaluation: &Evaluation) -> Result<Option<String>, u16> {
    match &evaluation.verdict {
        Verdict::Agent { trunk, .. } => Ok(trunk.clone()),
        Verdict::Reject { status, .. } => Err(*status),
        other => panic!("{other}"),
    }
}

#[test]
fn with_nothing_set_up_the_agent_takes_any_call() {
    assert_eq!(outcome(&decide(&[], &facts())), Ok(None));
}

#[test]
fn with_nothing_set_up_and_the_door_closed_every_call_is_refused() {
    let plan = Plan { default: DefaultRoute::Reject, ..Plan::default() };
    let Verdict::Reject { status: 404, reason } = evaluate(&plan, &facts(), None, "").verdict else {
        panic!()
    };
    assert!(reason.contains("dialplan.default"), "{reason}");
}

#[test]
fn the_table_of_trunks() {
    let any = trunk("ST_any", &[], &["0.0.0.0/0"], &[]);
    let number = trunk("ST_number", &["15550199"], &[], &[]);
    let other = trunk("ST_other", &["+15550123"], &[], &[]);
    let foreign = trunk("ST_foreign", &["+15550199"], &["198.51.100.0/24"], &[]);
    let caller = trunk("ST_caller", &["+15550199"], &[], &["1 555 0100"]);
    let stranger = trunk("ST_stranger", &["+15550199"], &[], &["+15559999"]);
    let host = trunk("ST_host", &[], &["carrier.example"], &[]);
    let unreadable = trunk("ST_unreadable", &[], &["10.0.0.0/99"], &[]);
    let table: Vec<(&str, Vec<&Trunk>, Result<Option<&str>, u16>)> = vec![
        ("any number", vec![&any], Ok(Some("ST_any"))),
        ("its number, written otherwise", vec![&number], Ok(Some("ST_number"))),
        ("another number", vec![&other], Err(404)),
        ("its number, a foreign address", vec![&foreign], Err(404)),
        ("its number and caller", vec![&caller], Ok(Some("ST_caller"))),
        ("its number, another caller", vec![&stranger], Err(404)),
        ("From host", vec![&host], Ok(Some("ST_host"))),
        ("no readable address", vec![&unreadable], Ok(Some("ST_unreadable"))),
        ("specific beats default", vec![&any, &number, &host], Ok(Some("ST_number"))),
        (
            "what is filtered does not clash",
            vec![&number, &foreign, &stranger, &other],
            Ok(Some("ST_number")),
        ),
        ("a foreign specific leaves it to the default", vec![&foreign, &any], Ok(Some("ST_any"))),
        ("two specific", vec![&number, &caller], Err(503)),
        ("two default", vec![&any, &host], Err(503)),
        ("two default do not matter beside a specific", vec![&any, &host, &number], Ok(Some("ST_number"))),
    ];
    for (story, trunks, expected) in table {
        let trunks: Vec<Trunk> = trunks.into_iter().cloned().collect();
        let evaluation = decide(&trunks, &facts());
        assert_eq!(
            outcome(&evaluation),
            expected.map(|t| t.map(String::from)),
            "{story}\n{}",
            evaluation.explain()
        );
        assert_eq!(evaluation.reasons.len(), trunks.len(), "{story}");
        let chosen = evaluation.reasons.iter().filter(|reason| reason.chosen).count();
        assert_eq!(chosen, usize::from(expected.is_ok()), "{story}");
    }
}

#[test]
fn two_trunks_for_one_call_are_both_named() {
    let evaluation =
        decide(&[trunk("ST_a", &["+15550199"], &[], &[]), trunk("ST_b", &["15550199"], &[], &[])], &facts());
    let Verdict::Reject { status: 503, reason } = evaluation.verdict else { panic!() };
    assert!(reason.contains("ST_a") && reason.contains("ST_b"), "{reason}");
}

#[test]
fn who_is_kept_out_of_the_trunk_with_the_number_learns_why_in_the_log() {
    let trunks =
        [trunk("ST_else", &["+1"], &[], &[]), trunk("ST_mine", &["+15550199"], &["198.51.100.7"], &[])];
    let Verdict::Reject { status: 404, reason } = decide(&trunks, &facts()).verdict else { panic!() };
    assert_eq!(
        reason,
        "no trunk takes a call from +15550100 at 192.0.2.10 to +15550199; ST_mine \"ST_mine name\": neither source \
         192.0.2.10 nor From host carrier.example is among its allowed_addresses (198.51.100.7) (2 trunks looked at)"
    );
}

#[test]
fn a_trunk_with_credentials_challenges_until_its_own_were_shown() {
    let plan = Plan {
        trunks: vec![Trunk {
            auth_username: "alice".into(),
            auth_password: "hunter2".into(),
            ..trunk("ST_auth", &["+15550199"], &[], &[])
        }],
        ..Plan::default()
    };
    let challenged = evaluate(&plan, &facts(), None, "");
    assert_eq!(
        challenged.verdict,
        Verdict::Challenge {
            trunk: "ST_auth".into(),
            realm: "trunkline".into(),
            username: "alice".into(),
            password: "hunter2".into()
        }
    );
    let another = evaluate(&plan, &facts(), Some("ST_else"), "");
    assert_eq!(another.verdict, challenged.verdict);
    assert_eq!(outcome(&evaluate(&plan, &facts(), Some("ST_auth"), "")), Ok(Some("ST_auth".into())));
    for text in [challenged.explain(), format!("{challenged:?}"), format!("{plan:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn what_a_caller_sends_reaches_no_text_unescaped() {
    let trunks = [trunk("ST_a", &["+1"], &[], &["+2"]), trunk("ST_b", &["+1"], &["10.0.0.1"], &[])];
    let hostile = Facts { from: "a\u{1b}[2J\r\nX: y", from_host: "h\u{202e}\n", to: "b\u{7}\n", ..facts() };
    let evaluation = decide(&trunks, &hostile);
    let Verdict::Reject { reason, .. } = &evaluation.verdict else { panic!() };
    for text in evaluation.reasons.iter().map(|r| &r.why).chain([reason]) {
        assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
    }
    assert_eq!(evaluation.explain().lines().count(), 3);
}

#[test]
fn a_trunk_that_cannot_be_is_refused_with_a_sentence() {
    let table: Vec<(Trunk, Option<&str>)> = vec![
        (trunk("", &["+1"], &[], &[]), None),
        (trunk("", &[], &["0.0.0.0/0"], &[]), None),
        (Trunk { auth_username: "a".into(), auth_password: "b".into(), ..trunk("", &[], &[], &[]) }, None),
        (trunk("", &[], &[], &[]), Some("anybody")),
        (trunk("", &[], &[], &["+1"]), Some("anybody")),
        (trunk("", &["+1"], &["10.0.0.0/40"], &[]), Some("10.0.0.0/40")),
        (Trunk { auth_username: "a".into(), ..trunk("", &["+1"], &[], &[]) }, Some("go together")),
        (trunk("", &[" "], &[], &[]), Some("numbers")),
    ];
    for (trunk, expected) in table {
        match (trunk.check(), expected) {
            (Ok(()), None) => {}
            (Err(said), Some(expected)) => assert!(said.contains(expected), "{said}"),
            (said, expected) => panic!("{trunk:?}: {said:?}, expected {expected:?}"),
        }
    }
}
