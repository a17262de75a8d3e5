//! Backups of session keys, encrypted by clients. Client-server API, "Server-side key backups".

use std::collections::BTreeMap;

use kv::{Db, Range, Read, Tx};
use ruma::UserId;

use crate::{
    E2eeError, Result,
    session::BackedUp,
    tables::{BACKED_UP, BACKUPS, Backup},
};

/// Sessions that are read at a time: some 2 KB each.
const AT_ONCE: usize = 128;

/// A part of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    All,
    /// Sessions of a room.
    Room(String),
    /// One session of a room.
    Session(String, String),
}

/// Where the sessions of a backup stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupState {
    /// Another one after every change.
    pub etag: String,
    /// Sessions in it.
    pub count: u64,
}

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupInfo {
    /// Its number.
    pub version: String,
    /// How its sessions are encrypted.
    pub algorithm: String,
    /// JSON object.
    pub auth_data: String,
    /// Where it stands.
    pub state: BackupState,
}

/// Sessions by room and session id.
pub type Sessions = BTreeMap<String, BTreeMap<String, BackedUp>>;

/// The key backups of this server's users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Backups {
    db: Db,
}

impl Backups {
    /// The backups in `db`.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Begins a new backup, the newest from now on, and gives its version.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn create(&self, user: &UserId, algorithm: &str, auth_data: &str) -> Result<String> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let last = tx.scan_back(&BACKUPS, BACKUPS.under(&(user,))).by(1).next().await?;
            let version = last.map_or(1, |((_, version), _)| version.saturating_add(1));
            // Decides: of two that begin at once, one takes the next number.
            if tx.has(&BACKUPS, (user, version)).await? {
                return Err(kv::Error::Conflict.into());
            }
            let (algorithm, auth_data) = (algorithm.to_owned(), auth_data.to_owned());
            tx.put(&BACKUPS, (user, version), &Backup { algorithm, auth_data, etag: 0, count: 0, deleted: false });
            tx.commit().await?;
            Ok(version.to_string())
        })
        .await
    }

    /// A backup; the newest if `version` is none.
    ///
    /// # Errors
    /// [`E2eeError::UnknownBackup`]
    pub async fn info(&self, user: &UserId, version: Option<&str>) -> Result<BackupInfo> {
        let view = self.db.view();
        let version = match version {
            Some(version) => number(version)?,
            None => newest(&view, user).await?.ok_or(E2eeError::UnknownBackup)?,
        };
        let row = existing(&view, user, version).await?;
        let state = row.state();
        Ok(BackupInfo { version: version.to_string(), algorithm: row.algorithm, auth_data: row.auth_data, state })
    }

    /// Sets the authentication data of a backup, whose algorithm stays.
    ///
    /// # Errors
    /// [`E2eeError::UnknownBackup`], [`E2eeError::InvalidParam`] for another algorithm.
    pub async fn update(&self, user: &UserId, version: &str, algorithm: &str, auth_data: &str) -> Result<()> {
        let version = number(version)?;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let row = existing(&tx, user, version).await?;
            if row.algorithm != algorithm {
                return Err(E2eeError::InvalidParam("the algorithm of a backup does not change"));
            }
            tx.put(&BACKUPS, (user, version), &Backup { auth_data: auth_data.to_owned(), ..row });
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Deletes a backup with its sessions; one that is gone stays gone.
    ///
    /// # Errors
    /// [`E2eeError::UnknownBackup`] if there never was one.
    pub async fn delete(&self, user: &UserId, version: &str) -> Result<()> {
        let version = number(version)?;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let row = tx.get(&BACKUPS, (user, version)).await?.ok_or(E2eeError::UnknownBackup)?;
            tx.put(&BACKUPS, (user, version), &Backup { deleted: true, count: 0, ..row });
            tx.clear(&BACKED_UP, &(user, version));
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Puts sessions into the newest backup where they are better than what is there.
    ///
    /// # Errors
    /// [`E2eeError::UnknownBackup`], [`E2eeError::WrongVersion`].
    pub async fn put(&self, user: &UserId, version: &str, sessions: &Sessions) -> Result<BackupState> {
        let version = number(version)?;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let mut row = newest_of(&tx, user, version).await?;
            let mut changed = false;
            for (room, sessions) in sessions {
                for (id, session) in sessions {
                    let key = (user, version, room, id);
                    match tx.get(&BACKED_UP, key).await? {
                        Some(old) if !session.is_better_than(&old) => continue,
                        Some(_) => {}
                        None => row.count = row.count.saturating_add(1),
                    }
                    tx.put(&BACKED_UP, key, session);
                    changed = true;
                }
            }
            if changed {
                row.etag = row.etag.saturating_add(1);
                tx.put(&BACKUPS, (user, version), &row);
            }
            // Better sessions that are there already may still be on their way to the disk.
            tx.commit().await?;
            Ok(row.state())
        })
        .await
    }

    /// The sessions of a backup, to be read page by page: there may be more than memory should hold.
    ///
    /// # Errors
    /// [`E2eeError::UnknownBackup`]
    pub async fn sessions(&self, user: &UserId, version: &str, scope: &Scope) -> Result<Pages> {
        let version = number(version)?;
        existing(&self.db.view(), user, version).await?;
        Ok(Pages { db: self.db.clone(), rest: scope.range(user, version) })
    }

    /// Removes sessions from a backup.
    ///
    /// # Errors
    /// [`E2eeError::UnknownBackup`]
    pub async fn remove(&self, user: &UserId, version: &str, scope: &Scope) -> Result<BackupState> {
        let version = number(version)?;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let mut row = existing(&tx, user, version).await?;
            let gone = match scope {
                Scope::All => row.count,
                Scope::Room(_) | Scope::Session(..) => count(&tx, scope.range(user, version)).await?,
            };
            if gone > 0 {
                row.count = row.count.saturating_sub(gone);
                row.etag = row.etag.saturating_add(1);
                tx.clear_range(scope.range(user, version));
                tx.put(&BACKUPS, (user, version), &row);
            }
            tx.commit().await?;
            Ok(row.state())
        })
        .await
    }
}

