//! The control thread over its real socket, with a signalling thread that only says what it was asked.

use super::client::{Client, ClientError};
use super::server::{Control, ControlError, start};
use super::{CallEvent, Counts, Request, Status, Totals};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc as tokio_mpsc};
use trunkline_config::Config;
use trunkline_records::{Cdr, Entry, Records, What};

struct Bench {
    folder: TempDir,
    config: Config,
    records: Arc<Records>,
    requests: tokio_mpsc::Sender<Request>,
    events: broadcast::Sender<CallEvent>,
    asked: mpsc::Receiver<&'static str>,
    draining: Arc<AtomicBool>,
    full: Arc<AtomicBool>,
}

impl Bench {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let yaml = format!("state_dir: {}\n{more}", folder.path().display());
        let config = Config::parse("test.yaml", &yaml, &|_| None).expect("a configuration");
        let (records, _) = Records::open(folder.path()).expect("records");
        let (requests, inbox) = tokio_mpsc::channel(16);
        let (events, _) = broadcast::channel(64);
        let (note, asked) = mpsc::channel();
        let draining = Arc::new(AtomicBool::new(false));
        let drained = Arc::clone(&draining);
        let full = Arc::new(AtomicBool::new(false));
        let filled = Arc::clone(&full);
        thread::spawn(move || signalling(inbox, &note, &drained, &filled));
        Self { folder, config, records: Arc::new(records), requests, events, asked, draining, full }
    }

    fn start(&self) -> Result<Control, ControlError> {
        let records = Arc::clone(&self.records);
        start(&self.config, records, self.requests.clone(), self.events.clone(), None)
    }

    fn client(&self) -> Client {
        Client::connect(self.folder.path()).expect("connected")
    }
}

fn signalling(
    mut inbox: tokio_mpsc::Receiver<Request>,
    note: &mpsc::Sender<&'static str>,
    draining: &AtomicBool,
    full: &AtomicBool,
) {
    while let Some(request) = inbox.blocking_recv() {
        let _ = note.send(match request {
            Request::Status(reply) => {
                let _ = reply.send(status(draining.load(Ordering::Relaxed), full.load(Ordering::Relaxed)));
                "status"
            }
            Request::Calls(reply) => {
                let _ = reply.send(vec![cdr("SCL_up")]);
                "calls"
            }
            Request::HangUp { id, reply } => {
                let _ = reply.send(usize::from(id == "SCL_up"));
                "hang up"
            }
            Request::CallIn { reply, .. } => {
                let _ = reply.send(None);
                "call in"
            }
            Request::PlanChanged(reply) => {
                let _ = reply.send(());
                "plan changed"
            }
            Request::Drain => "drain",
        });
    }
}

fn status(draining: bool, full: bool) -> Status {
    Status {
        version: "0.1.0",
        pid: std::process::id(),
        uptime_s: 7,
        draining,
        full,
        cpu: 0.25,
        sip: vec!["udp 0.0.0.0:5060".into()],
        agent: "ready".into(),
        open: true,
        counts: Counts { calls: 1, ..Counts::default() },
        totals: Totals::default(),
    }
}

fn cdr(id: &str) -> Cdr {
    Cdr {
        id: id.into(),
        sip_call_id: format!("{id}@host/1"),
        direction: "inbound".into(),
        from: "+1555".into(),
        started: 1_000_000,
        ..Cdr::default()
    }
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}

#[test]
fn the_socket_is_for_its_owner_alone_and_goes_when_control_stops() {
    let bench = Bench::new("");
    let control = bench.start().expect("started");
    let socket = super::socket::path_in(bench.folder.path());
    let mode = socket.metadata().expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    control.stop();
    assert!(!socket.exists());
    assert!(matches!(Client::connect(bench.folder.path()), Err(ClientError::NotRunning { .. })));
}

#[test]
fn a_second_process_is_told_which_one_runs_and_the_first_goes_on() {
    let bench = Bench::new("");
    let _control = bench.start().expect("started");
    let error = bench.start().expect_err("the socket is answered");
    assert!(error.to_string().contains(&format!("already running, pid {}", std::process::id())), "{error}");
    assert_eq!(bench.client().get("/status").expect("status")["uptime_s"], 7);
}

#[test]
fn a_socket_that_a_crash_left_is_replaced() {
    let bench = Bench::new("");
    let path = super::socket::path_in(bench.folder.path());
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    assert!(path.exists());
    let _control = bench.start().expect("started");
    assert_eq!(bench.client().get("/status").expect("status")["agent"], "ready");
}

#[test]
fn curl_reads_the_status_as_the_verbs_do() {
    let bench = Bench::new("");
    let _control = bench.start().expect("started");
    let socket = super::socket::path_in(bench.folder.path());
    let curl =
        Command::new("curl").args(["-sS", "--unix-socket"]).arg(socket).arg("http://t/status").output();
    // A machine without curl has shown nothing, and the other tests have shown the rest.
    let Ok(output) = curl else { return };
    let status: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(status["sip"], json!(["udp 0.0.0.0:5060"]));
    assert_eq!(status["counts"]["calls"], 1);
}

