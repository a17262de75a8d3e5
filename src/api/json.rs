//! Bodies and paths of endpoints that read their request themselves, because ruma's type does not take all that
//! the specification allows.

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Request},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{AppState, MatrixError, RawReply, extract::read};

/// A JSON object as a `T`; an empty body counts as `{}`.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for JsonBody<T> {
    type Rejection = MatrixError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, MatrixError> {
        let body = read(request.into_body(), state.config.max_body_bytes).await?;
        let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
        let json: Value = serde_json::from_slice(body).map_err(|error| MatrixError::not_json(error.to_string()))?;
        if !json.is_object() {
            return Err(MatrixError::bad_json("the body must be a JSON object"));
        }
        serde_json::from_value(json).map(Self).map_err(|error| MatrixError::bad_json(error.to_string()))
    }
}

/// The variables of the path, in their order.
#[derive(Debug)]
pub struct PathArgs<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for PathArgs<T> {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, MatrixError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(args)| Self(args)).map_err(|error| MatrixError::invalid_param(error.body_text()))
    }
}

/// An answer that is built as JSON.
#[derive(Debug)]
pub struct JsonReply(pub Value);

impl IntoResponse for JsonReply {
    fn into_response(self) -> Response {
        RawReply::from(self.0.to_string().into_bytes()).into_response()
    }
}
