//! An inbound call that livekit-server decides about: asked while the telephone waits, PINs as well.

use super::desk::Desk;
use super::inbound::{self, Early};
use super::media::Media;
use super::terms::{Terms, carriers};
use super::{Call, Caller, Counted, Destination, State, admission};
use crate::authority::{Ask, Question, Said};
use crate::control::Stage;
use livekit_protocol::SipCallStatus;
use std::sync::Arc;
use trunkline_media::sdp::Encryption;
use trunkline_psrpc::{
    DispatchResult, EvaluateSipDispatchRulesRequest, EvaluateSipDispatchRulesResponse,
    GetSipTrunkAuthenticationRequest, GetSipTrunkAuthenticationResponse, PsrpcError, SipCall, SipUri, code,
};
use trunkline_sip::auth::Verdict as Proof;
use trunkline_sip::{CallHandle, End, Flow, Message};

/// Realm of a challenge where the trunk names none, as livekit/sip has it.
const REALM: &str = "LiveKit";
/// A refused call may come again after so many seconds.
const RETRY: u64 = 5;

/// What is remembered of an INVITE until livekit-server has decided.
pub(super) struct Asking {
    invite: Message,
    flow: Flow,
    facts: SipCall,
    trunk: String,
    /// From here on it is in the records; before, nothing is written of it.
    opened: bool,
}

/// An INVITE came. `None`: there is no room for it.
pub(super) fn begin(
    desk: &mut Desk,
    sip: CallHandle,
    invite: &Message,
    flow: &Flow,
    caller: Caller,
    early: Early,
) -> Option<Box<Call>> {
    let source = caller.source;
    if desk.load_is_full() {
        inbound::busy(desk, sip, 503, "the processor is at max_cpu_utilization", RETRY, &caller);
        return None;
    }
    if let Err(refusal) = desk.limiter.admit(desk.now, None, source) {
        let after = refusal.retry_after.as_secs().max(1);
        inbound::busy(desk, sip, refusal.status, &refusal.reason, after, &caller);
        return None;
    }
    let mut call = Call::inbound(desk, sip, invite, flow, caller);
    call.counted = Some(Counted { trunk: None, source });
    call.early = Some(early);
    let facts = facts(&call, invite);
    call.asking = Some(Box::new(Asking {
        invite: invite.clone(),
        flow: *flow,
        facts,
        trunk: String::new(),
        opened: false,
    }));
    call.ask_for_the_trunk(desk);
    Some(call)
}

fn facts(call: &Call, invite: &Message) -> SipCall {
    let uri = |uri: Option<trunkline_sip::message::Uri<'_>>| {
        uri.map(|uri| SipUri {
            user: uri.user_unescaped().into_owned(),
            host: uri.host.to_owned(),
            port: uri.port.map_or(0, u32::from),
            ..SipUri::default()
        })
    };
    let from = invite.from().ok();
    let to = invite.to().ok();
    SipCall {
        lk_call_id: call.id.to_string(),
        source_ip: call.caller.source.map(|ip| ip.to_string()).unwrap_or_default(),
        address: uri(invite.request_uri().ok()),
        from: uri(from.as_ref().and_then(|from| from.uri().ok())),
        to: uri(to.as_ref().and_then(|to| to.uri().ok())),
        sip_call_id: call.cdr.sip_call_id.clone(),
        ..SipCall::default()
    }
}

impl Call {
    fn ask(&mut self, desk: &mut Desk, ask: Ask) {
        let question = Question { serial: self.serial, ask };
        let asked = desk.questions.as_ref().map(|questions| questions.try_send(question));
        if !matches!(asked, Some(Ok(()))) {
            self.turn_away(desk, 503, "too many calls wait for livekit-server", Some(RETRY));
        }
    }

    fn ask_for_the_trunk(&mut self, desk: &mut Desk) {
        let Some(asking) = &self.asking else { return };
        let call = asking.facts.clone();
        let host = |uri: &Option<SipUri>| uri.as_ref().map(|uri| uri.host.clone()).unwrap_or_default();
        let request = GetSipTrunkAuthenticationRequest {
            from: self.caller.from.clone(),
            from_host: host(&call.from),
            to: self.caller.to.clone(),
            to_host: host(&call.to),
            src_address: call.source_ip.clone(),
            sip_call_id: self.id.to_string(),
            call: Some(call),
        };
        self.begins(desk, Stage::GetAuth);
        self.ask(desk, Ask::Trunk(Box::new(request)));
    }

