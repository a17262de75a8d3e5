use std::{future::Future, sync::Arc};

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{
    Encode, KeyPart, Positions, Range, Result, Table, Value,
    engine::{Rows, Snapshot},
};

/// Rows fetched at a time by [`Page`].
const PAGE: usize = 128;

/// Typed reads, the same for a [`View`] and a [`crate::Tx`].
pub trait Read: Send + Sync {
    /// Whether what is read here is committed: a transaction says no once it has written something.
    fn is_pristine(&self) -> bool;

    /// One row by its encoded key. A transaction remembers the key if it `decides` on the row.
    fn raw_get(&self, key: Vec<u8>, decides: bool) -> BoxFuture<'_, Result<Option<Bytes>>>;

    /// Rows by their encoded keys.
    fn raw_multi_get(&self, keys: Vec<Vec<u8>>) -> BoxFuture<'_, Result<Vec<Option<Bytes>>>>;

    /// At most `limit` rows of `range`.
    fn raw_page<'a>(&'a self, range: &'a Range, limit: usize, reverse: bool) -> BoxFuture<'a, Result<Rows>>;

    /// The row under `key`. A transaction that commits is sure that it did not change meanwhile.
    fn get<K, V: Value>(
        &self,
        table: &Table<K, V>,
        key: impl Encode<K>,
    ) -> impl Future<Output = Result<Option<V>>> + Send {
        let bytes = self.raw_get(table.key(&key), true);
        async move { bytes.await?.map(|bytes| table.decode_value(&bytes)).transpose() }
    }

    /// The row under `key`, without the transaction depending on it.
    fn peek<K, V: Value>(
        &self,
        table: &Table<K, V>,
        key: impl Encode<K>,
    ) -> impl Future<Output = Result<Option<V>>> + Send {
        let bytes = self.raw_get(table.key(&key), false);
        async move { bytes.await?.map(|bytes| table.decode_value(&bytes)).transpose() }
    }

    /// Whether there is a row under `key`.
    fn has<K, V: Value>(&self, table: &Table<K, V>, key: impl Encode<K>) -> impl Future<Output = Result<bool>> + Send {
        let bytes = self.raw_get(table.key(&key), true);
        async move { Ok(bytes.await?.is_some()) }
    }

    /// The rows under `keys`, in their order, without the transaction depending on them.
    ///
    /// Boxed, so that the future's type does not name the iterator: the compiler could not see then that it may
    /// move between threads.
    fn get_many<'a, K, V: Value + Send>(
        &'a self,
        table: &'a Table<K, V>,
        keys: impl IntoIterator<Item = impl Encode<K>>,
    ) -> BoxFuture<'a, Result<Vec<Option<V>>>> {
        let rows = self.raw_multi_get(keys.into_iter().map(|key| table.key(&key)).collect());
        Box::pin(async move {
            let rows = rows.await?;
            rows.iter().map(|row| row.as_ref().map(|bytes| table.decode_value(bytes)).transpose()).collect()
        })
    }

    /// The rows of `range` in order, fetched by pages; a transaction does not depend on them.
    fn scan<'a, K: KeyPart, V: Value>(&'a self, table: &'a Table<K, V>, range: Range) -> Page<'a, Self, K, V>
    where
        Self: Sized,
    {
        Page::new(self, table, range, false)
    }

    /// The rows of `range`, last first.
    fn scan_back<'a, K: KeyPart, V: Value>(&'a self, table: &'a Table<K, V>, range: Range) -> Page<'a, Self, K, V>
    where
        Self: Sized,
    {
        Page::new(self, table, range, true)
    }
}

/// Walks a range of rows.
pub struct Page<'a, R, K, V> {
    read: &'a R,
    table: &'a Table<K, V>,
    range: Range,
    reverse: bool,
    size: usize,
    rows: std::vec::IntoIter<(Bytes, Bytes)>,
    done: bool,
}

impl<'a, R: Read, K: KeyPart, V: Value> Page<'a, R, K, V> {
    fn new(read: &'a R, table: &'a Table<K, V>, range: Range, reverse: bool) -> Self {
        Self { read, table, range, reverse, size: PAGE, rows: Vec::new().into_iter(), done: false }
    }

    /// Fetches `size` rows at a time: what the caller expects to use.
    #[must_use]
    pub fn by(mut self, size: usize) -> Self {
        self.size = size.max(1);
        self
    }

    /// The next row.
    ///
    /// # Errors
    /// When the engine fails or a row does not decode.
    pub async fn next(&mut self) -> Result<Option<(K, V)>> {
        if self.rows.len() == 0 && !self.done {
            self.fetch().await?;
        }
        let Some((key, value)) = self.rows.next() else { return Ok(None) };
        Ok(Some((self.table.decode_key(&key)?, self.table.decode_value(&value)?)))
    }

    /// All rows that are left.
    ///
    /// # Errors
    /// As [`Page::next`].
    pub async fn collect(mut self) -> Result<Vec<(K, V)>> {
        let mut all = Vec::new();
        while let Some(row) = self.next().await? {
            all.push(row);
        }
        Ok(all)
    }

    /// At most `n` rows.
    ///
    /// # Errors
    /// As [`Page::next`].
    pub async fn first(mut self, n: usize) -> Result<Vec<(K, V)>> {
        self.size = n.clamp(1, self.size);
        let mut some = Vec::new();
        while some.len() < n {
            match self.next().await? {
                Some(row) => some.push(row),
                None => break,
            }
        }
        Ok(some)
    }

    async fn fetch(&mut self) -> Result<()> {
        let rows = self.read.raw_page(&self.range, self.size, self.reverse).await?;
        self.done = rows.len() < self.size;
        if let Some((last, _)) = rows.last() {
            if self.reverse {
                self.range.end = last.to_vec();
            } else {
                self.range.start = [last, [0].as_slice()].concat();
            }
        }
        self.rows = rows.into_iter();
        Ok(())
    }
}

/// The durable database at one moment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View(Arc<dyn Snapshot>);

impl View {
    pub(crate) fn new(snapshot: Arc<dyn Snapshot>) -> Self {
        Self(snapshot)
    }

    /// Up to where the streams are complete in this view.
    pub fn positions(&self) -> &Positions {
        self.0.positions()
    }
}

impl Read for View {
    fn is_pristine(&self) -> bool {
        true
    }

    fn raw_get(&self, key: Vec<u8>, _decides: bool) -> BoxFuture<'_, Result<Option<Bytes>>> {
        Box::pin(async move { self.0.get(&key).await })
    }

    fn raw_multi_get(&self, keys: Vec<Vec<u8>>) -> BoxFuture<'_, Result<Vec<Option<Bytes>>>> {
        Box::pin(async move { self.0.multi_get(&keys).await })
    }

    fn raw_page<'a>(&'a self, range: &'a Range, limit: usize, reverse: bool) -> BoxFuture<'a, Result<Rows>> {
        self.0.page(range, limit, reverse)
    }
}
