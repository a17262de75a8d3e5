//! What other servers may read: the one place that decides it, and the reads behind the server-server API.
//!
//! A server is let into a room ([`crate::Rooms::served_room`]) when the room's access list allows it and it has a joined
//! member there. Single events then go through one filter ([`crate::Rooms::for_server`]): what none of the server's users
//! could see is sent redacted, so that the event graph stays whole without telling what was said. State and
//! authorization chains are not filtered: every server of a room needs them.

mod acl;
mod by_time;
#[cfg(test)]
mod cases;
mod edges;
mod event;
mod gate;
mod hierarchy;
mod sight;
mod state;
mod walk;

pub use acl::Acl;
pub(crate) use edges::{Along, edges};
pub use hierarchy::SpaceAnswer;
pub use state::{StateAt, StateIds};
pub use walk::Missing;
