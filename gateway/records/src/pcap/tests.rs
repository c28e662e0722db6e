//! Judged by tshark where there is one, and byte by byte where there is none.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use std::process::Command;

const START: u64 = 1_700_000_000_000_000;

fn sip(at: u64, sent: bool, text: &str) -> Entry {
    let (local, remote) = ("192.0.2.9:5060".to_owned(), "198.51.100.7:5070".to_owned());
    let what = What::Sip { sent, transport: "udp".into(), local, remote, text: text.replace('\n', "\r\n") };
    Entry { at: START + at, what }
}

fn call() -> Vec<Entry> {
    let sdp = |ip: &str, port: u16| {
        format!(
            "v=0\no=- 1 1 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\nm=audio {port} RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"
        )
    };
    let headers = "Via: SIP/2.0/UDP 198.51.100.7:5070;branch=z9hG4bK1\nFrom: <sip:ann@198.51.100.7>;tag=1\n\
                   To: <sip:bob@192.0.2.9>;tag=2\nCall-ID: c1\n";
    let (offer, answer) = (sdp("198.51.100.7", 30_000), sdp("192.0.2.9", 20_000));
    let message = |first: &str, cseq: &str, body: &str| {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
        let length = body.replace('\n', "\r\n").len();
        format!("{first}\n{headers}CSeq: {cseq}\n{kind}Content-Length: {length}\n\n{body}")
    };
    vec![
        sip(0, false, &message("INVITE sip:bob@192.0.2.9 SIP/2.0", "1 INVITE", &offer)),
        sip(9_000, true, &message("SIP/2.0 200 OK", "1 INVITE", &answer)),
        sip(500_000, false, &message("BYE sip:bob@192.0.2.9 SIP/2.0", "2 BYE", "")),
    ]
}

fn recording(folder: &Path, rate: u32) -> std::path::PathBuf {
    let path = folder.join(format!("{rate}.wav"));
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(&path, spec).unwrap();
    for n in 0..rate / 5 {
        wav.write_sample(if n % 8 < 4 { 4000_i16 } else { -4000 }).unwrap();
        wav.write_sample(0_i16).unwrap();
    }
    wav.finalize().unwrap();
    path
}

fn cdr() -> Cdr {
    Cdr { started: START, answered: Some(START + 10_000), ..Cdr::default() }
}

#[test]
fn messages_and_sound_are_in_the_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    for rate in [8000, 16_000] {
        let file = pcap(&call(), &cdr(), Some(&recording(folder.path(), rate))).unwrap();
        let (mut at, mut times, mut lengths) = (24, vec![], vec![]);
        while at < file.len() {
            let field = |n: usize| u32::from_le_bytes(file[at + n..at + n + 4].try_into().unwrap());
            times.push(u64::from(field(0)) * 1_000_000 + u64::from(field(4)) - START);
            lengths.push(field(8));
            at += 16 + field(8) as usize;
        }
        assert_eq!(at, file.len());
        assert_eq!(times.len(), 3 + 20, "{rate}");
        assert!(times.is_sorted());
        assert_eq!((times[0], times[1], times[2], *times.last().unwrap()), (0, 9_000, 10_000, 500_000));
        assert_eq!(lengths[2], 20 + 8 + 12 + 160);
    }
}

#[test]
fn a_recording_that_is_none_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.wav");
    for made in [false, true] {
        if made {
            std::fs::write(&path, "no sound").unwrap();
        }
        let error = pcap(&call(), &cdr(), Some(&path)).unwrap_err().to_string();
        assert!(error.contains("x.wav"), "{error}");
    }
}

#[test]
fn the_sounds_addresses_are_those_of_the_sdp() {
    let streams = Streams::of(&call());
    assert_eq!(streams.local.to_string(), "192.0.2.9:20000");
    assert_eq!(streams.remote.to_string(), "198.51.100.7:30000");
    assert_eq!(described("SIP/2.0 200 OK\r\n\r\nv=0\r\nm=audio 0 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n"), None);
}

#[test]
fn tshark_sees_sip_and_rtp_with_right_checksums() {
    if Command::new("tshark").arg("--version").output().is_err() {
        return; // not everybody has it; tests/run does
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.pcap");
    let mut entries = call();
    entries.push(Entry {
        at: START + 600_000,
        what: What::Sip {
            sent: false,
            transport: "tcp".into(),
            local: "[2001:db8::9]:5060".into(),
            remote: "[2001:db8::7]:5060".into(),
            text: "OPTIONS sip:x@y SIP/2.0\r\nCall-ID: c2\r\nCSeq: 1 OPTIONS\r\n\r\n".into(),
        },
    });
    std::fs::write(&path, pcap(&entries, &cdr(), Some(&recording(folder.path(), 8000))).unwrap()).unwrap();
    let seen = Command::new("tshark")
        .args(["-r", path.to_str().unwrap(), "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"])
        .args(["-T", "fields", "-E", "separator=,"])
        .args([
            "-e",
            "_ws.col.Protocol",
            "-e",
            "udp.srcport",
            "-e",
            "udp.checksum.status",
            "-e",
            "ip.checksum.status",
        ])
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines.len(), 24, "{seen}");
    let of = |protocol: &str| lines.iter().filter(|line| line.starts_with(protocol)).count();
    assert_eq!((of("SIP"), of("RTP")), (4, 20), "{seen}");
    assert_eq!(lines[0], "SIP/SDP,5070,1,1");
    assert_eq!(lines[2], "RTP,30000,1,1");
    assert_eq!(lines[23], "SIP,5060,1,");
}
