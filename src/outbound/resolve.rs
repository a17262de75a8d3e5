use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{Error, Result, Target, config::MAX_ADDRESSES, dns::Dns, filter};

tokio::task_local! {
    /// Where the request of this task connects to, instead of to the host of its URL.
    static TARGETS: Vec<Target>;
}

/// Runs `work` so that connections are made to `targets`.
pub(crate) async fn connecting_to<F: Future>(targets: Vec<Target>, work: F) -> F::Output {
    TARGETS.scope(targets, work).await
}

/// Gives the HTTP client addresses that may be connected to. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Resolver {
    pub(crate) dns: Dns,
    pub(crate) allow_private: bool,
}

impl Resolver {
    /// The part of the addresses that may be connected to.
    pub(crate) fn allowed(&self, host: &str, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>> {
        let allowed = addresses.into_iter().filter(|ip| self.allow_private || filter::is_public(*ip));
        let allowed: Vec<_> = allowed.take(MAX_ADDRESSES).collect();
        if allowed.is_empty() { Err(Error::Refused(host.to_owned())) } else { Ok(allowed) }
    }

    async fn one(&self, target: &Target) -> Result<Vec<SocketAddr>> {
        let addresses = self.dns.addresses(&target.host).await?;
        let allowed = self.allowed(&target.host, addresses)?;
        Ok(allowed.into_iter().map(|ip| SocketAddr::new(ip, target.port)).collect())
    }

    /// The addresses of all targets; an error only if none has any.
    pub(crate) async fn all(&self, targets: &[Target]) -> Result<Vec<SocketAddr>> {
        let mut found = Vec::new();
        let mut failed = Error::Other("nowhere to connect to".to_owned());
        for target in targets.iter().take(MAX_ADDRESSES) {
            match self.one(target).await {
                Ok(addresses) => found.extend(addresses),
                Err(error) => failed = error,
            }
        }
        found.truncate(MAX_ADDRESSES);
        if found.is_empty() { Err(failed) } else { Ok(found) }
    }
}

/// For requests that connect to the host of their URL.
pub(crate) struct ByName(pub(crate) Resolver);

impl Resolve for ByName {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.0.clone();
        Box::pin(async move {
            // Port 0 stands for the URL's.
            let found = resolver.all(&[Target::new(name.as_str(), 0)]).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// For requests with [`Target`]s.
pub(crate) struct ByTarget(pub(crate) Resolver);

impl Resolve for ByTarget {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.0.clone();
        // The client connects within the task that sends; without targets nothing is connected to.
        let targets = TARGETS.try_with(Clone::clone).unwrap_or_default();
        Box::pin(async move {
            tracing::trace!(name = name.as_str(), ?targets, "connecting");
            let found = resolver.all(&targets).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
