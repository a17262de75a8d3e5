//! Noticing that the database was restored from a backup, and what follows.
//!
//! `restore.guard` in the data directory holds the database's epoch and the newest positions that were seen in it,
//! written at the start, every minute and at the end. Positions never go back in one life of a database, so one that
//! has not reached them, or has lost its guard, comes from a backup. Who puts a copy of the whole data directory back
//! brings the guard of that time with it, which nothing inside can tell: that is what `hearth restored` is for.
//!
//! What follows: unclaimed one-time keys are forgotten, then the database gets another epoch, so that clients start
//! their syncs anew; a crash in between leads to the same again.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use e2ee::Keys;
use kv::{Db, Positions};
use serde::{Deserialize, Serialize};

use crate::Error;

/// What is remembered outside of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    epoch: String,
    positions: Positions,
}

/// The file that tells a restored database. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    path: PathBuf,
    db: Db,
}

impl Guard {
    /// The guard of `db` in `data_dir`.
    pub(crate) fn new(db: Db, data_dir: &Path) -> Self {
        Self { path: data_dir.join("restore.guard"), db }
    }

    /// Looks whether the database was restored, and forgets what must be forgotten then. Returns its epoch.
    ///
    /// # Errors
    /// When the file cannot be used or storage fails.
    pub(crate) async fn check(&self, keys: &Keys) -> Result<String, Error> {
        let epoch = kv::schema::epoch(&self.db, &base::random::alphanumeric(8)).await?;
        let restored = match self.read()? {
            Some(seen) => seen.epoch != epoch || !self.db.positions().reaches(&seen.positions),
            None => kv::schema::is_watched(&self.db).await?,
        };
        if restored {
            self.restored(keys).await?;
        }
        // First the file: a database that says it is watched and has no guard counts as restored.
        self.note().await?;
        kv::schema::watch(&self.db).await?;
        Ok(kv::schema::epoch(&self.db, &epoch).await?)
    }

    /// Forgets what must be forgotten in a restored database; returns how many one-time keys that were.
    ///
    /// # Errors
    /// When storage fails.
    pub(crate) async fn restored(&self, keys: &Keys) -> Result<u64, Error> {
        let forgotten = keys.forget_one_time_keys().await.map_err(|error| match error {
            e2ee::E2eeError::Store(error) => Error::Store(error),
            other => Error::Refused(other.to_string()),
        })?;
        kv::schema::renew_epoch(&self.db, &base::random::alphanumeric(8)).await?;
        tracing::warn!(
            forgotten_one_time_keys = forgotten,
            "the database was restored from a backup: clients upload new one-time keys and sync anew"
        );
        Ok(forgotten)
    }

    /// Remembers where the database stands.
    ///
    /// # Errors
    /// When the file cannot be written or storage fails.
    pub(crate) async fn note(&self) -> Result<(), Error> {
        let epoch = kv::schema::epoch(&self.db, &base::random::alphanumeric(8)).await?;
        let seen = Seen { epoch, positions: self.db.positions() };
        let text = serde_json::to_vec(&seen).map_err(|error| Error::Refused(error.to_string()))?;
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
        let written = written.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        written.map_err(|cause| Error::file(&self.path, cause))
    }

    fn read(&self) -> Result<Option<Seen>, Error> {
        match std::fs::read(&self.path) {
            // Written atomically: one that does not parse is not ours, and counts as lost.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::file(&self.path, cause)),
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let fresh = path.with_extension("guard.new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use kv::{Stamped, Table, memory::Memory};
    use ruma::owned_server_name;

    use super::*;

    const ROWS: Table<u64, Stamped<()>> = Table::new(0x7F20, "test.rows", 1);

    async fn write_row(db: &Db) {
        let mut tx = db.begin();
        let slot = tx.stamp();
        tx.put_stamped(&ROWS, 1, slot, ());
        tx.commit().await.unwrap();
    }

    fn on(db: &Db, dir: &Path) -> (Guard, Keys) {
        (Guard::new(db.clone(), dir), Keys::new(db.clone(), owned_server_name!("hearth.test")))
    }

    #[tokio::test]
    async fn a_restart_keeps_the_epoch() {
        let (dir, db) = (tempfile::tempdir().unwrap(), Db::new(Memory::new()));
        let (guard, keys) = on(&db, dir.path());
        let epoch = guard.check(&keys).await.unwrap();
        write_row(&db).await;
        guard.note().await.unwrap();
        write_row(&db).await;
        assert_eq!(guard.check(&keys).await.unwrap(), epoch);
        assert_eq!(guard.check(&keys).await.unwrap(), epoch);
    }

    #[tokio::test]
    async fn a_database_behind_its_guard_or_without_one_gets_another_epoch_once() {
        let (dir, db) = (tempfile::tempdir().unwrap(), Db::new(Memory::new()));
        let (guard, keys) = on(&db, dir.path());
        let mut epoch = guard.check(&keys).await.unwrap();
        let ahead: Positions = [(db.writer(), u64::MAX)].into_iter().collect();
        let seen = Seen { epoch: epoch.clone(), positions: ahead };
        write(&guard.path, &serde_json::to_vec(&seen).unwrap()).unwrap();
        for _ in 0..2 {
            let next = guard.check(&keys).await.unwrap();
            assert_ne!(next, epoch);
            assert_eq!(guard.check(&keys).await.unwrap(), next);
            epoch = next;
            std::fs::remove_file(&guard.path).unwrap();
        }
    }
}
