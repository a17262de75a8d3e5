use room::RoomError;

use crate::CallError;

/// Why something that another server sent, or was asked for, did not get in.
#[derive(Debug, thiserror::Error)]
pub enum InboundError {
    /// The transaction is not what the specification says.
    #[error("{0}")]
    Malformed(String),
    /// Another server did not answer what was asked for.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Too much would have to be fetched.
    #[error("too much of what came before is missing")]
    TooMuch,
    /// The room, or storage.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// Devices.
    #[error(transparent)]
    Devices(#[from] crate::DeviceError),
    /// Keys of servers.
    #[error(transparent)]
    Keys(#[from] crate::KeyError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl InboundError {
    /// Whether this server is at fault, so that the other one should try again.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Room(RoomError::Store(_)) | Self::Devices(_) | Self::Keys(_))
    }
}

impl kv::Conflicts for InboundError {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Store(error) => error.is_conflict(),
            Self::Room(error) => error.is_conflict(),
            _ => false,
        }
    }
}
