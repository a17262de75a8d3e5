//! Tests, as tables of cases per room version and as properties.
#![expect(clippy::cloned_ref_to_slice_refs, reason = "`&[tip.clone()]` reads as what it is: the parents")]

mod auth;
mod build;
mod dag;
mod format;
mod oracle;
mod redact;
mod rooms;
mod speed;
mod state_res;
mod stored;
mod verify;
