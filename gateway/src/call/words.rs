//! How a call ended, as a sentence for people and as a Reason header for the peer.

use trunkline_sip::End;
use trunkline_sip::message::text::{Escaped, quoted};

/// `Q.850;cause=16;text="…"` (RFC 3326) for a call that we end. What a dialogue says may have several lines;
/// a header has one, and the BYE must leave.
pub(super) fn reason(cause: u16, text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("Q.850;cause={cause};text={}", quoted(&line))
}

/// Normal call clearing (ITU-T Q.850).
pub(super) const NORMAL: u16 = 16;
/// Normal, unspecified: the far end went silent.
pub(super) const RECOVERY_ON_TIMER: u16 = 102;
/// Network out of order: the process is going down.
pub(super) const OUT_OF_ORDER: u16 = 38;

/// Who ended the call, and why. `farewell` is why we did, when we did.
pub(super) fn sentence(end: &End, farewell: Option<&str>) -> String {
    match end {
        End::RemoteBye { reason: None } => "the caller hung up".into(),
        End::RemoteBye { reason: Some(reason) } => format!("the caller hung up ({})", Escaped(reason)),
        End::Cancelled => "the caller gave up before the answer".into(),
        End::LocalBye => farewell.unwrap_or("we hung up").into(),
        End::Refused(status) => farewell.map_or_else(|| format!("refused with {status}"), Into::into),
        End::NoAck => "the 200 was never acknowledged (no ACK within 64*T1); a BYE was sent".into(),
        End::NoPrack => "the ringing was never acknowledged (no PRACK within 64*T1)".into(),
        End::SessionExpired => "the session timer ran out (RFC 4028); a BYE was sent".into(),
        End::PeerGone(0) => "a request inside the call got no answer: the peer is gone".into(),
        End::PeerGone(status) => {
            format!("a request inside the call was answered {status}: the peer is gone")
        }
        End::Transport => "the connection broke and could not be opened again".into(),
        other => format!("{other:?}"),
    }
}

/// The same of a call that we placed: whoever hangs up is not the caller.
pub(super) fn of_outbound(sentence: &str) -> String {
    sentence.replacen("the caller", "the far party", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_the_peer_is_told_without_its_control_characters() {
        let end = End::RemoteBye { reason: Some("Q.850;cause=16\u{1b}[2J".into()) };
        assert!(!sentence(&end, None).contains('\u{1b}'));
    }

    #[test]
    fn a_reason_of_several_lines_becomes_one() {
        assert_eq!(reason(NORMAL, "good\r\nbye"), r#"Q.850;cause=16;text="good  bye""#);
    }

    #[test]
    fn a_reason_header_quotes_what_it_says() {
        assert_eq!(reason(NORMAL, "said \"bye\""), r#"Q.850;cause=16;text="said \"bye\"""#);
    }
}
