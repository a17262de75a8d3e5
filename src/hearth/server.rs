//! Start and stop.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use api::Serves;
use axum::Router;
use base::Clock;
use kv::Engine;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use crate::{
    Config, Error,
    config::{Listener, Serve},
    control, health,
    listen::{self, Listening},
    lock::Lock,
    tasks,
    wire::Wired,
};

pub use crate::metrics::Metrics;

/// How long requests that are being answered may go on after the stop, in seconds.
const DRAIN: Duration = Duration::from_secs(10);

/// A running server.
#[derive(Debug)]
pub struct Server {
    wired: Wired,
    config: Config,
    addresses: Vec<SocketAddr>,
    listeners: JoinSet<()>,
    tasks: JoinSet<()>,
    _lock: Lock,
}

/// What a server is started with besides its configuration.
#[derive(Debug, Default)]
pub struct Options {
    /// The figures that it shows, if any.
    pub metrics: Option<Metrics>,
    /// The clock; the machine's by default.
    pub clock: Clock,
    /// Another engine than RocksDB, for tests.
    pub engine: Option<Arc<dyn Engine>>,
}

impl Server {
    /// Opens the database and listens.
    ///
    /// # Errors
    /// When another server has the data directory, or an address or the database cannot be used.
    pub async fn start(config: Config, options: Options) -> Result<Self, Error> {
        let lock = Lock::claim(&config.data_dir)?;
        let wired = match options.engine {
            Some(engine) => Wired::on(engine, &config, options.clock).await?,
            None => Wired::open(&config, options.clock).await?,
        };
        Self::serve(config, options.metrics, lock, wired).await
    }

    async fn serve(config: Config, metrics: Option<Metrics>, lock: Lock, wired: Wired) -> Result<Self, Error> {
        let mut addresses = Vec::new();
        let mut listeners = JoinSet::new();
        for listener in &config.listeners {
            let router = router(listener, config.federation.enabled, &wired, metrics.as_ref());
            let listening = Listening::bind(listener).await?;
            addresses.push(listening.address());
            listeners.spawn(listen::serve(listening, router, wired.stop.subscribe()));
        }
        let mut tasks = tasks::start(&wired, &config, metrics.as_ref());
        tasks.spawn(control::serve(control::bind(&config.data_dir)?, wired.clone()));
        tracing::info!(?addresses, server_name = %config.server_name, "listening");
        Ok(Self { wired, config, addresses, listeners, tasks, _lock: lock })
    }

    /// Where it listens, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The domain objects, for tests that look inside.
    pub fn wired(&self) -> &Wired {
        &self.wired
    }

    /// Tells the person at the terminal where to point a client.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn welcome(&self) -> Result<(), Error> {
        let mut text = format!("Hearth serves {}.\n", self.config.server_name);
        for (listener, address) in self.config.listeners.iter().zip(&self.addresses) {
            if listener.serves.contains(&Serve::Client) {
                let scheme = if listener.tls_certificate.is_some() { "https" } else { "http" };
                text += &format!("Point a Matrix client to {scheme}://{}\n", reachable(*address));
            }
        }
        if let Some(token) = self.wired.state.accounts.first_admin_token().await? {
            text += &format!("Register the first administrator with this token, which works once: {token}\n");
        }
        // Without a terminal there is nobody to tell.
        let _ = std::io::stdout().write_all(text.as_bytes());
        Ok(())
    }

    /// Tells systemd, if it started us.
    pub fn ready(&self) {
        if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
            tracing::debug!(%error, "systemd was not notified");
        }
    }

    /// Takes no new requests, finishes the running ones, closes the database.
    pub async fn stop(mut self) {
        tracing::info!("stopping");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        self.wired.stop.send_replace(true);
        let drained = async { while self.listeners.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("requests were still being answered; their connections are closed");
        }
        self.listeners.shutdown().await;
        self.tasks.shutdown().await;
        self.wired.close().await;
        tracing::info!("stopped");
    }
}

fn router(listener: &Listener, federated: bool, wired: &Wired, metrics: Option<&Metrics>) -> Router {
    let serves = |serve| listener.serves.contains(&serve);
    let federation = federated && serves(Serve::Federation);
    let routes = Serves { client: serves(Serve::Client), federation }.routes();
    let mut router = api::router(routes, wired.state.clone()).merge(health::health(wired.db.clone()));
    if let (true, Some(metrics)) = (serves(Serve::Metrics), metrics) {
        router = router.merge(health::metrics(metrics.clone()));
    }
    router
}

/// How a client on the same machine reaches a socket that may be bound to all addresses. `localhost` is only the first
/// loopback address of each family.
fn reachable(address: SocketAddr) -> String {
    let localhost = match address.ip() {
        IpAddr::V4(ip) => ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST,
        IpAddr::V6(ip) => ip.is_unspecified() || ip == Ipv6Addr::LOCALHOST,
    };
    if localhost { format!("localhost:{}", address.port()) } else { address.to_string() }
}

/// Ends when the process is asked to stop. Signals count from the call on.
pub fn stop_signal() -> impl Future<Output = ()> {
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let [terminate, interrupt] = signals;
        match (terminate, interrupt) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            }
            // Without handlers the signals end the process by themselves.
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_pointed_to_where_the_server_listens() {
        let cases = [
            ("127.0.0.1:8008", "localhost:8008"),
            ("0.0.0.0:80", "localhost:80"),
            ("[::1]:8448", "localhost:8448"),
            ("127.0.3.2:8008", "127.0.3.2:8008"),
            ("192.0.2.7:443", "192.0.2.7:443"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443"),
        ];
        for (bound, shown) in cases {
            assert_eq!(reachable(bound.parse().unwrap()), shown);
        }
    }
}
