//! Opening: the lock, foreign databases, and what recovery may drop.

use std::path::Path;

use kv::{Error, Result};
use rocksdb::{DB, DBRecoveryMode, ErrorKind};

use crate::{Options, options::rocks, wal};

/// RocksDB's error as ours.
#[allow(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
pub fn engine_error(error: rocksdb::Error) -> Error {
    Error::Engine(error.to_string())
}

/// Opens the database in `path`, or says why not.
///
/// The log is first replayed strictly. If its end is torn, recovery drops what follows the tear, but only if
/// nothing was acknowledged there.
pub fn open(path: &Path, options: &Options) -> Result<DB> {
    std::fs::create_dir_all(path)
        .map_err(|error| Error::Engine(format!("cannot create {}: {error}", path.display())))?;
    refuse_foreign_families(path, options)?;
    match DB::open(&rocks(options, DBRecoveryMode::AbsoluteConsistency), path) {
        Ok(db) => Ok(db),
        Err(error) if error.kind() == ErrorKind::Corruption => open_torn(path, options, &error),
        Err(error) => Err(explained(path, error)),
    }
}

fn open_torn(path: &Path, options: &Options, strict: &rocksdb::Error) -> Result<DB> {
    match (check_torn(path, options, strict), options.accept_data_loss) {
        (Ok(0), _) => tracing::warn!(reason = %strict, "log ends in an unfinished record, dropped"),
        (Ok(dropped), _) => tracing::error!(
            reason = %strict, dropped,
            "log is damaged: changes that were not known to be on disk are dropped"
        ),
        (Err(error), true) => tracing::error!(%error, "data loss accepted by the operator"),
        (Err(error), false) => return Err(error),
    }
    match DB::open(&rocks(options, DBRecoveryMode::PointInTime), path) {
        Err(error) if options.accept_data_loss => {
            tracing::error!(%error, "database does not recover to a point in time, taking every row that is whole");
            DB::open(&rocks(options, DBRecoveryMode::SkipAnyCorruptedRecord), path).map_err(engine_error)
        }
        other => other.map_err(|error| explained(path, error)),
    }
}

/// Refuses if recovery to a point in time ends before what was durable. Answers how many changes it drops beside the
/// unfinished record. Changes nothing on disk.
fn check_torn(path: &Path, options: &Options, strict: &rocksdb::Error) -> Result<u64> {
    let lost = |reason: String| {
        Error::Refused(format!(
            "the database in {} is damaged, and opening it would lose acknowledged changes ({reason}): \
             restore a backup, or keep what is left by `hearth repair`",
            path.display()
        ))
    };
    let newest = wal::newest(path).map_err(|error| Error::Engine(format!("cannot read the log: {error}")))?;
    let readable = DB::open_for_read_only(&rocks(options, DBRecoveryMode::PointInTime), path, false)
        .map_err(|error| lost(format!("{strict}; {error}")))?;
    let recovered = readable.latest_sequence_number();
    if recovered < newest.durable {
        return Err(lost(format!("{strict}; {} changes were durable and do not recover", newest.durable - recovered)));
    }
    Ok(newest.written.saturating_sub(recovered))
}

fn refuse_foreign_families(path: &Path, options: &Options) -> Result<()> {
    if !path.join("CURRENT").exists() {
        return Ok(());
    }
    let families = DB::list_cf(&rocks(options, DBRecoveryMode::PointInTime), path).map_err(engine_error)?;
    if families.iter().any(|family| family != rocksdb::DEFAULT_COLUMN_FAMILY_NAME) {
        return Err(Error::Refused(format!(
            "{} holds a RocksDB database that is not Hearth's: point data_dir at another directory",
            path.display()
        )));
    }
    Ok(())
}

fn explained(path: &Path, error: rocksdb::Error) -> Error {
    let text = error.to_string();
    if error.kind() == ErrorKind::IOError && text.to_lowercase().contains("lock") {
        return Error::Refused(format!(
            "the database in {} is open in another process: stop that one, or talk to it ({text})",
            path.display()
        ));
    }
    engine_error(error)
}
