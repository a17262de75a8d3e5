use http::StatusCode;
use ruma::api::error::ErrorCode;
use search::SearchError;

use crate::MatrixError;

impl From<SearchError> for MatrixError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Off => Self::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, error.to_string()),
            SearchError::Room(error) => error.into(),
            SearchError::Store(_) => Self::internal(&error),
        }
    }
}
