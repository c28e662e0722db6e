//! The way to a server: its URL, TCP, TLS, and the HTTP request that becomes a WebSocket.

use crate::JoinError;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, http};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

/// Name, TCP, TLS and HTTP each; a caller waits for the sum of them.
const STEP: Duration = Duration::from_secs(5);
/// A JoinResponse of a room with thousands of people is far below this.
const LARGEST: usize = 4 << 20;
/// The longest answer to a question that is looked at.
const ANSWER: u64 = 16 << 10;
/// What of a refusal's body is told.
const SHOWN: usize = 200;

/// Anything that bytes go through.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Where a server is, and what lets us in.
#[derive(Clone)]
pub(crate) struct Dial {
    /// `ws`, `wss`, `http` or `https`.
    pub url: String,
    pub token: String,
    pub tls: Arc<rustls::ClientConfig>,
}

impl Dial {
    fn unreachable(&self, why: impl std::fmt::Display) -> JoinError {
        JoinError::Unreachable { url: self.url.clone(), why: why.to_string() }
    }

    fn silent(waited_for: &'static str) -> JoinError {
        JoinError::Silent { seconds: STEP.as_secs(), waited_for }
    }

    /// Opens a WebSocket at a path below the server's.
    pub(super) async fn open(&self, path: &str, query: &str) -> Result<Socket, JoinError> {
        let (url, secure) = self.endpoint(path, query)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let stream = self.stream(&host, port, secure).await?;
        let mut request = url.as_str().into_client_request().map_err(|error| self.unreachable(error))?;
        let bearer = http::HeaderValue::from_str(&format!("Bearer {}", self.token))
            .map_err(|_| JoinError::Protocol("the token holds characters that no HTTP header may".into()))?;
        request.headers_mut().insert(http::header::AUTHORIZATION, bearer);
        let limits = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
        match timeout(STEP, client_async_with_config(request, stream, Some(limits))).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(Error::Http(response))) => Err(refusal(&response)),
            Ok(Err(error)) => Err(self.unreachable(error)),
            Err(_) => Err(Self::silent("the answer to the HTTP request")),
        }
    }

    /// Asks whether the token would let somebody in, without joining.
    pub(crate) async fn validate(&self) -> Result<Head, JoinError> {
        let (url, secure) = self.endpoint("rtc/validate", "")?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let mut stream = self.stream(host.trim_matches(['[', ']']), port, secure).await?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            url.path(),
            self.token
        );
        let asked = async {
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            (&mut stream).take(ANSWER).read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        match timeout(STEP, asked).await {
            Ok(Ok(answer)) => Head::read(&String::from_utf8_lossy(&answer))
                .ok_or_else(|| JoinError::Protocol("what answers there is no HTTP server".into())),
            Ok(Err(error)) => Err(self.unreachable(error)),
            Err(_) => Err(Self::silent("the answer to the HTTP request")),
        }
    }

    fn endpoint(&self, path: &str, query: &str) -> Result<(Url, bool), JoinError> {
        let wrong = |why: &str| JoinError::Url { url: self.url.clone(), why: why.to_owned() };
        let mut url = Url::parse(&self.url).map_err(|error| wrong(&error.to_string()))?;
        let secure = match url.scheme() {
            "wss" | "https" => true,
            "ws" | "http" => false,
            _ => return Err(wrong("expected ws://, wss://, http:// or https://")),
        };
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("it names no host"));
        }
        let scheme = if secure { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| wrong("its scheme cannot be used"))?;
        let below = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&below);
        url.set_query(Some(query));
        Ok((url, secure))
    }

    async fn stream(&self, host: &str, port: u16, secure: bool) -> Result<Box<dyn Stream>, JoinError> {
        let tcp = timeout(STEP, TcpStream::connect((host, port)))
            .await
            .map_err(|_| Self::silent("a TCP connection"))?
            .map_err(|error| self.unreachable(error))?;
        // Messages are small, and each is waited for.
        let _ = tcp.set_nodelay(true);
        if !secure {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| self.unreachable(error))?;
        let tls = timeout(STEP, TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp))
            .await
            .map_err(|_| Self::silent("the TLS handshake"))?
            .map_err(|error| self.unreachable(format_args!("its certificate or TLS is refused: {error}")))?;
        Ok(Box::new(tls))
    }
}

/// The head of an HTTP answer, as far as it is looked at, and the beginning of its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub status: u16,
    pub date: Option<String>,
    pub body: String,
}

impl Head {
    fn read(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let date = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("date").then(|| value.trim().to_owned())
        });
        let body = body.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        Some(Self { status, date, body })
    }
}

fn refusal(response: &http::Response<Option<Vec<u8>>>) -> JoinError {
    let body = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
    let said: String = body.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let why = match response.status().as_u16() {
        401 => format!("it does not take our token ({said}): is api_key or api_secret wrong, or a clock?"),
        _ => said,
    };
    JoinError::Refused { status: response.status().as_u16(), why }
}
