//! Whose token a request carries.

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;
use http::{Request, request::Parts};
use ruma::{
    OwnedDeviceId, OwnedUserId,
    api::auth_scheme::{
        AccessToken, AccessTokenOptional, AppserviceTokenOptional, AuthScheme, NoAccessToken, NoAuthentication,
    },
};

use crate::MatrixError;

/// Who sent a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account.
    pub user: OwnedUserId,
    /// The device that the token belongs to.
    pub device: OwnedDeviceId,
}

type LookUp = dyn Fn(String) -> BoxFuture<'static, Result<Caller, MatrixError>> + Send + Sync;

/// Turns access tokens into callers.
#[derive(Clone)]
pub struct Auth(Arc<LookUp>);

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth")
    }
}

impl Auth {
    /// Looks tokens up with `look_up`, which answers unknown ones with [`MatrixError::unknown_token`].
    pub fn new(
        look_up: impl Fn(String) -> BoxFuture<'static, Result<Caller, MatrixError>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(look_up))
    }

    /// The caller of a request that must have a token.
    ///
    /// # Errors
    /// 401 without a token or with one that is unknown.
    pub async fn caller(&self, parts: &Parts) -> Result<Caller, MatrixError> {
        self.optional(parts).await?.ok_or_else(MatrixError::missing_token)
    }

    /// The caller of a request that may have a token.
    ///
    /// # Errors
    /// 401 with a token that is unknown.
    pub async fn optional(&self, parts: &Parts) -> Result<Option<Caller>, MatrixError> {
        match token(parts)? {
            Some(token) => (self.0)(token).await.map(Some),
            None => Ok(None),
        }
    }
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
