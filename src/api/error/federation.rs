use federation::{CallError, DeviceError, InboundError, KeyError, queue::QueueError};
use http::StatusCode;
use ruma::api::error::ErrorCode;

use crate::MatrixError;

impl From<KeyError> for MatrixError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Unknown { .. } => Self::unauthorized(error.to_string()),
            KeyError::Store(_) => Self::internal(&error),
        }
    }
}

/// Another server was asked on behalf of a client.
impl From<CallError> for MatrixError {
    fn from(error: CallError) -> Self {
        let because = |status, code| Self::new(status, code, error.to_string());
        match &error {
            CallError::Forbidden => because(StatusCode::FORBIDDEN, ErrorCode::Forbidden),
            CallError::Timeout => because(StatusCode::GATEWAY_TIMEOUT, ErrorCode::Unknown),
            CallError::Status { status: StatusCode::NOT_FOUND, .. } => {
                because(StatusCode::NOT_FOUND, ErrorCode::NotFound)
            }
            CallError::Status { status: StatusCode::FORBIDDEN, .. } => {
                because(StatusCode::FORBIDDEN, ErrorCode::Forbidden)
            }
            CallError::BadRequest(_) => because(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam),
            CallError::BackingOff { .. }
            | CallError::Unreachable(_)
            | CallError::TooLarge
            | CallError::Status { .. }
            | CallError::BadAnswer(_) => because(StatusCode::BAD_GATEWAY, ErrorCode::Unknown),
        }
    }
}

impl From<DeviceError> for MatrixError {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::UnknownUser => Self::not_found(error.to_string()),
            DeviceError::TooLarge => Self::too_large(error.to_string()),
            DeviceError::Keys(error) => error.into(),
            DeviceError::Room(error) => error.into(),
            DeviceError::Store(_) => Self::internal(&error),
        }
    }
}

impl From<InboundError> for MatrixError {
    fn from(error: InboundError) -> Self {
        match error {
            InboundError::Malformed(reason) => Self::bad_json(reason),
            InboundError::Call(error) => error.into(),
            InboundError::TooMuch => {
                Self::new(StatusCode::BAD_GATEWAY, ErrorCode::Unknown, "too much of what came before is missing")
            }
            InboundError::Room(error) => error.into(),
            InboundError::Devices(error) => error.into(),
            InboundError::Keys(_) | InboundError::Store(_) => Self::internal(&error),
        }
    }
}

impl From<QueueError> for MatrixError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::TooLarge(_) => Self::too_large(error.to_string()),
            QueueError::UnknownDestination => Self::not_found(error.to_string()),
            QueueError::Room(error) => error.into(),
            QueueError::Refused(_) | QueueError::Store(_) => Self::internal(&error),
        }
    }
}