    /// `pin`: what was typed; empty means that there is none.
    pub(super) fn ask_for_the_rule(&mut self, desk: &mut Desk, pin: Option<&str>) {
        let Some(asking) = &self.asking else { return };
        let call = asking.facts.clone();
        let host = |uri: &Option<SipUri>| uri.as_ref().map(|uri| uri.host.clone()).unwrap_or_default();
        let request = EvaluateSipDispatchRulesRequest {
            sip_call_id: self.id.to_string(),
            sip_trunk_id: asking.trunk.clone(),
            calling_number: self.caller.from.clone(),
            calling_host: host(&call.from),
            called_number: self.caller.to.clone(),
            called_host: host(&call.to),
            src_address: call.source_ip.clone(),
            pin: pin.unwrap_or_default().to_owned(),
            no_pin: pin == Some(""),
            extra_attributes: carriers(&self.remote_headers).into_iter().collect(),
            call: Some(call),
            ..EvaluateSipDispatchRulesRequest::default()
        };
        self.begins(desk, Stage::EvalDispatch);
        self.ask(desk, Ask::Rules(Box::new(request)));
    }

    /// livekit-server decided.
    pub(super) fn told(&mut self, desk: &mut Desk, said: Said) {
        if self.state >= State::Ending {
            return;
        }
        self.passed(
            desk,
            match said {
                Said::Trunk(_) => Stage::GetAuth,
                Said::Rules(_) => Stage::EvalDispatch,
            },
        );
        match said {
            Said::Trunk(Ok(trunk)) => self.told_the_trunk(desk, &trunk),
            Said::Rules(Ok(rules)) if self.state == State::Trying => self.told_the_rule(desk, &rules),
            Said::Rules(Ok(rules)) => self.told_after_the_pin(desk, &rules),
            Said::Rules(Err(error)) if self.state != State::Trying => {
                self.fault(desk, &format!("livekit-server could not be asked: {error}"));
                self.wrong_pin(desk, "it could not be checked");
            }
            Said::Trunk(Err(error)) | Said::Rules(Err(error)) => self.not_told(desk, &error),
        }
    }

    fn not_told(&mut self, desk: &mut Desk, error: &PsrpcError) {
        match error.code.as_str() {
            code::NOT_FOUND => {
                self.turn_away(desk, 404, &format!("livekit-server knows no trunk for it: {error}"), None)
            }
            _ => {
                self.turn_away(desk, 503, &format!("livekit-server could not be asked: {error}"), Some(RETRY))
            }
        }
    }

    fn told_the_trunk(&mut self, desk: &mut Desk, trunk: &GetSipTrunkAuthenticationResponse) {
        let Some(asking) = &mut self.asking else { return };
        asking.trunk.clone_from(&trunk.sip_trunk_id);
        self.cdr.trunk = (!trunk.sip_trunk_id.is_empty()).then(|| trunk.sip_trunk_id.clone());
        if trunk.drop || trunk.error_code == 2 {
            return self.turn_away(desk, 404, "livekit-server has no trunk that takes this call", None);
        }
        if trunk.error_code != 0 {
            return self.turn_away(desk, 503, "livekit-server says that a quota is used up", Some(RETRY));
        }
        if desk.config.dialplan.require_trunk && self.cdr.trunk.is_none() {
            let why = "no trunk takes this call, and dialplan.require_trunk wants one";
            return self.turn_away(desk, 404, why, None);
        }
        if !trunk.username.is_empty() && !trunk.password.is_empty() && !self.has_proved_itself(desk, trunk) {
            return;
        }
        let rung = desk.endpoint.ring(desk.now, self.sip, 180, None, false, &[]);
        if rung.is_ok() {
            self.ask_for_the_rule(desk, None);
        }
    }

    /// Are the credentials right? If not the call is answered already.
    fn has_proved_itself(&mut self, desk: &mut Desk, trunk: &GetSipTrunkAuthenticationResponse) -> bool {
        let Some(asking) = &self.asking else { return false };
        let realm = if trunk.realm.is_empty() { REALM } else { &trunk.realm };
        let (user, password) = (&trunk.username, &trunk.password);
        let proof = desk.endpoint.verify(desk.now, &asking.invite, &asking.flow, realm, user, password);
        let stale = match proof {
            Proof::Accepted => return true,
            Proof::Missing => false,
            Proof::Stale => true,
            Proof::Refused(why) => {
                let why = format!("credentials for trunk {} are wrong: {why}", trunk.sip_trunk_id);
                self.turn_away(desk, 403, &why, None);
                return false;
            }
        };
        let _ = desk.endpoint.challenge(desk.now, self.sip, realm, stale);
        // It comes again with credentials, as a new call.
        self.forget(desk);
        false
    }

