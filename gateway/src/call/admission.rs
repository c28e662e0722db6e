//! May this call come in, and where does it go? Facts from the INVITE, the dialplan's verdict, credentials,
//! limits: in that order, so that whoever may not call costs nothing of what others may use.

use super::desk::Desk;
use super::terms::Terms;
use super::{Caller, Counted, Destination};
use trunkline_dialplan::{Evaluation, Facts, Plan, Verdict, evaluate};
use trunkline_media::sdp::Encryption;
use trunkline_sip::auth::Verdict as Proof;
use trunkline_sip::message::HeaderName;
use trunkline_sip::{Extra, Flow, Message};

/// What becomes of an INVITE.
pub(super) enum Admission {
    /// It comes in.
    Taken(Taken),
    /// Credentials first.
    Challenge { realm: String, stale: bool },
    /// Not now (limits): no CDR, for a flood must not fill the disk.
    Busy { status: u16, why: String, retry_after: u64 },
    /// Not at all. `trunk`, where one was found.
    Refused { status: u16, why: String, trunk: Option<String> },
}

/// A call that comes in.
pub(super) struct Taken {
    pub trunk: Option<String>,
    pub rule: Option<String>,
    pub destination: Destination,
    pub counted: Counted,
    pub encryption: Encryption,
    /// Why, for the timeline.
    pub why: String,
}

/// Who calls whom, as the dialplan is told.
pub(super) fn caller(invite: &Message, flow: &Flow) -> Caller {
    let from = invite.from().ok();
    let uri = from.as_ref().and_then(|f| f.uri().ok());
    let user = |uri: trunkline_sip::message::Uri<'_>| uri.user_unescaped().into_owned();
    let to = invite.request_uri().ok().map(user).filter(|u| !u.is_empty());
    let to = to.or_else(|| invite.to().ok().and_then(|t| t.uri().ok()).map(user));
    Caller {
        from: uri.map(user).unwrap_or_default(),
        from_host: uri.map(|u| u.host.to_owned()).unwrap_or_default(),
        to: to.unwrap_or_default(),
        source: Some(flow.remote.ip().to_canonical()),
        authenticated: None,
        name: from.map(|f| f.display().into_owned()).unwrap_or_default(),
    }
}

/// Decides about an INVITE. A call that is taken is counted: it is owed a release.
pub(super) fn admit(desk: &mut Desk, invite: &Message, flow: &Flow, caller: &mut Caller) -> Admission {
    let mut evaluation = ask(desk, caller, None);
    if let Verdict::Challenge { trunk, realm, username, password } = &evaluation.verdict {
        match desk.endpoint.verify(desk.now, invite, flow, realm, username, password) {
            Proof::Accepted => caller.authenticated = Some(trunk.clone()),
            Proof::Missing => return Admission::Challenge { realm: realm.clone(), stale: false },
            Proof::Stale => return Admission::Challenge { realm: realm.clone(), stale: true },
            Proof::Refused(why) => {
                let why = format!("credentials for trunk {trunk} are wrong: {why}");
                return Admission::Refused { status: 403, why, trunk: Some(trunk.clone()) };
            }
        }
        evaluation = ask(desk, caller, None);
    }
    let why = chosen(&evaluation);
    let (trunk, rule, destination) = match evaluation.verdict {
        Verdict::Reject { status, reason } => {
            return Admission::Refused { status, why: reason, trunk: None };
        }
        // Asked for again after the right answer: two trunks of one call, which cannot be.
        Verdict::Challenge { trunk, realm, .. } => {
            let why = format!("trunk {trunk} asks for credentials of realm {realm} twice");
            return Admission::Refused { status: 403, why, trunk: Some(trunk) };
        }
        verdict => destination(&desk.plan, verdict),
    };
    let encryption = encryption(&desk.plan, trunk.as_deref(), rule.as_deref());
    let source = caller.source;
    let entry = trunk.as_ref().and_then(|id| desk.plan.trunks.iter().find(|t| t.id == *id));
    match desk.limiter.admit(desk.now, entry, source) {
        Ok(()) => {
            let counted = Counted { trunk: trunk.clone(), source };
            Admission::Taken(Taken { trunk, rule, destination, counted, encryption, why })
        }
        Err(refusal) => Admission::Busy {
            status: refusal.status,
            why: refusal.reason,
            retry_after: refusal.retry_after.as_secs().max(1),
        },
    }
}

