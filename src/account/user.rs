//! Accounts as a whole: looking them up, their flags, their end.

use kv::{Read, Topic, Tx};
use ruma::{OwnedUserId, UserId};
use serde_json::{Value, json};

use crate::{
    AccountError, Accounts, Result, UserRow,
    localpart::{meant, user_id},
    names,
    profile::{DISPLAYNAME, parse},
    tables::{ACCOUNT_DATA, ACCOUNT_DATA_LOG, COUNT, FILTERS, FIRST_ADMIN, PASSWORDS, PROFILES, USERS},
};

impl Accounts {
    /// The account of `user`; `None` for remote and unknown users.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn user(&self, user: &UserId) -> Result<Option<UserRow>> {
        Ok(self.db.view().get(&USERS, user).await?)
    }

    /// Whether `user` has an account here that was not deactivated.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn is_active(&self, user: &UserId) -> Result<bool> {
        Ok(self.user(user).await?.is_some_and(|row| !row.deactivated))
    }

    /// Whether somebody could register `name`.
    ///
    /// # Errors
    /// [`AccountError::InvalidName`], [`AccountError::NameReserved`], [`AccountError::NameTaken`].
    pub async fn check_name(&self, name: &str) -> Result<OwnedUserId> {
        user_id(name, &self.server)?;
        if self.config.registration.reserved_names.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            return Err(AccountError::NameReserved);
        }
        self.free_name(name).await
    }

    /// The same without regard to reserved names.
    pub(crate) async fn free_name(&self, name: &str) -> Result<OwnedUserId> {
        let user = user_id(name, &self.server)?;
        match self.user(&user).await? {
            Some(_) => Err(AccountError::NameTaken),
            None => Ok(user),
        }
    }

    /// The user of this server that `name`, a localpart or a whole id in any case, stands for.
    pub fn meant(&self, name: &str) -> Option<OwnedUserId> {
        meant(name, &self.server)
    }

    /// Every account, in order of user id, after `after`, at most `limit`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn page(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<(OwnedUserId, UserRow)>> {
        let range = match after {
            Some(after) => USERS.after(&(), &after),
            None => USERS.all(),
        };
        Ok(self.db.view().scan(&USERS, range).first(limit).await?)
    }

    /// Changes flags of an account and returns it as it is now.
    ///
    /// # Errors
    /// [`AccountError::UnknownUser`] when there is no such account or it was deactivated.
    pub async fn update(&self, user: &UserId, change: impl Fn(&mut UserRow)) -> Result<UserRow> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let mut row = tx.get(&USERS, user).await?.filter(|row| !row.deactivated);
            let row = row.as_mut().ok_or(AccountError::UnknownUser)?;
            change(row);
            tx.put(&USERS, user, row);
            if row.admin {
                tx.delete(&FIRST_ADMIN, ());
            }
            tx.commit().await?;
            Ok(row.clone())
        })
        .await
    }

    /// Ends an account for good: its password, devices, tokens, profile, account data, filters and what other crates
    /// keep for it are removed, its name stays taken. Doing it again changes nothing but `erase`, which can only be added.
    ///
    /// Leaving its rooms is the caller's work. Client-server API, "Account deactivation".
    ///
    /// # Errors
    /// [`AccountError::UnknownUser`]
    pub async fn deactivate(&self, user: &UserId, erase: bool) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let mut row = tx.get(&USERS, user).await?.ok_or(AccountError::UnknownUser)?;
            row.deactivated = true;
            row.admin = false;
            row.erased |= erase;
            tx.put(&USERS, user, &row);
            tx.delete(&PASSWORDS, user);
            let profile = parse(tx.get(&PROFILES, user).await?)?;
            names::rename(&mut tx, user, profile.get(DISPLAYNAME).and_then(Value::as_str), None, false);
            tx.delete(&PROFILES, user);
            self.remove_devices_in(&mut tx, user, None).await?;
            for projection in self.projections.iter() {
                projection.ended(&mut tx, user).await?;
            }
            tx.clear(&ACCOUNT_DATA, &(user,));
            tx.clear(&ACCOUNT_DATA_LOG, &(user,));
            tx.clear(&FILTERS, &(user,));
            let slot = tx.stamp();
            tx.announce(Topic::User(user.to_owned()), slot);
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Adds an account inside `tx`. Its display name is its localpart until its user sets another one: clients would
    /// show the whole id.
    pub(crate) async fn insert(&self, tx: &mut Tx, user: &UserId, row: &UserRow, phc: Option<&String>) -> Result<()> {
        if tx.has(&USERS, user).await? {
            return Err(AccountError::NameTaken);
        }
        let count = tx.get(&COUNT, ()).await?.unwrap_or(0);
        tx.put(&COUNT, (), &(count + 1));
        tx.put(&USERS, user, row);
        names::add(tx, user);
        tx.put(&PROFILES, user, &json!({ DISPLAYNAME: user.localpart() }).to_string());
        if let Some(phc) = phc {
            tx.put(&PASSWORDS, user, phc);
        }
        if row.admin {
            tx.delete(&FIRST_ADMIN, ());
        }
        Ok(())
    }
}
