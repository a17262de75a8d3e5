//! What can be counted, so that tests and operators need not time it.

use std::sync::atomic::{AtomicU64, Ordering};

/// What one process has done to its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Completed fsyncs of the log on behalf of commits.
    pub fsyncs: u64,
    /// Validated commits.
    pub commits: u64,
    /// Commits refused because something they decided on had changed.
    pub conflicts: u64,
    /// Bytes of committed batches, as they go to the log.
    pub bytes: u64,
    /// Groups published; commits divided by groups is what a group shares.
    pub groups: u64,
    /// Reads that missed the cache and went to the blocking pool.
    pub misses: u64,
    /// RocksDB's newest sequence number.
    pub sequence: u64,
}

#[derive(Debug, Default)]
pub struct Tally {
    pub fsyncs: AtomicU64,
    pub commits: AtomicU64,
    pub conflicts: AtomicU64,
    pub bytes: AtomicU64,
    pub groups: AtomicU64,
    pub misses: AtomicU64,
}

/// Adds to one of a [`Tally`].
pub fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl Tally {
    pub fn read(&self, db: &rocksdb::DB) -> Counters {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            fsyncs: of(&self.fsyncs),
            commits: of(&self.commits),
            conflicts: of(&self.conflicts),
            bytes: of(&self.bytes),
            groups: of(&self.groups),
            misses: of(&self.misses),
            sequence: db.latest_sequence_number(),
        }
    }

    /// Tells the metrics recorder; called once per group.
    pub fn export(&self) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        metrics::counter!("hearth_kv_fsyncs_total").absolute(of(&self.fsyncs));
        metrics::counter!("hearth_kv_commits_total").absolute(of(&self.commits));
        metrics::counter!("hearth_kv_conflicts_total").absolute(of(&self.conflicts));
        metrics::counter!("hearth_kv_bytes_total").absolute(of(&self.bytes));
        metrics::counter!("hearth_kv_groups_total").absolute(of(&self.groups));
        metrics::counter!("hearth_kv_read_misses_total").absolute(of(&self.misses));
    }
}
