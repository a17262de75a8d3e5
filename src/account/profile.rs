//! Profiles: display name, avatar, and any other field. Client-server API, "Profiles".

use kv::{Db, Read};
use ruma::UserId;
use serde_json::{Map, Value};

use crate::{
    ProfileError, names,
    tables::{PROFILES, USERS},
};

/// Longest key in bytes.
const MAX_KEY: usize = 255;
/// A profile has fewer bytes than this, as JSON.
const MAX_PROFILE: usize = 65_536;
/// The field that people are found by.
pub(crate) const DISPLAYNAME: &str = "displayname";
/// Fields that the specification gives a type: strings.
const STRINGS: [&str; 3] = [DISPLAYNAME, "avatar_url", "m.tz"];

/// A change of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileChange {
    /// What it was.
    pub previous: Option<Value>,
    /// What it is.
    pub now: Option<Value>,
}

impl ProfileChange {
    /// Whether there is anything to tell others.
    pub fn is_change(&self) -> bool {
        self.previous != self.now
    }
}

/// The profiles of this server's users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Profiles {
    db: Db,
}

impl Profiles {
    /// The profiles in `db`.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// The whole profile.
    ///
    /// # Errors
    /// [`ProfileError::UnknownUser`]
    pub async fn get(&self, user: &UserId) -> Result<Map<String, Value>, ProfileError> {
        let view = self.db.view();
        read(&view, user).await
    }

    /// One field, if it is set.
    ///
    /// # Errors
    /// [`ProfileError::UnknownUser`]
    pub async fn field(&self, user: &UserId, key: &str) -> Result<Option<Value>, ProfileError> {
        Ok(self.get(user).await?.remove(key))
    }

    /// Display name and avatar, for a member event; nothing for unknown users.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn for_member(&self, user: &UserId) -> Result<(Option<String>, Option<String>), ProfileError> {
        let json = self.db.view().get(&PROFILES, user).await?;
        let profile = parse(json)?;
        let text = |key| profile.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok((text(DISPLAYNAME), text("avatar_url")))
    }

    /// Sets a field, or removes it by `None`, and says what changed.
    ///
    /// # Errors
    /// [`ProfileError::UnknownUser`], [`ProfileError::KeyTooLarge`], [`ProfileError::TooLarge`],
    /// [`ProfileError::NotAString`].
    pub async fn set(&self, user: &UserId, key: &str, value: Option<Value>) -> Result<ProfileChange, ProfileError> {
        if key.len() > MAX_KEY {
            return Err(ProfileError::KeyTooLarge);
        }
        if STRINGS.contains(&key) && value.as_ref().is_some_and(|value| !value.is_string()) {
            return Err(ProfileError::NotAString(key.to_owned()));
        }
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let mut profile = read(&tx, user).await?;
            let previous = match value.clone() {
                Some(value) => profile.insert(key.to_owned(), value),
                None => profile.remove(key),
            };
            let change = ProfileChange { previous, now: value.clone() };
            if change.is_change() {
                let json = Value::Object(profile).to_string();
                // A removal is let through whatever is left.
                if json.len() >= MAX_PROFILE && change.now.is_some() {
                    return Err(ProfileError::TooLarge);
                }
                tx.put(&PROFILES, user, &json);
                if key == DISPLAYNAME {
                    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
                    let (before, after) = (text(&change.previous), text(&change.now));
                    names::rename(&mut tx, user, before.as_deref(), after.as_deref(), true);
                }
            }
            tx.commit().await?;
            Ok(change)
        })
        .await
    }
}

async fn read(rows: &impl Read, user: &UserId) -> Result<Map<String, Value>, ProfileError> {
    let known = rows.get(&USERS, user).await?.is_some_and(|row| !row.deactivated);
    if !known {
        return Err(ProfileError::UnknownUser);
    }
    Ok(parse(rows.get(&PROFILES, user).await?)?)
}

/// A stored profile; an empty one if there is none.
pub(crate) fn parse(json: Option<String>) -> kv::Result<Map<String, Value>> {
    let Some(json) = json else { return Ok(Map::new()) };
    serde_json::from_str(&json).map_err(|error| kv::Error::corrupt(PROFILES.name(), error))
}
