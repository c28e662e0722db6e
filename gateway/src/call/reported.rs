//! What livekit-server is told of a call: that it came, that it is in its room, that it is up, that it is over.
//! Best effort; a call never waits for it.

use super::Call;
use super::desk::Desk;
use crate::authority::{Ask, Question};
use livekit_protocol::{SipCallDirection, SipCallInfo, SipCallStatus, SipStatus, SipUri};
use trunkline_psrpc::{RecordCallContextRequest, UpdateSipCallStateRequest};

impl Call {
    /// Tells how it is now.
    pub(super) fn report(&self, desk: &Desk, status: SipCallStatus) {
        let info = self.call_info(status);
        let request = UpdateSipCallStateRequest { call_info: Some(info), transfer_info: None };
        self.say(desk, Ask::State(Box::new(request)));
    }

    /// Tells how it was, once.
    pub(super) fn report_the_end(&self, desk: &Desk) {
        let failed = self.cdr.status >= 300;
        let status = if failed { SipCallStatus::ScsError } else { SipCallStatus::ScsDisconnected };
        self.report(desk, status);
        let request = RecordCallContextRequest { call_info: Some(self.call_info(status)) };
        self.say(desk, Ask::Context(Box::new(request)));
    }

    fn say(&self, desk: &Desk, ask: Ask) {
        if let Some(questions) = &desk.questions {
            // What finds no room is not worth a call's time.
            let _ = questions.try_send(Question { serial: self.serial, ask });
        }
    }

    fn sip_status(&self) -> SipStatus {
        let status = trunkline_sip::message::phrase(self.cdr.status).to_owned();
        SipStatus { code: i32::from(self.cdr.status), status }
    }

    fn call_info(&self, status: SipCallStatus) -> SipCallInfo {
        let inbound = self.cdr.direction == "inbound";
        let direction = if inbound { SipCallDirection::ScdInbound } else { SipCallDirection::ScdOutbound };
        let uri = |user: &str, host: &str| {
            Some(SipUri { user: user.to_owned(), host: host.to_owned(), ..SipUri::default() })
        };
        let nanoseconds =
            |milliseconds: u64| i64::try_from(milliseconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let guest = self.guest.as_deref();
        SipCallInfo {
            call_id: self.id.to_string(),
            sip_call_id: self.cdr.sip_call_id.clone(),
            trunk_id: self.cdr.trunk.clone().unwrap_or_default(),
            dispatch_rule_id: self.cdr.rule.clone().unwrap_or_default(),
            room_id: guest.map(|guest| guest.room_sid.clone()).unwrap_or_default(),
            disconnect_reason: guest.map(|guest| guest.left_for).unwrap_or_default(),
            call_status_code: (self.cdr.status > 0).then(|| self.sip_status()),
            room_name: guest.map(|guest| guest.room.clone()).unwrap_or_default(),
            participant_identity: guest.map(|guest| guest.identity.clone()).unwrap_or_default(),
            participant_attributes: guest
                .map(|g| g.attributes.clone().into_iter().collect())
                .unwrap_or_default(),
            from_uri: uri(&self.cdr.from, &self.caller.from_host),
            to_uri: uri(&self.cdr.to, ""),
            call_direction: direction as i32,
            call_status: status as i32,
            created_at_ns: nanoseconds(self.cdr.started),
            started_at_ns: self.cdr.answered.map(nanoseconds).unwrap_or_default(),
            ended_at_ns: self.cdr.ended.map(nanoseconds).unwrap_or_default(),
            error: if self.cdr.status >= 300 { self.cdr.end.clone() } else { String::new() },
            audio_codec: self.cdr.codec.clone().unwrap_or_default(),
            media_encryption: self.cdr.encryption.clone().unwrap_or_default(),
            ..SipCallInfo::default()
        }
    }
}
