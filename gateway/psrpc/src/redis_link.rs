//! The way to Redis: one server, the master that sentinels name, or a cluster.

use redis::aio::{MultiplexedConnection, PubSub};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    Client, Cmd, ConnectionAddr, ConnectionInfo, RedisConnectionInfo, RedisError, RedisResult,
    TlsCertificates, TlsMode,
};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where Redis is and how it is spoken to.
#[derive(Clone, Default)]
pub struct RedisSettings {
    /// `host:port`; empty with sentinels or a cluster.
    pub address: String,
    pub username: String,
    pub password: String,
    pub db: i64,
    pub tls: Option<Tls>,
    pub sentinel_master: String,
    pub sentinel_username: String,
    pub sentinel_password: String,
    pub sentinels: Vec<String>,
    pub cluster: Vec<String>,
    /// For a connection; 5 s.
    pub dial_timeout: Option<Duration>,
    /// For an answer; 3 s.
    pub read_timeout: Option<Duration>,
}

/// TLS to Redis.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Any certificate is taken.
    pub insecure: bool,
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

impl fmt::Debug for RedisSettings {
    /// Without the passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("address", &self.address)
            .field("sentinels", &self.sentinels)
            .field("cluster", &self.cluster)
            .field("db", &self.db)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// Why Redis cannot be had; a sentence without a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("Redis at {place}: {why}")]
pub struct RedisFault {
    pub place: String,
    pub why: String,
}

/// Commands go this way.
#[derive(Clone)]
pub(crate) enum Commands {
    One(MultiplexedConnection),
    Cluster(redis::cluster_async::ClusterConnection),
}

impl Commands {
    pub(crate) async fn query<T: redis::FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        match self {
            Self::One(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }
}

impl RedisSettings {
    /// For people.
    #[must_use]
    pub fn place(&self) -> String {
        if !self.cluster.is_empty() {
            return format!("cluster {}", self.cluster.join(", "));
        }
        if !self.sentinels.is_empty() {
            return format!("sentinels {} of {}", self.sentinels.join(", "), self.sentinel_master);
        }
        self.address.clone()
    }

    fn fault(&self, why: impl fmt::Display) -> RedisFault {
        RedisFault { place: self.place(), why: why.to_string() }
    }

    /// A connection for subscriptions and one for commands.
    pub(crate) async fn connect(&self) -> Result<(PubSub, Commands), RedisFault> {
        let patience = self.dial_timeout.unwrap_or(Duration::from_secs(5));
        let connecting = async {
            let client = self.client().await?;
            let pubsub = client.get_async_pubsub().await.map_err(|error| self.fault(told(&error)))?;
            let commands = if self.cluster.is_empty() {
                let config = redis::AsyncConnectionConfig::new()
                    .set_response_timeout(Some(self.read_timeout.unwrap_or(Duration::from_secs(3))));
                let one = client.get_multiplexed_async_connection_with_config(&config).await;
                Commands::One(one.map_err(|error| self.fault(told(&error)))?)
            } else {
                Commands::Cluster(self.cluster_connection().await?)
            };
            Ok((pubsub, commands))
        };
        match tokio::time::timeout(patience, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(self.fault(format!("no connection within {} s", patience.as_secs()))),
        }
    }

    /// Is it there, and does it let us in? Its version.
    ///
    /// # Errors
    /// [`RedisFault`].
    pub async fn check(&self) -> Result<String, RedisFault> {
        let (_, mut commands) = self.connect().await?;
        let mut ask = redis::cmd("INFO");
        ask.arg("server");
        let info: String = match &mut commands {
            Commands::One(one) => ask.query_async(one).await.map_err(|error| self.fault(told(&error)))?,
            Commands::Cluster(_) => return Ok("cluster".to_owned()),
        };
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        Ok(version.unwrap_or("unknown").trim().to_owned())
    }

    async fn client(&self) -> Result<Client, RedisFault> {
        if !self.sentinels.is_empty() {
            let mut sentinels = self.sentinel_client()?;
            return sentinels.async_get_client().await.map_err(|error| self.fault(told(&error)));
        }
        if self.cluster.is_empty() {
            return self.open(&self.address);
        }
        // Plain PUBLISH reaches every node of a cluster, so any of them will do.
        let mut last = self.fault("no node answered");
        for node in &self.cluster {
            let client = self.open(node)?;
            match client.get_multiplexed_async_connection().await {
                Ok(_) => return Ok(client),
                Err(error) => last = self.fault(told(&error)),
            }
        }
        Err(last)
    }

