//! What is written down of calls, and what a crash leaves of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use trunkline_dialplan::{Destination, DispatchRule, Trunk};
use trunkline_records::{Cdr, Entry, Records, RecordsError, What};

fn open(folder: &Path) -> Records {
    Records::open(folder).unwrap().0
}

fn cdr(id: &str, started: u64) -> Cdr {
    Cdr { id: id.into(), sip_call_id: format!("{id}@host"), started, ..Cdr::default() }
}

fn state(at: u64, state: &str) -> Entry {
    Entry { at, what: What::State { state: state.into(), why: String::new() } }
}

#[test]
fn a_calls_timeline_is_read_while_it_is_up_and_after_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path());
    records.append("SCL_a", state(9, "trying"));
    records.begin(&cdr("SCL_a", 10));
    records.begin(&cdr("SCL_b", 10));
    records.append("SCL_a", state(11, "ringing"));
    records.append("SCL_b", state(12, "answered"));
    records.append("SCL_a", state(13, "answered"));
    let wanted = [state(9, "trying"), state(11, "ringing"), state(13, "answered")];
    assert_eq!(records.timeline("SCL_a").unwrap(), wanted);
    assert!(records.cdrs(9).unwrap().is_empty());
    records.update(&Cdr { answered: Some(13), ..cdr("SCL_a", 10) });
    assert_eq!(records.cdr("SCL_a").unwrap().answered, Some(13));
    records.end(Cdr { ended: Some(20), ..cdr("SCL_a", 10) });
    records.append("SCL_a", state(21, "late"));
    records.flush();
    records.append("SCL_a", state(22, "later"));
    let states: Vec<_> = records.timeline("SCL_a").unwrap().iter().map(|entry| entry.at).collect();
    assert_eq!(states, [9, 11, 13, 21, 22]);
    assert_eq!(records.cdr("SCL_a").unwrap().ended, Some(20));
    assert_eq!(records.lost(), 0);
}

#[test]
fn ended_calls_are_listed_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path());
    for number in 0..5 {
        records.end(cdr(&format!("SCL_{number}"), 100 + number));
    }
    let ids: Vec<_> = records.cdrs(3).unwrap().into_iter().map(|cdr| cdr.id).collect();
    assert_eq!(ids, ["SCL_4", "SCL_3", "SCL_2"]);
}

#[test]
fn a_call_is_found_by_id_call_id_or_unique_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path());
    records.end(Cdr { sip_call_id: "same@host".into(), ..cdr("SCL_abc", 1) });
    records.end(Cdr { sip_call_id: "same@host".into(), ..cdr("SCL_abd", 2) });
    records.begin(&cdr("SCL_xyz", 3));
    for (name, id) in
        [("SCL_abc", "SCL_abc"), ("same@host", "SCL_abd"), ("SCL_x", "SCL_xyz"), ("SCL_xyz@h", "SCL_xyz")]
    {
        assert_eq!(records.cdr(name).unwrap().id, id, "{name}");
    }
    assert!(matches!(records.cdr("SCL_ab"), Err(RecordsError::Invalid(why)) if why.contains("SCL_abc")));
    assert!(matches!(records.cdr("SCL_q"), Err(RecordsError::Unknown { kind: "call", .. })));
    assert!(matches!(records.cdr(""), Err(RecordsError::Unknown { .. })));
}

#[test]
fn a_call_that_was_up_in_a_crash_is_marked_once_with_its_last_sign_of_life() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path());
    records.begin(&cdr("SCL_a", 10));
    records.append("SCL_a", state(50, "answered"));
    records.update(&Cdr { answered: Some(50), codec: Some("PCMU".into()), ..cdr("SCL_a", 10) });
    records.begin(&cdr("SCL_b", 12));
    records.end(Cdr { ended: Some(13), ..cdr("SCL_b", 12) });
    drop(records);
    let (records, interrupted) = Records::open(folder.path()).unwrap();
    assert_eq!(interrupted, 1);
    let left = records.cdr("SCL_a").unwrap();
    assert!(left.interrupted);
    assert_eq!((left.ended, left.answered, left.codec.as_deref()), (Some(50), Some(50), Some("PCMU")));
    assert_eq!(records.timeline("SCL_a").unwrap(), [state(50, "answered")]);
    assert!(!records.cdr("SCL_b").unwrap().interrupted);
    drop(records);
    assert_eq!(Records::open(folder.path()).unwrap().1, 0);
}

