//! What other servers push, with servers that are played.

mod bounds;
mod gaps;
mod policy;
mod rig;
mod transactions;
