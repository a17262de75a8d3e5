use account::{Accounts, UserRow};
use ruma::UserId;

use crate::MatrixError;

/// The account that an administrator asks about. Who asks is checked first, so that others learn nothing.
///
/// # Errors
/// 403 for all but administrators, 400 for users of other servers, 404 for unknown and deactivated accounts.
pub async fn read(accounts: &Accounts, asking: &UserRow, target: &UserId) -> Result<UserRow, MatrixError> {
    if !asking.admin {
        return Err(MatrixError::forbidden("only administrators of this server may do this"));
    }
    if target.server_name() != accounts.server() {
        return Err(MatrixError::invalid_param("this is not a user of this server"));
    }
    let account = accounts.user(target).await?.filter(|account| !account.deactivated);
    account.ok_or_else(|| MatrixError::not_found("there is no such user on this server"))
}

/// As [`read`], for changing the account: not the own one and no administrator's.
///
/// # Errors
/// As [`read`], and 403.
pub async fn change(accounts: &Accounts, user: &UserId, asking: &UserRow, target: &UserId) -> Result<(), MatrixError> {
    let account = read(accounts, asking, target).await?;
    if user == target || account.admin {
        return Err(MatrixError::forbidden("this cannot be done to an administrator"));
    }
    Ok(())
}
