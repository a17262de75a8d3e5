//! Reconcilers: each may run at any time, and a second run on the same state does nothing.

mod clean;
pub(crate) mod evict;
mod sweep;
