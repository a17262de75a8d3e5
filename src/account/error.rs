use kv::Conflicts;

use crate::device::MAX_DEVICE_NAME;

/// Why something about an account could not be done: what the caller can act on.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name is not one that users can have.
    #[error("a user name has characters of a-z 0-9 . _ = - / + and at most 255 bytes with the server's name")]
    InvalidName,
    /// The name belongs to somebody, or did.
    #[error("this user name is taken")]
    NameTaken,
    /// The name is reserved.
    #[error("this user name is reserved")]
    NameReserved,
    /// Registration is not open to the caller.
    #[error("registration is closed on this server")]
    RegistrationClosed,
    /// The password is too short.
    #[error("the password needs at least {0} characters")]
    WeakPassword(usize),
    /// No such user, or the password is wrong; which of both is not said.
    #[error("wrong user name or password")]
    BadCredentials,
    /// The account was deactivated.
    #[error("this account has been deactivated")]
    Deactivated,
    /// The account is locked.
    #[error("this account is locked: ask the server's administrator")]
    Locked,
    /// A token is unknown, used up or expired.
    #[error("the token is unknown or has expired")]
    UnknownToken {
        /// The device is still there and may log in again with its data.
        soft_logout: bool,
    },
    /// There is no such user here.
    #[error("there is no such user on this server")]
    UnknownUser,
    /// There is no such device.
    #[error("there is no such device")]
    UnknownDevice,
    /// A device id is empty or longer than 255 bytes.
    #[error("a device id has 1 to 255 bytes")]
    BadDeviceId,
    /// A device's name is longer than [`MAX_DEVICE_NAME`] bytes.
    #[error("a device's name has at most {MAX_DEVICE_NAME} bytes")]
    DeviceNameTooLong,
    /// A device id names another key or device of the user that nobody logs in on.
    #[error("this device id is taken: choose another one")]
    DeviceIdTaken,
    /// The room's tag is longer than 255 bytes.
    #[error("a tag has at most 255 bytes")]
    BadTag,
    /// The proof of a shared-secret registration is wrong or its nonce is not one of ours.
    #[error("the nonce is unknown or the mac is wrong")]
    BadMac,
    /// The password could not be hashed.
    #[error("password hashing failed: {0}")]
    Hashing(String),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl Conflicts for AccountError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}

/// Why a profile could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is no such user here.
    #[error("there is no such user on this server")]
    UnknownUser,
    /// The key has more than 255 bytes.
    #[error("a profile key has at most 255 bytes")]
    KeyTooLarge,
    /// The profile would have 64 KiB or more.
    #[error("a profile must be smaller than 64 KiB")]
    TooLarge,
    /// The value of a known field has the wrong type.
    #[error("{0} must be a string")]
    NotAString(String),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl Conflicts for ProfileError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}
