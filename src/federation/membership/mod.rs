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

use base::Turns;
use room::Rooms;
use ruma::{OwnedRoomId, OwnedServerName, RoomId, ServerName};

pub use error::MembershipError;
pub use join::Entering;
pub use serve::{Received, Welcome};
pub use serve_invite::{CheckedInvite, IncomingInvite};
pub use third_party::{Bound, MAX_BOUND};

use crate::{Client, inbound::Checks};

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
    turns: Turns<OwnedRoomId>,
}

impl Memberships {
    /// Those of `rooms`; other servers are asked by `client`, what they send is checked by `checks`.
    #[must_use]
    pub fn new(rooms: Rooms, client: Client, checks: Checks) -> Self {
        Self { rooms, client, checks, turns: Turns::default() }
    }

    /// The servers to ask, each once and without us, in the order given; the one that the room id names if nobody else
    /// is known: it made the room, but need not be in it any more.
    fn candidates(&self, room: &RoomId, servers: &[OwnedServerName]) -> Vec<OwnedServerName> {
        let mut found: Vec<OwnedServerName> = Vec::new();
        let mut add = |server: &ServerName| {
            let known = found.iter().any(|known| known == server);
            if server != self.rooms.server() && !known && self.client.policy().allows(server) {
                found.push(server.to_owned());
            }
        };
        for server in servers {
            add(server);
        }
        if found.is_empty() {
            found.extend(self.maker(room));
        }
        found.truncate(MAX_SERVERS);
        found
    }

    /// The server that a room id names.
    fn maker(&self, room: &RoomId) -> Option<OwnedServerName> {
        let maker = room.server_name()?;
        (maker != self.rooms.server() && self.client.policy().allows(maker)).then(|| maker.to_owned())
    }
}
