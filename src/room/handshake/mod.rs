//! Memberships that are made between two servers: one asks, another one that is in the room answers. Server-server
//! API, "Joining Rooms", "Inviting to a room", "Leaving Rooms", "Knocking upon a room".
//!
//! **Owns** the templates that this server gives ([`crate::Rooms::template`]) and what it makes of those of others
//! ([`crate::Rooms::from_template`]), whose events it takes in for others ([`crate::Rooms::admit`]) and what it answers to that, and
//! invites that the other server has to sign first ([`crate::Rooms::draft_invite`], [`crate::Rooms::add_invite`]).
//! **Must not know** requests: `federation::membership` sends and answers them.
//! **Invariant** Nothing is written before all who have to sign have done so.

mod admit;
mod by_template;
mod gate;
mod invite;
mod shown;
mod template;

pub use admit::Admitted;
pub use by_template::Answer;
pub use invite::DraftedInvite;
pub use template::Template;

use crate::Membership;

/// What one server asks another one for, on behalf of its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// To let the user in.
    Join,
    /// To take the user out, or an invite or knock back.
    Leave,
    /// To let the user ask to be let in.
    Knock,
}

impl Handshake {
    /// The membership that comes of it.
    #[must_use]
    pub fn membership(self) -> Membership {
        match self {
            Self::Join => Membership::Join,
            Self::Leave => Membership::Leave,
            Self::Knock => Membership::Knock,
        }
    }
}
