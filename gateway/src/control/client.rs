//! The verbs' end of the control socket. Blocking: a verb has nothing else to do.

use super::socket;
use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::fmt::Write;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

/// Longer than anything that the server waits for.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why a request over the socket came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no trunkline is running ({path} is not answered)")]
    NotRunning { path: String },
    /// The socket cannot be used, by this user for instance.
    #[error("{path}: {source}")]
    Io { path: String, source: io::Error },
    /// The answer is a refusal.
    #[error("{sentence}")]
    Refused { status: u16, sentence: String },
    /// What came is no answer.
    #[error("the running trunkline gave no answer that can be read: {0}")]
    Unreadable(String),
    /// Nothing came.
    #[error("the running trunkline does not answer")]
    Silent,
}

/// A trunkline that runs.
#[derive(Debug)]
pub struct Client {
    runtime: Runtime,
    path: PathBuf,
}

impl Client {
    /// Finds the process that serves this state folder.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`], or why it cannot be spoken to.
    pub fn connect(state: &Path) -> Result<Self, ClientError> {
        let path = socket::path_in(state);
        let io_error = |source| ClientError::Io { path: path.display().to_string(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io_error)?;
        runtime.block_on(open(&path))?;
        Ok(Self { runtime, path })
    }

    /// GET, parsed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn get(&self, path: &str) -> Result<Value, ClientError> {
        parse(&self.send(&Method::GET, path, None)?)
    }

    /// POST of JSON, parsed; `Null` when the answer is empty.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        let answer = self.send(&Method::POST, path, Some(body))?;
        if answer.is_empty() { Ok(Value::Null) } else { parse(&answer) }
    }

    /// DELETE.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.send(&Method::DELETE, path, None).map(drop)
    }

    /// GET, as it comes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn bytes(&self, path: &str) -> Result<Bytes, ClientError> {
        self.send(&Method::GET, path, None)
    }

    /// GET of a stream of lines; ends when `each` breaks, or with the stream.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn lines(
        &self,
        path: &str,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        self.runtime.block_on(async {
            let mut response = answered(exchange(&self.path, &Method::GET, path, None).await?).await?;
            let mut waiting = Vec::new();
            while let Some(Ok(frame)) = response.body_mut().frame().await {
                let Some(data) = frame.data_ref() else { continue };
                waiting.extend_from_slice(data);
                while let Some(end) = waiting.iter().position(|b| *b == b'\n') {
                    let line: Vec<u8> = waiting.drain(..=end).collect();
                    if each(String::from_utf8_lossy(&line).trim_end()).is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    fn send(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Bytes, ClientError> {
        let whole = async {
            let response = answered(exchange(&self.path, method, path, body).await?).await?;
            let body = response.into_body().collect().await;
            body.map(http_body_util::Collected::to_bytes).map_err(unreadable)
        };
        self.runtime
            .block_on(async { tokio::time::timeout(PATIENCE, whole).await })
            .map_err(|_| ClientError::Silent)?
    }
}

/// An id as one segment of a path: SIP Call-IDs hold `@`, `/` and worse.
#[must_use]
pub fn segment(id: &str) -> String {
    let mut text = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

async fn open(path: &Path) -> Result<UnixStream, ClientError> {
    UnixStream::connect(path).await.map_err(|source| {
        let path = path.display().to_string();
        if socket::nobody_listens(&source) {
            ClientError::NotRunning { path }
        } else {
            ClientError::Io { path, source }
        }
    })
}

async fn exchange(
    socket: &Path,
    method: &Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Response<Incoming>, ClientError> {
    let stream = TokioIo::new(open(socket).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(unreadable)?;
    tokio::spawn(connection);
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "trunkline")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| ClientError::Unreadable(error.to_string()))?;
    sender.send_request(request).await.map_err(unreadable)
}

/// The response, if it is no refusal.
async fn answered(response: Response<Incoming>) -> Result<Response<Incoming>, ClientError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.into_body().collect().await.map_err(unreadable)?.to_bytes();
    let told: Option<Value> = serde_json::from_slice(&body).ok();
    let sentence = told.as_ref().and_then(|told| told.get("error")?.as_str()).map_or_else(
        || format!("refused: {}", status.canonical_reason().unwrap_or(StatusCode::BAD_REQUEST.as_str())),
        str::to_owned,
    );
    Err(ClientError::Refused { status: status.as_u16(), sentence })
}

fn unreadable(error: hyper::Error) -> ClientError {
    ClientError::Unreadable(error.to_string())
}

fn parse(body: &[u8]) -> Result<Value, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Unreadable(error.to_string()))
}
