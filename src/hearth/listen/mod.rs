//! Sockets: accept, TLS, HTTP/1 and 2, and a stop that lets running requests finish.

mod body;
mod peer;
mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{Error, config::Listener};
use peer::WithPeer;

/// How long a client may take for the TLS handshake and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 250;

/// A bound listener.
pub(crate) struct Listening {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    behind_proxy: bool,
}

impl Listening {
    pub(crate) async fn bind(config: &Listener) -> Result<Self, Error> {
        let bind = config.bind;
        let tls = tls::acceptor(config)?;
        let socket = TcpListener::bind(bind).await.map_err(|cause| Error::Bind { bind, cause })?;
        let address = socket.local_addr().map_err(|cause| Error::Bind { bind, cause })?;
        Ok(Self { socket, address, tls, behind_proxy: config.behind_proxy })
    }

    /// Where it really listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves `router` until `stopping`, then waits for the requests that are being answered.
pub(crate) async fn serve(listening: Listening, router: Router, mut stopping: watch::Receiver<bool>) {
    let shutdown = GracefulShutdown::new();
    let connections = Connections::new(&listening, router);
    // Dropped with this function, which closes those that did not end in time.
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listening.socket.accept() => match accepted {
                Ok((stream, from)) => {
                    while open.try_join_next().is_some() {}
                    connections.take(&mut open, stream, from, shutdown.watcher());
                }
                Err(error) => {
                    // Too many open files, most likely: pause instead of spinning.
                    tracing::warn!(%error, "cannot accept connections");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            // Told to stop, or nobody is left who could tell.
            _ = stopping.changed() => break,
        }
    }
    drop(listening.socket);
    shutdown.shutdown().await;
}

struct Connections {
    http: Arc<Builder<TokioExecutor>>,
    router: Router,
    tls: Option<TlsAcceptor>,
    behind_proxy: bool,
}

impl Connections {
    fn new(listening: &Listening, router: Router) -> Self {
        let mut http = Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        http.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS).keep_alive_interval(PATIENCE);
        Self { http: Arc::new(http), router, tls: listening.tls.clone(), behind_proxy: listening.behind_proxy }
    }

    fn take(&self, open: &mut JoinSet<()>, stream: TcpStream, from: SocketAddr, watcher: Watcher) {
        // Answers are written at once; waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let service = WithPeer::new(self.router.clone(), from.ip(), self.behind_proxy);
        let (http, tls) = (self.http.clone(), self.tls.clone());
        open.spawn(async move {
            let Some(tls) = tls else { return converse(stream, &http, service, watcher).await };
            match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                Ok(Ok(stream)) => converse(stream, &http, service, watcher).await,
                Ok(Err(error)) => tracing::debug!(%error, "handshake failed"),
                Err(_) => tracing::debug!("handshake took too long"),
            }
        });
    }
}

async fn converse<S>(stream: S, http: &Builder<TokioExecutor>, service: WithPeer, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        tracing::debug!(error, "connection ended");
    }
}
