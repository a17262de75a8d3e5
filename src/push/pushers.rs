//! Pushers: where the notifications of a user's devices go. Client-server API, "Push Notifications".

use account::{DeviceChange, DeviceProjection};
use futures::{FutureExt, future::BoxFuture};
use kv::{Db, Read, Tx};
use ruma::{
    DeviceId, UserId,
    api::client::push::{Pusher, PusherIds, PusherKind},
};

use crate::{
    PushError, Result,
    tables::{PUSHERS, PUSHKEYS, PusherRow, SUBSCRIPTION_LOG, SUBSCRIPTIONS},
};

/// Longest `pushkey` in bytes.
const MAX_PUSHKEY: usize = 512;
/// Longest `app_id` in characters.
const MAX_APP_ID: usize = 64;
/// The path that every push gateway has.
const GATEWAY: &str = "/_matrix/push/v1/notify";

/// The pushers of this server's users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pushers {
    db: Db,
}

impl Pushers {
    /// The pushers in `db`.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// All pushers of a user.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn of(&self, user: &UserId) -> Result<Vec<Pusher>> {
        let view = self.db.view();
        let rows = view.scan(&PUSHERS, PUSHERS.under(&(user,))).collect().await?;
        let parsed = rows.iter().map(|(_, row)| serde_json::from_str(&row.json));
        let pushers: serde_json::Result<Vec<_>> = parsed.collect();
        Ok(pushers.map_err(|error| kv::Error::corrupt(PUSHERS.name(), error))?)
    }

    /// Adds a pusher for a device of `user`, or replaces the one with the same ids. Pushers of other users with
    /// these ids go unless `append` is set: the app has another user now.
    ///
    /// # Errors
    /// [`PushError::Invalid`].
    pub async fn set(&self, user: &UserId, device: &DeviceId, pusher: &Pusher, append: bool) -> Result<()> {
        check(pusher)?;
        let PusherIds { app_id, pushkey, .. } = &pusher.ids;
        let json = serde_json::to_string(pusher).map_err(|error| PushError::Invalid(error.to_string()))?;
        let row = PusherRow { device: device.to_owned(), json };
        kv::retry(|| async {
            let mut tx = self.db.begin();
            if !append {
                let same = tx.scan(&PUSHKEYS, PUSHKEYS.under(&(app_id, pushkey))).collect().await?;
                for ((_, _, other), ()) in same.iter().filter(|((_, _, other), ())| other != user) {
                    remove(&mut tx, other, app_id, pushkey);
                }
            }
            tx.put(&PUSHERS, (user, app_id, pushkey), &row);
            tx.put(&PUSHKEYS, (app_id, pushkey, user), &());
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Removes a pusher of `user`, if there is such a one.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn remove(&self, user: &UserId, ids: &PusherIds) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            remove(&mut tx, user, &ids.app_id, &ids.pushkey);
            Ok(tx.commit().await?)
        })
        .await
    }
}

fn remove(tx: &mut Tx, user: &UserId, app_id: &str, pushkey: &str) {
    tx.delete(&PUSHERS, (user, app_id, pushkey));
    tx.delete(&PUSHKEYS, (app_id, pushkey, user));
}

/// Refuses what the specification does not allow and what this server cannot push to.
fn check(pusher: &Pusher) -> Result<()> {
    let invalid = |what: &str| Err(PushError::Invalid(what.to_owned()));
    let PusherIds { app_id, pushkey, .. } = &pusher.ids;
    if pushkey.is_empty() || pushkey.len() > MAX_PUSHKEY {
        return invalid("pushkey has 1 to 512 bytes");
    }
    if app_id.is_empty() || app_id.chars().count() > MAX_APP_ID {
        return invalid("app_id has 1 to 64 characters");
    }
    match &pusher.kind {
        PusherKind::Http(data) if is_gateway(&data.url) => Ok(()),
        PusherKind::Http(_) => invalid("url is an address of a push gateway: http(s)://…/_matrix/push/v1/notify"),
        _ => invalid("pushers of this server are of kind http"),
    }
}

fn is_gateway(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.and_then(|rest| rest.strip_suffix(GATEWAY));
    let is_odd = |c: char| matches!(c, '/' | '?' | '#' | '@' | '\\') || c.is_whitespace() || c.is_control();
    authority.is_some_and(|authority| !authority.is_empty() && !authority.contains(is_odd))
}

/// Removes the pushers of a device with it.
#[derive(Debug, Clone, Copy)]
pub struct PushersProjection;

impl DeviceProjection for PushersProjection {
    fn device<'a>(
        &'a self,
        tx: &'a mut Tx,
        user: &'a UserId,
        device: &'a DeviceId,
        change: DeviceChange,
    ) -> BoxFuture<'a, kv::Result<()>> {
        async move {
            if change != DeviceChange::Removed {
                return Ok(());
            }
            let rows = tx.scan(&PUSHERS, PUSHERS.under(&(user,))).collect().await?;
            for ((_, app_id, pushkey), row) in rows {
                if row.device == device {
                    remove(tx, user, &app_id, &pushkey);
                }
            }
            Ok(())
        }
        .boxed()
    }

    /// Whose account has ended follows no threads either.
    fn ended<'a>(&'a self, tx: &'a mut Tx, user: &'a UserId) -> BoxFuture<'a, kv::Result<()>> {
        tx.clear(&SUBSCRIPTIONS, &(user,));
        tx.clear(&SUBSCRIPTION_LOG, &(user,));
        futures::future::ready(Ok(())).boxed()
    }
}
