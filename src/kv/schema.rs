//! Which product and schema a database belongs to.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{Db, Error, Read, Result, Table, TableInfo};

/// Named facts about the database itself.
const META: Table<String, String> = Table::new(0, "kv.meta", 1);
/// Version of each table as last opened.
const TABLES: Table<u16, TableVersion> = Table::new(1, "kv.tables", 1);

/// Raised by a change that older programs cannot read.
pub const SCHEMA: u32 = 1;
const PRODUCT: &str = "hearth";

#[derive(Debug, Serialize, Deserialize)]
struct TableVersion {
    name: String,
    version: u8,
}
crate::value!(TableVersion);

/// Claims an empty database for Hearth, or checks that it is ours and of a schema this program knows.
///
/// # Errors
/// [`Error::Refused`] with what to do, when the database is foreign or newer.
pub async fn open(db: &Db, tables: &[TableInfo]) -> Result<()> {
    distinct(tables)?;
    crate::retry(|| async {
        let mut tx = db.begin();
        match tx.get(&META, "product").await? {
            None => {
                refuse_unnamed(&tx).await?;
                tx.put(&META, "product", &PRODUCT.to_owned());
                tx.put(&META, "schema", &SCHEMA.to_string());
            }
            Some(product) if product == PRODUCT => check_schema(tx.get(&META, "schema").await?)?,
            Some(product) => {
                return Err(Error::Refused(format!(
                    "the database belongs to {product}, not to {PRODUCT}: point data_dir at another directory"
                )));
            }
        }
        for table in tables {
            check_table(&mut tx, table).await?;
        }
        tx.commit().await
    })
    .await
}

/// The database's epoch, made by `fresh` the first time; a restore from a backup changes it.
///
/// # Errors
/// When storage fails.
pub async fn epoch(db: &Db, fresh: &str) -> Result<String> {
    crate::retry(|| async {
        let mut tx = db.begin();
        if let Some(epoch) = tx.get(&META, "epoch").await? {
            return Ok(epoch);
        }
        tx.put(&META, "epoch", &fresh.to_owned());
        tx.commit().await?;
        Ok(fresh.to_owned())
    })
    .await
}

/// Gives the database another epoch: it was restored, so positions after the backup's come a second time.
///
/// # Errors
/// When storage fails.
pub async fn renew_epoch(db: &Db, fresh: &str) -> Result<()> {
    crate::retry(|| async {
        let mut tx = db.begin();
        tx.put(&META, "epoch", &fresh.to_owned());
        tx.commit().await
    })
    .await
}

/// Whether [`watch`] was called for this database.
///
/// # Errors
/// When storage fails.
pub async fn is_watched(db: &Db) -> Result<bool> {
    db.view().has(&META, "watched").await
}

/// Notes that something outside of the database remembers its positions, and is missed when it is gone.
///
/// # Errors
/// When storage fails.
pub async fn watch(db: &Db) -> Result<()> {
    crate::retry(|| async {
        let mut tx = db.begin();
        if !tx.has(&META, "watched").await? {
            tx.put(&META, "watched", &String::new());
            tx.commit().await?;
        }
        Ok(())
    })
    .await
}

/// Refuses rows that nobody claims.
async fn refuse_unnamed(tx: &crate::Tx) -> Result<()> {
    // Table id FFFF is the engine's own.
    let everything = crate::Range { start: Vec::new(), end: vec![0xFF, 0xFF] };
    if tx.raw_page(&everything, 1, false).await?.is_empty() {
        return Ok(());
    }
    Err(Error::Refused("the database has rows but names no product: point data_dir at another directory".into()))
}

fn distinct(tables: &[TableInfo]) -> Result<()> {
    let mut seen = HashMap::from([(0, META.name()), (1, TABLES.name())]);
    for table in tables {
        if let Some(other) = seen.insert(table.id, table.name) {
            return Err(Error::Refused(format!("tables {other} and {} share id {}", table.name, table.id)));
        }
    }
    Ok(())
}