/// Asks the dialplan.
pub(super) fn ask(desk: &mut Desk, caller: &Caller, pin: Option<&str>) -> Evaluation {
    let random = desk.random_name();
    let facts = Facts {
        from: &caller.from,
        from_host: &caller.from_host,
        to: &caller.to,
        source: caller.source,
        pin,
    };
    evaluate(&desk.plan, &facts, caller.authenticated.as_deref(), &random)
}

/// Trunk, rule and destination of a verdict that lets a call in.
pub(super) fn destination(plan: &Plan, verdict: Verdict) -> (Option<String>, Option<String>, Destination) {
    match verdict {
        Verdict::Agent { trunk, rule, dialogue } => (trunk, rule, Destination::Agent { dialogue }),
        Verdict::Room { trunk, rule, room, identity, name, attributes } => {
            let of = |id: &String| plan.trunks.iter().find(|trunk| trunk.id == *id);
            let entry = plan.rules.iter().find(|entry| entry.id == rule);
            let terms = entry.map(|entry| Terms::of_ours(trunk.as_ref().and_then(of), entry));
            let terms = Box::new(terms.unwrap_or_default());
            (trunk, Some(rule), Destination::Room { room, identity, name, attributes, terms })
        }
        Verdict::AskPin { trunk, .. } => (trunk, None, Destination::PinDesk),
        Verdict::Challenge { trunk, .. } => (Some(trunk), None, Destination::PinDesk),
        Verdict::Reject { .. } => (None, None, Destination::PinDesk),
    }
}

/// What a call is told that may only be had with SRTP.
pub(super) const NO_SRTP: &str = "its trunk or rule requires SRTP, and the call is not encrypted";

/// Whether a call through this trunk, under this rule, is encrypted. Either may require it; else the rule's word
/// counts before the trunk's. Where neither says anything, a caller who offers SRTP has it.
pub(super) fn encryption(plan: &Plan, trunk: Option<&str>, rule: Option<&str>) -> Encryption {
    let trunk = plan.trunks.iter().find(|entry| Some(entry.id.as_str()) == trunk);
    let rule = plan.rules.iter().find(|entry| Some(entry.id.as_str()) == rule);
    let said = [rule.map(|rule| &rule.media), trunk.map(|trunk| &trunk.media)];
    if said.iter().flatten().any(|media| media.requires_encryption()) {
        return Encryption::Require;
    }
    match said.into_iter().flatten().find_map(|media| media.encryption) {
        Some(trunkline_dialplan::Encryption::Disable) => Encryption::Disable,
        Some(_) | None => Encryption::Allow,
    }
}

/// Why the trunk and the rule that took a call did.
pub(super) fn chosen(evaluation: &Evaluation) -> String {
    let reasons: Vec<String> = evaluation
        .reasons
        .iter()
        .filter(|r| r.chosen)
        .map(|r| format!("{} {}: {}", r.kind, r.id, r.why))
        .collect();
    if reasons.is_empty() { "no trunk and no rule is set up".into() } else { reasons.join("; ") }
}

/// What an answer to a call tells about itself.
pub(super) fn retry_after(seconds: u64) -> Extra {
    ("Retry-After".into(), seconds.to_string())
}

/// Is the INVITE a delayed offer (RFC 3264 §4: no body, so the 200 carries the offer)?
pub(super) fn offer(invite: &Message) -> Option<bytes::Bytes> {
    let _ = invite.header(HeaderName::ContentType)?;
    invite.body_of("application/sdp").filter(|b| !b.is_empty())
}
