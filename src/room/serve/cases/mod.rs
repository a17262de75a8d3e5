//! What other servers get, on the in-memory engine.

mod acl;
mod graph;
mod sight;
mod spaces;
