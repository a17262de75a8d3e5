//! Filters that clients name by an id. Client-server API, "Filtering".

use kv::{Db, Read};
use ruma::UserId;

use crate::{AccountError, Result, tables::FILTERS};

/// Characters of a filter's id: 64 bits of its content's hash.
const ID_LEN: usize = 16;
/// Largest filter in bytes.
const MAX_BYTES: usize = 65_536;

/// The filters of this server's users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Filters {
    db: Db,
}

impl Filters {
    /// The filters in `db`.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Keeps a filter, a JSON object, and returns its id; equal text has the same id.
    ///
    /// # Errors
    /// [`AccountError::FilterTooLarge`].
    pub async fn put(&self, user: &UserId, json: &str) -> Result<String> {
        if json.len() > MAX_BYTES {
            return Err(AccountError::FilterTooLarge(MAX_BYTES));
        }
        let mut id = blake3::hash(json.as_bytes()).to_hex().to_string();
        id.truncate(ID_LEN);
        if self.get(user, &id).await?.is_none() {
            let mut tx = self.db.begin();
            tx.put(&FILTERS, (user, id.as_str()), &json.to_owned());
            tx.commit().await?;
        }
        Ok(id)
    }

    /// The filter with this id.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn get(&self, user: &UserId, id: &str) -> Result<Option<String>> {
        Ok(self.db.view().get(&FILTERS, (user, id)).await?)
    }
}
