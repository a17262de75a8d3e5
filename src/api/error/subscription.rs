use http::StatusCode;
use push::SubscriptionError;

use crate::MatrixError;

impl From<SubscriptionError> for MatrixError {
    fn from(error: SubscriptionError) -> Self {
        let because = |status, code: &str| Self::new(status, code.into(), error.to_string());
        match error {
            SubscriptionError::NotInThread => because(StatusCode::BAD_REQUEST, "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD"),
            SubscriptionError::LeftSince => {
                because(StatusCode::CONFLICT, "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION")
            }
            SubscriptionError::NotSubscribed => Self::not_found(error.to_string()),
            SubscriptionError::BadToken => Self::invalid_param(error.to_string()),
            SubscriptionError::Room(error) => error.into(),
            SubscriptionError::Store(_) => Self::internal(&error),
        }
    }
}
