//! Requests of other servers: who sent them is proven by a signature. In this order: credentials, who may talk to us,
//! body, signature, rate limit, shape.

use std::net::IpAddr;

use axum::extract::{FromRequest, Request};
use base::{Share, Turn};
use bytes::Bytes;
use federation::{Signable, XMatrix};
use http::{HeaderMap, header, request::Parts};
use ruma::{
    OwnedServerName,
    api::{IncomingRequest, federation::authentication::ServerSignatures},
};

use crate::{
    AppState, Class, MatrixError, Peer,
    extract::{decode, read_shared},
    limits::Key,
};

/// Largest body of a request that says nothing else, in bytes.
const MAX_BODY: usize = 1 << 20;
/// From this size on a signature is not checked between other requests, in bytes.
const LARGE: usize = 256 << 10;
/// Most `Authorization` headers that are looked at.
const MAX_HEADERS: usize = 4;

/// A request of an endpoint that only servers use.
#[derive(Debug)]
pub struct Signed<R> {
    /// Which server asks.
    pub origin: OwnedServerName,
    /// What is asked.
    pub req: R,
    /// The body as it came, for endpoints that keep what `R` does not know.
    pub body: Bytes,
    /// How many requests of one server are answered at once is bounded: this one ends with the handler.
    _turn: Option<Turn<OwnedServerName>>,
    /// So is how much is held of bodies.
    _share: Share<IpAddr>,
}

/// Marks a route whose body may have so many bytes; [`crate::Routes::add_sized`] sets it.
#[derive(Debug, Clone, Copy)]
pub struct MaxBody(pub usize);

impl<R> FromRequest<AppState> for Signed<R>
where
    R: IncomingRequest<Authentication = ServerSignatures>,
{
    type Rejection = MatrixError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, MatrixError> {
        let (mut parts, body) = request.into_parts();
        let claim = claim(&parts.headers, state)?;
        let limit = parts.extensions.get::<MaxBody>().map_or(MAX_BODY, |max| max.0);
        let public = key(&claim, &parts, state).await?;
        let mut share = state.limits.body_of(Peer::of(&parts.extensions).0);
        let body = read_shared(body, limit, &mut share).await?;
        prove(&claim, public, &parts, &body, state).await?;
        let origin = claim.origin;
        state.federation_client.heard_from(&origin);
        state.limits.take(Class::Federation, Key::Name(origin.to_string()))?;
        let turn = state.limits.turn(&origin).await?;
        let req = decode(&mut parts, &body, state).await?;
        Ok(Self { origin, req, body, _turn: turn, _share: share })
    }
}

/// The credentials of a request that may be ours to answer.
fn claim(headers: &HeaderMap, state: &AppState) -> Result<XMatrix, MatrixError> {
    let mut found = Err(MatrixError::unauthorized("an Authorization header of the scheme X-Matrix is required"));
    for value in headers.get_all(header::AUTHORIZATION).iter().take(MAX_HEADERS) {
        let text = value.to_str().unwrap_or_default();
        found = XMatrix::parse(text).map_err(|error| MatrixError::unauthorized(error.to_string()));
        if found.is_ok() {
            break;
        }
    }
    let claim = found?;
    let own = state.server_keys.own().server_name();
    if claim.destination.as_ref().is_some_and(|destination| destination != own) {
        return Err(MatrixError::unauthorized(
            "the request is meant for another server: `destination` is not this one",
        ));
    }
    if claim.origin == own {
        return Err(MatrixError::unauthorized("`origin` is this server"));
    }
    if !state.federation_client.policy().allows(&claim.origin) {
        return Err(MatrixError::forbidden("this server does not federate with yours"));
    }
    Ok(claim)
}

/// The key that the request claims to be signed with.
async fn key(claim: &XMatrix, parts: &Parts, state: &AppState) -> Result<[u8; 32], MatrixError> {
    let keys = &state.server_keys;
    if !keys.has_valid(&claim.origin, &claim.key_id).await? {
        // Anybody can make up names of servers, for us to look for their keys.
        state.limits.take(Class::UnknownServer, Key::Ip(Peer::of(&parts.extensions).0))?;
    }
    Ok(keys.valid_now(&claim.origin, &claim.key_id).await?)
}

async fn prove(
    claim: &XMatrix,
    public: [u8; 32],
    parts: &Parts,
    body: &Bytes,
    state: &AppState,
) -> Result<(), MatrixError> {
    if is_signed(claim, public, parts, body, state).await? {
        return Ok(());
    }
    let keys = &state.server_keys;
    if let Some(public) = keys.changed(&claim.origin, &claim.key_id, &public).await?
        && is_signed(claim, public, parts, body, state).await?
    {
        return Ok(());
    }
    Err(MatrixError::unauthorized(format!(
        "the signature of {} with {} does not fit this request",
        claim.origin, claim.key_id
    )))
}

async fn is_signed(
    claim: &XMatrix,
    public: [u8; 32],
    parts: &Parts,
    body: &Bytes,
    state: &AppState,
) -> Result<bool, MatrixError> {
    let (claim, body, own) = (claim.clone(), body.clone(), state.server_keys.own().clone());
    let (method, uri, size) = (parts.method.clone(), parts.uri.clone(), body.len());
    let check = move || {
        let uri = uri.path_and_query().map_or("/", |uri| uri.as_str());
        let destination = own.server_name();
        let request = Signable { method: method.as_str(), uri, origin: &claim.origin, destination, body: &body };
        claim.is_signed(&request, &public)
    };
    if size < LARGE {
        return Ok(check());
    }
    tokio::task::spawn_blocking(check).await.map_err(|error| MatrixError::internal(&error))
}
