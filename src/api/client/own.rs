use account::UserRow;
use http::StatusCode;
use ruma::{UserId, api::error::ErrorCode};

use crate::MatrixError;

/// Refuses to let `caller` act for another user.
///
/// # Errors
/// 403 `M_FORBIDDEN`
pub fn own(caller: &UserId, user: &UserId) -> Result<(), MatrixError> {
    if caller == user { Ok(()) } else { Err(MatrixError::forbidden("this belongs to another user")) }
}

/// Refuses what suspended accounts may not do. Client-server API, "Account suspension".
///
/// # Errors
/// 403 `M_USER_SUSPENDED`
pub fn not_suspended(account: &UserRow) -> Result<(), MatrixError> {
    if account.suspended {
        let message = "this account is suspended: it may read but not do this";
        return Err(MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::UserSuspended, message));
    }
    Ok(())
}
