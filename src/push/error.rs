use kv::Conflicts;

/// Why something about push rules could not be done.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// There is no such rule.
    #[error("there is no such push rule")]
    UnknownRule,
    /// A rule, or where to put it, is not one that users can have.
    #[error("{0}")]
    Invalid(String),
    /// A page token is not one of ours.
    #[error("the token is not one that this server gave")]
    BadToken,
    /// A room could not be read.
    #[error(transparent)]
    Room(#[from] room::RoomError),
    /// Receipts could not be read.
    #[error(transparent)]
    Receipts(#[from] ephemeral::EphemeralError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl Conflicts for PushError {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Store(error) => error.is_conflict(),
            Self::Room(error) => error.is_conflict(),
            Self::Receipts(error) => error.is_conflict(),
            Self::UnknownRule | Self::Invalid(_) | Self::BadToken => false,
        }
    }
}
