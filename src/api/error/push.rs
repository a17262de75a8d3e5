use push::PushError;

use crate::MatrixError;

impl From<PushError> for MatrixError {
    fn from(error: PushError) -> Self {
        match error {
            PushError::UnknownRule => Self::not_found(error.to_string()),
            PushError::Invalid(_) | PushError::BadToken => Self::invalid_param(error.to_string()),
            PushError::Room(error) => error.into(),
            PushError::Receipts(error) => error.into(),
            PushError::Store(_) => Self::internal(&error),
        }
    }
}
