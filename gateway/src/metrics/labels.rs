//! The labels, as livekit/sip names them; and the bounds that keep strangers from making series.

use prometheus_client::encoding::EncodeLabelSet;
use std::collections::HashSet;

/// `dir`: `in` or `out`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Dir {
    pub dir: &'static str,
}

/// Through which trunk.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Party {
    pub dir: &'static str,
    pub to: String,
}

/// Why an INVITE came to nothing, in livekit/sip's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Why {
    pub dir: &'static str,
    pub to: String,
    pub reason: String,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Ending {
    pub dir: &'static str,
    pub to: String,
    pub result: &'static str,
    pub reason: String,
}

/// `op`: `send` or `recv`; `payload`: the type's number, `dynamic` where it has none of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Packets {
    pub dir: &'static str,
    pub to: String,
    pub op: &'static str,
    pub payload: &'static str,
}

/// A part of the set-up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Part {
    pub dir: &'static str,
    pub stage: &'static str,
}

/// `offer` or `answer`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    pub r#type: &'static str,
}

/// Whose description; the provider is the trunk.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Provider {
    pub dir: &'static str,
    pub provider: String,
}

/// What it offers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Offered {
    pub dir: &'static str,
    pub provider: String,
    pub codec: &'static str,
}

/// Why a transfer failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Failed {
    pub dir: &'static str,
    pub reason: String,
}

/// Of `livekit_node_cpu_load`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Node {
    pub node_type: &'static str,
}

/// The trunks that have a series of their own. livekit/sip's `to` is the host that was called: it grows with
/// whatever strangers name. A trunk is named by the operator.
#[derive(Debug, Default)]
pub(super) struct Trunks(HashSet<String>);

impl Trunks {
    const MOST: usize = 100;

    /// The trunk's id; `none` without one, `other` for those that come after the first hundred.
    pub fn label(&mut self, trunk: Option<&str>) -> String {
        let Some(trunk) = trunk else { return "none".into() };
        if !self.0.contains(trunk) {
            if self.0.len() >= Self::MOST {
                return "other".into();
            }
            self.0.insert(trunk.to_owned());
        }
        trunk.to_owned()
    }
}

/// livekit/sip's word for a final status. A peer may send any number: those that no document registers are one.
pub(super) fn reason(status: u16) -> String {
    match status {
        401 | 407 => "auth-required".into(),
        403 => "forbidden".into(),
        404 => "not-found".into(),
        408 => "request-timeout".into(),
        480 => "unavailable".into(),
        486 => "busy".into(),
        487 => "canceled".into(),
        488 => "not-acceptable".into(),
        400
        | 402
        | 405
        | 406
        | 410..=417
        | 420..=424
        | 428..=430
        | 436..=440
        | 469
        | 470
        | 481..=485
        | 489
        | 491
        | 493
        | 494 => format!("client-error-{status}"),
        400..=499 => "client-error".into(),
        500..=505 | 513 | 555 | 580 => format!("server-error-{status}"),
        500..=599 => "server-error".into(),
        600 | 603 | 604 | 606..=608 => format!("global-decline-{status}"),
        600..=699 => "global-decline".into(),
        300..=399 => "redirected".into(),
        _ => "no-final-response".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_status_of_a_stranger_and_any_number_of_trunks_are_few_labels() {
        let reasons: HashSet<String> = (0..=u16::MAX).map(reason).collect();
        assert!(reasons.len() < 80, "{}", reasons.len());
        let mut trunks = Trunks::default();
        let labels: HashSet<String> = (0..5_000).map(|n| trunks.label(Some(&format!("ST_{n}")))).collect();
        assert_eq!(labels.len(), 101);
        assert_eq!((trunks.label(None), trunks.label(Some("ST_7"))), ("none".into(), "ST_7".into()));
    }
}
