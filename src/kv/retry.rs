use std::{future::Future, time::Duration};

use crate::Error;

/// Attempts before a conflict reaches the caller; hot places queue first, so more than three are rare.
const ATTEMPTS: u32 = 20;

/// An error that may stand for a storage conflict.
pub trait Conflicts {
    /// Whether the transaction may be run again with hope.
    fn is_conflict(&self) -> bool;
}

impl Conflicts for Error {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict)
    }
}

/// Runs `attempt`, which begins, fills and commits one transaction, until it does not conflict.
///
/// The closure runs several times: no network, clock or randomness inside it.
///
/// # Errors
/// What the last attempt answered.
pub async fn retry<T, E, F>(mut attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: Conflicts,
    F: Future<Output = Result<T, E>>,
{
    let mut tried = 0;
    loop {
        match attempt().await {
            Err(error) if error.is_conflict() && tried < ATTEMPTS => {
                tried += 1;
                if tried > 3 {
                    tokio::time::sleep(Duration::from_millis(u64::from(tried))).await;
                }
            }
            other => return other,
        }
    }
}
