use account::UserRow;
use appservice::{Appservice, AppserviceError};
use http::StatusCode;
use room::Once;
use ruma::{OwnedDeviceId, OwnedTransactionId, UserId, api::error::ErrorCode};

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

/// Where a transaction id counts: on the device, or for a user as whom an application service acts without one.
pub fn once(device: Option<OwnedDeviceId>, id: OwnedTransactionId) -> Option<Once> {
    Some(Once { device: device.unwrap_or_else(no_device), id })
}

/// Stands for the device of who acts without one; no device has this id.
pub fn no_device() -> OwnedDeviceId {
    "".into()
}

/// The device of a request that is about one.
///
/// # Errors
/// 400 `M_MISSING_PARAM` for an application service that names none.
pub fn device(device: Option<OwnedDeviceId>) -> Result<OwnedDeviceId, MatrixError> {
    device.ok_or_else(|| MatrixError::missing_param("device_id: this is about a device, so one has to be named"))
}

/// The application service that asks.
///
/// # Errors
/// 403 `M_FORBIDDEN` for everybody else.
pub fn appservice(caller: Option<Appservice>) -> Result<Appservice, MatrixError> {
    caller.ok_or_else(|| AppserviceError::NotAnAppservice.into())
}
