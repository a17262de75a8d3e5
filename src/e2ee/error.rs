/// Why something about encryption could not be done.
#[derive(Debug, thiserror::Error)]
pub enum E2eeError {
    /// The request contradicts itself or what is stored.
    #[error("{0}")]
    InvalidParam(&'static str),
    /// A part of a key that the specification requires is missing or of another type.
    #[error("{0}")]
    Malformed(&'static str),
    /// Another key was uploaded under this id.
    #[error("another key has the id {0}")]
    KeyExists(String),
    /// A key is not signed as it must be.
    #[error("{0}")]
    InvalidSignature(&'static str),
    /// Cross-signing begins with a master key.
    #[error("there is no master key")]
    NoMasterKey,
    /// Cross-signing keys are replaced only after authentication.
    #[error("other cross-signing keys are there: confirm that they are to be replaced")]
    NotConfirmed,
    /// A cross-signing key has the id of a device.
    #[error("a cross-signing key must not be the id of a device")]
    IsDeviceId,
    /// The device is gone.
    #[error("there is no such device")]
    UnknownDevice,
    /// There is no such backup, or nothing of this name in it.
    #[error("there is no such key backup")]
    UnknownBackup,
    /// There is no such session in the backup.
    #[error("the key backup does not hold this")]
    UnknownSession,
    /// The backup is not the newest one.
    #[error("this is not the newest key backup: it is {current}")]
    WrongVersion {
        /// The newest version.
        current: String,
    },
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl kv::Conflicts for E2eeError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}
