//! What the program lives with: a LiveKit server, Redis, rooms.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A text that is shown to nobody: its `Debug` is a dot.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For whoever has to prove that he knows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "\"…\"" })
    }
}

/// A LiveKit server: `ws_url`, `api_key`, `api_secret`, or LIVEKIT_URL (LIVEKIT_WS_URL), LIVEKIT_API_KEY,
/// LIVEKIT_API_SECRET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveKit {
    /// `ws`, `wss`, `http` or `https`.
    pub url: String,
    pub api_key: String,
    pub api_secret: Secret,
}

/// `redis`, or REDIS_URL: one server, a sentinel's master, or a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redis {
    /// `host:port`; empty with sentinels or a cluster.
    pub address: String,
    pub username: String,
    pub password: Secret,
    pub db: i64,
    pub tls: Option<RedisTls>,
    pub sentinel_master_name: String,
    pub sentinel_username: String,
    pub sentinel_password: Secret,
    pub sentinel_addresses: Vec<String>,
    pub cluster_addresses: Vec<String>,
    /// `dial_timeout`: 5 s.
    pub dial_timeout: Option<Duration>,
    pub read_timeout: Option<Duration>,
    pub write_timeout: Option<Duration>,
}

/// `redis.use_tls` and `redis.tls`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RedisTls {
    pub insecure: bool,
    pub server_name: String,
    pub ca_cert_file: Option<PathBuf>,
    pub client_cert_file: Option<PathBuf>,
    pub client_key_file: Option<PathBuf>,
}

/// `api`: LiveKit's SIP API, served by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// `api.listen_ip`: 127.0.0.1.
    pub listen_ip: IpAddr,
    /// `api.port`
    pub port: u16,
}

/// `rooms.backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// In this process.
    #[default]
    Local,
    /// Of a LiveKit server. What `auto` means as soon as there is one.
    LiveKit,
}

/// `rooms.room_codec`: what our sound is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RoomCodec {
    /// G.711 as it is from a leg with G.711, else Opus.
    #[default]
    Auto,
    Opus,
    Pcmu,
    Pcma,
}

/// `rooms.answer`: when an inbound call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answer {
    /// Somebody's sound is there, or another telephone: livekit/sip's way.
    #[default]
    WhenHeard,
    /// The caller is in the room.
    WhenJoined,
    /// At once.
    AtOnce,
}

/// `rooms`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rooms {
    pub backend: Backend,
    pub room_codec: RoomCodec,
    /// `rooms.room_codecs`: by id of a trunk or rule.
    pub room_codecs: BTreeMap<String, RoomCodec>,
    pub answer: Answer,
    /// `rooms.ringback`: a caller who is answered and alone in the room hears ringing. On.
    pub ringback: bool,
    /// `rooms.unique_identity`: a caller whose identity is in the room already gets a suffix, and the first
    /// call goes on. On.
    pub unique_identity: bool,
    /// `rooms.bind`: address of the media sockets.
    pub bind: Option<IpAddr>,
    /// `rooms.roots`: PEM files of certificates that are trusted beside the system's.
    pub roots: Vec<PathBuf>,
}
