//! What the endpoint owes the 49 cases of RFC 4475, and what it makes of ten thousand broken messages.
//!
//! The messages of `tests/torture` are our own, one for each section; where `TRUNKLINE_RFC4475` names a
//! folder with the originals, they are held to the same table.

use crate::pair::Pair;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use trunkline_sip::{Flow, Output};

/// The final or first status that each is answered with; none: it is dropped. Requests inside dialogs
/// that we do not have get 481.
const OWED: &[(&[&str], &[u16])] = &[
    (&["wsinv", "esc01", "lwsdisp", "longreq", "semiuri", "transports"], &[100, 481, 200]),
    (
        &["mpart01", "dblreq", "escnull", "regescrt", "cparam01", "cparam02", "regaut01", "unksm2"],
        &[405, 501],
    ),
    (&["intmeth", "esc02"], &[405, 501]),
    (
        &["badinv01", "clerr", "ncl", "scalar02", "quotbal", "ltgtruri", "lwsruri", "lwsstart", "trws"],
        &[400, 0],
    ),
    (&["regbadct", "badaspec", "baddn", "mismatch01", "insuf", "multi01", "mcl01"], &[400, 0]),
    (&["escruri", "baddate", "badbranch", "zeromf", "sdp01", "inv2543"], &[100, 200, 400]),
    (&["mismatch02"], &[400, 501]),
    (&["badvers"], &[505]),
    (&["unkscm", "novelsc"], &[416]),
    (&["bext01"], &[420]),
    (&["invut"], &[415]),
    (&["unreason", "noreason", "scalarlg", "bigcode", "bcast"], &[0]),
];

/// The status with which B answers these bytes first; 0 when it does not.
fn answer(pair: &mut Pair, bytes: Bytes) -> u16 {
    let flow = Flow { local: pair.b.at, remote: "192.0.2.77:40000".parse().unwrap(), ..pair.flow() };
    pair.b.endpoint.receive(pair.now, flow, bytes);
    let mut status = 0;
    while let Some(output) = pair.b.endpoint.poll() {
        if let Output::Send { bytes, .. } = output
            && status == 0
        {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            status = text.get(8..11).unwrap().parse().unwrap();
        }
    }
    status
}

fn hold_to_it(folder: &Path) {
    for (names, owed) in OWED {
        for name in *names {
            let bytes = std::fs::read(folder.join(format!("{name}.dat"))).unwrap();
            let status = answer(&mut Pair::new(), bytes.into());
            assert!(owed.contains(&status), "{name}: {status}");
        }
    }
}

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/torture")
}

#[test]
fn every_torture_message_is_answered_with_what_it_is_owed() {
    assert_eq!(OWED.iter().map(|(names, _)| names.len()).sum::<usize>(), 49);
    hold_to_it(&ours());
    if let Some(folder) = std::env::var_os("TRUNKLINE_RFC4475") {
        hold_to_it(Path::new(&folder));
    }
}

#[test]
fn malformed_messages_are_counted_and_keep_alives_are_none() {
    let mut pair = Pair::new();
    for name in ["badinv01", "clerr", "bigcode", "scalarlg", "lwsdisp"] {
        answer(&mut pair, std::fs::read(ours().join(format!("{name}.dat"))).unwrap().into());
    }
    answer(&mut pair, Bytes::from_static(b"\r\n\r\n"));
    assert_eq!(pair.b.endpoint.malformed(), 4);
}

#[test]
fn ten_thousand_broken_messages_leave_nothing_behind_and_calls_go_on() {
    let mut files: Vec<_> = std::fs::read_dir(ours()).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut seeds: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    let mut pair = Pair::new();
    pair.connected();
    // Messages of a call that is up hit deeper than those of strangers.
    seeds.extend(pair.a.sent.iter().map(|(_, m)| m.bytes().to_vec()));
    seeds.extend(pair.b.sent.iter().map(|(_, m)| m.bytes().to_vec()));
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut roll = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % n
    };
    for round in 0..10_000 {
        let mut bytes = seeds[roll(seeds.len())].clone();
        for _ in 0..=roll(4) {
            let at = roll(bytes.len());
            match roll(5) {
                0 => bytes[at] = u8::try_from(roll(256)).unwrap(),
                1 => bytes.truncate(at.max(1)),
                2 => drop(bytes.remove(at)),
                3 => bytes.insert(at, b"\r\n;,:<>\"@ \0\xff"[roll(12)]),
                _ => bytes.extend_from_within(at..),
            }
            if bytes.is_empty() {
                bytes.push(b'I');
            }
        }
        let flow = Flow { local: pair.b.at, remote: pair.a.at, ..pair.flow() };
        pair.b.endpoint.receive(pair.now, flow, bytes.into());
        while let Some(output) = pair.b.endpoint.poll() {
            if let Output::Event(trunkline_sip::Event::Incoming { call, .. }) = output {
                pair.b.endpoint.reject(pair.now, call, 404, "", &[]).unwrap();
            }
        }
        if round % 1000 == 999 {
            pair.pass(std::time::Duration::from_secs(40));
            pair.a.events.clear();
            pair.b.events.clear();
            let (ours, _) = pair.connected();
            pair.a.endpoint.hang_up(pair.now, ours, "").unwrap();
            pair.settle();
        }
    }
    pair.pass(std::time::Duration::from_secs(40));
    assert!(pair.b.endpoint.counts().calls <= 1 && pair.b.endpoint.counts().transactions == 0);
}
