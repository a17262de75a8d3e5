//! Asking other servers: signed requests, with what they may cost bounded and what failed remembered.

mod backoff;
mod call;
mod error;
mod sign;

use std::{sync::Arc, time::Instant};

use base::{Budget, Clock, Share};
use bytes::{Bytes, BytesMut};
use event::Signer;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, header};
use outbound::{Download, Outbound, Request};
use ruma::{
    OwnedServerName, ServerName,
    api::{OutgoingRequest, path_builder::PathBuilder},
};
use tokio::{sync::broadcast, time::timeout};

pub use backoff::Backoff;
pub use call::{Answer, Call};
pub use error::CallError;

use crate::{Policy, resolver::Resolver};

/// Names of servers that were heard from and have not been looked at by a slow listener.
const HEARD_CAPACITY: usize = 1024;

/// Up to this size the memory that answers take is not counted, in bytes.
const SMALL: usize = 1 << 20;
/// Bytes of larger answers that are held at once.
const LARGE: usize = 768 << 20;
/// The same of one server: the state of the largest room.
const LARGE_OF_ONE: usize = 512 << 20;

/// A body that counts as long as anybody uses it.
struct Held {
    bytes: BytesMut,
    share: Share<OwnedServerName>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Answers in the place of all other servers, for tests of what is made of answers.
pub trait Answers: Send + Sync + std::fmt::Debug {
    /// What `destination` answers to a request.
    fn answer<'a>(&'a self, destination: &'a ServerName, call: Call) -> BoxFuture<'a, Result<Answer, CallError>>;
}

/// Sends requests to other servers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    outbound: Outbound,
    resolver: Resolver,
    signer: Arc<Signer>,
    policy: Policy,
    backoff: Backoff,
    heard: broadcast::Sender<OwnedServerName>,
    large: Budget<OwnedServerName>,
    /// Instead of the network.
    answers: Option<Arc<dyn Answers>>,
}

impl Client {
    /// One that signs as `signer`'s server.
    #[must_use]
    pub fn new(outbound: Outbound, signer: Arc<Signer>, policy: Policy, clock: Clock) -> Self {
        Self {
            resolver: Resolver::new(outbound.clone(), clock.clone()),
            outbound,
            signer,
            policy,
            backoff: Backoff::new(clock),
            heard: broadcast::channel(HEARD_CAPACITY).0,
            large: Budget::new(LARGE, LARGE_OF_ONE),
            answers: None,
        }
    }

    /// Asks nobody over the network; [`Client::call`] gets its answers here. For tests.
    #[must_use]
    pub fn answered_by(self, answers: Arc<dyn Answers>) -> Self {
        Self { answers: Some(answers), ..self }
    }

    /// Asks for well-known documents on another port than 443. For tests.
    #[must_use]
    pub fn with_well_known_port(mut self, port: u16) -> Self {
        self.resolver = self.resolver.with_well_known_port(port);
        self
    }

    /// Our own name.
    #[must_use]
    pub fn server_name(&self) -> &ServerName {
        self.signer.server_name()
    }

    /// With whom there is federation.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The HTTP client below, for what is no federation request.
    #[must_use]
    pub fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    /// What failed lately.
    #[must_use]
    pub fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    /// Asks a server with the default limits. Refused at once while the server is backed off from.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn request<R>(&self, destination: &ServerName, request: R) -> Result<R::IncomingResponse, CallError>
    where
        R: OutgoingRequest,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = ()>,
    {
        self.request_with(destination, request, |call| call).await
    }