/// Sessions of a backup that were not read yet.
#[derive(Debug)]
pub struct Pages {
    db: Db,
    rest: Range,
}

impl Pages {
    /// The next sessions by room and session id, in this order; none at the end. What changes meanwhile may be seen
    /// before or after the change.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn next(&mut self) -> Result<Vec<(String, String, BackedUp)>> {
        let rows = self.db.view().scan(&BACKED_UP, self.rest.clone()).first(AT_ONCE).await?;
        if let Some((last, _)) = rows.last() {
            self.rest.start = BACKED_UP.after(&(), last).start;
        }
        Ok(rows.into_iter().map(|((_, _, room, id), session)| (room, id, session)).collect())
    }
}

impl Scope {
    fn range(&self, user: &UserId, version: u64) -> Range {
        match self {
            Self::All => BACKED_UP.under(&(user, version)),
            Self::Room(room) => BACKED_UP.under(&(user, version, room)),
            Self::Session(room, id) => Range::prefix(BACKED_UP.key(&(user, version, room, id))),
        }
    }
}

impl Backup {
    fn state(&self) -> BackupState {
        BackupState { etag: self.etag.to_string(), count: self.count }
    }
}

async fn count(tx: &Tx, range: Range) -> Result<u64> {
    let (mut rows, mut count) = (tx.scan(&BACKED_UP, range), 0);
    while rows.next().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn number(version: &str) -> Result<u64> {
    version.parse().map_err(|_| E2eeError::UnknownBackup)
}

async fn existing(read: &impl Read, user: &UserId, version: u64) -> Result<Backup> {
    let row = read.get(&BACKUPS, (user, version)).await?;
    row.filter(|row| !row.deleted).ok_or(E2eeError::UnknownBackup)
}

async fn newest(read: &impl Read, user: &UserId) -> Result<Option<u64>> {
    let mut rows = read.scan_back(&BACKUPS, BACKUPS.under(&(user,))).by(2);
    while let Some(((_, version), row)) = rows.next().await? {
        if !row.deleted {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// The backup `version`, if it is the newest. Decides that no newer one has begun.
async fn newest_of(tx: &Tx, user: &UserId, version: u64) -> Result<Backup> {
    match newest(tx, user).await? {
        None => Err(E2eeError::UnknownBackup),
        Some(newest) if newest != version => Err(E2eeError::WrongVersion { current: newest.to_string() }),
        Some(_) => {
            tx.has(&BACKUPS, (user, version.saturating_add(1))).await?;
            existing(tx, user, version).await
        }
    }
}
