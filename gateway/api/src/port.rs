//! What the API needs of the gateway.

use crate::Fault;
use std::future::Future;
use std::time::Duration;
use trunkline_dialplan::{DispatchRule, OutboundTrunk, Plan, Trunk};
use trunkline_psrpc::{
    InternalCreateSipParticipantRequest as Order, InternalCreateSipParticipantResponse as Placed,
    InternalTransferSipParticipantRequest as Handover, PsrpcError,
};

/// A change of what is set up.
#[derive(Debug, Clone)]
pub enum Change {
    /// Added where it has no id, else replaced.
    Trunk(Box<Trunk>),
    Outbound(Box<OutboundTrunk>),
    Rule(Box<DispatchRule>),
    RemoveTrunk(String),
    RemoveOutbound(String),
    RemoveRule(String),
}

/// The gateway, as far as the API sees it. Every wait of it is bounded.
pub trait Port: Clone + Send + Sync + 'static {
    /// All that is set up.
    fn plan(&self) -> impl Future<Output = Result<Plan, Fault>> + Send;

    /// Makes a change, for all calls that come from now on; the id of what was changed.
    fn change(&self, change: Change) -> impl Future<Output = Result<String, Fault>> + Send;

    /// Places a call, as by psrpc.
    fn place(
        &self,
        order: Box<Order>,
        within: Duration,
    ) -> impl Future<Output = Result<Placed, PsrpcError>> + Send;

    /// Sends a caller elsewhere, as by psrpc.
    fn transfer(
        &self,
        handover: Box<Handover>,
        within: Duration,
    ) -> impl Future<Output = Result<(), PsrpcError>> + Send;

    /// The id of the call that has this identity in this room.
    fn call_in(
        &self,
        room: String,
        identity: String,
    ) -> impl Future<Output = Result<Option<String>, Fault>> + Send;
}
