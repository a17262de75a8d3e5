use super::post::Refused;

/// Why something was not queued or sent.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// A message that is no event has more than [`super::MAX_EDU_BYTES`].
    #[error("the message has {0} bytes")]
    TooLarge(usize),
    /// Nothing was ever sent to this server, and it is in no room.
    #[error("this server is not known")]
    UnknownDestination,
    /// The destination did not take it.
    #[error("not delivered: {0:?}")]
    Refused(Refused),
    /// A room could not be read.
    #[error(transparent)]
    Room(#[from] room::RoomError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl kv::Conflicts for QueueError {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Store(error) => error.is_conflict(),
            Self::Room(error) => error.is_conflict(),
            Self::TooLarge(_) | Self::UnknownDestination | Self::Refused(_) => false,
        }
    }
}
