use std::path::PathBuf;

use kv::Conflicts;

/// What is wrong with a registration file.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// It cannot be read.
    #[error("cannot read the registration {path}: {cause}", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It is larger than any registration.
    #[error("the registration {path} is larger than {limit} bytes", path = .path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// What is allowed, in bytes.
        limit: u64,
    },
    /// It is not YAML.
    #[error("the registration {path} is not YAML: {cause}", path = .path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where and why.
        cause: String,
    },
    /// A key is missing or has a wrong value.
    #[error("the registration {path}: {key} {reason}", path = .path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// What about it.
        reason: String,
    },
    /// Two registrations have the same name or token.
    #[error("the registrations {path} and {other} have the same {key}", path = .path.display(), other = .other.display())]
    Twice {
        /// One of them.
        path: PathBuf,
        /// The other one.
        other: PathBuf,
        /// What they share.
        key: &'static str,
    },
    /// Its own user cannot be created.
    #[error("the registration {id}: its sender {user} cannot be created: {cause}")]
    Sender {
        /// The application service.
        id: String,
        /// The user.
        user: ruma::OwnedUserId,
        /// Why.
        cause: account::AccountError,
    },
}

/// Why an application service did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// Its registration names no address.
    #[error("the registration has no url")]
    NoUrl,
    /// No answer came.
    #[error(transparent)]
    Unanswered(#[from] outbound::Error),
    /// It answered with an error; the second part is the beginning of the body.
    #[error("answered with status {0}")]
    Status(http::StatusCode, String),
    /// The answer is not JSON.
    #[error("the answer is not JSON")]
    NotJson,
}

/// Why an application service may not do something, or cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum AppserviceError {
    /// The user is in none of its namespaces.
    #[error("the user is in no namespace of this application service")]
    NotItsUser,
    /// It has not registered the user yet.
    #[error("the user is not registered: register it first")]
    NotRegistered,
    /// The user has no such device.
    #[error("the user has no such device")]
    UnknownDevice,
    /// The name or alias is in none of its namespaces, or for another application service alone.
    #[error("this name is for an application service, and not for this caller")]
    Exclusive,
    /// The user was deactivated.
    #[error("this account has been deactivated")]
    Deactivated,
    /// An application service asked for another one.
    #[error("this is not the application service that asks")]
    NotItself,
    /// Only application services do this.
    #[error("the token of an application service is needed")]
    NotAnAppservice,
    /// Keys and messages of devices.
    #[error(transparent)]
    E2ee(#[from] e2ee::E2eeError),
    /// Typing, receipts and presence.
    #[error(transparent)]
    Ephemeral(#[from] ephemeral::EphemeralError),
    /// Accounts.
    #[error(transparent)]
    Account(#[from] account::AccountError),
    /// Rooms.
    #[error(transparent)]
    Room(#[from] room::RoomError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl Conflicts for AppserviceError {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Account(error) => error.is_conflict(),
            Self::Room(error) => error.is_conflict(),
            Self::Ephemeral(error) => error.is_conflict(),
            Self::Store(error) => error.is_conflict(),
            _ => false,
        }
    }
}
