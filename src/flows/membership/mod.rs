//! Coming into rooms and out of them, here or through other servers.

mod invite;
mod join;
mod knock;
mod leave;
