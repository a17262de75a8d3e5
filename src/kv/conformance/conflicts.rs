//! What a commit must notice, and what it need not.

use std::sync::Arc;

use futures::FutureExt;

use super::{COUNTS, Case, LOG, ROWS, fill, must_conflict, write};
use crate::{Db, Engine, Read, Slot};

pub const CASES: &[(&str, Case)] = &[
    ("a change of a row that was read conflicts", |engine| changed(engine).boxed()),
    ("the insertion of a row that was missed conflicts", |engine| inserted(engine).boxed()),
    ("the deletion of a row that was read conflicts", |engine| deleted(engine).boxed()),
    ("a range delete conflicts with reads inside it", |engine| range_deleted(engine).boxed()),
    ("a large range delete conflicts with reads inside it", |engine| large_range_deleted(engine).boxed()),
    ("the insertion of a stamped row that was missed conflicts", |engine| stamped_insertion(engine).boxed()),
    ("a refused transaction leaves nothing", |engine| refused(engine).boxed()),
    ("peeks, scans and many-row reads do not conflict", |engine| undecided(engine).boxed()),
    ("changes of other rows do not conflict", |engine| others(engine).boxed()),
    ("a change before the transaction began does not conflict", |engine| earlier(engine).boxed()),
    ("blind writes do not conflict, the last one stays", |engine| blind(engine).boxed()),
    ("retries add up concurrent increments", |engine| increments(engine).boxed()),
];

/// A transaction that has read row 1 of `a` and would write row 9.
async fn reader(db: &Db) -> crate::Tx {
    let mut tx = db.begin();
    let _ = tx.get(&ROWS, ("a", 1)).await.unwrap();
    tx.put(&ROWS, ("a", 9), &"decided".to_owned());
    tx
}

async fn changed(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", [1]).await;
    let tx = reader(&db).await;
    fill(&db, "a", [1]).await;
    must_conflict(tx).await;
}

async fn inserted(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    let tx = reader(&db).await;
    fill(&db, "a", [1]).await;
    must_conflict(tx).await;
    let mut tx = db.begin();
    assert!(!tx.has(&ROWS, ("a", 2)).await.unwrap());
    tx.put(&ROWS, ("a", 3), &String::new());
    fill(&db, "a", [2]).await;
    must_conflict(tx).await;
}

async fn deleted(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", [1]).await;
    let tx = reader(&db).await;
    write(&db, |tx| tx.delete(&ROWS, ("a", 1))).await;
    must_conflict(tx).await;
}

async fn range_deleted(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", [1]).await;
    let tx = reader(&db).await;
    write(&db, |tx| tx.clear(&ROWS, &("a",))).await;
    must_conflict(tx).await;
    let tx = reader(&db).await;
    write(&db, |tx| tx.clear_range(ROWS.all())).await;
    must_conflict(tx).await;
}

async fn large_range_deleted(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", 0..1_000).await;
    let tx = reader(&db).await;
    write(&db, |tx| tx.clear(&ROWS, &("a",))).await;
    must_conflict(tx).await;
}

async fn stamped_insertion(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    let mut tx = db.begin();
    assert!(!tx.has(&super::LAST, "a").await.unwrap());
    tx.put(&ROWS, ("a", 9), &String::new());
    write(&db, |tx| {
        let slot = tx.stamp();
        tx.put_stamped(&super::LAST, "a", slot, "now".to_owned());
    })
    .await;
    must_conflict(tx).await;
}

async fn refused(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    let mut tx = reader(&db).await;
    let slot: Slot = tx.stamp();
    tx.put(&LOG, ("a", slot), &"refused".to_owned());
    fill(&db, "a", [1]).await;
    must_conflict(tx).await;
    assert_eq!(db.begin().get(&ROWS, ("a", 9)).await.unwrap(), None);
    assert!(db.begin().scan(&LOG, LOG.all()).collect().await.unwrap().is_empty());
}

async fn undecided(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", 0..5).await;
    let mut tx = db.begin();
    let _ = tx.peek(&ROWS, ("a", 1)).await.unwrap();
    let _ = tx.get_many(&ROWS, [("a", 2), ("a", 7)]).await.unwrap();
    let _ = tx.scan(&ROWS, ROWS.all()).collect().await.unwrap();
    tx.put(&ROWS, ("b", 1), &"written".to_owned());
    fill(&db, "a", 0..9).await;
    tx.commit().await.unwrap();
}

/// Commits a reader after `change`, by retries, and counts the attempts that the engine itself refused.
async fn others(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", [1]).await;
    crate::retry(|| async {
        let tx = reader(&db).await;
        fill(&db, "a", [2]).await;
        write(&db, |tx| tx.clear(&ROWS, &("aa",))).await;
        tx.commit().await
    })
    .await
    .unwrap();
}

async fn earlier(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    for n in 0..20 {
        fill(&db, "a", [1]).await;
        write(&db, |tx| tx.clear(&ROWS, &("a",))).await;
        crate::retry(|| async {
            let mut tx = reader(&db).await;
            tx.put(&COUNTS, "a", &n);
            tx.commit().await
        })
        .await
        .unwrap();
    }
}

async fn blind(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    let (mut first, mut second) = (db.begin(), db.begin());
    first.put(&ROWS, ("a", 1), &"first".to_owned());
    second.put(&ROWS, ("a", 1), &"second".to_owned());
    second.commit().await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(db.view().get(&ROWS, ("a", 1)).await.unwrap().as_deref(), Some("first"));
}

async fn increments(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    let tasks = (0..4).map(|_| {
        let db = db.clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                crate::retry(|| async {
                    let mut tx = db.begin();
                    let n = tx.get(&COUNTS, "n").await?.unwrap_or(0);
                    tx.put(&COUNTS, "n", &(n + 1));
                    tx.commit().await
                })
                .await
                .unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(db.view().get(&COUNTS, "n").await.unwrap(), Some(100));
}
