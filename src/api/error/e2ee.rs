use e2ee::E2eeError;
use http::StatusCode;
use ruma::api::error::ErrorCode;

use crate::MatrixError;

impl From<E2eeError> for MatrixError {
    fn from(error: E2eeError) -> Self {
        let because = |status, code| Self::new(status, code, error.to_string());
        match &error {
            E2eeError::InvalidParam(_) | E2eeError::KeyExists(_) => {
                because(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam)
            }
            E2eeError::Malformed(_) => because(StatusCode::BAD_REQUEST, ErrorCode::BadJson),
            E2eeError::InvalidSignature(_) => because(StatusCode::BAD_REQUEST, "M_INVALID_SIGNATURE".into()),
            E2eeError::NoMasterKey => because(StatusCode::BAD_REQUEST, ErrorCode::MissingParam),
            E2eeError::NotConfirmed | E2eeError::IsDeviceId => because(StatusCode::FORBIDDEN, ErrorCode::Forbidden),
            E2eeError::UnknownDevice | E2eeError::UnknownBackup | E2eeError::UnknownSession => {
                because(StatusCode::NOT_FOUND, ErrorCode::NotFound)
            }
            E2eeError::WrongVersion { current } => {
                let code = "M_WRONG_ROOM_KEYS_VERSION".into();
                because(StatusCode::FORBIDDEN, code).with("current_version", current.as_str())
            }
            E2eeError::Store(_) => Self::internal(&error),
        }
    }
}
