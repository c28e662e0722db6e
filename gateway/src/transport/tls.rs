//! TLS (RFC 5246, 8446) around the connections of SIP: our certificates, and whose we believe.
//!
//! Whoever connects to us is shown the certificate that is for the name it asked for. Whoever we connect to must
//! show one that is for the host of the URI that led there (RFC 5922 §7.2), or for its address where there was no
//! name, signed by somebody whom this system believes. There is no switch that turns this off.

use super::BindError;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Names that are kept for peers to be connected to; a call needs its own for a moment only.
const NAMES: usize = 4_096;

/// What a listener of TLS is started with.
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    /// Chain and key, as PEM files; the first one is for whoever asks for no name of ours.
    pub files: Vec<(PathBuf, PathBuf)>,
    /// 1.2 is not spoken.
    pub only_1_3: bool,
    /// 1.3 is not spoken.
    pub only_1_2: bool,
    /// Cipher suites by their IANA names; empty: all that rustls has.
    pub cipher_suites: Vec<String>,
    /// Protocols of ALPN; empty: none is negotiated.
    pub alpn: Vec<String>,
}

/// Both sides of TLS, for all connections.
pub(super) struct Tls {
    certificates: Option<Certificates>,
    /// Another one after [`Tls::reread`]; connections that stand keep theirs.
    acceptor: Mutex<Option<TlsAcceptor>>,
    connector: OnceLock<Result<TlsConnector, String>>,
    names: Mutex<HashMap<SocketAddr, ServerName<'static>>>,
}

impl Tls {
    /// With our certificates, if we listen.
    ///
    /// # Errors
    /// [`BindError::Certificate`] names the file that cannot be used.
    pub(super) fn new(certificates: Option<&Certificates>) -> Result<Self, BindError> {
        let made = certificates.map(acceptor).transpose()?;
        Ok(Self {
            certificates: certificates.cloned(),
            acceptor: Mutex::new(made),
            connector: OnceLock::new(),
            names: Mutex::default(),
        })
    }

    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.acceptor.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Do we listen, so that there are certificates of ours?
    pub(super) fn listens(&self) -> bool {
        self.certificates.is_some()
    }

    /// Reads our certificates anew: they were renewed.
    ///
    /// # Errors
    /// As [`Tls::new`]; the old ones are shown as before.
    pub(super) fn reread(&self) -> Result<(), BindError> {
        let made = self.certificates.as_ref().map(acceptor).transpose()?;
        *self.acceptor.lock().unwrap_or_else(PoisonError::into_inner) = made;
        Ok(())
    }

    /// Whom this system believes is read when the first connection is opened.
    pub(super) fn connector(&self) -> Result<&TlsConnector, String> {
        self.connector
            .get_or_init(|| client().map(|c| TlsConnector::from(Arc::new(c))))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// This address was found under this name: its certificate has to be for it.
    pub(super) fn expect(&self, remote: SocketAddr, host: &str) {
        let Ok(name) = ServerName::try_from(host.to_owned()) else { return };
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES {
            names.clear();
        }
        names.insert(remote, name);
    }

    pub(super) fn name_of(&self, remote: SocketAddr) -> ServerName<'static> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&remote).cloned().unwrap_or_else(|| ServerName::from(remote.ip().to_canonical()))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("listens", &self.listens()).finish_non_exhaustive()
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

fn client() -> Result<ClientConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(
            "this system believes no certificate authority (SSL_CERT_FILE may name a file of them)".into()
        );
    }
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn acceptor(of: &Certificates) -> Result<TlsAcceptor, BindError> {
    Ok(TlsAcceptor::from(Arc::new(server(of)?)))
}

fn server(of: &Certificates) -> Result<ServerConfig, BindError> {
    let mut provider = provider();
    if !of.cipher_suites.is_empty() {
        let name =
            |suite: &SupportedCipherSuite| format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1);
        for wanted in &of.cipher_suites {
            if !provider.cipher_suites.iter().any(|suite| name(suite).eq_ignore_ascii_case(wanted)) {
                tracing::warn!("tls.cipher_suites: {} is not had here", wanted.escape_debug());
            }
        }
        let wanted =
            |suite: &_| of.cipher_suites.iter().any(|wanted| wanted.eq_ignore_ascii_case(&name(suite)));
        provider.cipher_suites.retain(wanted);
    }
    let mut keys = Vec::new();
    for (certificate, key) in &of.files {
        keys.push(Arc::new(certified(certificate, key, &provider)?));
    }
    let versions: &[&SupportedProtocolVersion] = match (of.only_1_2, of.only_1_3) {
        (true, _) => &[&rustls::version::TLS12],
        (_, true) => &[&rustls::version::TLS13],
        _ => rustls::ALL_VERSIONS,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .map_err(|error| BindError::Tls(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName(keys)));
    config.alpn_protocols = of.alpn.iter().map(|name| name.clone().into_bytes()).collect();
    Ok(config)
}

fn certified(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, BindError> {
    let wrong = |file: &Path, why: String| BindError::Certificate { file: file.to_owned(), why };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "there is no certificate in it".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|error| wrong(key, error.to_string()))
}

/// The certificate for the name that is asked for, else the first.
#[derive(Debug)]
struct ByName(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let is_for = |key: &&Arc<CertifiedKey>| {
            let parsed = key.end_entity_cert().ok().and_then(|cert| ParsedCertificate::try_from(cert).ok());
            parsed.zip(asked.as_ref()).is_some_and(|(cert, name)| verify_server_name(&cert, name).is_ok())
        };
        self.0.iter().find(is_for).or_else(|| self.0.first()).cloned()
    }
}
