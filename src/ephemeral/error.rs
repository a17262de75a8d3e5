use crate::MAX_STATUS_BYTES;

/// Why something ephemeral could not be done.
#[derive(Debug, thiserror::Error)]
pub enum EphemeralError {
    /// The event of a receipt is not one of the room's timeline.
    #[error("there is no such event in this room")]
    UnknownEvent,
    /// A receipt names a thread that its event is not in.
    #[error("the event is not in this thread")]
    NotInThread,
    /// Only members do this.
    #[error("you are not in this room")]
    NotJoined,
    /// A status message is too long.
    #[error("a status message has at most {MAX_STATUS_BYTES} bytes")]
    StatusTooLong,
    /// A room could not be read.
    #[error(transparent)]
    Room(#[from] room::RoomError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl kv::Conflicts for EphemeralError {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Store(error) => error.is_conflict(),
            Self::Room(error) => error.is_conflict(),
            Self::UnknownEvent | Self::NotInThread | Self::NotJoined | Self::StatusTooLong => false,
        }
    }
}
