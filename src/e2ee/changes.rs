//! Whose devices changed when.

use std::collections::HashSet;

use kv::{Read, Stamp, Topic, Tx};
use ruma::{OwnedUserId, UserId};

use crate::{
    Keys, Result,
    tables::{CHANGE_LOG, CHANGED, OWN_CHANGED, OWN_LOG},
};

/// Notes in `tx` that devices or keys of `user` changed, for everybody who shares a room with them.
pub async fn mark(tx: &mut Tx, user: &UserId) -> kv::Result<()> {
    if let Some(row) = tx.get(&CHANGED, user).await? {
        if row.at.n == 0 {
            // Noted in this transaction already.
            return Ok(());
        }
        tx.delete(&CHANGE_LOG, row.at);
    }
    let slot = tx.stamp();
    tx.put_stamped(&CHANGED, user, slot, ());
    tx.put(&CHANGE_LOG, slot, &user.to_owned());
    tx.announce(Topic::Devices(user.to_owned()), slot);
    Ok(())
}

/// Notes in `tx` that `user` alone sees something new of the keys of `target`.
pub async fn mark_own(tx: &mut Tx, user: &UserId, target: &UserId) -> kv::Result<()> {
    if let Some(row) = tx.get(&OWN_CHANGED, (user, target)).await? {
        tx.delete(&OWN_LOG, (user, row.at));
    }
    let slot = tx.stamp();
    tx.put_stamped(&OWN_CHANGED, (user, target), slot, ());
    tx.put(&OWN_LOG, (user, slot), &target.to_owned());
    tx.announce(Topic::User(user.to_owned()), slot);
    Ok(())
}

impl Keys {
    /// The users whose devices changed from position `from` up to before `to`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn changed(&self, read: &impl Read, from: Stamp, to: Stamp) -> Result<HashSet<OwnedUserId>> {
        let rows = read.scan(&CHANGE_LOG, CHANGE_LOG.between(&from, &to)).collect().await?;
        Ok(rows.into_iter().map(|(_, user)| user).collect())
    }

    /// The users of whose keys `user` alone sees something new from position `from` up to before `to`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn changed_for(
        &self,
        read: &impl Read,
        user: &UserId,
        from: Stamp,
        to: Stamp,
    ) -> Result<HashSet<OwnedUserId>> {
        let rows = read.scan(&OWN_LOG, OWN_LOG.between(&(user, from), &(user, to))).collect().await?;
        Ok(rows.into_iter().map(|(_, target)| target).collect())
    }
}