fn check_schema(stored: Option<String>) -> Result<()> {
    match stored.as_deref().map(str::parse::<u32>) {
        Some(Ok(schema)) if schema <= SCHEMA => Ok(()),
        Some(Ok(schema)) => Err(Error::Refused(format!(
            "the database has schema {schema}, this program knows {SCHEMA}: install a newer version of Hearth"
        ))),
        _ => Err(Error::Refused("the database names no schema: restore it from a backup".into())),
    }
}

async fn check_table(tx: &mut crate::Tx, table: &TableInfo) -> Result<()> {
    let current = TableVersion { name: table.name.to_owned(), version: table.version };
    match tx.get(&TABLES, table.id).await? {
        None => tx.put(&TABLES, table.id, &current),
        Some(stored) if stored.name != table.name => {
            return Err(Error::Refused(format!("table {} holds {}, not {}", table.id, stored.name, table.name)));
        }
        Some(stored) if stored.version > table.version => {
            return Err(Error::Refused(format!(
                "table {} has version {}, this program knows {}: install a newer version of Hearth",
                table.name, stored.version, table.version
            )));
        }
        Some(stored) if stored.version < table.version => {
            return Err(Error::Refused(format!(
                "table {} needs a migration from version {}",
                table.name, stored.version
            )));
        }
        Some(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    const ROWS: Table<u64, String> = Table::new(0x7F10, "test.rows", 1);

    #[tokio::test]
    async fn an_empty_database_is_claimed_once_and_opens_again() {
        let db = Db::new(Memory::new());
        open(&db, &[ROWS.info()]).await.unwrap();
        open(&db, &[ROWS.info()]).await.unwrap();
    }

    #[tokio::test]
    async fn rows_without_a_product_are_refused() {
        let db = Db::new(Memory::new());
        let mut tx = db.begin();
        tx.put(&ROWS, 1, &"whose".to_owned());
        tx.commit().await.unwrap();
        assert!(matches!(open(&db, &[]).await, Err(Error::Refused(_))));
    }

    #[tokio::test]
    async fn a_newer_schema_and_none_are_refused_and_say_what_to_do() {
        for (stored, advice) in [(Some(SCHEMA + 1), "install a newer version"), (None, "restore it from a backup")] {
            let db = Db::new(Memory::new());
            open(&db, &[]).await.unwrap();
            let mut tx = db.begin();
            match stored {
                Some(schema) => tx.put(&META, "schema", &schema.to_string()),
                None => tx.delete(&META, "schema"),
            }
            tx.commit().await.unwrap();
            let refusal = open(&db, &[]).await.unwrap_err().to_string();
            assert!(refusal.contains(advice), "{refusal}");
        }
    }

    #[tokio::test]
    async fn tables_that_share_an_id_or_changed_their_name_or_fell_behind_are_refused() {
        let db = Db::new(Memory::new());
        let twin = TableInfo { name: "test.twin", ..ROWS.info() };
        assert!(matches!(open(&db, &[ROWS.info(), twin]).await, Err(Error::Refused(_))));
        open(&db, &[ROWS.info()]).await.unwrap();
        assert!(matches!(open(&db, &[twin]).await, Err(Error::Refused(_))));
        assert!(matches!(open(&db, &[TableInfo { version: 2, ..ROWS.info() }]).await, Err(Error::Refused(_))));
        open(&db, &[ROWS.info()]).await.unwrap();
    }

    #[tokio::test]
    async fn another_product_and_newer_tables_are_refused() {
        let db = Db::new(Memory::new());
        open(&db, &[TableInfo { version: 2, ..ROWS.info() }]).await.unwrap();
        assert!(matches!(open(&db, &[ROWS.info()]).await, Err(Error::Refused(_))));
        let mut tx = db.begin();
        tx.put(&META, "product", &"another".to_owned());
        tx.commit().await.unwrap();
        assert!(matches!(open(&db, &[]).await, Err(Error::Refused(_))));
    }
}
