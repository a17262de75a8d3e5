//! Memberships of our users in rooms of other servers, and of theirs in ours. Server-server API, "Joining Rooms",
//! "Inviting to a room", "Leaving Rooms", "Knocking upon a room".
//!
//! **Owns** the requests: which server is asked, what is done when it does not answer, what is checked of its answers
//! and of what others ask. What becomes of the events is [`room::handshake`]'s.
//! **Invariants**
//! - Every event that comes in here was verified by [`Checks`].
//! - A room is entered by one request at a time.
//! - Leaving always succeeds, whether another server can be reached or not.

mod ask;
mod error;
mod invite;
mod join;
mod knock;
mod leave;
mod serve;
mod serve_invite;
mod state;
mod third_party;
mod turns;

use std::sync::Arc;

use room::Rooms;
use ruma::{OwnedServerName, RoomId, ServerName};

pub use error::MembershipError;
pub use join::Entering;
pub use serve::{Received, Welcome};
pub use serve_invite::{CheckedInvite, IncomingInvite};
pub use third_party::{Bound, MAX_BOUND};

use crate::{Client, inbound::Checks, membership::turns::Turns};

/// Result with a [`MembershipError`].
pub type Result<T, E = MembershipError> = std::result::Result<T, E>;

/// Most servers that are asked for one thing.
const MAX_SERVERS: usize = 20;

/// Makes memberships across servers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Memberships {
    rooms: Rooms,
    client: Client,
    checks: Checks,
    turns: Arc<Turns>,
}

impl Memberships {
    /// Those of `rooms`; other servers are asked by `client`, what they send is checked by `checks`.
    #[must_use]
    pub fn new(rooms: Rooms, client: Client, checks: Checks) -> Self {
        Self { rooms, client, checks, turns: Arc::default() }
    }

    /// The servers to ask, each once and without us, in the order given; at the end the one that the room id names.
    fn candidates(&self, room: &RoomId, servers: &[OwnedServerName]) -> Vec<OwnedServerName> {
        let mut found: Vec<OwnedServerName> = Vec::new();
        // Who names servers wants those; the one that made the room is a guess.
        let last = room.server_name().map(ServerName::to_owned).filter(|_| servers.is_empty());
        for server in servers.iter().cloned().chain(last) {
            if server != self.rooms.server() && !found.contains(&server) && self.client.policy().allows(&server) {
                found.push(server);
            }
        }
        found.truncate(MAX_SERVERS);
        found
    }
}
