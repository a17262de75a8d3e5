use std::{
    convert::Infallible,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// An authority that signs certificates, whose own is in a file.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    /// Makes one.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).expect("a file");
        Self { issuer, dir }
    }

    /// The PEM file that makes it trusted.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Writes a certificate for these names and its key as PEM files into `dir`.
    pub fn write(&self, names: &[&str], dir: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.sign(names);
        let files = (dir.join("server.pem"), dir.join("server.key"));
        std::fs::write(&files.0, certificate.pem()).expect("a file");
        std::fs::write(&files.1, key.serialize_pem()).expect("a file");
        files
    }

    fn sign(&self, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("names for a certificate");
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    fn acceptor(&self, names: &[&str]) -> TlsAcceptor {
        let (certificate, key) = self.sign(names);
        let chain = vec![CertificateDer::from(certificate)];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .expect("a TLS configuration");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// What a [`FakeServer`] was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The request; its URI is path and query.
    pub request: Request<Bytes>,
    /// The name that TLS asked for.
    pub tls_name: Option<String>,
    /// The `Host` header, or what stands for it in HTTP/2.
    pub host: String,
}

/// A server under TLS on a free port of 127.0.0.1 that answers as a test says.
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl FakeServer {
    /// Starts it with a certificate for `names`.
    pub async fn start(
        authority: &Authority,
        names: &[&str],
        answer: impl Fn(&Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        Self::start_slow(authority, names, move |request| Box::pin(std::future::ready(answer(&request)))).await
    }

    /// As [`FakeServer::start`], with answers that may take a while.
    pub async fn start_slow(
        authority: &Authority,
        names: &[&str],
        answer: impl Fn(Request<Bytes>) -> BoxFuture<'static, Response<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let acceptor = authority.acceptor(names);
        let (log, answer) = (asked.clone(), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), log.clone(), answer.clone()));
            }
        });
        Self { address, asked, task }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    log: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<impl Fn(Request<Bytes>) -> BoxFuture<'static, Response<Bytes>> + Send + Sync + 'static>,
) {
    // A client that does not trust us goes away.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let tls_name = stream.get_ref().1.server_name().map(ToOwned::to_owned);
    let service = service_fn(move |request: Request<Incoming>| {
        let (log, answer, tls_name) = (log.clone(), answer.clone(), tls_name.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let header = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
            let host = header.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
            let host = host.unwrap_or_default().to_owned();
            let mut request = Request::from_parts(parts, body);
            let path = request.uri().path_and_query().cloned().expect("a path");
            *request.uri_mut() = path.into();
            let asked = Asked { request: request.clone(), tls_name, host };
            log.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
            Ok::<_, Infallible>(answer(request).await.map(Full::new))
        }
    });
    // The client says what went wrong.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}
