//! How many files and connections the process may have open at a time.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// So few are soon used up: half of them are for the database, and every client that waits for news has one.
const FEW: u64 = 4096;

/// Raises the limit as far as the system lets it. Most systems begin with 1,024 for the sake of old programs.
pub(crate) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    // No limit is none to worry about.
    let reached = if raised.is_ok() { maximum } else { current }.unwrap_or(u64::MAX);
    if reached < FEW {
        tracing::warn!(
            open_files = reached,
            "few clients can connect at a time: raise the limit, as LimitNOFILE= of systemd"
        );
    }
}
