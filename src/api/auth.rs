//! Whose token a request carries.

use account::{Accounts, UserRow, Who};
use http::{Request, request::Parts};
use ruma::{
    OwnedDeviceId, OwnedUserId,
    api::auth_scheme::{
        AccessToken, AccessTokenOptional, AppserviceTokenOptional, AuthScheme, NoAccessToken, NoAuthentication,
    },
};

use crate::{MatrixError, Peer};

/// Who sent a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account's name.
    pub user: OwnedUserId,
    /// The device that the token belongs to.
    pub device: OwnedDeviceId,
    /// The account's flags.
    pub account: UserRow,
}

/// Marks a route that locked accounts may use; [`crate::Routes::add_while_locked`] sets it.
#[derive(Debug, Clone, Copy)]
pub struct WhileLocked;

/// The caller of a request that must have a token.
///
/// # Errors
/// 401 without a token, with one that is unknown, or for a locked account.
pub async fn caller(accounts: &Accounts, parts: &Parts) -> Result<Caller, MatrixError> {
    optional(accounts, parts).await?.ok_or_else(MatrixError::missing_token)
}

/// The caller of a request that may have a token.
///
/// # Errors
/// 401 with a token that is unknown, or for a locked account.
pub async fn optional(accounts: &Accounts, parts: &Parts) -> Result<Option<Caller>, MatrixError> {
    let Some(token) = token(parts)? else { return Ok(None) };
    let Who { user, device, account } = accounts.who(&token).await?;
    if account.locked && parts.extensions.get::<WhileLocked>().is_none() {
        return Err(MatrixError::locked());
    }
    let Peer(ip) = Peer::of(&parts.extensions);
    accounts.seen(&user, &device, ip).await.map_err(|error| MatrixError::internal(&error))?;
    Ok(Some(Caller { user, device, account }))
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
