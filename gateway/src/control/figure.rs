//! What is measured of a call on its way: for those who count calls, not for those who watch one.

use bytes::Bytes;
use std::time::Duration;

/// Something that is counted or timed.
#[derive(Debug, Clone, PartialEq)]
pub enum Figure {
    /// A part of a call's set-up is over, and took so long.
    Stage(Stage, Duration),
    /// SDP that the peer sent (`theirs`) or that we wrote.
    Description { offer: bool, theirs: bool, sdp: Bytes },
    /// The call is sent elsewhere: the REFER went out.
    TransferBegan,
    /// It arrived there.
    TransferDone,
    /// It did not. `status` of SIP, 0 where there is none; `code` of psrpc.
    TransferFailed { status: u16, code: String },
    /// It was given up: the peer never confirmed its end.
    Unconfirmed,
}

/// A part of a call's set-up, as livekit/sip parts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// INVITE until it is known whether the call may come in, and where to.
    Check,
    /// INVITE until the caller is in the room, or with the agent; of a call that we place, until it is answered.
    Join,
    /// livekit-server says which trunk it is.
    GetAuth,
    /// livekit-server says which rule takes it.
    EvalDispatch,
    /// Ports are bound.
    StartMedia,
    /// INVITE until our 200.
    CallAccept,
    /// Our 200 until its ACK.
    SipAccept,
    /// Asking for the room until its server let us in.
    LkConnect,
    /// Being let in until our track is published and its media connected.
    TrackPublish,
    /// Both of these.
    JoinRoom,
    /// Being let in until somebody is heard.
    TrackSubscribe,
    /// Being let in until somebody is there, for whose sake the telephone rings.
    WaitSubscribe,
    /// Answer until the first RTP packet.
    WaitMedia,
}
