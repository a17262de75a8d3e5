//! What observers are told, and when.

use std::sync::{Arc, Weak};

use futures::FutureExt;
use parking_lot::Mutex;

use super::Case;
use crate::{Announcement, Db, Engine, Observer, Stamp, Topic};

pub const CASES: &[(&str, Case)] = &[
    ("observers are told of every change in order of position", |engine| ordered(engine).boxed()),
    ("changes are recorded before and woken after publication", |engine| around_publication(engine).boxed()),
    ("who is acknowledged finds the change recorded", |engine| recorded_first(engine).boxed()),
    ("a refused transaction is not announced", |engine| refused(engine).boxed()),
];

/// Writes down what it is told.
struct Ears {
    /// Weak, as the engine holds its observers.
    engine: Weak<dyn Engine>,
    recorded: Mutex<Vec<Announcement>>,
    woken: Mutex<Vec<Announcement>>,
    early: Mutex<Vec<Stamp>>,
    late: Mutex<Vec<Stamp>>,
}

impl Ears {
    fn on(engine: &Arc<dyn Engine>) -> Arc<Self> {
        let ears = Arc::new(Self {
            engine: Arc::downgrade(engine),
            recorded: Mutex::default(),
            woken: Mutex::default(),
            early: Mutex::default(),
            late: Mutex::default(),
        });
        engine.observe(ears.clone());
        ears
    }

    fn visible(&self, stamp: Stamp) -> bool {
        self.engine.upgrade().is_some_and(|engine| engine.durable().positions().covers(stamp))
    }
}

impl Observer for Ears {
    fn record(&self, changes: &[Announcement]) {
        self.early.lock().extend(changes.iter().map(|change| change.stamp).filter(|stamp| self.visible(*stamp)));
        self.recorded.lock().extend_from_slice(changes);
    }

    fn wake(&self, changes: &[Announcement]) {
        self.late.lock().extend(changes.iter().map(|change| change.stamp).filter(|stamp| !self.visible(*stamp)));
        self.woken.lock().extend_from_slice(changes);
    }
}

/// Four tasks announce a hundred changes, every third one relaxed.
async fn announce(db: &Db) {
    let tasks: Vec<_> = (0..4)
        .map(|room| {
            let db = db.clone();
            tokio::spawn(async move {
                for n in 0..25 {
                    let mut tx = db.begin();
                    let (first, second) = (tx.stamp(), tx.stamp());
                    tx.announce(Topic::Room(room), first);
                    tx.announce(Topic::Room(room + 10), second);
                    let tx = if n % 3 == 0 { tx.relaxed() } else { tx };
                    tx.commit().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn ordered(engine: Arc<dyn Engine>) {
    let ears = Ears::on(&engine);
    let db = Db::new(engine);
    announce(&db).await;
    let recorded = ears.recorded.lock();
    assert_eq!(recorded.len(), 200);
    assert!(recorded.windows(2).all(|pair| pair[0].stamp.n < pair[1].stamp.n));
    for room in 0..4 {
        assert_eq!(recorded.iter().filter(|change| change.topic == Topic::Room(room)).count(), 25);
    }
}

async fn around_publication(engine: Arc<dyn Engine>) {
    let ears = Ears::on(&engine);
    let db = Db::new(engine);
    announce(&db).await;
    // The last wake-up may come after the last acknowledgement.
    while ears.woken.lock().len() < 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*ears.early.lock(), [], "recorded after publication");
    assert_eq!(*ears.late.lock(), [], "woken before publication");
}

async fn recorded_first(engine: Arc<dyn Engine>) {
    let ears = Ears::on(&engine);
    let db = Db::new(engine);
    for n in 0..20 {
        let mut tx = db.begin();
        let slot = tx.stamp();
        tx.announce(Topic::Room(n), slot);
        tx.commit().await.unwrap();
        assert_eq!(ears.recorded.lock().len() as u64, n + 1);
    }
}

async fn refused(engine: Arc<dyn Engine>) {
    use crate::Read;
    let ears = Ears::on(&engine);
    let db = Db::new(engine);
    let mut tx = db.begin();
    let _ = tx.get(&super::COUNTS, "n").await.unwrap();
    let slot = tx.stamp();
    tx.announce(Topic::Room(1), slot);
    super::write(&db, |tx| tx.put(&super::COUNTS, "n", &1)).await;
    super::must_conflict(tx).await;
    assert!(ears.recorded.lock().is_empty());
}
