//! What happened in a call can be read: while it happens, afterwards, and in Wireshark.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use trunkline_tests::gateway::{Gateway, binary};
use trunkline_tests::terminal::Terminal;
use trunkline_tests::wire::Peer;

/// `trunkline tail` in another process.
struct Tail {
    child: Child,
    out: PathBuf,
}

impl Tail {
    fn start(gateway: &mut Gateway, name: &str, arguments: &[&str]) -> Self {
        let out = gateway.folder.path().join(name);
        let file = fs::File::create(&out).expect("a file");
        let child = Command::new(binary())
            .args(["--config".as_ref(), gateway.config().as_os_str()])
            .arg("tail")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file"))
            .stderr(file)
            .spawn()
            .expect("the program runs");
        Self { child, out }
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Until a tail has shown a call: from then on it misses nothing.
fn warm_up(gateway: &mut Gateway, tails: &[&Tail]) {
    let peer = Peer::new(gateway.port);
    let mut tried = 0;
    gateway.wait_until("the tails listen", |_| {
        tried += 1;
        peer.short_call(&format!("warm-up-{tried}")).expect("a call");
        tails.iter().all(|tail| tail.printed().contains('\n'))
    });
}

/// Does the text hold these, one after the other?
fn in_order(text: &str, pieces: &[&str]) -> Result<(), String> {
    let mut rest = text;
    for piece in pieces {
        let at =
            rest.find(piece).ok_or_else(|| format!("\"{piece}\" is missing or too early in:\n{text}"))?;
        rest = &rest[at + piece.len()..];
    }
    Ok(())
}

fn tshark(file: &Path, arguments: &[&str]) -> String {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args(arguments)
        .output()
        .expect("tshark; Debian package tshark");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_call_can_be_followed_live_and_read_afterwards() {
    let mut gateway = Gateway::with("recording: {enabled: true}\n");
    let people = Tail::start(&mut gateway, "people.txt", &[]);
    let machines = Tail::start(&mut gateway, "machines.txt", &["--json"]);
    warm_up(&mut gateway, &[&people, &machines]);
    let caller =
        Terminal::call(&gateway, "agent", &["--json", "--at-once", "--keys", "1", "--patience", "2"]);
    gateway.wait_until("the key is shown while the call is up", |_| {
        people.printed().contains("caller pressed 1")
    });
    let up = gateway.json(&["calls"])["up"].clone();
    assert_eq!(up.as_array().map(Vec::len), Some(1), "the call is not up any more: live means while it is");
    let id = up[0]["id"].as_str().expect("an id").to_owned();
    let mut only = Tail::start(&mut gateway, "only.txt", &["--call", &id]);
    let caller = caller.finish();
    assert!(caller.success, "{}", caller.printed);
    gateway.wait_until_idle();

    gateway.wait_until("the tail of the one call ends with it", |_| {
        only.child.try_wait().is_ok_and(|s| s.is_some())
    });
    assert!(only.printed().contains('■'), "{}", only.printed());
    gateway.wait_until("the end is shown", |_| people.printed().matches('■').count() > 1);
    let live = people.printed();
    let of_call: String = live.lines().filter(|l| l.contains(&id[..12])).map(|l| format!("{l}\n")).collect();
    in_order(
        &of_call,
        &["▶ inbound call from terminal to agent", "INVITE sip:agent@", "SIP/2.0 200 OK", "ACK sip:"],
    )
    .and_then(|()| {
        in_order(&of_call, &["# caller pressed 1 (RFC 4733", "\u{201c} agent: ", "BYE sip:", "■ 200"])
    })
    .expect("the tail");
    for line in machines.printed().lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(event["at"].is_u64() && event["kind"].is_string(), "{line}");
    }

    read_afterwards(&gateway, &id, caller.json()["call_id"].as_str().expect("a Call-ID"));
    the_same_in_wireshark(&gateway, &id);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(), Some(0));
    let shown = gateway.cli(&["calls", "show", &id]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("caller pressed 1"), "without a running program");
    let unknown = gateway.cli(&["calls", "show", "SCL_nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("SCL_nobody"));
}

fn read_afterwards(gateway: &Gateway, id: &str, sip_call_id: &str) {
    let list = String::from_utf8_lossy(&gateway.cli(&["calls"]).stdout).into_owned();
    let row =
        list.lines().find(|l| l.starts_with(&id[..12])).unwrap_or_else(|| panic!("{id} is not in:\n{list}"));
    assert!(row.contains("terminal") && row.contains("agent") && row.contains("G722"), "{row}");

    // The SIP Call-ID, or a beginning of it, is a name of the call as well.
    let call = gateway.json(&["calls", "show", &sip_call_id[..12]]);
    assert_eq!(call["cdr"]["id"], id);
    let entries = call["timeline"].as_array().expect("a timeline");
    for kind in ["sip", "state", "media", "dtmf", "transcript", "decision"] {
        assert!(entries.iter().any(|e| e["kind"] == kind), "no {kind} in {entries:#?}");
    }
    assert!(entries.iter().all(|e| e["kind"] != "fault"), "{entries:#?}");
    let times: Vec<u64> = entries.iter().map(|e| e["at"].as_u64().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
    let decision = entries.iter().find(|e| e["kind"] == "decision").expect("a decision");
    assert!(!decision["why"].as_str().expect("a reason").is_empty());

    let text = String::from_utf8_lossy(&gateway.cli(&["calls", "show", id]).stdout).into_owned();
    in_order(&text, &["+0.000  ← INVITE", "◆ taken: no trunk and no rule is set up"])
        .and_then(|()| {
            in_order(&text, &["♪ G722", "# caller pressed 1", "agent: ", "● ended", "\nmedia       G722"])
        })
        .expect("calls show");
    assert!(!text.contains("Content-Length"), "headers are for --full:\n{text}");
    let full = String::from_utf8_lossy(&gateway.cli(&["calls", "show", id, "--full"]).stdout).into_owned();
    assert!(full.contains("Content-Length") && full.contains("a=rtpmap:"), "{full}");
}

fn the_same_in_wireshark(gateway: &Gateway, id: &str) {
    let file = gateway.folder.path().join("call.pcap");
    let wrote = gateway.cli(&["calls", "show", id, "--pcap", &file.display().to_string()]);
    assert!(wrote.status.success(), "{}", String::from_utf8_lossy(&wrote.stderr));
    let fields = tshark(
        &file,
        &["-Y", "sip", "-T", "fields", "-e", "sip.Method", "-e", "sip.Status-Code", "-e", "sip.CSeq"],
    );
    let messages: Vec<String> =
        fields.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        messages,
        ["INVITE 1 INVITE", "180 1 INVITE", "200 1 INVITE", "ACK 1 ACK", "BYE 2 BYE", "200 2 BYE"],
    );
    // Five seconds of the agent's answer at least, each way.
    let sources = tshark(&file, &["-Y", "rtp", "-T", "fields", "-e", "udp.srcport"]);
    let mut ports: Vec<&str> = sources.lines().collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 2, "RTP of both directions: {ports:?}");
    let packets: Vec<usize> = ports.iter().map(|p| sources.lines().filter(|l| l == p).count()).collect();
    assert!(packets.iter().all(|n| *n > 100), "{packets:?}");
    assert_eq!(tshark(&file, &["-Y", "_ws.malformed"]), "");
}

#[test]
fn a_call_that_was_not_recorded_has_its_signalling_in_the_pcap() {
    let mut gateway = Gateway::start();
    Peer::new(gateway.port).short_call("not-recorded").expect("a call");
    gateway.wait_until_idle();
    let file = gateway.folder.path().join("call.pcap");
    let wrote = gateway.cli(&["calls", "show", "not-recorded", "--pcap", &file.display().to_string()]);
    assert!(wrote.status.success(), "{}", String::from_utf8_lossy(&wrote.stderr));
    let methods = tshark(&file, &["-Y", "sip.Method", "-T", "fields", "-e", "sip.Method"]);
    assert_eq!(methods.lines().collect::<Vec<_>>(), ["INVITE", "ACK", "BYE"]);
    assert_eq!(tshark(&file, &["-Y", "rtp"]), "");
}
