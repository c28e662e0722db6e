//! What a short call costs to write down: 12 entries, of which 8 are SIP messages of 700 bytes.
#![allow(clippy::unwrap_used)]

use trunkline_records::{Cdr, Entry, Records, What};

fn main() {
    divan::main();
}

fn short_call(records: &Records, number: u64) {
    let id = format!("SCL_{number:012}");
    let at = 1_700_000_000_000_000 + number;
    let cdr = Cdr {
        id: id.clone(),
        sip_call_id: format!("{number:032x}@192.0.2.1"),
        direction: "inbound".into(),
        from: "+15550100".into(),
        to: "+15550199".into(),
        source: "192.0.2.1:5060".into(),
        destination: "agent".into(),
        started: at,
        ..Cdr::default()
    };
    records.begin(&cdr);
    let text = "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds\r\n".repeat(12);
    for n in 0..8 {
        let what = What::Sip {
            sent: n % 2 == 0,
            transport: "udp".into(),
            local: "192.0.2.9:5060".into(),
            remote: "192.0.2.1:5060".into(),
            text: text.clone(),
        };
        records.append(&id, Entry { at: at + n, what });
    }
    for state in ["trying", "answered", "confirmed", "ended"] {
        records.append(
            &id,
            Entry { at: at + 9, what: What::State { state: state.into(), why: "because".into() } },
        );
    }
    records.end(Cdr {
        answered: Some(at),
        ended: Some(at + 9),
        status: 200,
        end: "the caller hung up".into(),
        ..cdr
    });
}

/// A thousand calls at a time, on the thread that calls and the one that writes.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn a_thousand_short_calls(bencher: divan::Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    let (records, _) = Records::open(folder.path()).unwrap();
    let mut number = 0;
    bencher.counter(1000_u32).bench_local(|| {
        for _ in 0..1000 {
            number += 1;
            short_call(&records, number);
        }
        records.flush();
    });
    assert_eq!(records.lost(), 0);
}