/// What kill -9 leaves: the journal as the kernel has it, the last line cut, and a store without the call.
#[test]
fn a_journal_that_breaks_off_gives_all_that_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let lines = "{\"call\":\"SCL_up\",\"up\":{\"id\":\"SCL_up\",\"started\":5}}\n\
                 {\"call\":\"SCL_done\",\"up\":{\"id\":\"SCL_done\",\"started\":6}}\n\
                 {\"call\":\"SCL_up\",\"entry\":{\"at\":7,\"kind\":\"fault\",\"text\":\"x\"}}\n\
                 no JSON at all\n\
                 {\"call\":\"SCL_done\",\"end\":{\"id\":\"SCL_done\",\"started\":6,\"ended\":8,\"end\":\"bye\"}}\n\
                 {\"call\":\"SCL_up\",\"entry\":{\"at\":9,\"kind\":\"fa";
    std::fs::write(folder.path().join("journal/00000001.jsonl"), lines).unwrap();
    let (records, interrupted) = Records::open(folder.path()).unwrap();
    assert_eq!(interrupted, 1);
    let calls = records.cdrs(9).unwrap();
    assert_eq!(calls.len(), 2);
    assert_eq!((calls[0].id.as_str(), calls[0].interrupted, calls[0].ended), ("SCL_done", false, Some(8)));
    assert_eq!((calls[1].id.as_str(), calls[1].interrupted, calls[1].ended), ("SCL_up", true, Some(7)));
    assert_eq!(records.timeline("SCL_up").unwrap().len(), 1);
}

#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _records = open(folder.path());
    assert!(matches!(Records::open(folder.path()), Err(RecordsError::InUse { .. })));
}

#[test]
fn a_store_that_is_none_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("trunkline.redb"), "not a store at all").unwrap();
    let error = Records::open(folder.path()).unwrap_err();
    assert!(
        matches!(&error, RecordsError::Store { path, .. } if path.ends_with("trunkline.redb")),
        "{error}"
    );
}

#[test]
fn trunks_and_rules_are_checked_given_ids_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path());
    let open_trunk = records.add_trunk(Trunk { name: "open".into(), ..Trunk::default() });
    assert!(matches!(open_trunk, Err(RecordsError::Invalid(_))));
    let trunk = records.add_trunk(Trunk { numbers: vec!["+15550100".into()], ..Trunk::default() }).unwrap();
    assert!(trunk.id.starts_with("ST_") && trunk.id.len() == 15, "{}", trunk.id);
    let mut rule = DispatchRule {
        name: "all".into(),
        trunk_ids: vec!["ST_none".into()],
        ..DispatchRule::to(Destination::Direct { room_name: "lobby".into(), pin: "1234".into() })
    };
    assert!(
        matches!(records.add_rule(rule.clone()), Err(RecordsError::Invalid(why)) if why.contains("ST_none"))
    );
    rule.trunk_ids = vec![trunk.id.clone()];
    let rule = records.add_rule(rule).unwrap();
    assert!(rule.id.starts_with("SDR_"));
    drop(records);
    let records = open(folder.path());
    let plan = records.plan().unwrap();
    assert_eq!((plan.trunks, plan.rules), (vec![trunk.clone()], vec![rule.clone()]));
    records.remove_rule(&rule.id).unwrap();
    records.remove_trunk(&trunk.id).unwrap();
    assert!(matches!(records.remove_trunk(&trunk.id), Err(RecordsError::Unknown { kind: "trunk", .. })));
    assert!(records.plan().unwrap().trunks.is_empty());
}

#[test]
fn the_state_folder_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("deep/state");
    let records = open(&state);
    records.begin(&cdr("SCL_a", 1));
    records.flush();
    for (path, mode) in [("", 0o700), ("trunkline.redb", 0o600), ("journal/00000001.jsonl", 0o600)] {
        let found = std::fs::metadata(state.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }
}

/// The part of the next test that is killed: does nothing unless it is told where.
#[test]
fn the_process_that_is_killed() {
    let Some(folder) = std::env::var_os("RECORDS_TO_BE_KILLED") else { return };
    let records = open(Path::new(&folder));
    records.end(Cdr { ended: Some(4), ..cdr("SCL_before", 3) });
    records.flush();
    records.begin(&cdr("SCL_up", 5));
    records.append("SCL_up", state(9, "answered"));
    records.flush();
    std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status().unwrap();
    std::thread::park();
}

#[test]
fn after_kill_9_the_call_that_was_up_is_there_and_marked() {
    let folder = tempfile::tempdir().unwrap();
    let killed = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_killed"])
        .env("RECORDS_TO_BE_KILLED", folder.path())
        .status()
        .unwrap();
    assert!(!killed.success());
    let (records, interrupted) = Records::open(folder.path()).unwrap();
    assert_eq!(interrupted, 1);
    let left: Vec<_> =
        records.cdrs(9).unwrap().into_iter().map(|cdr| (cdr.id, cdr.interrupted, cdr.ended)).collect();
    assert_eq!(left, [("SCL_up".into(), true, Some(9)), ("SCL_before".into(), false, Some(4))]);
    assert_eq!(records.timeline("SCL_up").unwrap(), [state(9, "answered")]);
}
