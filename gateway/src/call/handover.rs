//! `TransferSIPParticipant`: the telephone is sent elsewhere by REFER, and the API hears how it fared.
//!
//! 1xx in a NOTIFY waits, 200 is success and our BYE follows a second later, anything else is told with its
//! status and the call goes on as it was. Who hangs up after he took the REFER has arrived.

use super::company::Company;
use super::desk::Desk;
use super::{Call, State, words};
use crate::control::Figure;
use crate::prompts::PromptName;
use trunkline_psrpc::{
    InternalTransferSipParticipantRequest as Order, InternalTransferSipParticipantResponse as Done,
    PsrpcError, code,
};
use trunkline_sip::{Extra, Time};

/// Whoever asked hears how it went.
pub type TransferAnswerer = Box<dyn FnOnce(Result<Done, PsrpcError>) + Send>;

/// Where the request names no time, as in livekit/sip.
const PATIENCE: Time = Time::from_secs(120);
/// The far party of a success may still need our side for a moment.
const FAREWELL: Time = Time::from_secs(1);

/// A transfer under way.
pub(super) struct Handover {
    to: String,
    answers: Vec<TransferAnswerer>,
    until: Time,
    /// The peer took the REFER.
    taken: bool,
    /// It arrived; our BYE goes out at `until`.
    arrived: bool,
    dialtone: bool,
}

impl Call {
    /// Sends the telephone elsewhere.
    pub(super) fn hand_over(&mut self, desk: &mut Desk, order: Order, answer: TransferAnswerer) {
        if let Some(handover) = &mut self.handover {
            if handover.to == order.transfer_to {
                // The same request again: both hear how it goes.
                return handover.answers.push(answer);
            }
            let why = "call already being transferred elsewhere";
            return answer(Err(PsrpcError::new(code::INVALID_ARGUMENT, why)));
        }
        if self.state != State::Up {
            return answer(Err(PsrpcError::new(code::FAILED_PRECONDITION, "the call is not up")));
        }
        let mut headers: Vec<Extra> = order.headers.into_iter().collect();
        headers.sort();
        headers.extend(self.last_headers());
        if let Err(error) = desk.endpoint.refer(desk.now, self.sip, &order.transfer_to, &headers) {
            let why = format!("the REFER cannot be sent: {error}");
            return answer(Err(PsrpcError::new(code::INVALID_ARGUMENT, why)));
        }
        self.decided(desk, "transfer", &format!("the room sends the caller to {}", order.transfer_to));
        let patience = order.ringing_timeout.and_then(trunkline_psrpc::Span::time).unwrap_or(PATIENCE);
        if order.play_dialtone {
            self.play(desk, PromptName::Ringback);
        }
        self.handover = Some(Box::new(Handover {
            to: order.transfer_to,
            answers: vec![answer],
            until: desk.now + patience,
            taken: false,
            arrived: false,
            dialtone: order.play_dialtone,
        }));
        self.waits_until = Some(desk.now + patience);
        self.measured(desk, Figure::TransferBegan);
    }

    /// The peer answered our REFER.
    pub(super) fn refer_answered(&mut self, desk: &mut Desk, status: u16, reason: &str) {
        let Some(handover) = &mut self.handover else { return };
        if status < 300 {
            handover.taken = true;
            return;
        }
        self.handover_failed(desk, status, reason);
    }

    /// The peer tells how it fares.
    pub(super) fn refer_progress(&mut self, desk: &mut Desk, status: u16, reason: &str, last: bool) {
        let Some(handover) = &mut self.handover else { return };
        match status {
            200..=299 => {
                handover.arrived = true;
                handover.until = desk.now + FAREWELL;
                self.waits_until = Some(desk.now + FAREWELL);
                self.entered(desk, "transferred", reason);
                self.tell_of_handover(desk, &Ok(()));
            }
            0..=199 if !last => {}
            0..=199 => self.handover_failed(desk, 0, "the subscription ended without an outcome"),
            _ => self.handover_failed(desk, status, reason),
        }
    }

    /// The call ended: after the peer took the REFER that is a success (RFC 5589 §6.1), else it is none.
    pub(super) fn handover_ends(&mut self, desk: &Desk) {
        let taken = self.handover.as_ref().is_some_and(|handover| handover.taken);
        if taken {
            self.tell_of_handover(desk, &Ok(()));
        } else {
            let why = "the call ended before it was transferred";
            self.tell_of_handover(desk, &Err(PsrpcError::new(code::CANCELED, why)));
        }
        self.handover = None;
    }

    /// Its time has come: the BYE of a success, or nobody told us anything.
    pub(super) fn handover_waited(&mut self, desk: &mut Desk) {
        let Some(handover) = &self.handover else { return };
        if handover.arrived {
            let why = format!("transferred to {}", handover.to);
            return self.hang_up(desk, words::NORMAL, &why);
        }
        self.decided(desk, "transfer", "nothing was heard of it in time; the call goes on");
        self.tell_of_handover(desk, &Err(PsrpcError::new(code::DEADLINE_EXCEEDED, "request timed out")));
        self.resume_after_handover(desk);
    }

    fn handover_failed(&mut self, desk: &mut Desk, status: u16, reason: &str) {
        self.decided(desk, "the transfer failed", &format!("{status} {reason}"));
        let kind = match status {
            403 | 603 => code::PERMISSION_DENIED,
            404 => code::NOT_FOUND,
            408 => code::DEADLINE_EXCEEDED,
            480 | 486 | 600 => code::RESOURCE_EXHAUSTED,
            400 | 488 => code::INVALID_ARGUMENT,
            _ => code::FAILED_PRECONDITION,
        };
        let mut error = PsrpcError::new(kind, format!("transfer failed: sip status: {status}: {reason}"));
        if status > 0 {
            error = error.with_sip(status, reason);
        }
        self.tell_of_handover(desk, &Err(error));
        self.resume_after_handover(desk);
    }

    fn resume_after_handover(&mut self, desk: &mut Desk) {
        self.waits_until = None;
        if self.handover.take().is_some_and(|handover| handover.dialtone) {
            self.hush(desk);
        }
    }

    /// Whoever asked hears it once, and it is counted once.
    fn tell_of_handover(&mut self, desk: &Desk, said: &Result<(), PsrpcError>) {
        let Some(handover) = &mut self.handover else { return };
        let answers = std::mem::take(&mut handover.answers);
        if answers.is_empty() {
            return;
        }
        for answer in answers {
            answer(said.clone().map(|()| Done { status: 2, reason: 1, ..Done::default() }));
        }
        let figure = match said {
            Ok(()) => Figure::TransferDone,
            Err(error) => Figure::TransferFailed {
                status: error.sip.as_ref().map_or(0, |(status, _)| u16::try_from(*status).unwrap_or(0)),
                code: error.code.as_str().to_owned(),
            },
        };
        self.measured(desk, figure);
    }

    /// The dial tone again and again, while the caller is under way.
    pub(super) fn handover_rings(&self) -> bool {
        matches!(self.company, Company::Live)
            && self.handover.as_ref().is_some_and(|handover| handover.dialtone && !handover.arrived)
    }
}
