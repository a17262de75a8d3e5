use sync::SyncError;

use crate::MatrixError;

impl From<SyncError> for MatrixError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::BadToken => Self::invalid_param(error.to_string()),
            SyncError::Room(error) => error.into(),
            SyncError::Account(error) => error.into(),
            SyncError::Ephemeral(error) => error.into(),
            SyncError::Push(error) => error.into(),
            SyncError::E2ee(error) => error.into(),
            SyncError::Store(_) => Self::internal(&error),
        }
    }
}
