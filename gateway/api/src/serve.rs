//! The door: one path a method, the token first, then the method's own checks.

use crate::shape::{
    INBOUND, INBOUND_LIST, NOTHING, ONE_INBOUND, ONE_OUTBOUND, OUTBOUND, OUTBOUND_LIST, PARTICIPANT, RULE,
    RULE_LIST, Shape, TRUNK, TRUNK_LIST,
};
use crate::token::{Grants, Keys};
use crate::wire::Spelling;
use crate::{Fault, Port, inbound, outbound, participants, rules};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

/// Largest request; livekit's own are below 70 kB.
const LARGEST: usize = 256 << 10;
/// A request is here within this, or never.
const ARRIVAL: Duration = Duration::from_secs(10);

/// What the methods work with.
#[derive(Debug, Clone)]
pub struct Api<P> {
    pub(crate) port: P,
    keys: Keys,
    /// Held while a change is checked and made: two that contradict each other must not both find nothing.
    changes: Arc<Mutex<()>>,
}

impl<P> Api<P> {
    pub fn new(port: P, keys: Keys) -> Self {
        Self { port, keys, changes: Arc::default() }
    }

    pub(crate) async fn alone(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().await
    }
}

/// `/twirp/livekit.SIP/…`; any other path is told as Twirp tells it.
pub fn router<P: Port>(api: Api<P>) -> Router {
    Router::new()
        .route("/twirp/livekit.SIP/{method}", any(method::<P>))
        .fallback(any(elsewhere))
        .with_state(Arc::new(api))
}

async fn elsewhere(request: Request) -> Fault {
    let path = shown(request.uri().path());
    Fault::bad_route(format!("no handler for path \"{path}\""), request.method().as_str(), &path)
}

async fn method<P: Port>(
    State(api): State<Arc<Api<P>>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let answered = answer(&api, &name, request).await;
    match &answered {
        // Strangers can cause these as often as they like.
        Err(fault) if matches!(fault.code, "unauthenticated" | "bad_route" | "malformed") => {
            tracing::debug!(method = %shown(&name), code = fault.code, "refused: {}", shown(&fault.msg));
        }
        Err(fault) => {
            tracing::info!(method = %shown(&name), code = fault.code, "refused: {}", shown(&fault.msg));
        }
        Ok(_) => tracing::debug!(method = %shown(&name), "done"),
    }
    answered.unwrap_or_else(Fault::into_response)
}

async fn answer<P: Port>(api: &Api<P>, name: &str, request: Request) -> Result<Response, Fault> {
    let (head, body) = request.into_parts();
    let text = |name| head.headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let grants = api.keys.grants(text(header::AUTHORIZATION))?;
    let (path, verb) = (shown(head.uri.path()), head.method.as_str());
    let astray = |why: String| Fault::bad_route(why, verb, &path);
    if head.method != Method::POST {
        return Err(astray(format!("unsupported method \"{verb}\" (only POST is allowed)")));
    }
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    let spelling =
        Spelling::of(kind).ok_or_else(|| astray(format!("unexpected Content-Type: \"{}\"", shown(kind))))?;
    let call = Call { spelling, body: arrived(body).await?, grants: &grants };
    match name {
        "CreateSIPInboundTrunk" => call.admin(&INBOUND, |q| inbound::create(api, q)).await,
        "UpdateSIPInboundTrunk" => call.admin(&INBOUND, |q| inbound::update(api, q)).await,
        "GetSIPInboundTrunk" => call.admin(&ONE_INBOUND, |q| inbound::get(api, q)).await,
        "ListSIPInboundTrunk" => call.admin(&INBOUND_LIST, |q| inbound::list(api, q)).await,
        "CreateSIPOutboundTrunk" => call.admin(&OUTBOUND, |q| outbound::create(api, q)).await,
        "UpdateSIPOutboundTrunk" => call.admin(&OUTBOUND, |q| outbound::update(api, q)).await,
        "GetSIPOutboundTrunk" => call.admin(&ONE_OUTBOUND, |q| outbound::get(api, q)).await,
        "ListSIPOutboundTrunk" => call.admin(&OUTBOUND_LIST, |q| outbound::list(api, q)).await,
        "ListSIPTrunk" => call.admin(&TRUNK_LIST, |q| outbound::list_all(api, q)).await,
        "DeleteSIPTrunk" => call.admin(&TRUNK, |q| outbound::delete(api, q)).await,
        "CreateSIPDispatchRule" => call.admin(&RULE, |q| rules::create(api, q)).await,
        "UpdateSIPDispatchRule" => call.admin(&RULE, |q| rules::update(api, q)).await,
        "ListSIPDispatchRule" => call.admin(&RULE_LIST, |q| rules::list(api, q)).await,
        "DeleteSIPDispatchRule" => call.admin(&RULE, |q| rules::delete(api, q)).await,
        "CreateSIPParticipant" => {
            grants.may_call()?;
            call.run(&PARTICIPANT, |q| participants::create(api, q)).await
        }
        // Whose room it is stands in the request, so the method asks for the rest.
        "TransferSIPParticipant" => call.run(&NOTHING, |q| participants::transfer(api, &grants, q)).await,
        _ => Err(astray(format!("no handler for path \"{path}\""))),
    }
}

/// One request, before it is read.
struct Call<'a> {
    spelling: Spelling,
    body: Bytes,
    grants: &'a Grants,
}

impl Call<'_> {
    /// For whoever may set up trunks and rules.
    async fn admin<Q, A, F>(self, shape: &Shape, serve: impl FnOnce(Q) -> F) -> Result<Response, Fault>
    where
        Q: Message + Default + DeserializeOwned,
        A: Message + Serialize,
        F: Future<Output = Result<A, Fault>>,
    {
        self.grants.may_set_up()?;
        self.run(shape, serve).await
    }

    async fn run<Q, A, F>(self, shape: &Shape, serve: impl FnOnce(Q) -> F) -> Result<Response, Fault>
    where
        Q: Message + Default + DeserializeOwned,
        A: Message + Serialize,
        F: Future<Output = Result<A, Fault>>,
    {
        let request = self.spelling.read(&self.body)?;
        self.spelling.write(&serve(request).await?, shape)
    }
}

async fn arrived(body: Body) -> Result<Bytes, Fault> {
    match tokio::time::timeout(ARRIVAL, to_bytes(body, LARGEST)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Fault::malformed(format!("expected a whole request of at most {LARGEST} bytes"))),
        Err(_) => Err(Fault::malformed("the request did not arrive in time")),
    }
}

/// What a stranger sent, for logs and answers.
fn shown(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).filter(|c| *c != '\\').collect()
}
