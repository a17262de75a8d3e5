use account::{AccountError, ProfileError};
use federation::{CallError, MembershipError};
use push::PushError;
use room::RoomError;

/// Why an operation could not be done: what the caller can act on.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// In a room.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// With an account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// With a profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// With push rules.
    #[error(transparent)]
    Push(#[from] PushError),
    /// With another server.
    #[error(transparent)]
    Remote(#[from] CallError),
    /// With a membership across servers.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// The invited user takes no invites.
    #[error("this user does not take invites")]
    InviteBlocked,
    /// This server sends no notices.
    #[error("this server has no account for server notices: see server_notices in its configuration")]
    NoNotices,
    /// The room is one for server notices, which nobody can refuse.
    #[error("server notices cannot be refused; you may leave the room once you have joined it")]
    NoticesRoom,
    /// There is no such user on this server.
    #[error("there is no such user on this server")]
    UnknownUser,
    /// The user or room is of another server, and this one does not talk to others.
    #[error("this server does not talk to other servers")]
    Unfederated,
    /// The room does not let guests in.
    #[error("guests may not join this room")]
    GuestsForbidden,
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}
