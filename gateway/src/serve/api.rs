//! LiveKit's SIP API, served by us: what it asks for goes to the records, and to the calls the way that
//! livekit-server's requests go.

use crate::call::CallGate;
use crate::control::server::ControlError;
use crate::control::{Desk, Refused, Request};
use crate::http;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use trunkline_api::{Api, Change, Fault, Keys, Port};
use trunkline_config::Config;
use trunkline_dialplan::Plan;
use trunkline_psrpc::{
    Gate, Incoming, InternalCreateSipParticipantRequest as Order,
    InternalCreateSipParticipantResponse as Placed, InternalTransferSipParticipantRequest as Handover,
    PsrpcError, Reply, code,
};
use trunkline_records::Records;

/// Whom the API asks.
#[derive(Debug, Clone)]
struct House {
    desk: Desk,
    /// `None`: rooms are in process, and nobody is called into them.
    calls: Option<mpsc::Sender<Incoming>>,
    gate: Arc<CallGate>,
}

/// What is to be served, its port open; `None` where the configuration asks for none.
pub(super) fn open(
    config: &Config,
    desk: Desk,
    calls: Option<mpsc::Sender<Incoming>>,
    gate: &Arc<CallGate>,
) -> Result<Option<http::Api>, ControlError> {
    let (Some(api), Some(livekit)) = (config.api, &config.livekit) else { return Ok(None) };
    let listener = http::listen_at("api.port", api.listen_ip, api.port)?;
    let keys = Keys::new(&livekit.api_key, livekit.api_secret.reveal());
    let house = House { desk, calls, gate: Arc::clone(gate) };
    Ok(Some(http::Api { listener, pages: trunkline_api::router(Api::new(house, keys)) }))
}

fn fault(refused: Refused) -> Fault {
    let told = refused.to_string();
    match refused {
        Refused::Invalid(_) => Fault::invalid(told),
        Refused::Unknown { .. } => Fault::not_found(told),
        Refused::Silent => Fault::unavailable(told),
        Refused::Records(_) => Fault::internal(told),
    }
}

impl House {
    async fn ask<T>(
        &self,
        within: Duration,
        what: impl FnOnce(Reply<T>) -> Incoming,
    ) -> Result<T, PsrpcError> {
        let calls = self.calls.as_ref().ok_or_else(|| {
            PsrpcError::new(code::FAILED_PRECONDITION, "rooms are in process: there is no LiveKit server")
        })?;
        let (reply, answered) = Reply::new(Instant::now() + within);
        let whole = async {
            let stopping = || PsrpcError::new(code::UNAVAILABLE, "the gateway is stopping");
            calls.send(what(reply)).await.map_err(|_| stopping())?;
            let silent =
                |_: oneshot::error::RecvError| PsrpcError::new(code::INTERNAL, "the gateway gave no answer");
            answered.await.map_err(silent)?
        };
        match tokio::time::timeout(within, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(PsrpcError::new(code::DEADLINE_EXCEEDED, "request timed out")),
        }
    }
}

impl Port for House {
    async fn plan(&self) -> Result<Plan, Fault> {
        self.desk.records(Records::plan).await.map_err(fault)
    }

    async fn change(&self, change: Change) -> Result<String, Fault> {
        let done = self.desk.records(move |records| match change {
            Change::Trunk(trunk) => Ok(records.add_trunk(*trunk)?.id),
            Change::Outbound(trunk) => Ok(records.add_outbound(*trunk)?.id),
            Change::Rule(rule) => Ok(records.keep_rule(*rule)?.id),
            Change::RemoveTrunk(id) => records.remove_trunk(&id).map(|()| id),
            Change::RemoveOutbound(id) => records.remove_outbound(&id).map(|()| id),
            Change::RemoveRule(id) => records.remove_rule(&id).map(|()| id),
        });
        let id = done.await.map_err(fault)?;
        self.desk.ask(Request::PlanChanged).await.map_err(fault)?;
        Ok(id)
    }

    async fn place(&self, order: Box<Order>, within: Duration) -> Result<Placed, PsrpcError> {
        if !self.gate.takes_calls() {
            let why = "no room for one more call: limits.calls or max_cpu_utilization is reached";
            return Err(PsrpcError::new(code::UNAVAILABLE, why));
        }
        self.ask(within, |reply| Incoming::Create { request: order, reply }).await
    }

    async fn transfer(&self, handover: Box<Handover>, within: Duration) -> Result<(), PsrpcError> {
        self.ask(within, |reply| Incoming::Transfer { request: handover, reply }).await.map(drop)
    }

    async fn call_in(&self, room: String, identity: String) -> Result<Option<String>, Fault> {
        self.desk.ask(|reply| Request::CallIn { room, identity, reply }).await.map_err(fault)
    }
}
