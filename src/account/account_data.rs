//! What clients keep on the server, for themselves and per room. Client-server API, "Client Config".

use std::collections::{BTreeMap, HashSet};

use kv::{Db, Positions, Read, Stamp, Stamped, Topic, Tx, View};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use crate::{
    Result,
    tables::{ACCOUNT_DATA, ACCOUNT_DATA_LOG, DataKey},
};

/// Content of what was removed: its row stays, so that the next change finds its place in the log.
const REMOVED: &str = "";

/// One piece of account data as /sync shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDataChange {
    /// The room; `None` for global account data.
    pub room: Option<OwnedRoomId>,
    /// The event type.
    pub kind: String,
    /// The content as JSON; `{}` when it was removed.
    pub content: String,
}

/// The account data of this server's users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AccountData {
    pub(crate) db: Db,
}

impl AccountData {
    /// The account data in `db`.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// The content of `kind`, as JSON.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn get(&self, user: &UserId, room: Option<&RoomId>, kind: &str) -> Result<Option<String>> {
        Ok(Self::get_in(&self.db.view(), user, room, kind).await?)
    }

    /// The content of `kind`, as JSON, as `rows` shows it.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn get_in(
        rows: &impl Read,
        user: &UserId,
        room: Option<&RoomId>,
        kind: &str,
    ) -> kv::Result<Option<String>> {
        Ok(Self::stamped_in(rows, user, room, kind).await?.map(|(_, content)| content))
    }

    /// The content of `kind`, as JSON, with the position of its last change.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn stamped_in(
        rows: &impl Read,
        user: &UserId,
        room: Option<&RoomId>,
        kind: &str,
    ) -> kv::Result<Option<(Stamp, String)>> {
        let row = rows.get(&ACCOUNT_DATA, (user, text(room), kind)).await?;
        Ok(row.map(|row| (row.at, row.value)).filter(|(_, content)| content != REMOVED))
    }

    /// Sets `kind` to `content`, a JSON object.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn set(&self, user: &UserId, room: Option<&RoomId>, kind: &str, content: &str) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            Self::set_in(&mut tx, user, room, kind, content).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Removes `kind`; whether there was anything.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn remove(&self, user: &UserId, room: Option<&RoomId>, kind: &str) -> Result<bool> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let is_there = Self::get_in(&tx, user, room, kind).await?.is_some();
            if is_there {
                Self::remove_in(&mut tx, user, room, kind).await?;
            }
            tx.commit().await?;
            Ok(is_there)
        })
        .await
    }

    /// Removes `kind` inside `tx`.
    pub(crate) async fn remove_in(tx: &mut Tx, user: &UserId, room: Option<&RoomId>, kind: &str) -> kv::Result<()> {
        Self::set_in(tx, user, room, kind, REMOVED).await
    }

    /// Sets `kind` to `content`, a JSON object, inside `tx`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn set_in(
        tx: &mut Tx,
        user: &UserId,
        room: Option<&RoomId>,
        kind: &str,
        content: &str,
    ) -> kv::Result<()> {
        let key = (user, text(room), kind);
        let old = tx.get(&ACCOUNT_DATA, key).await?;
        let slot = log(tx, user, room, kind, old.map(|old| old.at));
        tx.put_stamped(&ACCOUNT_DATA, key, slot, content.to_owned());
        Ok(())
    }

    /// Everything of `user`, global and of all rooms.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn all(&self, view: &View, user: &UserId) -> kv::Result<Vec<AccountDataChange>> {
        let rows = view.scan(&ACCOUNT_DATA, ACCOUNT_DATA.under(&(user,))).collect().await?;
        present(rows)
    }

    /// Everything of `user` in one room, or the global ones.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn within(
        &self,
        view: &View,
        user: &UserId,
        room: Option<&RoomId>,
    ) -> kv::Result<Vec<AccountDataChange>> {
        let rows = view.scan(&ACCOUNT_DATA, ACCOUNT_DATA.under(&(user, text(room)))).collect().await?;
        present(rows)
    }

    /// What changed after `since` up to `upto`, oldest change first, each piece once and as it is in `view`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn changes(
        &self,
        view: &View,
        user: &UserId,
        since: &Positions,
        upto: &Positions,
    ) -> kv::Result<Vec<AccountDataChange>> {
        let mut changed = BTreeMap::new();
        for (writer, last) in upto.iter() {
            let from = (user, Stamp { writer, n: since.of(writer).saturating_add(1) });
            let to = (user, Stamp { writer, n: last.saturating_add(1) });
            let mut rows = view.scan(&ACCOUNT_DATA_LOG, ACCOUNT_DATA_LOG.between(&from, &to));
            while let Some(((_, stamp), key)) = rows.next().await? {
                changed.insert((stamp.n, writer), key);
            }
        }
        let mut seen = HashSet::new();
        let keys: Vec<DataKey> = changed.into_values().filter(|key| seen.insert(key.clone())).collect();
        // Collected first: a closure in the future would keep callers' futures from being `Send`.
        let rows: Vec<_> = keys.iter().map(|key| (user, key.room.as_str(), key.kind.as_str())).collect();
        let rows = view.get_many(&ACCOUNT_DATA, rows).await?;
        let content = |row: Option<Stamped<String>>| match row {
            Some(row) if row.value != REMOVED => row.value,
            _ => "{}".to_owned(),
        };
        keys.into_iter().zip(rows).map(|(key, row)| change(&key.room, key.kind, content(row))).collect()
    }
}

/// Notes the change in the log in place of the one before, and wakes the user's syncs.
fn log(tx: &mut Tx, user: &UserId, room: Option<&RoomId>, kind: &str, before: Option<Stamp>) -> kv::Slot {
    if let Some(before) = before {
        tx.delete(&ACCOUNT_DATA_LOG, (user, before));
    }
    let slot = tx.stamp();
    let key = DataKey { room: text(room).to_owned(), kind: kind.to_owned() };
    tx.put(&ACCOUNT_DATA_LOG, (user, slot), &key);
    tx.announce(Topic::User(user.to_owned()), slot);
    slot
}

fn text(room: Option<&RoomId>) -> &str {
    room.map_or("", RoomId::as_str)
}

fn present(rows: Vec<((OwnedUserId, String, String), Stamped<String>)>) -> kv::Result<Vec<AccountDataChange>> {
    let rows = rows.into_iter().filter(|(_, row)| row.value != REMOVED);
    rows.map(|((_, room, kind), row)| change(&room, kind, row.value)).collect()
}

fn change(room: &str, kind: String, content: String) -> kv::Result<AccountDataChange> {
    let room = match room {
        "" => None,
        room => Some(RoomId::parse(room).map_err(|error| kv::Error::corrupt(ACCOUNT_DATA.name(), error))?),
    };
    Ok(AccountDataChange { room, kind, content })
}
