//! What other servers are asked on behalf of our users. Answers are theirs: bounded in size, taken leniently where
//! nothing depends on them, and never stored as if they were ours.

mod alias;
mod directory;
mod media;
mod multipart;
mod profile;
mod spaces;

use std::time::Duration;

use federation::{Call, CallError};
use http::StatusCode;

pub use spaces::Spaces;

/// How long a user waits for another server.
const PATIENCE: Duration = Duration::from_secs(15);

/// A request that a user waits for: it is tried even if the server failed lately.
fn waited_for(call: Call) -> Call {
    call.timeout(PATIENCE).urgent()
}

/// Whether the other server says that there is no such thing.
fn is_unknown(error: &CallError) -> bool {
    error.status() == Some(StatusCode::NOT_FOUND)
}
