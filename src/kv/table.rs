use std::{fmt, marker::PhantomData};

use bytes::Bytes;

use crate::{
    Error, Result,
    codec::{Encode, EncodePrefix, KeyBuf, KeyPart},
    value::Value,
};

/// A typed table: a `const` with its id, name and version, and the types of its keys and values.
///
/// The id is the first two bytes of every key. It is unique in the program ([`crate::schema`] checks that) and
/// never used again after a table is dropped.
pub struct Table<K, V> {
    id: u16,
    name: &'static str,
    version: u8,
    types: PhantomData<fn() -> (K, V)>,
}

/// What [`crate::schema`] knows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableInfo {
    /// First two bytes of its keys.
    pub id: u16,
    /// `crate.rows`
    pub name: &'static str,
    /// Format of its values.
    pub version: u8,
}

/// A half-open range of encoded keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// First key that is in it.
    pub start: Vec<u8>,
    /// First key that is not.
    pub end: Vec<u8>,
}

impl Range {
    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: Vec<u8>) -> Self {
        let mut end = prefix.clone();
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                break;
            }
        }
        Self { start: prefix, end }
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && key < self.end.as_slice()
    }
}

impl<K, V> Table<K, V> {
    /// A table whose keys begin with `id`.
    pub const fn new(id: u16, name: &'static str, version: u8) -> Self {
        Self { id, name, version, types: PhantomData }
    }

    /// Id, name and version.
    pub const fn info(&self) -> TableInfo {
        TableInfo { id: self.id, name: self.name, version: self.version }
    }

    /// `crate.rows`
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The encoded key, with the places for stamps.
    pub fn key_buf(&self, key: &impl Encode<K>) -> KeyBuf {
        let mut out = self.start();
        key.encode(&mut out);
        out
    }

    /// The encoded key.
    pub fn key(&self, key: &impl Encode<K>) -> Vec<u8> {
        self.key_buf(key).bytes
    }

    /// All rows whose keys begin with `prefix`.
    pub fn under(&self, prefix: &impl EncodePrefix<K>) -> Range {
        let mut out = self.start();
        prefix.encode_prefix(&mut out);
        Range::prefix(out.bytes)
    }

    /// All rows.
    pub fn all(&self) -> Range {
        Range::prefix(self.id.to_be_bytes().to_vec())
    }

    /// Rows from `from` (included) to `to` (excluded).
    pub fn between(&self, from: &impl Encode<K>, to: &impl Encode<K>) -> Range {
        Range { start: self.key(from), end: self.key(to) }
    }

    /// Rows under `prefix` from `from` on (included).
    pub fn from(&self, prefix: &impl EncodePrefix<K>, from: &impl Encode<K>) -> Range {
        Range { start: self.key(from), ..self.under(prefix) }
    }

    /// Rows under `prefix` before `to` (excluded).
    pub fn before(&self, prefix: &impl EncodePrefix<K>, to: &impl Encode<K>) -> Range {
        Range { end: self.key(to), ..self.under(prefix) }
    }

    /// Rows under `prefix` after `after` (excluded).
    pub fn after(&self, prefix: &impl EncodePrefix<K>, after: &impl Encode<K>) -> Range {
        let mut start = self.key(after);
        start.push(0);
        Range { start, ..self.under(prefix) }
    }

    /// Rows under `prefix` up to `to` (included).
    pub fn upto(&self, prefix: &impl EncodePrefix<K>, to: &impl Encode<K>) -> Range {
        let mut end = self.key(to);
        end.push(0);
        Range { end, ..self.under(prefix) }
    }

    fn start(&self) -> KeyBuf {
        let mut bytes = Vec::with_capacity(48);
        bytes.extend_from_slice(&self.id.to_be_bytes());
        KeyBuf { bytes, slots: Vec::new() }
    }
}

impl<K: KeyPart, V> Table<K, V> {
    /// Reads a key of this table.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the bytes are not one.
    pub fn decode_key(&self, key: &[u8]) -> Result<K> {
        let mut rest = key.get(2..).unwrap_or_default();
        match K::decode(&mut rest) {
            Some(key) if rest.is_empty() => Ok(key),
            _ => Err(Error::corrupt(self.name, "undecodable key")),
        }
    }
}

impl<K, V: Value> Table<K, V> {
    /// The bytes stored for `value`.
    pub fn encode_value(&self, value: &V) -> Vec<u8> {
        let mut out = vec![self.version];
        value.encode(&mut out);
        out
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when they are of another version or type.
    pub fn decode_value(&self, bytes: &Bytes) -> Result<V> {
        match bytes.first() {
            Some(version) if *version == self.version => {
                V::decode(bytes.slice(1..)).map_err(|reason| Error::corrupt(self.name, reason))
            }
            Some(version) => {
                Err(Error::corrupt(self.name, format!("row version {version}, expected {}", self.version)))
            }
            None => Err(Error::corrupt(self.name, "empty row")),
        }
    }
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {} ({})", self.name, self.id)
    }
}
