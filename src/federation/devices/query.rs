//! Keys of users here and elsewhere. Client-server API, `POST /keys/query`.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use e2ee::{CrossSigning, Keys, KeysOf, RemoteKeys, remote};
use futures::{StreamExt, stream};
use kv::{Read, Stamp, View};
use ruma::{OwnedDeviceId, OwnedServerName, OwnedUserId, UserId};
use serde_json::value::RawValue;

use super::{
    RemoteDevices, Result,
    ask::Queried,
    lists::Standing,
    tables::{LISTS, ListRow, STALE},
};
use crate::CallError;

/// Servers that are asked at the same time for one client.
pub(super) const AT_ONCE: usize = 64;
/// Users in one request to another server.
const PER_REQUEST: usize = 250;
/// Devices that are kept for one user.
pub(super) const MAX_DEVICES: usize = 1000;

/// Users and which of their devices; all if there are none.
pub type Wanted = BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>;

/// Keys by user, and the servers that did not answer.
#[derive(Debug, Default)]
pub struct KeyAnswers {
    /// The keys.
    pub found: BTreeMap<OwnedUserId, KeysOf>,
    /// Why servers did not answer.
    pub failures: BTreeMap<OwnedServerName, CallError>,
}

/// What one server is asked.
struct Question {
    server: OwnedServerName,
    users: Vec<Asked>,
}

/// One user that is asked for.
struct Asked {
    user: OwnedUserId,
    standing: Standing,
    /// When they last changed as far as is known: what is fetched is kept only if nothing comes in between.
    changed: Option<Stamp>,
}

impl RemoteDevices {
    /// What `asker` sees of the keys of `wanted`. Other servers are asked side by side, each for at most `timeout`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn query(&self, asker: &UserId, wanted: &Wanted, timeout: Duration) -> Result<KeyAnswers> {
        let view = self.db.view();
        let mut answers = KeyAnswers::default();
        let mut to_ask: HashMap<OwnedServerName, Vec<Asked>> = HashMap::new();
        let mut own = None;
        for (user, devices) in wanted {
            if !self.is_ours(user) {
                if own.is_none() {
                    own = Some(self.joined(&view, asker).await?);
                }
                let standing = self.standing(&view, &own.clone().unwrap_or_default(), user).await?;
                if standing != Standing::Kept {
                    let changed = Keys::changed_at(&view, user).await?;
                    let asked = Asked { user: user.clone(), standing, changed };
                    to_ask.entry(user.server_name().to_owned()).or_default().push(asked);
                    continue;
                }
            }
            let found = self.keys.query_in(&view, Some(asker), user, devices).await?;
            answers.found.insert(user.clone(), found);
        }
        let questions = to_ask.into_iter().map(|(server, users)| Question { server, users });
        let asking = questions.map(|question| self.ask(&view, asker, wanted, question, timeout));
        let mut asking = stream::iter(asking).buffer_unordered(AT_ONCE);
        while let Some(answer) = asking.next().await {
            let answer = answer?;
            answers.found.extend(answer.found);
            answers.failures.extend(answer.failures);
        }
        Ok(answers)
    }

    /// Asks one server, and falls back to what is kept where it does not answer.
    async fn ask(
        &self,
        before: &View,
        asker: &UserId,
        wanted: &Wanted,
        question: Question,
        timeout: Duration,
    ) -> Result<KeyAnswers> {
        let mut answers = KeyAnswers::default();
        for users in question.users.chunks(PER_REQUEST) {
            let names: Vec<_> = users.iter().map(|asked| asked.user.clone()).collect();
            let told = if answers.failures.is_empty() {
                let asked = self.servers.query(&question.server, &names, timeout);
                match tokio::time::timeout(timeout, asked).await.unwrap_or(Err(CallError::Timeout)) {
                    Ok(told) => Some(told),
                    Err(error) => {
                        tracing::debug!(server = %question.server, %error, "keys were not told");
                        answers.failures.insert(question.server.clone(), error);
                        None
                    }
                }
            } else {
                None
            };
            let mut told = told.map(checked);
            for asked in users {
                let devices = wanted.get(&asked.user).map_or(&[][..], Vec::as_slice);
                let found = match (&mut told, asked.standing) {
                    (Some(told), standing) => {
                        let keys = told.remove(&asked.user).unwrap_or_default();
                        let is_kept = standing != Standing::Stranger && self.keep(before, asked, &keys).await?;
                        match is_kept {
                            true => self.keys.query(Some(asker), &asked.user, devices).await?,
                            false => shown(keys, devices)?,
                        }
                    }
                    (None, Standing::Fetch { old: true }) => self.keys.query(Some(asker), &asked.user, devices).await?,
                    (None, _) => continue,
                };
                answers.found.insert(asked.user.clone(), found);
            }
        }
        Ok(answers)
    }

    /// Keeps what was fetched of a user, unless something came in between. Whether it is kept.
    async fn keep(&self, before: &View, asked: &Asked, keys: &RemoteKeys) -> Result<bool> {
        let user = &asked.user;
        let kept = kv::retry(|| async {
            let mut tx = self.db.begin();
            if Keys::changed_at(&tx, user).await? != asked.changed {
                return Ok(false);
            }
            Keys::replace_remote(&mut tx, user, keys).await?;
            tx.put(&LISTS, user, &ListRow { stream: None, since: before.positions().clone() });
            if tx.has(&STALE, user).await? {
                tx.delete(&STALE, user);
            }
            tx.commit().await?;
            Ok::<_, kv::Error>(true)
        });
        Ok(kept.await?)
    }
}

/// What a server told of its own users, as far as it makes sense.
fn checked(told: Queried) -> HashMap<OwnedUserId, RemoteKeys> {
    let mut users: HashMap<OwnedUserId, RemoteKeys> = HashMap::new();
    for (user, devices) in told.device_keys {
        let keys = devices.into_iter().take(MAX_DEVICES);
        let keys = keys.filter_map(|(device, keys)| {
            let keys = remote::identity_keys(&user, &device, keys.get())?;
            Some((device, keys))
        });
        let keys = keys.collect();
        users.entry(user).or_default().devices = keys;
    }
    for (user, key) in told.master_keys {
        let key = remote::cross_signing_key(&user, CrossSigning::Master, key.get());
        users.entry(user).or_default().master = key;
    }
    for (user, key) in told.self_signing_keys {
        let key = remote::cross_signing_key(&user, CrossSigning::SelfSigning, key.get());
        users.entry(user).or_default().self_signing = key;
    }
    users
}

/// Keys that are not kept, as they are answered.
fn shown(keys: RemoteKeys, devices: &[OwnedDeviceId]) -> Result<KeysOf> {
    let raw = |text: String| {
        RawValue::from_string(text).map_err(|error| kv::Error::corrupt("keys of another server", error.to_string()))
    };
    let mut shown = KeysOf::default();
    for (device, text) in keys.devices {
        if devices.is_empty() || devices.contains(&device) {
            shown.devices.insert(device, raw(text)?);
        }
    }
    shown.master = keys.master.map(raw).transpose()?;
    shown.self_signing = keys.self_signing.map(raw).transpose()?;
    Ok(shown)
}
