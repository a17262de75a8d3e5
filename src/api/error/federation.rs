use federation::KeyError;

use crate::MatrixError;

impl From<KeyError> for MatrixError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Unknown { .. } => Self::unauthorized(error.to_string()),
            KeyError::Store(_) => Self::internal(&error),
        }
    }
}
