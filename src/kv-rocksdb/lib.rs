//! kv-rocksdb.
