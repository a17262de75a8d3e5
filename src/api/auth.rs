//! Whose token a request carries.

use account::{UserRow, Who};
use appservice::{Acting, Appservice};
use http::{Request, request::Parts};
use ruma::{
    OwnedDeviceId, OwnedUserId, UserId,
    api::auth_scheme::{
        AccessToken, AccessTokenOptional, AppserviceToken, AppserviceTokenOptional, AuthScheme, NoAccessToken,
        NoAuthentication,
    },
};

use serde::Deserialize;

use crate::{AppState, MatrixError, Peer};

/// Who sent a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account's name.
    pub user: OwnedUserId,
    /// The device that the token belongs to, or that an application service named; it need not name one.
    pub device: Option<OwnedDeviceId>,
    /// The account's flags.
    pub account: UserRow,
    /// The application service that acts for the user, if its token was given.
    pub appservice: Option<Appservice>,
}

impl Caller {
    /// Whether rate limits are for this caller.
    pub fn is_limited(&self) -> bool {
        is_limited(self.appservice.as_ref(), &self.user)
    }
}

/// Whether rate limits are for `user`, for whom `appservice` may act. Application Service API, "Registration".
pub fn is_limited(appservice: Option<&Appservice>, user: &UserId) -> bool {
    appservice.is_none_or(|service| service.is_limited(user))
}

/// Marks a route that locked accounts may use; [`crate::Routes::add_while_locked`] sets it.
#[derive(Debug, Clone, Copy)]
pub struct WhileLocked;

/// The caller of a request that must have a token.
///
/// # Errors
/// 401 without a token, with one that is unknown, or for a locked account.
pub async fn caller(state: &AppState, parts: &Parts) -> Result<Caller, MatrixError> {
    optional(state, parts).await?.ok_or_else(MatrixError::missing_token)
}

/// The caller of a request that may have a token.
///
/// # Errors
/// 401 with a token that is unknown, or for a locked account; 403 for an application service that acts for a user of
/// others.
pub async fn optional(state: &AppState, parts: &Parts) -> Result<Option<Caller>, MatrixError> {
    let Some(token) = token(parts)? else { return Ok(None) };
    let caller = match state.appservices.by_token(&token) {
        Some(service) => acting(state, service, parts).await?,
        None => {
            let Who { user, device, account } = state.accounts.who(&token).await?;
            Caller { user, device: Some(device), account, appservice: None }
        }
    };
    if caller.account.locked && parts.extensions.get::<WhileLocked>().is_none() {
        return Err(MatrixError::locked());
    }
    if let Some(device) = &caller.device {
        let Peer(ip) = Peer::of(&parts.extensions);
        let seen = state.accounts.seen(&caller.user, device, ip).await;
        seen.map_err(|error| MatrixError::internal(&error))?;
    }
    Ok(Some(caller))
}

/// The application service whose token a request carries, if it carries one.
///
/// # Errors
/// 401 when the header holds no bearer token.
pub fn appservice(state: &AppState, parts: &Parts) -> Result<Option<Appservice>, MatrixError> {
    Ok(token(parts)?.and_then(|token| state.appservices.by_token(&token)))
}

/// As whom an application service wants to act. Application Service API, "Identity assertion".
#[derive(Deserialize)]
struct Asserted {
    user_id: Option<OwnedUserId>,
    device_id: Option<OwnedDeviceId>,
    #[serde(rename = "org.matrix.msc3202.device_id")]
    unstable_device_id: Option<OwnedDeviceId>,
}

async fn acting(state: &AppState, service: Appservice, parts: &Parts) -> Result<Caller, MatrixError> {
    let asserted = axum::extract::Query::<Asserted>::try_from_uri(&parts.uri);
    let asserted = asserted.map_err(|error| MatrixError::invalid_param(error.body_text()))?.0;
    let device = asserted.device_id.or(asserted.unstable_device_id);
    let acting = state.appservices.act(&service, asserted.user_id.as_deref(), device.as_deref()).await?;
    let Acting { user, device, account } = acting;
    Ok(Caller { user, device, account, appservice: Some(service) })
}

/// The bearer token, or the deprecated `access_token` of the query.
fn token(parts: &Parts) -> Result<Option<String>, MatrixError> {
    let mut request = Request::new(());
    if let Some(value) = parts.headers.get(http::header::AUTHORIZATION) {
        request.headers_mut().insert(http::header::AUTHORIZATION, value.clone());
    }
    request.uri_mut().clone_from(&parts.uri);
    // Another scheme than "Bearer" or a token in strange bytes is no token.
    let token = AccessTokenOptional::extract_authentication(&request).map_err(|_| MatrixError::missing_token())?;
    Ok(token.filter(|token| !token.is_empty()))
}

/// Endpoints that need an access token.
pub trait NeedsToken {}
impl NeedsToken for AccessToken {}
impl NeedsToken for AppserviceToken {}

/// Endpoints that answer better with an access token.
pub trait TakesToken {}
impl TakesToken for AccessTokenOptional {}
impl TakesToken for AppserviceTokenOptional {}

/// Endpoints that answer without an access token.
pub trait WorksWithoutToken {}
impl WorksWithoutToken for NoAccessToken {}
impl WorksWithoutToken for NoAuthentication {}
impl WorksWithoutToken for AccessTokenOptional {}
impl WorksWithoutToken for AppserviceTokenOptional {}
