//! What others ask of us: locked so that one of us takes it, claimed, done once, answered.

use crate::bus::{CREATE, Inner, SIP, TRANSFER, name, now};
use crate::envelope::{ClaimRequest, ClaimResponse, Envelope, Request, Response, channel};
use crate::messages::{
    InternalCreateSipParticipantRequest, InternalCreateSipParticipantResponse,
    InternalTransferSipParticipantRequest, InternalTransferSipParticipantResponse,
};
use crate::{PsrpcError, code};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// A lock lives so long: any two servers see a request within that.
const LOCK_SECONDS: u64 = 5;
/// Requests that are served at a time; a call that is waited for until it is answered is one of them.
const AT_ONCE: usize = 2_048;
/// Whose clock is off by more gets a line in the log: requests of such a server expire on their way.
const CLOCK: Duration = Duration::from_secs(2);
/// Results are kept for so long, and so many, in case the same request comes again.
const KEPT: Duration = Duration::from_secs(120);
const KEPT_MOST: usize = 4_096;

/// Who may be served. Asked for each request, so it must be quick.
pub trait Gate: Send + Sync {
    /// Is there room for one more call?
    fn takes_calls(&self) -> bool;
    /// Is this a call of ours that is up?
    fn owns(&self, call: &str) -> bool;
}

/// A request, with the answer that is owed.
#[derive(Debug)]
pub enum Incoming {
    /// Place a call.
    Create {
        request: Box<InternalCreateSipParticipantRequest>,
        reply: Reply<InternalCreateSipParticipantResponse>,
    },
    /// Send a caller elsewhere.
    Transfer {
        request: Box<InternalTransferSipParticipantRequest>,
        reply: Reply<InternalTransferSipParticipantResponse>,
    },
}

/// The answer to a request; one that is dropped says `internal`.
pub struct Reply<T> {
    until: Instant,
    answer: oneshot::Sender<Result<T, PsrpcError>>,
}

impl<T> std::fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply")
    }
}

impl<T> Reply<T> {
    /// For a request that comes by another way than the bus: the answer arrives at the receiver.
    #[must_use]
    pub fn new(until: Instant) -> (Self, oneshot::Receiver<Result<T, PsrpcError>>) {
        let (answer, answered) = oneshot::channel();
        (Self { until, answer }, answered)
    }

    /// After this nobody waits for it.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Answers.
    pub fn answer(self, answer: Result<T, PsrpcError>) {
        let _ = self.answer.send(answer);
    }
}

type Done = Result<Vec<u8>, PsrpcError>;

pub(crate) struct Server {
    gate: Arc<dyn Gate>,
    calls: mpsc::Sender<Incoming>,
    /// Claims of ours that wait for the client's choice.
    claims: Mutex<HashMap<String, oneshot::Sender<String>>>,
    /// What calls came to, by their id: a request that comes twice is done once.
    done: Mutex<Results>,
    room: Arc<Semaphore>,
}

#[derive(Default)]
struct Results {
    by_call: HashMap<String, watch::Receiver<Option<Done>>>,
    order: VecDeque<(Instant, String)>,
}

