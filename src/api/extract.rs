//! Decodes a ruma request and asks for the credential that its endpoint needs, in this order: token, rate limit,
//! body, shape.

use std::{borrow::Cow, net::IpAddr};

use account::UserRow;
use appservice::Appservice;
use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
};
use base::Share;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ruma::{
    OwnedDeviceId, OwnedUserId,
    api::{
        IncomingRequest, IncomingRequestExt,
        error::{DeserializationError, FromHttpRequestError},
    },
};

use crate::{
    AppState, Caller, Class, MatrixError, Peer,
    auth::{self, NeedsToken, TakesToken, WorksWithoutToken},
    limits::{CROWDED, Key},
};

/// A request of an endpoint that needs an access token.
#[derive(Debug)]
pub struct Authed<R> {
    /// Who asks.
    pub user: OwnedUserId,
    /// From which device; an application service need not say.
    pub device: Option<OwnedDeviceId>,
    /// The account's flags.
    pub account: UserRow,
    /// The application service that acts for the user, if its token was given.
    pub appservice: Option<Appservice>,
    /// Where from.
    pub peer: Peer,
    /// What is asked.
    pub req: R,
    /// The body as it came, for endpoints that keep what `R` does not know.
    pub body: Bytes,
}

/// A request of an endpoint that takes an access token but works without.
#[derive(Debug)]
pub struct MaybeAuthed<R> {
    /// Who asks, if a token was given.
    pub caller: Option<Caller>,
    /// Where from.
    pub peer: Peer,
    /// What is asked.
    pub req: R,
}

/// A request of an endpoint that works without an access token.
#[derive(Debug)]
pub struct Public<R> {
    /// Where from.
    pub peer: Peer,
    /// What is asked.
    pub req: R,
}

impl<R> FromRequest<AppState> for Authed<R>
where
    R: IncomingRequest<Authentication: NeedsToken>,
{
    type Rejection = MatrixError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, MatrixError> {
        let (mut parts, body) = request.into_parts();
        let caller = auth::caller(state, &parts).await?;
        let peer = Peer::of(&parts.extensions);
        limit_caller(&parts, state, &caller)?;
        let Caller { user, device, account, appservice } = caller;
        let body = read(body, state.config.max_body_bytes).await?;
        let req = decode(&mut parts, &body, state).await?;
        Ok(Self { user, device, account, appservice, peer, req, body })
    }
}

impl<R> FromRequest<AppState> for MaybeAuthed<R>
where
    R: IncomingRequest<Authentication: TakesToken>,
{
    type Rejection = MatrixError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, MatrixError> {
        let (mut parts, body) = request.into_parts();
        let caller = auth::optional(state, &parts).await?;
        let peer = Peer::of(&parts.extensions);
        match &caller {
            Some(caller) => limit_caller(&parts, state, caller)?,
            None => limit(&parts, state, || Key::Ip(peer.0))?,
        }
        let mut share = state.limits.body_of(peer.0);
        let body = match &caller {
            Some(_) => read(body, state.config.max_body_bytes).await?,
            None => read_shared(body, state.config.max_body_bytes, &mut share).await?,
        };
        let req = decode(&mut parts, &body, state).await?;
        Ok(Self { caller, peer, req })
    }
}

impl<R> FromRequest<AppState> for Public<R>
where
    R: IncomingRequest<Authentication: WorksWithoutToken>,
{
    type Rejection = MatrixError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, MatrixError> {
        let (mut parts, body) = request.into_parts();
        let peer = Peer::of(&parts.extensions);
        limit(&parts, state, || Key::Ip(peer.0))?;
        let mut share = state.limits.body_of(peer.0);
        let body = read_shared(body, state.config.max_body_bytes, &mut share).await?;
        let req = decode(&mut parts, &body, state).await?;
        Ok(Self { peer, req })
    }
}

/// Who asks, for endpoints that read the rest of the request themselves (uploads, downloads).
impl FromRequestParts<AppState> for Caller {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, MatrixError> {
        let caller = auth::caller(state, parts).await?;
        limit_caller(parts, state, &caller)?;
        Ok(caller)
    }
}

impl FromRequestParts<AppState> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.extensions))
    }
}

/// The application service that asks, for endpoints that others use without a token.
#[derive(Debug)]
pub struct ByAppservice(pub Option<Appservice>);

impl FromRequestParts<AppState> for ByAppservice {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, MatrixError> {
        auth::appservice(state, parts).map(Self)
    }
}

