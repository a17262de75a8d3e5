use std::{collections::HashMap, path::PathBuf, sync::Arc};

use futures::future::{BoxFuture, FutureExt, Shared, WeakShared};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::{
    Made, render,
    source::{self, Source},
    variant::Variant,
};
use crate::{Config, Error, Result, tables::Hash};

type Key = (Hash, String);
type Outcome = Result<Arc<Made>>;
pub type Flight = Shared<BoxFuture<'static, Outcome>>;

/// Where images are decoded, and what is being made. Cheap to clone.
#[derive(Clone)]
pub struct Workshop(Arc<Inner>);

struct Inner {
    workers: Arc<Semaphore>,
    /// One permit is one MiB.
    memory: Arc<Semaphore>,
    memory_mb: u32,
    flights: Mutex<HashMap<Key, WeakShared<BoxFuture<'static, Outcome>>>>,
    #[cfg(test)]
    made: std::sync::atomic::AtomicU32,
}

impl Workshop {
    pub fn new(config: &Config) -> Self {
        let permits = |n: u32| Arc::new(Semaphore::new(n.max(1) as usize));
        Self(Arc::new(Inner {
            workers: permits(config.thumbnail_workers),
            memory: permits(config.thumbnail_memory_mb),
            memory_mb: config.thumbnail_memory_mb.max(1),
            flights: Mutex::default(),
            #[cfg(test)]
            made: Default::default(),
        }))
    }

    /// The thumbnail in the making under `key`, or a new one. Its outcome is shared, and forgotten with its
    /// last waiter, so no failure is remembered.
    pub fn flight(&self, key: Key, start: impl FnOnce() -> BoxFuture<'static, Outcome>) -> Flight {
        let mut flights = self.0.flights.lock();
        if let Some(flight) = flights.get(&key).and_then(WeakShared::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.upgrade().is_some());
        let flight = start().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key, weak);
        }
        flight
    }

    /// Makes `variant` of the image at `path`.
    pub async fn make(&self, config: &Config, path: PathBuf, variant: Variant) -> Result<Made> {
        #[cfg(test)]
        self.0.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let worker = self.0.workers.clone().acquire_owned().await.map_err(closed)?;
        let limits = source::Limits::of(config);
        let opened = blocking(move || Source::open(path, limits)).await?;
        if variant.exceeds(opened.size) && (variant.animated || !opened.animated) {
            return Ok(Made { format: opened.format, bytes: None });
        }
        let need = opened.memory_mb(&variant);
        if need > self.0.memory_mb {
            return Err(Error::CannotThumbnail(format!("the image needs {need} MiB to be decoded")));
        }
        let memory = self.0.memory.clone().acquire_many_owned(need).await.map_err(closed)?;
        blocking(move || {
            let made = render::render(&opened, &variant);
            drop((worker, memory)); // held on this thread: a caller that goes away frees nothing early
            made
        })
        .await
    }
}

#[cfg(test)]
impl Workshop {
    /// How many times an image was opened to make a thumbnail.
    pub fn made(&self) -> u32 {
        self.0.made.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Runs `work` on a blocking thread; a decoder's panic is the image's fault.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            tracing::warn!(%error, "image decoder failed");
            Err(Error::CannotThumbnail("the image cannot be decoded".into()))
        }
    }
}

fn closed(_: tokio::sync::AcquireError) -> Error {
    Error::CannotThumbnail("the server is shutting down".into())
}
