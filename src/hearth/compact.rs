//! `hearth compact`: rewrites the database of a stopped server so that it takes no more space than it must.

use std::{io, path::Path};

use kv::Db;

use crate::{Config, Error, lock::Lock, wire};

/// Compacts the whole database of `config` and says how many bytes its files took before and after.
///
/// # Errors
/// When a server runs on it, or when there is no database, or not one of ours.
pub async fn compact(config: &Config) -> Result<String, Error> {
    let dir = wire::database(config);
    let before = size(&dir).map_err(|cause| Error::file(&dir, cause))?;
    let _lock = Lock::claim(&config.data_dir)?;
    let engine = wire::engine(config)?;
    kv::schema::open(&Db::new(engine.clone()), &wire::tables()).await?;
    let done = tokio::task::spawn_blocking(move || {
        engine.flush()?;
        engine.compact();
        engine.close()
    });
    done.await.map_err(|error| Error::Refused(format!("the compaction broke off: {error}")))??;
    let after = size(&dir).map_err(|cause| Error::file(&dir, cause))?;
    Ok(format!("{}: {before} bytes before, {after} bytes after", dir.display()))
}

/// Bytes of the files in `dir`, which has no directories of its own.
fn size(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