#[test]
fn a_trunk_is_stored_the_signalling_is_told_and_its_password_never_comes_back() {
    let bench = Bench::new("");
    let _control = bench.start().expect("started");
    let client = bench.client();
    let trunk = json!({ "numbers": ["+1555"], "auth_username": "a", "auth_password": "secret" });
    let stored = client.post("/trunks", &trunk).expect("stored");
    assert_eq!(bench.asked.recv(), Ok("plan changed"));
    let id = stored["id"].as_str().expect("an id");
    assert!(id.starts_with("ST_"), "{id}");
    let listed = client.get("/trunks").expect("listed");
    assert_eq!(listed[0]["auth_password"], "…");
    client.post("/trunks", &listed[0]).expect_err("a mask is no password");
    client.delete(&format!("/trunks/{id}")).expect("removed");
    assert_eq!(client.get("/trunks").expect("listed"), json!([]));
}

#[test]
fn what_is_wrong_with_a_request_is_said_in_a_sentence() {
    let bench = Bench::new("");
    let _control = bench.start().expect("started");
    let client = bench.client();
    let refused = |result: Result<Value, ClientError>| match result {
        Err(ClientError::Refused { status, sentence }) => (status, sentence),
        other => panic!("expected a refusal, found {other:?}"),
    };
    let (status, sentence) = refused(client.post("/trunks", &json!({ "numbres": [] })));
    assert!(status == 422 && sentence.contains("numbres"), "{status} {sentence}");
    let (status, sentence) = refused(client.post("/trunks", &json!({ "name": "open" })));
    assert!(status == 422 && sentence.contains("anybody"), "{status} {sentence}");
    let (status, sentence) = refused(client.get("/calls/SCL_nobody"));
    assert_eq!((status, sentence.as_str()), (404, "no call SCL_nobody"));
    let (status, _) = refused(client.delete("/calls/SCL_nobody").map(|()| Value::Null));
    assert_eq!(status, 404);
    let (status, _) = refused(client.get("/nothing"));
    assert_eq!(status, 404);
}

#[test]
fn calls_are_listed_hung_up_and_drained_through_the_signalling_thread() {
    let bench = Bench::new("");
    let _control = bench.start().expect("started");
    let client = bench.client();
    assert_eq!(client.get("/calls").expect("listed")["up"][0]["id"], "SCL_up");
    client.delete("/calls/SCL_up").expect("hung up");
    client.post("/drain", &Value::Null).expect("drained");
    assert_eq!(bench.asked.iter().take(3).collect::<Vec<_>>(), ["calls", "hang up", "drain"]);
}

#[test]
fn a_call_is_found_by_its_sip_call_id_with_its_timeline() {
    let bench = Bench::new("");
    let _control = bench.start().expect("started");
    bench.records.begin(&cdr("SCL_1"));
    let what = What::State { state: "ringing".into(), why: String::new() };
    bench.records.append("SCL_1", Entry { at: 1_000_500, what });
    let path = format!("/calls/{}", super::client::segment("SCL_1@host/1"));
    let call = bench.client().get(&path).expect("found");
    assert_eq!(call["cdr"]["id"], "SCL_1");
    assert_eq!(call["timeline"][0]["state"], "ringing");
}

#[test]
fn watching_one_call_shows_what_happens_to_it_and_ends_with_it() {
    let bench = Bench::new("");
    let _control = bench.start().expect("started");
    bench.records.begin(&cdr("SCL_1"));
    bench.records.flush();
    let client = bench.client();
    let events = bench.events.clone();
    let teller = thread::spawn(move || {
        // The watcher subscribes when its request is read; what is said before that is not for it.
        while events.receiver_count() == 0 {
            thread::yield_now();
        }
        for id in ["SCL_2", "SCL_1"] {
            let _ = events.send(CallEvent::Began(Arc::new(cdr(id))));
            let what = What::Dtmf { digit: '5', received: true, how: "rfc4733".into(), ms: 100 };
            let entry = Arc::new(Entry { at: 2_000_000, what });
            let _ = events.send(CallEvent::Entry { call: id.into(), entry });
            let _ = events.send(CallEvent::Ended(Arc::new(cdr(id))));
        }
    });
    let mut seen = Vec::new();
    client
        .lines("/events?call=SCL_1", &mut |line| {
            seen.push(serde_json::from_str::<Value>(line).expect("JSON"));
            ControlFlow::Continue(())
        })
        .expect("a stream");
    teller.join().expect("told");
    let kinds: Vec<&str> = seen.iter().filter_map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds, ["began", "dtmf", "ended"]);
    assert_eq!(
        (&seen[1]["call"], &seen[1]["digit"], &seen[1]["at"]),
        (&json!("SCL_1"), &json!("5"), &json!(2_000_000))
    );
}

#[test]
fn the_health_page_says_ok_until_calls_are_refused() {
    let port = free_port();
    let bench = Bench::new(&format!("health_port: {port}\n"));
    let _control = bench.start().expect("started");
    let answer = get(port, "/");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nOK"), "{answer}");
    bench.full.store(true, Ordering::Relaxed);
    let answer = get(port, "/");
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.ends_with("\r\n\r\nUnderLoad"), "{answer}");
    bench.draining.store(true, Ordering::Relaxed);
    let answer = get(port, "/");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\nStopped"), "{answer}");
}

#[test]
fn a_scrape_holds_what_is_held_now() {
    let port = free_port();
    let bench = Bench::new(&format!("prometheus_port: {port}\n"));
    let _control = bench.start().expect("started");
    let page = get(port, "/metrics");
    assert!(
        page.contains("\ntrunkline_calls{node_id=\"NE_")
            && page.contains("\nlivekit_sip_available{node_id=\"NE_"),
        "{page}"
    );
    assert!(get(port, "/").starts_with("HTTP/1.1 404 "));
}
