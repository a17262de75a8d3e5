use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use reqwest::{dns::Resolve, redirect::Policy};
use rustls_pki_types::CertificateDer;
use tokio::time::timeout;

use crate::{
    Answer, Config, Download, Error, Request, Result, Srv, Target,
    config::{CONNECT_TIMEOUT, MAX_REDIRECTS, POOL},
    dns::Dns,
    redirect,
    resolve::{self, ByName, ByTarget, Resolver},
    tls,
};

/// What identifies this server to others.
const USER_AGENT: &str = concat!("Hearth/", env!("CARGO_PKG_VERSION"));

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    resolver: Resolver,
    authorities: Vec<CertificateDer<'static>>,
    trust_all: bool,
    /// Made at the first request, because reading the system's authorities takes a while.
    clients: OnceLock<Result<Clients>>,
}

/// Connections are kept by the host of the URL, so requests with targets have their own.
#[derive(Clone)]
struct Clients {
    by_name: reqwest::Client,
    by_target: reqwest::Client,
}

impl Outbound {
    /// Reads the extra authorities. Connects to nothing.
    ///
    /// # Errors
    /// [`Error::Tls`] when a file cannot be read.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            resolver: Resolver { dns: Dns::new(), allow_private: config.allow_private_addresses },
            authorities: tls::authorities(&config.extra_root_certificates)?,
            trust_all: config.accept_invalid_certificates,
            clients: OnceLock::new(),
        })))
    }

    /// Sends a request and reads the answer to its end.
    ///
    /// # Errors
    /// [`Error`]; an answer of any status is none.
    pub async fn send(&self, request: Request) -> Result<Answer> {
        self.stream(request).await?.finish().await
    }

    /// Sends a request; the body of the answer is read by the caller.
    ///
    /// # Errors
    /// As [`Outbound::send`].
    pub async fn stream(&self, mut request: Request) -> Result<Download> {
        let deadline = Instant::now() + request.timeout;
        for _ in 0..=MAX_REDIRECTS {
            let left = deadline.saturating_duration_since(Instant::now());
            let response = timeout(left, self.hop(&request)).await.map_err(|_| Error::Timeout)??;
            let next = match request.follow_redirects {
                true => redirect::next(&request, response.status(), response.headers())?,
                false => None,
            };
            match next {
                Some(next) => request = next,
                None => return Download::new(response, request.url, deadline, request.max_body),
            }
        }
        Err(Error::TooManyRedirects)
    }

    /// The SRV records of a name such as `_matrix-fed._tcp.example.org`, in the order in which they are to be tried:
    /// by priority, and by chance according to weight within one. Empty if there are none.
    ///
    /// # Errors
    /// [`Error::Dns`] when that cannot be known.
    pub async fn srv(&self, name: &str) -> Result<Vec<Srv>> {
        self.0.resolver.dns.srv(name).await
    }

    /// The addresses that a connection to `target` would be made to.
    ///
    /// # Errors
    /// [`Error::Dns`], [`Error::Refused`].
    pub async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>> {
        self.0.resolver.all(std::slice::from_ref(target)).await
    }

    async fn hop(&self, request: &Request) -> Result<reqwest::Response> {
        let clients = self.clients()?;
        let client = match request.targets {
            Some(_) => &clients.by_target,
            None => &clients.by_name,
        };
        // Addresses are not resolved, so they have to be checked here.
        if let Some(ip) = request.url.ip() {
            self.0.resolver.allowed(request.url.host(), vec![ip])?;
        }
        let mut built = reqwest::Request::new(request.method.clone(), request.url.inner().clone());
        *built.headers_mut() = request.headers.clone();
        if !request.body.is_empty() {
            *built.body_mut() = Some(request.body.clone().into());
        }
        let sent = resolve::connecting_to(request.targets.clone().unwrap_or_default(), client.execute(built));
        sent.await.map_err(|error| Error::of(&error))
    }

    fn clients(&self) -> Result<Clients> {
        self.0.clients.get_or_init(|| self.0.build()).clone()
    }
}

impl Inner {
    fn build(&self) -> Result<Clients> {
        let tls = tls::config(&self.authorities, self.trust_all)?;
        let by_name = client(tls.clone(), ByName(self.resolver.clone()))?;
        let by_target = client(tls, ByTarget(self.resolver.clone()))?;
        Ok(Clients { by_name, by_target })
    }
}

fn client(tls: rustls::ClientConfig, resolver: impl Resolve + 'static) -> Result<reqwest::Client> {
    let (max_idle, idle) = POOL;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(resolver)
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(max_idle)
        .pool_idle_timeout(idle)
        .http2_max_header_list_size(64 << 10)
        .build()
        .map_err(|error| Error::Other(error.to_string()))
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("allow_private", &self.0.resolver.allow_private).finish_non_exhaustive()
    }
}
