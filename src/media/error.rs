use std::{io, sync::Arc};

/// Why an operation on media failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The media belongs to another server, which must be asked.
    #[error("the media belongs to another server")]
    NotLocal,
    /// No such media, or its promise has expired.
    #[error("there is no such media")]
    NotFound,
    /// The id is given out, but nothing is uploaded to it yet.
    #[error("the media is not uploaded yet")]
    NotYetUploaded,
    /// The id belongs to somebody else.
    #[error("the media id was created by another user")]
    NotYours,
    /// Something is uploaded to the id already.
    #[error("media is never overwritten: create another id")]
    AlreadyUploaded,
    /// The account holds as many unused ids as it may.
    #[error("too many media ids wait for their upload")]
    TooManyPending,
    /// The file is too large.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// Largest size accepted, in bytes.
        limit: u64,
    },
    /// The account may store no more.
    #[error("the account's media quota of {quota} bytes is used up")]
    QuotaExceeded {
        /// What the account may store, in bytes.
        quota: u64,
    },
    /// The file is no image that we decode, or one that breaks a limit.
    #[error("no thumbnail: {0}")]
    CannotThumbnail(String),
    /// The upload's body broke off.
    #[error("the upload broke off: {0}")]
    Body(String),
    /// The other server cannot be asked, or answered nonsense.
    #[error("the media's server cannot be asked: {0}")]
    Remote(String),
    /// The other server has a file that is larger than we fetch.
    #[error("the file of the other server is larger than {limit} bytes")]
    RemoteTooLarge {
        /// Largest size fetched, in bytes.
        limit: u64,
    },
    /// The media directory failed.
    #[error("media directory: {0}")]
    Disk(Arc<io::Error>),
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Disk(Arc::new(error))
    }
}

impl kv::Conflicts for Error {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}
