//! Tags of rooms, kept in the room account data `m.tag`. Client-server API, "Room Tagging".

use kv::Read;
use ruma::{RoomId, UserId};
use serde_json::{Map, Value};

use crate::{AccountData, AccountError, Result};

/// Longest name of a tag, in bytes.
pub const MAX_TAG_BYTES: usize = 255;

const KIND: &str = "m.tag";

impl AccountData {
    /// The tags that `user` gave a room: their names and what is kept with each.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn tags(&self, user: &UserId, room: &RoomId) -> Result<Map<String, Value>> {
        let view = self.db.view();
        Ok(tags(&content(&view, user, room).await?))
    }

    /// Gives a room a tag.
    ///
    /// # Errors
    /// [`AccountError::BadTag`] when the name is too long.
    pub async fn set_tag(&self, user: &UserId, room: &RoomId, tag: &str, info: &Map<String, Value>) -> Result<()> {
        if tag.len() > MAX_TAG_BYTES {
            return Err(AccountError::BadTag);
        }
        let change = |tags: &mut Map<String, Value>| {
            tags.insert(tag.to_owned(), Value::Object(info.clone()));
        };
        self.change_tags(user, room, change).await
    }

    /// Takes a tag off a room; one that it does not have is no error.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn remove_tag(&self, user: &UserId, room: &RoomId, tag: &str) -> Result<()> {
        let change = |tags: &mut Map<String, Value>| {
            tags.remove(tag);
        };
        self.change_tags(user, room, change).await
    }

    async fn change_tags(&self, user: &UserId, room: &RoomId, change: impl Fn(&mut Map<String, Value>)) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let mut content = content(&tx, user, room).await?;
            let before = tags(&content);
            let mut after = before.clone();
            change(&mut after);
            if after != before {
                content.insert("tags".to_owned(), Value::Object(after));
                Self::set_in(&mut tx, user, Some(room), KIND, &Value::Object(content).to_string()).await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }
}

/// The content of `m.tag`; clients may have written anything there.
async fn content(rows: &impl Read, user: &UserId, room: &RoomId) -> kv::Result<Map<String, Value>> {
    let json = AccountData::get_in(rows, user, Some(room), KIND).await?;
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default())
}

fn tags(content: &Map<String, Value>) -> Map<String, Value> {
    content.get("tags").and_then(Value::as_object).cloned().unwrap_or_default()
}