impl Server {
    pub(crate) fn new(gate: Arc<dyn Gate>, calls: mpsc::Sender<Incoming>) -> Self {
        Self {
            gate,
            calls,
            claims: Mutex::default(),
            done: Mutex::default(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    fn claims(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<String>>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request came. One that is not for us is left alone, its lock untouched.
    pub(crate) fn request(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        from: &str,
        request: Request,
        payload: &[u8],
    ) {
        let mut parts = from.split('|');
        let (Some(SIP), Some(method)) = (parts.next(), parts.next()) else { return };
        let ours = match method {
            CREATE => !inner.is_closed() && self.gate.takes_calls(),
            TRANSFER => parts.next().is_some_and(|call| self.gate.owns(call)),
            _ => false,
        };
        if !ours {
            return;
        }
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            tracing::warn!(method, "a request is left to others: {AT_ONCE} are being served");
            return;
        };
        let lock = STANDARD.encode(Sha256::digest(payload));
        let (server, inner, create) = (Arc::clone(self), Arc::clone(inner), method == CREATE);
        tokio::spawn(async move {
            let _room = room;
            if let Err(error) = server.serve(&inner, request, &lock, create).await {
                tracing::warn!("a request of livekit-server could not be served: {error}");
            }
        });
    }

    /// The client chose a server.
    pub(crate) fn claimed(&self, claimed: ClaimResponse) {
        if let Some(waiting) = self.claims().remove(&claimed.request_id) {
            let _ = waiting.send(claimed.server_id);
        }
    }

    async fn serve(
        &self,
        inner: &Inner,
        request: Request,
        lock: &str,
        create: bool,
    ) -> Result<(), PsrpcError> {
        let mut take = redis::cmd("SET");
        let mark = name().unwrap_or_default();
        take.arg(lock).arg(mark).arg("NX").arg("EX").arg(LOCK_SECONDS);
        if inner.command::<Option<String>>(&take).await?.is_none() {
            return Ok(());
        }
        let left = request.expiry - now();
        clock(&request);
        if left <= 0 {
            return Err(PsrpcError::new(code::DEADLINE_EXCEEDED, "it had expired when it came"));
        }
        let left = Duration::from_nanos(u64::try_from(left).unwrap_or_default());
        let until = Instant::now() + left;
        let id = request.request_id.clone();
        if !self.claim(inner, &request, until).await? {
            return Ok(());
        }
        let done = if create {
            self.create(&request.raw_request, until).await
        } else {
            self.transfer(&request.raw_request, until).await
        };
        let mut response = Response {
            request_id: id,
            server_id: inner.server_id.clone(),
            sent_at: now(),
            ..Response::default()
        };
        match done {
            Ok(bytes) => response.raw_response = bytes,
            Err(error) => {
                response.error_details = error.details();
                (response.error, response.code) = (error.message, error.code);
            }
        }
        let to = channel(&[SIP, &request.client_id, "RES"]);
        inner.publish(&to, &Envelope::Response(response)).await
    }

    /// Offers to do it; false: another server does.
    async fn claim(&self, inner: &Inner, request: &Request, until: Instant) -> Result<bool, PsrpcError> {
        let (chosen, choice) = oneshot::channel();
        self.claims().insert(request.request_id.clone(), chosen);
        let claim = Envelope::ClaimRequest(ClaimRequest {
            request_id: request.request_id.clone(),
            server_id: inner.server_id.clone(),
            affinity: 1.0,
        });
        let published = inner.publish(&channel(&[SIP, &request.client_id, "CLAIM"]), &claim).await;
        let chosen = match published {
            Ok(()) => tokio::time::timeout_at(until.into(), choice).await,
            Err(error) => {
                self.claims().remove(&request.request_id);
                return Err(error);
            }
        };
        self.claims().remove(&request.request_id);
        Ok(matches!(chosen, Ok(Ok(server)) if server == inner.server_id))
    }

    async fn create(&self, raw: &[u8], until: Instant) -> Done {
        let request = InternalCreateSipParticipantRequest::decode(raw).map_err(|error| malformed(&error))?;
        let call = request.sip_call_id.clone();
        // Bound first: a guard in the match below would still be held where the result is kept.
        let known = self.results().known(&call);
        let (begin, known) = match known {
            Some(known) => (None, known),
            None => {
                let (begin, known) = watch::channel(None);
                self.results().keep(call, known.clone());
                (Some(begin), known)
            }
        };
        if let Some(begin) = begin {
            let (reply, answered) = Reply::new(until);
            let handed = self.calls.send(Incoming::Create { request: Box::new(request), reply }).await;
            let done = match handed {
                Ok(()) => answer_of(answered, until).await,
                Err(_) => Err(PsrpcError::new(code::UNAVAILABLE, "the gateway is stopping")),
            };
            begin.send_replace(Some(done.map(|response| response.encode_to_vec())));
        }
        let mut known = known;
        let settled = tokio::time::timeout_at(until.into(), known.wait_for(Option::is_some)).await;
        match settled {
            Ok(Ok(done)) => done.clone().unwrap_or_else(|| Err(timed_out())),
            _ => Err(timed_out()),
        }
    }

    async fn transfer(&self, raw: &[u8], until: Instant) -> Done {
        let request =
            InternalTransferSipParticipantRequest::decode(raw).map_err(|error| malformed(&error))?;
        let (reply, answered) = Reply::new(until);
        let incoming = Incoming::Transfer { request: Box::new(request), reply };
        match self.calls.send(incoming).await {
            Ok(()) => answer_of(answered, until).await.map(|response| response.encode_to_vec()),
            Err(_) => Err(PsrpcError::new(code::UNAVAILABLE, "the gateway is stopping")),
        }
    }

    fn results(&self) -> MutexGuard<'_, Results> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Results {
    fn known(&mut self, call: &str) -> Option<watch::Receiver<Option<Done>>> {
        let now = Instant::now();
        while let Some((at, _)) = self.order.front()
            && (*at + KEPT < now || self.order.len() > KEPT_MOST)
        {
            if let Some((_, old)) = self.order.pop_front() {
                self.by_call.remove(&old);
            }
        }
        if call.is_empty() { None } else { self.by_call.get(call).cloned() }
    }

    fn keep(&mut self, call: String, result: watch::Receiver<Option<Done>>) {
        if !call.is_empty() {
            self.order.push_back((Instant::now(), call.clone()));
            self.by_call.insert(call, result);
        }
    }
}

async fn answer_of<T>(
    answered: oneshot::Receiver<Result<T, PsrpcError>>,
    until: Instant,
) -> Result<T, PsrpcError> {
    match tokio::time::timeout_at(until.into(), answered).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(PsrpcError::new(code::INTERNAL, "the gateway gave no answer")),
        Err(_) => Err(timed_out()),
    }
}

fn timed_out() -> PsrpcError {
    PsrpcError::new(code::DEADLINE_EXCEEDED, "request timed out")
}

fn malformed(error: &prost::DecodeError) -> PsrpcError {
    PsrpcError::new(code::MALFORMED_REQUEST, format!("the request cannot be read: {error}"))
}

/// A clock that is off is the first thing to look for when requests expire on their way.
fn clock(request: &Request) {
    let off = Duration::from_nanos((now() - request.sent_at).unsigned_abs());
    if off > CLOCK && request.sent_at != 0 {
        tracing::warn!(
            off_ms = u64::try_from(off.as_millis()).unwrap_or(u64::MAX),
            "a request came that long after, or before, it was sent: is the clock of this machine or of livekit-server's wrong?"
        );
    }
}
