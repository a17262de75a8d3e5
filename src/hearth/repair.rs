//! `hearth repair`: keeps what is left of a damaged database.

use base::Clock;

use crate::{Config, Error, lock::Lock, wire, wire::Wired};

/// Opens the damaged database of `config` with what is left of it, so that the server can start, and says what was
/// done. What is lost may include keys that were handed out and positions, so it counts as restored from a backup.
///
/// A database that opens as it is stays as it is.
///
/// # Errors
/// When a server runs on it, or when nothing can be made of it: a backup has to be restored then.
pub async fn repair(config: &Config) -> Result<String, Error> {
    let dir = wire::database(config);
    std::fs::metadata(&dir).map_err(|cause| Error::file(&dir, cause))?;
    let _lock = Lock::claim(&config.data_dir)?;
    if let Ok(whole) = wire::engine(config) {
        let closed = tokio::task::spawn_blocking(move || whole.close()).await;
        closed.map_err(|error| Error::Refused(error.to_string()))??;
        return Ok(format!("{} is whole: nothing was done", dir.display()));
    }
    let wired = Wired::open_damaged(config, Clock::system()).await?;
    let forgotten = wired.guard.restored(&wired.state.keys).await;
    wired.close().await;
    Ok(format!(
        "{} has what was left of it, and counts as restored from a backup: {} one-time keys were forgotten; clients \
         upload new ones and sync anew",
        dir.display(),
        forgotten?
    ))
}
