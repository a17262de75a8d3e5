//! The rules of keys, with a fake network.

mod documents;
mod fetching;
mod merging;
mod rig;
mod strangers;
mod vouching;
