//! An engine that makes the first commit of every transaction conflict, so that tests meet retries everywhere.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::future::{BoxFuture, FutureExt, ready};

use crate::{
    Error, Range, Result, WriterId,
    engine::{Commit, Engine, Observer, Pending, Snapshot},
};

/// Wraps an engine; every second commit that decided on something answers [`Error::Conflict`].
#[derive(Debug)]
pub struct Flaky {
    inner: Arc<dyn Engine>,
    refuse: AtomicBool,
}

impl Flaky {
    /// Makes `inner` flaky.
    pub fn new(inner: Arc<dyn Engine>) -> Arc<Self> {
        Arc::new(Self { inner, refuse: AtomicBool::new(true) })
    }
}

impl Engine for Flaky {
    fn writer(&self) -> WriterId {
        self.inner.writer()
    }

    fn durable(&self) -> Arc<dyn Snapshot> {
        self.inner.durable()
    }

    fn validated(&self) -> Arc<dyn Snapshot> {
        self.inner.validated()
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Pending>> {
        if !commit.reads.is_empty() && self.refuse.fetch_xor(true, Ordering::Relaxed) {
            return ready(Err(Error::Conflict)).boxed();
        }
        self.inner.commit(commit)
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.inner.observe(observer);
    }

    fn reclaim<'a>(&'a self, range: &'a Range) -> BoxFuture<'a, Result<()>> {
        self.inner.reclaim(range)
    }
}
