use std::sync::Arc;

use crate::{
    Positions, Range, Result, Tx, View, WriterId,
    engine::{Engine, Observer},
};

/// The database as the domain crates hold it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db(Arc<dyn Engine>);

impl Db {
    /// A database on `engine`.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self(engine)
    }

    /// The newest durable state, for everything that leaves the process.
    pub fn view(&self) -> View {
        View::new(self.0.durable())
    }

    /// A transaction on the newest validated state.
    pub fn begin(&self) -> Tx {
        Tx::new(self.0.clone())
    }

    /// Up to where the streams are published.
    pub fn positions(&self) -> Positions {
        self.0.durable().positions().clone()
    }

    /// Who gives this process's positions.
    pub fn writer(&self) -> WriterId {
        self.0.writer()
    }

    /// Adds an observer of everything published from now on.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        self.0.observe(observer);
    }

    /// Gives the space of removed rows in `range` back.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn reclaim(&self, range: &Range) -> Result<()> {
        self.0.reclaim(range).await
    }
}
