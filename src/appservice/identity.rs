//! As whom an application service acts. Application Service API, "Identity assertion".

use account::{AccountError, UserRow};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};

use crate::{Appservice, AppserviceError, Appservices};

/// As whom a request is done.
#[derive(Debug, Clone)]
pub struct Acting {
    /// The account.
    pub user: OwnedUserId,
    /// Its device, if the request names one.
    pub device: Option<OwnedDeviceId>,
    /// The account's flags.
    pub account: UserRow,
}

impl Appservices {
    /// As whom `service` acts that asserts to be `user` on `device`; without them it is its own user.
    ///
    /// # Errors
    /// [`AppserviceError::NotItsUser`], [`AppserviceError::NotRegistered`], [`AppserviceError::UnknownDevice`],
    /// [`AppserviceError::Deactivated`].
    pub async fn act(
        &self,
        service: &Appservice,
        user: Option<&UserId>,
        device: Option<&DeviceId>,
    ) -> Result<Acting, AppserviceError> {
        let user = user.unwrap_or(&service.sender);
        if user.server_name() != self.accounts.server() || !service.has_user(user) {
            return Err(AppserviceError::NotItsUser);
        }
        let account = self.accounts.user(user).await?.ok_or(AppserviceError::NotRegistered)?;
        if account.deactivated {
            return Err(AppserviceError::Deactivated);
        }
        if let Some(device) = device {
            match self.accounts.device(user, device).await {
                Err(AccountError::UnknownDevice) => return Err(AppserviceError::UnknownDevice),
                other => other.map(drop)?,
            }
        }
        Ok(Acting { user: user.to_owned(), device: device.map(ToOwned::to_owned), account })
    }
}
