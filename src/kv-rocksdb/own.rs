//! The engine's own rows: the mark that the database is ours, and up to where positions are leased.

use kv::{Error, Result};
use rocksdb::{DB, WriteBatch, WriteOptions};

use crate::open::engine_error;

/// Under table id `FFFF`, which [`kv::Table`]s do not use.
const MARK: &[u8] = b"\xFF\xFFmark";
const LEASED: &[u8] = b"\xFF\xFFleased";
/// What the mark says; another one is another format.
const FORMAT: &[u8] = b"hearth kv-rocksdb 1";
/// Positions leased at a time: one fsync of its own in a million.
pub const BLOCK: u64 = 1_000_000;

/// Marks a new database, or checks that it is ours, and leases the first block of this process durably.
/// Answers the last position that an earlier process may have given.
///
/// # Errors
/// [`Error::Refused`] when the database is not ours.
pub fn claim(db: &DB) -> Result<u64> {
    match db.get(MARK).map_err(engine_error)? {
        Some(mark) if mark == FORMAT => {}
        Some(mark) => {
            return Err(Error::Refused(format!(
                "the database has format {:?}, this program knows {:?}: install a newer version of Hearth",
                String::from_utf8_lossy(&mark),
                String::from_utf8_lossy(FORMAT)
            )));
        }
        None if is_empty(db)? => {}
        None => {
            return Err(Error::Refused(format!(
                "{} holds a RocksDB database that is not Hearth's: point data_dir at another directory",
                db.path().display()
            )));
        }
    }
    let given = match db.get(LEASED).map_err(engine_error)? {
        Some(bytes) => decode(&bytes)?,
        None => 0,
    };
    let mut batch = WriteBatch::default();
    batch.put(MARK, FORMAT);
    lease(&mut batch, given + BLOCK);
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    db.write_opt(batch, &synced).map_err(engine_error)?;
    Ok(given)
}

/// Writes into `batch` that positions up to `upto` are leased.
pub fn lease(batch: &mut WriteBatch, upto: u64) {
    batch.put(LEASED, upto.to_be_bytes());
}

fn is_empty(db: &DB) -> Result<bool> {
    let mut iterator = db.raw_iterator();
    iterator.seek_to_first();
    iterator.status().map_err(engine_error)?;
    Ok(!iterator.valid())
}

fn decode(bytes: &[u8]) -> Result<u64> {
    let bytes = bytes.try_into().map_err(|_| Error::corrupt("kv-rocksdb.leased", "not a number"))?;
    Ok(u64::from_be_bytes(bytes))
}