    /// As [`Client::request`]; `limits` changes time, size or urgency.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn request_with<R>(
        &self,
        destination: &ServerName,
        request: R,
        limits: impl FnOnce(Call) -> Call,
    ) -> Result<R::IncomingResponse, CallError>
    where
        R: OutgoingRequest,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = ()>,
    {
        let answer = self.call(destination, limits(Call::of(request)?)).await?;
        answer.parse::<R::IncomingResponse>()
    }

    /// Sends bytes and gives bytes.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Status`] for any status but 2xx.
    pub async fn call(&self, destination: &ServerName, call: Call) -> Result<Answer, CallError> {
        if let Some(answers) = &self.answers {
            return self.noted(destination, &call.clone(), answers.answer(destination, call)).await;
        }
        let mut download = self.stream(destination, call).await?;
        let (status, headers) = (download.status, std::mem::take(&mut download.headers));
        let mut body = Held { bytes: BytesMut::new(), share: self.large.share(destination.to_owned()) };
        while let Some(chunk) = download.chunk().await? {
            if body.bytes.len() + chunk.len() > SMALL && !body.share.grow(chunk.len()) {
                tracing::warn!(%destination, "a large answer was not taken: too much is held of such answers");
                return Err(CallError::TooLarge);
            }
            body.bytes.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: Bytes::from_owner(body) })
    }

    /// As [`Client::call`], for large answers: the body is read by the caller.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn stream(&self, destination: &ServerName, call: Call) -> Result<Download, CallError> {
        // Boxed, so that all that wait for other servers do not carry a request's future.
        self.noted(destination, &call.clone(), Box::pin(self.attempt(destination, call))).await
    }

    /// Asks if that is allowed now, and remembers how it went.
    async fn noted<T>(
        &self,
        destination: &ServerName,
        call: &Call,
        attempt: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        if destination == self.server_name() || !self.policy.allows(destination) {
            return Err(CallError::Forbidden);
        }
        if !call.ignore_backoff {
            self.backoff.check(destination)?;
        }
        let started = self.backoff.now();
        let result = attempt.await;
        let outcome = result.as_ref().err().map_or("ok", CallError::kind);
        metrics::counter!("hearth_federation_requests_total", "outcome" => outcome).increment(1);
        if let Err(error) = &result {
            let (method, path) = (&call.method, &call.path_and_query);
            tracing::debug!(%destination, %method, path, %error, "another server gave no good answer");
        }
        if let Err(CallError::Unreachable(_) | CallError::Timeout) = &result {
            self.resolver.unreachable(destination).await;
        }
        match &result {
            Err(error) if error.is_outage() => self.backoff.failed(destination, started),
            Err(CallError::Forbidden | CallError::BadRequest(_)) => {}
            _ => self.backoff.succeeded(destination),
        }
        result
    }

    /// Says that a server talked to us, so that what waits for it goes at once.
    pub fn heard_from(&self, server: &ServerName) {
        self.backoff.succeeded(server);
        // Nobody listens: that is fine.
        let _ = self.heard.send(server.to_owned());
    }

    /// The servers that are heard from. A receiver that lags should take all for heard.
    #[must_use]
    pub fn on_heard(&self) -> broadcast::Receiver<OwnedServerName> {
        self.heard.subscribe()
    }

    async fn attempt(&self, destination: &ServerName, call: Call) -> Result<Download, CallError> {
        let started = Instant::now();
        let route = timeout(call.timeout, self.resolver.route(destination)).await.map_err(|_| CallError::Timeout)?;
        let url = call.url(&route.authority)?;
        let authorization = sign::authorization(&self.signer, destination, &call, &url.path_and_query())?;
        let host = HeaderValue::from_str(&route.host).map_err(|error| CallError::BadRequest(error.to_string()))?;
        let mut request = Request::new(call.method.clone(), url)
            .header(header::AUTHORIZATION, authorization)
            .header(header::HOST, host)
            .timeout(call.timeout.saturating_sub(started.elapsed()))
            .max_body(call.max_bytes);
        if let Some(body) = call.body {
            request = request.json(body);
        }
        request.targets = route.targets;
        // A kept connection may have been closed just now; what is idempotent may be sent again.
        let again = matches!(call.method, Method::GET | Method::PUT).then(|| request.clone());
        let download = match (self.outbound.stream(request).await, again) {
            (Err(outbound::Error::Broken(_)), Some(request)) => self.outbound.stream(request).await?,
            (result, _) => result?,
        };
        if download.status.is_success() { Ok(download) } else { Err(error::status(download).await) }
    }
}
