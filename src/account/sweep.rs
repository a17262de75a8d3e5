//! Drops what has expired.

use kv::{Encode, KeyPart, Read, Table, Tx, Value};

use crate::{
    Accounts,
    tables::{LOGIN_TOKENS, NONCES, OPENID, UIA},
};

impl Accounts {
    /// Removes expired login tokens, OpenID tokens, nonces and sessions of user-interactive authentication.
    ///
    /// Says how many rows went; running it again at the same time removes nothing.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn sweep(&self) -> kv::Result<usize> {
        let now = self.clock.now();
        let mut tx = self.db.begin().relaxed();
        let mut gone = sweep_table(&mut tx, &LOGIN_TOKENS, |row| row.expires <= now).await?;
        gone += sweep_table(&mut tx, &OPENID, |row| row.expires <= now).await?;
        gone += sweep_table(&mut tx, &NONCES, |expires| *expires <= now).await?;
        gone += sweep_table(&mut tx, &UIA, |row| row.expires <= now).await?;
        if gone > 0 {
            tx.commit().await?;
        }
        Ok(gone)
    }
}

async fn sweep_table<K, V>(tx: &mut Tx, table: &Table<K, V>, expired: impl Fn(&V) -> bool) -> kv::Result<usize>
where
    K: KeyPart + Encode<K>,
    V: Value,
{
    let mut gone = Vec::new();
    let mut rows = tx.scan(table, table.all());
    while let Some((key, row)) = rows.next().await? {
        if expired(&row) {
            gone.push(key);
        }
    }
    let count = gone.len();
    for key in gone {
        tx.delete(table, key);
    }
    Ok(count)
}
