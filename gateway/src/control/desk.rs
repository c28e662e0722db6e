//! What a request over the control socket may ask: the signalling thread by [`Request`], the records
//! on a thread where reading may block. Every wait is bounded.

use super::{CallEvent, Request};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use trunkline_config::Config;
use trunkline_dialplan::DefaultRoute;
use trunkline_records::{Records, RecordsError};

/// The signalling thread answers within a turn of its loop; after this long it is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whom a request may ask.
#[derive(Debug, Clone)]
pub struct Desk {
    pub records: Arc<Records>,
    pub requests: mpsc::Sender<Request>,
    pub events: broadcast::Sender<CallEvent>,
    /// `dialplan.default`, which the store does not know.
    pub default: DefaultRoute,
}

/// Why a request was not done; becomes a status and `{"error": sentence}`.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("{0}")]
    Invalid(String),
    #[error("no {kind} {id}")]
    Unknown { kind: &'static str, id: String },
    #[error("the signalling thread does not answer")]
    Silent,
    #[error("{0}")]
    Records(String),
}

impl From<RecordsError> for Refused {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::Unknown { kind, id } => Self::Unknown { kind, id },
            RecordsError::Invalid(sentence) => Self::Invalid(sentence),
            other => Self::Records(other.to_string()),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unknown { .. } => StatusCode::NOT_FOUND,
            Self::Silent => StatusCode::SERVICE_UNAVAILABLE,
            Self::Records(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

impl Desk {
    pub fn new(
        config: &Config,
        records: Arc<Records>,
        requests: mpsc::Sender<Request>,
        events: broadcast::Sender<CallEvent>,
    ) -> Self {
        let default = if config.dialplan.default_agent { DefaultRoute::Agent } else { DefaultRoute::Reject };
        Self { records, requests, events, default }
    }

    /// Asks the signalling thread.
    ///
    /// # Errors
    /// [`Refused::Silent`] when it does not answer in time.
    pub async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Refused> {
        let (reply, answer) = oneshot::channel();
        let whole = async {
            self.requests.send(request(reply)).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(PATIENCE, whole).await.ok().flatten().ok_or(Refused::Silent)
    }

    /// Tells the signalling thread.
    ///
    /// # Errors
    /// [`Refused::Silent`] when it takes nothing.
    pub async fn tell(&self, request: Request) -> Result<(), Refused> {
        match tokio::time::timeout(PATIENCE, self.requests.send(request)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Refused::Silent),
        }
    }

    /// Reads or changes the records, where that may block.
    ///
    /// # Errors
    /// What the records say.
    pub async fn records<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Records) -> Result<T, RecordsError> + Send + 'static,
    ) -> Result<T, Refused> {
        let records = Arc::clone(&self.records);
        match tokio::task::spawn_blocking(move || work(&records)).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Refused::Records("the records could not be read".into())),
        }
    }
}