fn limit_caller(parts: &Parts, state: &AppState, caller: &Caller) -> Result<(), MatrixError> {
    if caller.is_limited() { limit(parts, state, || Key::user(&caller.user)) } else { Ok(()) }
}

/// Takes one token from the bucket of the route's class, if its line in the routes names one.
fn limit(parts: &Parts, state: &AppState, key: impl FnOnce() -> Key) -> Result<(), MatrixError> {
    match parts.extensions.get::<Class>() {
        Some(class) => state.limits.take(*class, key()),
        None => Ok(()),
    }
}

/// The request `R` in these parts.
pub(crate) async fn decode<R: IncomingRequest>(
    parts: &mut Parts,
    body: &[u8],
    state: &AppState,
) -> Result<R, MatrixError> {
    let params = RawPathParams::from_request_parts(parts, state).await;
    let params = params.map_err(|_| MatrixError::invalid_param("the path is not UTF-8"))?;
    let args: Vec<&str> = params.iter().map(|(_, value)| value).collect();
    if std::str::from_utf8(body).is_err() {
        return Err(MatrixError::not_json("the body is not UTF-8"));
    }
    an_object(body)?;
    // Some clients leave out a body of which every part is optional.
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let body = without_empty_auth(body);
    let mut request = http::Request::new(&*body);
    request.method_mut().clone_from(&parts.method);
    request.uri_mut().clone_from(&parts.uri);
    request.headers_mut().clone_from(&parts.headers);
    R::try_from_http_request(request, &args).map_err(|error| refused(&error))
}

/// The whole body, if it has at most `limit` bytes.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, MatrixError> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(MatrixError::too_large(format!("the body is larger than {limit} bytes")))
        }
        Err(_) => Err(MatrixError::not_json("the body ended early")),
    }
}

/// As [`read`], of somebody who is not known yet: refused when too much is held of such bodies, which `share` counts.
pub(crate) async fn read_shared(body: Body, limit: usize, share: &mut Share<IpAddr>) -> Result<Bytes, MatrixError> {
    let mut parts = body.into_data_stream();
    let mut all = BytesMut::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| MatrixError::not_json("the body ended early"))?;
        if all.len() + part.len() > limit {
            return Err(MatrixError::too_large(format!("the body is larger than {limit} bytes")));
        }
        if !share.grow(part.len()) {
            return Err(MatrixError::limited(CROWDED));
        }
        all.extend_from_slice(&part);
    }
    Ok(all.freeze())
}

/// The body without an `auth` that names neither a stage nor a session: some clients begin with one, and mean none.
fn without_empty_auth(body: &[u8]) -> Cow<'_, [u8]> {
    const AUTH: &[u8] = b"\"auth\"";
    if !body.windows(AUTH.len()).any(|window| window == AUTH) {
        return Cow::Borrowed(body);
    }
    let Ok(mut object) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body) else {
        return Cow::Borrowed(body);
    };
    let auth = object.get("auth").and_then(serde_json::Value::as_object);
    if auth.is_some_and(|auth| !auth.contains_key("type") && !auth.contains_key("session")) {
        object.remove("auth");
        return Cow::Owned(serde_json::Value::Object(object).to_string().into_bytes());
    }
    Cow::Borrowed(body)
}

/// Refuses bodies that are not an object, as arrays, which would do for a struct otherwise.
fn an_object(body: &[u8]) -> Result<(), MatrixError> {
    match body.trim_ascii_start().first() {
        None | Some(b'{') => Ok(()),
        Some(_) => match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
            Ok(_) => Err(MatrixError::bad_json("the body must be a JSON object")),
            Err(error) => Err(MatrixError::not_json(error.to_string())),
        },
    }
}

fn refused(error: &FromHttpRequestError) -> MatrixError {
    match error {
        FromHttpRequestError::Deserialization(error) => malformed(error),
        _ => MatrixError::wrong_method(),
    }
}

fn malformed(error: &DeserializationError) -> MatrixError {
    let message = error.to_string();
    match error {
        DeserializationError::Json(json) if json.is_data() => MatrixError::bad_json(message),
        DeserializationError::Json(_) | DeserializationError::Utf8(_) => MatrixError::not_json(message),
        DeserializationError::Query(_) if message.starts_with("missing field") => MatrixError::missing_param(message),
        _ => MatrixError::invalid_param(message),
    }
}
