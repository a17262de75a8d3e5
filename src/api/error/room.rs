use http::StatusCode;
use room::RoomError;
use ruma::api::error::ErrorCode;

use crate::MatrixError;

impl From<RoomError> for MatrixError {
    fn from(error: RoomError) -> Self {
        let because = |status, code| Self::new(status, code, error.to_string());
        match error {
            RoomError::UnknownRoom | RoomError::UnknownEvent | RoomError::UnknownAlias => {
                because(StatusCode::NOT_FOUND, ErrorCode::NotFound)
            }
            RoomError::NotJoined | RoomError::Denied(_) => because(StatusCode::FORBIDDEN, ErrorCode::Forbidden),
            RoomError::TooLarge(_) => because(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge),
            RoomError::BadContent(_) => because(StatusCode::BAD_REQUEST, ErrorCode::BadJson),
            RoomError::InvalidParam(_) => because(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam),
            RoomError::UnsupportedVersion(_) => because(StatusCode::BAD_REQUEST, ErrorCode::UnsupportedRoomVersion),
            RoomError::IncompatibleVersion(ref version) => {
                let version = version.to_string();
                because(StatusCode::BAD_REQUEST, "M_INCOMPATIBLE_ROOM_VERSION".into()).with("room_version", version)
            }
            RoomError::InvalidState(_) => because(StatusCode::BAD_REQUEST, ErrorCode::InvalidRoomState),
            RoomError::AliasInUse(_) => because(StatusCode::BAD_REQUEST, ErrorCode::RoomInUse),
            RoomError::DuplicateAnnotation => because(StatusCode::BAD_REQUEST, ErrorCode::DuplicateAnnotation),
            RoomError::UnableToAuthorise(_) => because(StatusCode::BAD_REQUEST, ErrorCode::UnableToAuthorizeJoin),
            RoomError::BadThreadRoot | RoomError::StillInRoom => because(StatusCode::BAD_REQUEST, ErrorCode::Unknown),
            RoomError::UnableToGrant(_) => because(StatusCode::BAD_REQUEST, ErrorCode::UnableToGrantJoin),
            RoomError::BadState(_) => because(StatusCode::FORBIDDEN, ErrorCode::BadState),
            RoomError::BadAlias(_) => because(StatusCode::BAD_REQUEST, ErrorCode::BadAlias),
            RoomError::NotRecommended { status, ref body } => {
                let status = StatusCode::from_u16(status).ok().filter(|status| status.is_client_error());
                match serde_json::from_str(body) {
                    Ok(body @ serde_json::Value::Object(_)) => {
                        Self::json(status.unwrap_or(StatusCode::FORBIDDEN), body)
                    }
                    _ => because(StatusCode::FORBIDDEN, ErrorCode::Forbidden),
                }
            }
            RoomError::PolicyUnavailable(_) => because(StatusCode::BAD_GATEWAY, ErrorCode::Unknown),
            RoomError::Store(_) => Self::internal(&error),
        }
    }
}
