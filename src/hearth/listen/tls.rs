use std::{path::Path, sync::Arc};

use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use crate::{Error, config::Listener};

/// What does the TLS of `listener`, if its configuration has a certificate.
pub(super) fn acceptor(listener: &Listener) -> Result<Option<TlsAcceptor>, Error> {
    let (Some(certificate), Some(key)) = (&listener.tls_certificate, &listener.tls_private_key) else {
        return Ok(None);
    };
    let config = server_config(certificate, key).map_err(|cause| Error::Tls { bind: listener.bind, cause })?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn server_config(certificate: &Path, key: &Path) -> Result<ServerConfig, String> {
    let named = |path: &Path, cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| named(certificate, &cause))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|cause| named(key, &cause))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|cause| named(certificate, &cause))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
