//! The queue on the in-memory engine, with other servers that are played.

mod crowd;
mod edus;
mod events;
mod failing;
mod rig;
mod trimming;
