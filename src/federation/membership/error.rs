use room::RoomError;
use ruma::RoomVersionId;

use crate::{CallError, inbound::Refused};

/// Why a membership across servers could not be made: what the caller can act on.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// In the room.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The other server refused, could not be reached, or makes no sense.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Nobody is known who could be asked.
    #[error("no server is known that is in this room: name one with `via`")]
    NoServer,
    /// The room has a version that this server does not know.
    #[error("the room has version {0}, which this server does not know")]
    IncompatibleVersion(RoomVersionId),
    /// What the other server sent is not the event that it should be.
    #[error("{0}")]
    Invalid(String),
    /// The other server must not do this.
    #[error("{0}")]
    Forbidden(String),
    /// The event of the other server is not believed.
    #[error("the event was refused: {0}")]
    Refused(#[from] Refused),
    /// There is no such user here.
    #[error("there is no such user on this server")]
    UnknownUser,
}

impl From<kv::Error> for MembershipError {
    fn from(error: kv::Error) -> Self {
        Self::Room(error.into())
    }
}

impl MembershipError {
    /// Which of two failures tells the user more: a refusal, then what else was answered, then an outage.
    pub(super) fn worse(old: Option<Self>, new: Self) -> Self {
        match old {
            Some(old) if old.weight() >= new.weight() => old,
            _ => new,
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Self::Call(error) if error.errcode() == Some("M_FORBIDDEN") => 4,
            Self::Call(error) if error.status().is_some_and(|status| status.is_client_error()) => 3,
            Self::Call(error) if error.is_temporary() => 0,
            Self::Call(_) => 1,
            _ => 2,
        }
    }
}
