//! Whom we trust: the system's roots (or those of SSL_CERT_FILE), and what the operator adds.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::sync::Arc;

/// The one TLS configuration of all connections. A root that cannot be read is a fault, not left out: whoever
/// added it waits for connections that it would have let through.
pub(crate) fn client_config(extra: &[Vec<u8>]) -> Result<Arc<rustls::ClientConfig>, String> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    for pem in extra {
        let mut any = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| format!("no certificate in PEM form: {error}"))?;
            roots
                .add(certificate)
                .map_err(|error| format!("a certificate that cannot be trusted: {error}"))?;
            any = true;
        }
        if !any {
            return Err("a file of roots holds no certificate".into());
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
