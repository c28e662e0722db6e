//! Which codecs a description names. Names that strangers make up are all one, `other`.

use std::collections::BTreeSet;

/// Payload types that have a name without a line of SDP (RFC 3551 §6).
const STATIC: [(&str, &str); 7] = [
    ("0", "PCMU"),
    ("3", "GSM"),
    ("4", "G723"),
    ("8", "PCMA"),
    ("9", "G722"),
    ("15", "G728"),
    ("18", "G729"),
];
/// Names of RFC 3551 and of the registry that telephones are known to offer.
const KNOWN: [&str; 20] = [
    "PCMU",
    "PCMA",
    "G722",
    "opus",
    "telephone-event",
    "CN",
    "G729",
    "G723",
    "G726-32",
    "G728",
    "GSM",
    "iLBC",
    "speex",
    "SILK",
    "AMR",
    "AMR-WB",
    "EVS",
    "L16",
    "G7221",
    "red",
];

/// The codecs of the first audio line.
pub(super) fn codecs(sdp: &[u8]) -> BTreeSet<&'static str> {
    let text = String::from_utf8_lossy(sdp);
    let mut found = BTreeSet::new();
    let mut audio = false;
    for line in text.lines() {
        if line.starts_with("m=") {
            if audio {
                break;
            }
            audio = line.starts_with("m=audio ");
            let formats = line.split_ascii_whitespace().skip(3).filter(|_| audio);
            found.extend(formats.filter_map(|format| {
                STATIC.iter().find(|(number, _)| *number == format).map(|(_, name)| *name)
            }));
        } else if audio && let Some(map) = line.strip_prefix("a=rtpmap:") {
            let name = map.split_once(' ').map_or("", |(_, name)| name);
            let name = name.split('/').next().unwrap_or_default().trim();
            found.insert(KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or("other"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::codecs;

    #[test]
    fn names_and_static_numbers_of_the_audio_line_are_found_once_each() {
        let sdp = b"v=0\r\nm=audio 4000 RTP/AVP 0 8 111 101 99\r\na=rtpmap:0 PCMU/8000\r\n\
            a=rtpmap:111 OPUS/48000/2\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:99 x-mine/8000\r\n\
            m=video 0 RTP/AVP 9\r\na=rtpmap:96 speex/8000\r\n";
        let found: Vec<_> = codecs(sdp).into_iter().collect();
        assert_eq!(found, ["PCMA", "PCMU", "opus", "other", "telephone-event"]);
    }

    #[test]
    fn a_thousand_names_of_a_stranger_are_one() {
        let maps: String = (0..1_000).map(|n| format!("a=rtpmap:96 codec{n}/8000\r\n")).collect();
        let found = codecs(format!("m=audio 1 RTP/AVP 96\r\n{maps}").as_bytes());
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["other"]);
        assert!(codecs(b"\xff\xfem=audio").is_empty());
    }
}
