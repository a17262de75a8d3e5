/// Why a sync has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The token is none of this server's.
    #[error("since is not a token of this server: leave it out to start anew")]
    BadToken,
    /// A room could not be read.
    #[error(transparent)]
    Room(#[from] room::RoomError),
    /// An account could not be read.
    #[error(transparent)]
    Account(#[from] account::AccountError),
    /// Typing, receipts or presence could not be read.
    #[error(transparent)]
    Ephemeral(#[from] ephemeral::EphemeralError),
    /// Push rules or counts could not be read.
    #[error(transparent)]
    Push(#[from] push::PushError),
    /// Keys or messages to devices could not be read.
    #[error(transparent)]
    E2ee(#[from] e2ee::E2eeError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}
