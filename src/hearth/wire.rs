//! Builds every domain object bottom-up from the configuration.

use std::sync::Arc;

use api::{AppState, Auth, MatrixError, Parts, RateLimits};
use base::Clock;
use futures::FutureExt;
use kv::{Db, Engine, TableInfo};

use crate::{Config, Error};

/// All domain objects of one server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Wired {
    /// The database.
    pub db: Db,
    /// What handlers use.
    pub state: AppState,
}

/// The tables of all crates.
fn tables() -> Vec<TableInfo> {
    Vec::new()
}

fn engine(_config: &Config) -> Result<Arc<dyn Engine>, Error> {
    Ok(kv::memory::Memory::new())
}

impl Wired {
    /// Opens the database of `config` and builds everything on it.
    ///
    /// # Errors
    /// When the database cannot be opened or is not ours.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        Self::on(engine(config)?, config, Clock::system()).await
    }

    /// Builds everything on `engine`.
    ///
    /// # Errors
    /// When the database is not ours.
    pub async fn on(engine: Arc<dyn Engine>, config: &Config, clock: Clock) -> Result<Self, Error> {
        let db = Db::new(engine);
        kv::schema::open(&db, &tables()).await?;
        kv::schema::epoch(&db, &base::random::alphanumeric(8)).await?;
        let state = AppState::from(Parts {
            config: Arc::new(config.http.clone()),
            auth: Auth::new(|_| async { Err(MatrixError::unknown_token(false)) }.boxed()),
            limits: RateLimits::new(config.rate_limits.clone(), clock),
        });
        Ok(Self { db, state })
    }

    /// Writes out what is buffered; nothing may be asked of it afterwards.
    pub async fn close(self) {
        drop(self);
    }
}
