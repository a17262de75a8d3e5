use std::time::Duration;

use account::{AccountError, Challenge, ProfileError, Refusal, UiaError};
use http::StatusCode;
use ruma::api::error::ErrorCode;
use serde_json::{Map, Value, json};

use crate::MatrixError;

impl From<AccountError> for MatrixError {
    fn from(error: AccountError) -> Self {
        let because = |status, code| Self::new(status, code, error.to_string());
        match error {
            AccountError::InvalidName => because(StatusCode::BAD_REQUEST, ErrorCode::InvalidUsername),
            AccountError::NameTaken => because(StatusCode::BAD_REQUEST, ErrorCode::UserInUse),
            AccountError::NameReserved => because(StatusCode::BAD_REQUEST, ErrorCode::Exclusive),
            AccountError::RegistrationClosed | AccountError::BadCredentials | AccountError::BadMac => {
                because(StatusCode::FORBIDDEN, ErrorCode::Forbidden)
            }
            AccountError::WeakPassword(_) => because(StatusCode::BAD_REQUEST, ErrorCode::WeakPassword),
            AccountError::Deactivated => because(StatusCode::FORBIDDEN, ErrorCode::UserDeactivated),
            AccountError::Locked => Self::locked(),
            AccountError::UnknownToken { soft_logout } => Self::unknown_token(soft_logout),
            AccountError::UnknownUser | AccountError::UnknownDevice => {
                because(StatusCode::NOT_FOUND, ErrorCode::NotFound)
            }
            AccountError::DeviceNameTooLong => because(StatusCode::BAD_REQUEST, ErrorCode::TooLarge),
            AccountError::BadDeviceId | AccountError::DeviceIdTaken | AccountError::BadTag => {
                because(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam)
            }
            AccountError::Hashing(_) | AccountError::Store(_) => Self::internal(&error),
        }
    }
}

impl From<ProfileError> for MatrixError {
    fn from(error: ProfileError) -> Self {
        let because = |status, code| Self::new(status, code, error.to_string());
        match error {
            ProfileError::UnknownUser => because(StatusCode::NOT_FOUND, ErrorCode::NotFound),
            ProfileError::KeyTooLarge => because(StatusCode::BAD_REQUEST, ErrorCode::KeyTooLarge),
            ProfileError::TooLarge => because(StatusCode::BAD_REQUEST, ErrorCode::ProfileTooLarge),
            ProfileError::NotAString(_) => because(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam),
            ProfileError::Store(_) => Self::internal(&error),
        }
    }
}

impl From<UiaError> for MatrixError {
    fn from(error: UiaError) -> Self {
        match error {
            UiaError::Challenge(challenge) => Self::json(StatusCode::UNAUTHORIZED, body(&challenge)),
            UiaError::Changed | UiaError::OtherUser => Self::forbidden(error.to_string()),
            UiaError::TooManyTries { wait_ms } => Self::limited(Duration::from_millis(wait_ms)),
            UiaError::Account(error) => error.into(),
        }
    }
}

/// Client-server API, "User-Interactive API in the REST API".
fn body(challenge: &Challenge) -> Value {
    let flows: Vec<_> = challenge.flows.iter().map(|flow| json!({ "stages": flow.0 })).collect();
    let mut body = Map::new();
    body.insert("flows".to_owned(), flows.into());
    body.insert("params".to_owned(), json!({}));
    body.insert("session".to_owned(), challenge.session.clone().into());
    if !challenge.completed.is_empty() {
        body.insert("completed".to_owned(), challenge.completed.clone().into());
    }
    if let Some(refusal) = challenge.refusal {
        body.insert("errcode".to_owned(), errcode(refusal).as_str().into());
        body.insert("error".to_owned(), refusal.to_string().into());
    }
    body.into()
}

fn errcode(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::BadPassword | Refusal::BadToken => ErrorCode::Forbidden,
        Refusal::NotAsked => ErrorCode::InvalidParam,
        Refusal::UnknownSession => ErrorCode::Unknown,
    }
}
