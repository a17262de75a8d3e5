use kv::Conflicts;

/// Why something could not be done in a room: what the caller can act on.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// There is no such room, or the caller may not know of it.
    #[error("there is no such room, or you are not in it")]
    UnknownRoom,
    /// There is no such event, or the caller may not see it.
    #[error("there is no such event, or you may not see it")]
    UnknownEvent,
    /// The caller is not joined.
    #[error("you are not in this room")]
    NotJoined,
    /// The authorization rules do not allow it.
    #[error("{0}")]
    Denied(String),
    /// The event is larger than events may be.
    #[error("{0}")]
    TooLarge(String),
    /// The content is not what this kind of event has to be.
    #[error("{0}")]
    BadContent(String),
    /// A parameter is wrong.
    #[error("{0}")]
    InvalidParam(String),
    /// The room version is not one of ours.
    #[error("room version {0} is not supported: see the m.room_versions capability")]
    UnsupportedVersion(String),
    /// The room is of a version that the server which asks does not know.
    #[error("the room has version {0}")]
    IncompatibleVersion(ruma::RoomVersionId),
    /// The initial state of a room contradicts itself or the rules.
    #[error("{0}")]
    InvalidState(String),
    /// The alias is taken.
    #[error("the alias {0} is already in use")]
    AliasInUse(String),
    /// The same annotation was sent before.
    #[error("you have already sent this reaction")]
    DuplicateAnnotation,
    /// The event that a thread should start from refers to another event itself.
    #[error("a thread cannot start from an event that refers to another one")]
    BadThreadRoot,
    /// The room needs a server of the allowed rooms to let the caller in.
    #[error("{0}")]
    UnableToAuthorise(String),
    /// No local member has the power to let the caller in.
    #[error("{0}")]
    UnableToGrant(String),
    /// The change makes no sense for the membership that the target has.
    #[error("{0}")]
    BadState(String),
    /// A canonical alias does not lead to the room.
    #[error("{0}")]
    BadAlias(String),
    /// There is no such alias.
    #[error("there is no such room alias")]
    UnknownAlias,
    /// The room cannot be forgotten by somebody who is in it, invited or knocking.
    #[error("leave the room before you forget it")]
    StillInRoom,
    /// The policy server of the room has refused the event.
    #[error("the policy server of the room refused the event")]
    NotRecommended {
        /// The status of its answer.
        status: u16,
        /// The body of its answer, JSON.
        body: String,
    },
    /// The policy server of the room cannot be asked.
    #[error("the policy server of the room cannot be asked: {0}")]
    PolicyUnavailable(String),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl Conflicts for RoomError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}

impl From<event::Denied> for RoomError {
    fn from(denied: event::Denied) -> Self {
        Self::Denied(denied.0)
    }
}

impl From<event::BuildError> for RoomError {
    fn from(error: event::BuildError) -> Self {
        match error {
            event::BuildError::TooLarge(error) => Self::TooLarge(error.to_string()),
            event::BuildError::BadJson(error) => Self::BadContent(error.to_string()),
            other => Self::BadContent(other.to_string()),
        }
    }
}

impl From<event::FormatError> for RoomError {
    fn from(error: event::FormatError) -> Self {
        Self::from(event::BuildError::from(error))
    }
}