    fn told_the_rule(&mut self, desk: &mut Desk, rules: &EvaluateSipDispatchRulesResponse) {
        let silent = "livekit-server has no dispatch rule for this call (it would let it ring for ever): \
                      add one for its trunk and number";
        match rules.verdict() {
            DispatchResult::Drop => self.turn_away(desk, 404, silent, None),
            DispatchResult::Reject => self.turn_away(desk, 404, "a dispatch rule rejects this call", None),
            DispatchResult::RequestPin => {
                self.open_now(desk);
                self.passed(desk, Stage::Check);
                self.destination = Destination::PinDesk;
                self.encryption = encryption(rules);
                self.described(desk, |call, desk, sdp| call.answer(desk, sdp, &[]));
            }
            DispatchResult::Accept => {
                self.open_now(desk);
                self.passed(desk, Stage::Check);
                self.take_rule(desk, rules);
                self.encryption = encryption(rules);
                self.described(desk, |call, desk, sdp| call.let_in(desk, sdp));
            }
        }
    }

    /// Ports are bound and our description is written; then this is done with it.
    fn described(&mut self, desk: &mut Desk, then: impl FnOnce(&mut Self, &mut Desk, bytes::Bytes)) {
        let Some(asking) = &self.asking else { return };
        let (offer, flow) = (admission::offer(&asking.invite), asking.flow);
        match self.prepare(desk, offer, &flow) {
            Ok(sdp) => then(self, desk, sdp),
            Err(no) => self.refuse(desk, no.status, &no.why, (no.status == 503).then_some(RETRY)),
        }
    }

    fn take_rule(&mut self, desk: &Desk, rules: &EvaluateSipDispatchRulesResponse) {
        self.cdr.rule = Some(rules.sip_dispatch_rule_id.clone());
        self.destination = Destination::Room {
            room: rules.room_name.clone(),
            identity: rules.participant_identity.clone(),
            name: rules.participant_name.clone(),
            attributes: rules.participant_attributes.clone().into_iter().collect(),
            terms: Box::new(Terms::of_rules(rules)),
        };
        self.map_headers();
        self.cdr.destination = self.destination.of_cdr();
        self.decided(
            desk,
            "taken",
            &format!("rule {} leads to room {}", rules.sip_dispatch_rule_id, rules.room_name),
        );
        desk.chronicle.update(&self.cdr);
    }

    fn told_after_the_pin(&mut self, desk: &mut Desk, rules: &EvaluateSipDispatchRulesResponse) {
        if rules.verdict() != DispatchResult::Accept {
            return self.wrong_pin(desk, "the PIN opens nothing");
        }
        if encryption(rules) == Encryption::Require && !self.media.as_ref().is_some_and(Media::is_encrypted) {
            return self.wrong_pin(desk, admission::NO_SRTP);
        }
        self.take_rule(desk, rules);
        self.meet_after_the_pin(desk);
    }

    /// It may not come in. A flood of such calls fills neither log nor records.
    fn turn_away(&mut self, desk: &mut Desk, status: u16, why: &str, retry_after: Option<u64>) {
        if !self.is_unknown() || desk.refusals.may(desk.now) {
            self.open_now(desk);
            return self.refuse(desk, status, why, retry_after);
        }
        desk.totals.refused += 1;
        tracing::debug!(status, "a call was refused: {why}");
        let headers: Vec<_> = retry_after.map(admission::retry_after).into_iter().collect();
        let _ = desk.endpoint.reject(desk.now, self.sip, status, "", &headers);
        self.forget(desk);
    }

    /// Of this one nothing is kept.
    fn forget(&mut self, desk: &mut Desk) {
        if let Some(counted) = self.counted.take() {
            desk.limiter.release(desk.now, counted.trunk.as_deref(), counted.source);
        }
        self.early = None;
        self.state = State::Over;
    }

    /// From here on it is in the records, with what passed before.
    fn open_now(&mut self, desk: &Desk) {
        if let Some(asking) = &mut self.asking
            && !std::mem::replace(&mut asking.opened, true)
        {
            self.open(desk, Vec::new());
            self.report(desk, SipCallStatus::ScsCallIncoming);
            for (at, what) in self.early.take().unwrap_or_default() {
                desk.chronicle.note(at, &Arc::clone(&self.id), what);
            }
        }
    }

    /// Nothing was written of it, and nothing will be.
    pub(super) fn is_unknown(&self) -> bool {
        self.asking.as_ref().is_some_and(|asking| !asking.opened)
    }

    /// It gave up before anything was decided.
    pub(super) fn open_for_its_end(&mut self, desk: &Desk, end: &End) {
        if *end != End::LocalBye {
            self.open_now(desk);
        }
    }
}

/// Whether livekit-server wants the call encrypted.
fn encryption(rules: &EvaluateSipDispatchRulesResponse) -> Encryption {
    let media = rules.media.as_ref().and_then(|media| media.encryption);
    super::terms::encryption(media, rules.media_encryption)
}
