//! Our own requests: published, claimed by the first server that answers, and waited for.

use crate::bus::{Bus, IO, name, now};
use crate::envelope::{ClaimRequest, ClaimResponse, Envelope, Request, Response, channel};
use crate::messages::{
    Empty, EvaluateSipDispatchRulesRequest, EvaluateSipDispatchRulesResponse,
    GetSipTrunkAuthenticationRequest, GetSipTrunkAuthenticationResponse, RecordCallContextRequest,
    UpdateSipCallStateRequest,
};
use crate::{PsrpcError, code};
use prost::Message;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// psrpc's own limits: a claim within a second, an answer within three.
const CLAIM: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(3);
/// So many requests may be under way; a call asks two, and a flood of calls is refused before.
const MOST: usize = 4_096;

/// Requests that wait for a server.
#[derive(Default)]
pub(crate) struct Pending {
    waiting: Mutex<HashMap<String, Waiting>>,
}

struct Waiting {
    claim: Option<oneshot::Sender<String>>,
    response: Option<oneshot::Sender<Response>>,
}

impl Pending {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server would take it: the first one does.
    pub(crate) fn claim(&self, claim: ClaimRequest) {
        let first = self.held().get_mut(&claim.request_id).and_then(|waiting| waiting.claim.take());
        if let Some(first) = first {
            let _ = first.send(claim.server_id);
        }
    }

    /// A server answered.
    pub(crate) fn response(&self, response: Response) {
        let waiting = self.held().get_mut(&response.request_id).and_then(|waiting| waiting.response.take());
        if let Some(waiting) = waiting {
            let _ = waiting.send(response);
        }
    }
}

/// Forgets a request whichever way it ends.
struct Forget<'a>(&'a Pending, String);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.held().remove(&self.1);
    }
}

impl Bus {
    /// May this call come in, and with whose password?
    ///
    /// # Errors
    /// [`PsrpcError`]: the server's, or `unavailable` where none answers.
    pub async fn get_sip_trunk_authentication(
        &self,
        request: &GetSipTrunkAuthenticationRequest,
    ) -> Result<GetSipTrunkAuthenticationResponse, PsrpcError> {
        self.ask("GetSIPTrunkAuthentication", request).await
    }

    /// Where does it go?
    ///
    /// # Errors
    /// As above.
    pub async fn evaluate_sip_dispatch_rules(
        &self,
        request: &EvaluateSipDispatchRulesRequest,
    ) -> Result<EvaluateSipDispatchRulesResponse, PsrpcError> {
        self.ask("EvaluateSIPDispatchRules", request).await
    }

    /// A call came on.
    ///
    /// # Errors
    /// As above.
    pub async fn update_sip_call_state(&self, request: &UpdateSipCallStateRequest) -> Result<(), PsrpcError> {
        self.ask::<_, Empty>("UpdateSIPCallState", request).await.map(|_| ())
    }

    /// A call is over.
    ///
    /// # Errors
    /// As above.
    pub async fn record_call_context(&self, request: &RecordCallContextRequest) -> Result<(), PsrpcError> {
        self.ask::<_, Empty>("RecordCallContext", request).await.map(|_| ())
    }

    async fn ask<Q: Message, A: Message + Default>(
        &self,
        method: &str,
        request: &Q,
    ) -> Result<A, PsrpcError> {
        let inner = &self.inner;
        let until = Instant::now() + ANSWER;
        let id =
            format!("REQ_{}", name().map_err(|error| PsrpcError::new(code::INTERNAL, error.to_string()))?);
        let (claim, claimed) = oneshot::channel();
        let (respond, response) = oneshot::channel();
        {
            let mut pending = inner.pending.held();
            if pending.len() >= MOST {
                return Err(PsrpcError::new(
                    code::RESOURCE_EXHAUSTED,
                    "too many requests wait for livekit-server",
                ));
            }
            pending.insert(id.clone(), Waiting { claim: Some(claim), response: Some(respond) });
        }
        let _forget = Forget(&inner.pending, id.clone());
        let sent_at = now();
        let envelope = Envelope::Request(Request {
            request_id: id.clone(),
            client_id: inner.client_id.clone(),
            sent_at,
            expiry: sent_at + i64::try_from(ANSWER.as_nanos()).unwrap_or_default(),
            raw_request: request.encode_to_vec(),
            ..Request::default()
        });
        inner.publish(&channel(&[IO, method, "REQ"]), &envelope).await?;
        let nobody = || PsrpcError::new(code::UNAVAILABLE, format!("no livekit-server takes {method}"));
        let server_id = match timeout_at((Instant::now() + CLAIM).min(until), claimed).await {
            Ok(Ok(server_id)) => server_id,
            _ => return Err(nobody()),
        };
        let claim = Envelope::ClaimResponse(ClaimResponse { request_id: id, server_id });
        inner.publish(&channel(&[IO, method, "RCLAIM"]), &claim).await?;
        match timeout_at(until, response).await {
            Ok(Ok(response)) => read(method, response),
            _ => Err(PsrpcError::new(
                code::DEADLINE_EXCEEDED,
                format!("livekit-server did not answer {method}"),
            )),
        }
    }
}

fn read<A: Message + Default>(method: &str, response: Response) -> Result<A, PsrpcError> {
    if !response.error.is_empty() || !response.code.is_empty() {
        return Err(PsrpcError::from_wire(response.code, response.error, &response.error_details));
    }
    A::decode(response.raw_response.as_slice()).map_err(|error| {
        PsrpcError::new(code::MALFORMED_RESULT, format!("the answer to {method} cannot be read: {error}"))
    })
}