    fn open(&self, address: &str) -> Result<Client, RedisFault> {
        let info = self.info(address)?;
        let opened = match self.certificates()? {
            Some(certificates) => Client::build_with_tls(info, certificates),
            None => Client::open(info),
        };
        opened.map_err(|error| self.fault(told(&error)))
    }

    fn info(&self, address: &str) -> Result<ConnectionInfo, RedisFault> {
        let address = self.address_of(address)?;
        let mut login = RedisConnectionInfo::default().set_db(self.db);
        if !self.username.is_empty() {
            login = login.set_username(&self.username);
        }
        if !self.password.is_empty() {
            login = login.set_password(&self.password);
        }
        let info = redis::IntoConnectionInfo::into_connection_info(address)
            .map_err(|error| self.fault(told(&error)))?;
        Ok(info.set_redis_settings(login))
    }

    fn address_of(&self, address: &str) -> Result<ConnectionAddr, RedisFault> {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "6379"));
        let port: u16 =
            port.parse().map_err(|_| self.fault(format!("expected host:port, found \"{address}\"")))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(match &self.tls {
            Some(tls) => ConnectionAddr::TcpTls { host, port, insecure: tls.insecure, tls_params: None },
            None => ConnectionAddr::Tcp(host, port),
        })
    }

    fn certificates(&self) -> Result<Option<TlsCertificates>, RedisFault> {
        let Some(tls) = &self.tls else { return Ok(None) };
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| self.fault(format!("{}: {error}", path.display())))
        };
        let client_tls = match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => {
                Some(redis::ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
            }
            _ => None,
        };
        let root_cert = tls.ca.as_ref().map(read).transpose()?;
        if client_tls.is_none() && root_cert.is_none() {
            return Ok(None);
        }
        Ok(Some(TlsCertificates { client_tls, root_cert }))
    }

    fn sentinel_client(&self) -> Result<SentinelClient, RedisFault> {
        let addresses = self.sentinels.iter().map(|address| self.address_of(address));
        let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
        let mode =
            self.tls.as_ref().map(|tls| if tls.insecure { TlsMode::Insecure } else { TlsMode::Secure });
        let built =
            SentinelClientBuilder::new(addresses, self.sentinel_master.clone(), SentinelServerType::Master);
        let mut builder = built.map_err(|error| self.fault(told(&error)))?.set_client_to_redis_db(self.db);
        for (text, set) in [
            (&self.username, SentinelClientBuilder::set_client_to_redis_username as fn(_, _) -> _),
            (&self.password, SentinelClientBuilder::set_client_to_redis_password),
            (&self.sentinel_username, SentinelClientBuilder::set_client_to_sentinel_username),
            (&self.sentinel_password, SentinelClientBuilder::set_client_to_sentinel_password),
        ] {
            if !text.is_empty() {
                builder = set(builder, text.clone());
            }
        }
        if let Some(mode) = mode {
            builder = builder.set_client_to_redis_tls_mode(mode);
        }
        builder.build().map_err(|error| self.fault(told(&error)))
    }

    async fn cluster_connection(&self) -> Result<redis::cluster_async::ClusterConnection, RedisFault> {
        let nodes = self.cluster.iter().map(|node| self.info(node)).collect::<Result<Vec<_>, _>>()?;
        let mut builder = redis::cluster::ClusterClientBuilder::new(nodes);
        if let Some(certificates) = self.certificates()? {
            builder = builder.certs(certificates);
        }
        let client = builder.build().map_err(|error| self.fault(told(&error)))?;
        client.get_async_connection().await.map_err(|error| self.fault(told(&error)))
    }
}

/// What the library says, in a word that helps: a wrong password is the first that one meets.
pub(crate) fn told(error: &RedisError) -> String {
    let text = error.to_string();
    if text.contains("NOAUTH") || text.contains("WRONGPASS") || text.contains("invalid password") {
        return format!("it does not take our password (redis.password, redis.username): {text}");
    }
    text
}
