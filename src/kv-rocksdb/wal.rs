//! Reads RocksDB's log after damage: up to where had it been durable, and how far had it come?
//!
//! Every batch begins with a mark that recovery ignores: the sequence number known to be fsynced when it was
//! written. The newest mark in the log is a lower bound of what must come back. The format is that of RocksDB's
//! wiki page "Write Ahead Log File Format": blocks of 32 KiB with records of
//! checksum (4 bytes), length (2), type (1), payload.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;
/// Types of records that begin a batch: whole ones and first fragments.
const FULL: u8 = 1;
const FIRST: u8 = 2;
/// A batch begins with sequence number (8 bytes) and count (4); then follows our mark as log data (type 3).
const BATCH_HEADER: usize = 12;
const LOG_DATA: u8 = 3;
/// Tells our marks from any other log data.
const TAG: u8 = b'D';
const MARK: usize = 9;

/// The mark of a batch written when everything up to `durable` was fsynced.
pub fn mark(durable: u64) -> [u8; MARK] {
    let [a, b, c, d, e, f, g, h] = durable.to_be_bytes();
    [TAG, a, b, c, d, e, f, g, h]
}

/// What the newest whole record of the logs says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Newest {
    /// RocksDB's sequence number that was known to be fsynced when it was written.
    pub durable: u64,
    /// RocksDB's sequence number that was written before it.
    pub written: u64,
}

/// The newest record in the logs of the database in `path`; zeros if there is none.
pub fn newest(path: &Path) -> io::Result<Newest> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let number = file.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(number) = number.filter(|_| file.extension().is_some_and(|extension| extension == "log")) {
            logs.push((number, file));
        }
    }
    logs.sort_unstable();
    for (_, log) in logs.iter().rev() {
        if let Some(newest) = newest_in(log)? {
            return Ok(newest);
        }
    }
    Ok(Newest::default())
}

/// The newest record of one log, read from its end, as marks never go down. Records with a wrong checksum are skipped
/// with the rest of their block.
fn newest_in(log: &Path) -> io::Result<Option<Newest>> {
    let mut log = File::open(log)?;
    let blocks = log.metadata()?.len().div_ceil(BLOCK as u64);
    for block in (0..blocks).rev() {
        let mut bytes = Vec::with_capacity(BLOCK);
        log.seek(SeekFrom::Start(block * BLOCK as u64))?;
        log.by_ref().take(BLOCK as u64).read_to_end(&mut bytes)?;
        if let Some(newest) = marked(&bytes).last() {
            return Ok(Some(*newest));
        }
    }
    Ok(None)
}

fn marked(block: &[u8]) -> Vec<Newest> {
    let mut found = Vec::new();
    let mut rest = block;
    while let Some((kind, payload, next)) = record(rest) {
        if kind == FULL || kind == FIRST {
            found.extend(mark_of(payload));
        }
        rest = next;
    }
    found
}

/// Type and payload of the first record, and what follows it; `None` at the end or at damage.
fn record(block: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (header, rest) = block.split_at_checked(HEADER)?;
    let [c0, c1, c2, c3, l0, l1, kind] = header.try_into().ok()?;
    let (payload, next) = rest.split_at_checked(usize::from(u16::from_le_bytes([l0, l1])))?;
    let known = kind != 0;
    (known && masked_crc(kind, payload) == u32::from_le_bytes([c0, c1, c2, c3])).then_some((kind, payload, next))
}

fn mark_of(batch: &[u8]) -> Option<Newest> {
    let (header, data) = batch.split_at_checked(BATCH_HEADER)?;
    let first = u64::from_le_bytes(header.get(..8)?.try_into().ok()?);
    let mark = data.strip_prefix(&[LOG_DATA, MARK as u8, TAG])?;
    let durable = u64::from_be_bytes(mark.get(..8)?.try_into().ok()?);
    Some(Newest { durable, written: first.saturating_sub(1) })
}

/// CRC-32C of type and payload, masked as LevelDB does, since data with embedded checksums confuse a plain one.
fn masked_crc(kind: u8, payload: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in std::iter::once(&kind).chain(payload) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            // The reversed Castagnoli polynomial.
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xA282_EAD8)
}
