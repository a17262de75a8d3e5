use ephemeral::EphemeralError;

use crate::MatrixError;

impl From<EphemeralError> for MatrixError {
    fn from(error: EphemeralError) -> Self {
        match error {
            EphemeralError::UnknownEvent => Self::not_found(error.to_string()),
            EphemeralError::NotInThread | EphemeralError::StatusTooLong => Self::invalid_param(error.to_string()),
            EphemeralError::NotJoined => Self::forbidden(error.to_string()),
            EphemeralError::Room(error) => error.into(),
            EphemeralError::Store(_) => Self::internal(&error),
        }
    }
}
