//! The 49 torture messages of RFC 4475 over UDP at the running program: each gets the answer that it is
//! owed (tests/torture/README.md), a valid call goes through after each, and nothing of them reaches the
//! log or a table as it stands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};
use trunkline_tests::gateway::Gateway;
use trunkline_tests::wire::{Peer, header, status, to_tag};

/// The final answers that each may get; none: it is dropped.
const OWED: &[(&[&str], &[u16])] = &[
    // Requests inside dialogs that nobody has.
    (&["wsinv"], &[481]),
    (&["esc01", "escruri", "baddate", "inv2543"], &[200]),
    (&["longreq"], &[200, 481]),
    // Sound OPTIONS.
    (&["lwsdisp", "semiuri", "transports", "badbranch", "zeromf"], &[200]),
    (
        &["mpart01", "dblreq", "escnull", "regescrt", "cparam01", "cparam02", "regaut01", "unksm2"],
        &[405, 501],
    ),
    (&["intmeth", "esc02"], &[405, 501]),
    (&["badinv01", "clerr", "ncl", "scalar02", "quotbal", "ltgtruri", "lwsruri", "lwsstart", "trws"], &[400]),
    (&["regbadct", "badaspec", "baddn", "mismatch01", "multi01", "mcl01"], &[400]),
    (&["mismatch02"], &[400, 501]),
    (&["badvers"], &[505]),
    (&["unkscm", "novelsc"], &[416]),
    (&["bext01"], &[420]),
    (&["invut"], &[415]),
    (&["sdp01"], &[200, 406, 488]),
    // Somebody can be answered only where the Via, the From and the Call-ID are there.
    (&["insuf"], &[0, 400]),
    (&["unreason", "noreason", "scalarlg", "bigcode", "bcast"], &[0]),
];

/// Answers go to the port of the Via where there is no rport (RFC 3261 §18.2.2): these are theirs, on an
/// address of loopback that is nobody else's.
const STRANGER: &str = "127.0.44.75";
const PORTS: [u16; 2] = [5060, 5062];

struct Stranger {
    peers: Vec<Peer>,
}

impl Stranger {
    fn new(gateway: &Gateway) -> Self {
        let peers = PORTS.map(|port| {
            let socket = UdpSocket::bind((STRANGER, port)).unwrap_or_else(|e| {
                panic!(
                    "{STRANGER}:{port}, where the answers to RFC 4475 go, is taken by another program: {e}"
                )
            });
            socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            Peer { socket, gateway: ([127, 0, 0, 1], gateway.port).into() }
        });
        Self { peers: peers.into() }
    }

    /// The first final answer to any of its ports within `patience`.
    fn answer(&self, patience: Duration) -> Option<String> {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            for peer in &self.peers {
                let fits = |m: &str| status(m).is_some_and(|s| s >= 200);
                if let Some(answer) = peer.expect(Duration::from_millis(20), fits) {
                    return Some(answer);
                }
            }
        }
        None
    }

    /// Ends a call that a torture message has begun.
    fn hang_up(&self, ok: &str, port: u16) {
        for method in ["ACK", "BYE"] {
            let number: u32 = header(ok, "CSeq").unwrap().split(' ').next().unwrap().parse().unwrap();
            let number = if method == "ACK" { number } else { number + 1 };
            let request = format!(
                "{method} sip:agent@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {STRANGER};branch=z9hG4bK-{method}-{}\r\n\
                 Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n",
                to_tag(ok).unwrap(),
                header(ok, "From").unwrap(),
                header(ok, "To").unwrap(),
                header(ok, "Call-ID").unwrap(),
            );
            self.peers[0].send(request.as_bytes());
        }
        let bye = |m: &str| header(m, "CSeq").is_some_and(|c| c.ends_with("BYE")) && status(m) == Some(200);
        assert!(self.peers[0].expect(Duration::from_secs(5), bye).is_some(), "a BYE was not answered");
    }
}

#[test]
fn each_torture_message_is_answered_as_it_is_owed_and_a_valid_call_follows() {
    let mut gateway = Gateway::start();
    let (stranger, caller) = (Stranger::new(&gateway), Peer::new(gateway.port));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("torture");
    let mut seen = 0;
    for (names, owed) in OWED {
        for name in *names {
            seen += 1;
            let bytes = std::fs::read(folder.join(format!("{name}.dat"))).unwrap();
            stranger.peers[0].send(&bytes);
            // What is dropped is followed by a call that is answered: by then, so would it have been.
            let dropped = *owed == [0];
            let answer = if dropped { None } else { stranger.answer(patience(owed)) };
            caller.short_call(&format!("after-{name}")).unwrap_or_else(|e| panic!("after {name}: {e}"));
            let answer = if dropped { stranger.answer(Duration::from_millis(1)) } else { answer };
            let got = answer.as_deref().and_then(status).unwrap_or(0);
            assert!(owed.contains(&got), "{name}: owed {owed:?}, got {answer:?}");
            details(name, answer.as_deref().unwrap_or_default());
            let begun = |a: &&str| got == 200 && header(a, "CSeq").unwrap().ends_with("INVITE");
            if let Some(ok) = answer.as_deref().filter(begun) {
                stranger.hang_up(ok, gateway.port);
            }
        }
    }
    assert_eq!(seen, 49);
    gateway.wait_until_idle();
    nothing_is_shown_as_it_stands(&gateway);
}

/// Where no answer is allowed as well, it is not waited for long.
fn patience(owed: &[u16]) -> Duration {
    if owed.contains(&0) { Duration::from_millis(300) } else { Duration::from_secs(5) }
}

/// What an answer must say beside its status.
fn details(name: &str, answer: &str) {
    let needs = match name {
        "bext01" => "Unsupported",
        "invut" => "Accept",
        "mpart01" | "dblreq" => "Allow",
        _ => return,
    };
    assert!(header(answer, needs).is_some(), "{name} has no {needs}: {answer}");
}

fn nothing_is_shown_as_it_stands(gateway: &Gateway) {
    let mut shown = vec![("the log".to_owned(), gateway.log())];
    let mut say = |arguments: &[&str]| {
        let output = gateway.cli(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        shown.push((arguments.join(" "), String::from_utf8_lossy(&output.stdout).into_owned()));
    };
    say(&["calls", "list", "--most", "200"]);
    let calls = gateway.json(&["calls", "list", "--most", "200"]);
    // Those of the stranger; what the valid calls were is no secret.
    for call in calls["ended"].as_array().unwrap() {
        if call["source"].as_str().unwrap().starts_with(STRANGER) {
            say(&["calls", "show", call["id"].as_str().unwrap(), "--full"]);
        }
    }
    assert!(shown.len() > 4, "no call of the stranger is in the records");
    for (where_, text) in shown {
        let control = text.chars().find(|c| c.is_control() && *c != '\n');
        assert!(control.is_none(), "{where_} has {control:?}:\n{}", text.escape_debug());
    }
}
