//! What can be set, and how RocksDB is configured from it.

use std::{fmt, sync::Arc};

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, LogLevel, WriteBufferManager};

/// Size of a block of rows: what one miss reads from disk.
const BLOCK_BYTES: usize = 16 << 10;
/// Bits per key of the bloom filters: about one false positive in a hundred.
const BLOOM_BITS: f64 = 10.0;
/// Open table files; half of the 1,024 descriptors that a process gets by default.
const OPEN_FILES: i32 = 512;
/// Size of one of the two text files in which RocksDB reports.
const LOG_BYTES: usize = 4 << 20;

/// When a commit that asks for it counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// After an fsync: it survives power loss.
    #[default]
    Fsync,
    /// When the operating system has it: it survives `kill -9`, not power loss.
    Os,
}

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// What `Synced` commits wait for.
    pub durability: Durability,
    /// Bytes of the block cache, index and filter blocks included.
    pub cache_bytes: usize,
    /// Bytes of all memtables together; also bounds the log that a start after a crash replays.
    pub memtable_bytes: usize,
    /// Opens a damaged database although acknowledged commits are lost by that.
    pub accept_data_loss: bool,
    /// Where tests look in.
    pub hooks: Hooks,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Fsync,
            cache_bytes: 64 << 20,
            memtable_bytes: 32 << 20,
            accept_data_loss: false,
            hooks: Hooks::default(),
        }
    }
}

/// Told of an fsync that is about to happen.
pub type BeforeSync = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;
/// Told of a completed fsync.
pub type AfterSync = Arc<dyn Fn() + Send + Sync>;
/// Told that the disk failed.
pub type OnFailure = Arc<dyn Fn(&kv::Error) + Send + Sync>;

/// Called around fsyncs, for tests; the default does nothing, and stops the process on failure.
#[derive(Clone, Default)]
pub struct Hooks {
    /// After a group was handed to the operating system, before its fsync; an error stands for a failed fsync.
    pub before_sync: Option<BeforeSync>,
    /// After the fsync, before anything of the group is published.
    pub after_sync: Option<AfterSync>,
    /// Instead of stopping the process when the disk has failed.
    pub on_failure: Option<OnFailure>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// The options that RocksDB gets.
pub fn rocks(options: &Options, recovery: DBRecoveryMode) -> rocksdb::Options {
    let mut rocks = rocksdb::Options::default();
    rocks.create_if_missing(true);
    rocks.set_wal_recovery_mode(recovery);
    rocks.set_track_and_verify_wals_in_manifest(!matches!(recovery, DBRecoveryMode::SkipAnyCorruptedRecord));
    // The syncer hands the log over by groups.
    rocks.set_manual_wal_flush(true);
    rocks.set_paranoid_checks(true);
    memory(&mut rocks, options);
    rocks.set_compression_type(DBCompressionType::Lz4);
    rocks.set_bottommost_compression_type(DBCompressionType::Zstd);
    rocks.set_level_compaction_dynamic_level_bytes(true);
    rocks.set_max_background_jobs(2);
    rocks.set_max_open_files(OPEN_FILES);
    rocks.set_bytes_per_sync(1 << 20);
    rocks.set_log_level(LogLevel::Warn);
    rocks.set_keep_log_file_num(2);
    rocks.set_max_log_file_size(LOG_BYTES);
    rocks.set_stats_dump_period_sec(0);
    rocks
}

fn memory(rocks: &mut rocksdb::Options, options: &Options) {
    let memtable = (options.memtable_bytes / 4).max(64 << 10);
    rocks.set_write_buffer_size(memtable);
    rocks.set_max_write_buffer_number(4);
    rocks.set_max_total_wal_size(2 * options.memtable_bytes as u64);
    rocks.set_write_buffer_manager(&WriteBufferManager::new_write_buffer_manager(options.memtable_bytes, false));
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(options.cache_bytes));
    table.set_block_size(BLOCK_BYTES);
    table.set_bloom_filter(BLOOM_BITS, false);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    rocks.set_block_based_table_factory(&table);
}
