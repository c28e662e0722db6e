//! What the endpoint says, and the words in which it says it.

use crate::{Flow, Message, Time};
use bytes::Bytes;

/// A call as the endpoint knows it: one INVITE usage, from its first request to its end. A handle of a
/// call that has ended is refused by every command with [`super::CommandError::NoCall`]; it never
/// means another call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallHandle {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// One thing that the driver or the call has to do or to know; drained by [`super::Endpoint::poll`].
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "lives in the queue for a moment; an allocation costs more")]
pub enum Output {
    /// Put these bytes on the wire.
    Send {
        /// The path.
        flow: Flow,
        /// One whole message.
        bytes: Bytes,
    },
    /// Something happened to a call.
    Event(Event),
    /// A message of a call passed, in either direction; for its timeline. Repetitions come too, and what
    /// a call leaves behind comes after its end: the ACK of a refusal, the answer to a last BYE.
    Trace {
        /// The call.
        call: CallHandle,
        /// When.
        at: Time,
        /// Did we send it?
        sent: bool,
        /// The path.
        flow: Flow,
        /// As it stood on the wire.
        bytes: Bytes,
    },
}

/// What happened to a call.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// An INVITE that passed every check of the protocol; 100 follows when nothing was answered by the
    /// time that [`super::Endpoint::poll`] has nothing else. Owed: `ring`, `answer`,
    /// `reject` or `challenge`.
    Incoming {
        /// The new call.
        call: CallHandle,
        /// The request, whole.
        invite: Message,
        /// Whence it came (source address as seen on the wire).
        flow: Flow,
    },
    /// A provisional response above 100 to our INVITE; may carry SDP (early media). Reliable ones have
    /// been acknowledged by PRACK already.
    Progress {
        /// The call.
        call: CallHandle,
        /// 180, 183, …
        response: Message,
    },
    /// A 2xx to our INVITE. When our INVITE carried an offer the ACK is on its way and `sdp` is the
    /// answer; when it did not, `sdp` is the offer and `acknowledge` is owed.
    Answered {
        /// The call.
        call: CallHandle,
        /// The response, whole.
        response: Message,
        /// Its session description.
        sdp: Option<Bytes>,
    },
    /// Our INVITE has failed; the call is over. `response` is `None` when nobody answered.
    Rejected {
        /// The call.
        call: CallHandle,
        /// The final status, or 408 (no answer), 503 (transport), 487 (we cancelled).
        status: u16,
        /// The response, where there was one.
        response: Option<Message>,
    },
    /// The ACK of our 2xx has come; `sdp` is the answer when our 2xx carried the offer.
    Confirmed {
        /// The call.
        call: CallHandle,
        /// Answer of the peer, for a delayed offer only.
        sdp: Option<Bytes>,
    },
    /// A reliable provisional response of ours was acknowledged (PRACK); with its SDP, if any.
    ProvisionalConfirmed {
        /// The call.
        call: CallHandle,
        /// Answer in the PRACK, when our provisional response carried the offer.
        sdp: Option<Bytes>,
    },
    /// A re-INVITE or UPDATE. Owed: `accept_offer` or `refuse_offer`. Without `sdp` (a re-INVITE that
    /// asks us to offer) `accept_offer` carries our offer, and the answer comes with `Confirmed`.
    /// An UPDATE without SDP (session refresh) is answered by the endpoint and not told.
    Offer {
        /// The call.
        call: CallHandle,
        /// The offer.
        sdp: Option<Bytes>,
        /// Where the request came from: an address that changed is seen here.
        flow: Flow,
    },
    /// The peer answered our re-INVITE or UPDATE.
    OfferAccepted {
        /// The call.
        call: CallHandle,
        /// The answer.
        sdp: Option<Bytes>,
    },
    /// The peer refused our re-INVITE or UPDATE; the session stays as it was. Glare (491) is tried
    /// again by the endpoint at its time and is not told.
    OfferRefused {
        /// The call.
        call: CallHandle,
        /// Why.
        status: u16,
    },
    /// An INFO inside a call. It has been answered: 200 for `application/dtmf-relay`,
    /// `application/dtmf` and an empty body, 415 (with Accept) for any other type, which is not told.
    Info {
        /// The call.
        call: CallHandle,
        /// Type of the body, lower case, without parameters.
        content_type: String,
        /// The body.
        body: Bytes,
    },
    /// Our REFER was answered: below 300 the peer goes and tells how it fares.
    ReferAnswered {
        /// The call.
        call: CallHandle,
        /// The answer's status, or 408 (nobody answered), 503 (transport).
        status: u16,
        /// Its reason phrase.
        reason: String,
    },
    /// The peer tells how it fares where we sent it (NOTIFY, `message/sipfrag`).
    ReferProgress {
        /// The call.
        call: CallHandle,
        /// The status that it got there; 0: it said none.
        status: u16,
        /// With its reason phrase.
        reason: String,
        /// Nothing more will be told.
        last: bool,
    },
    /// The call is over. After this its handle means nothing.
    Ended {
        /// The call.
        call: CallHandle,
        /// By whom, why.
        end: End,
    },
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The peer hung up (BYE); with its Reason header, if it gave one.
    RemoteBye {
        /// `Q.850;cause=16;text="…"`
        reason: Option<String>,
    },
    /// The peer gave up before we answered (CANCEL).
    Cancelled,
    /// We hung up and the peer confirmed, or never did.
    LocalBye,
    /// We refused the call with this status.
    Refused(u16),
    /// Our 2xx was never acknowledged (64*T1); a BYE was sent.
    NoAck,
    /// A reliable provisional response was never acknowledged; 504 was sent (RFC 3262 §3).
    NoPrack,
    /// The session timer ran out (RFC 4028 §10); a BYE was sent.
    SessionExpired,
    /// A request inside the call got no answer, 408 or 481: the peer is gone (RFC 3261 §12.2.1.2).
    PeerGone(u16),
    /// The transport failed and could not be opened again.
    Transport,
}
