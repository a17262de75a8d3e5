//! Single rows.

use std::sync::Arc;

use futures::FutureExt;

use super::{COUNTS, Case, NEXT, ROWS, fill, write};
use crate::{Db, Engine, Read};

pub const CASES: &[(&str, Case)] = &[
    ("a committed row is read back by views and transactions", |engine| committed_rows(engine).boxed()),
    ("a transaction sees its own writes and nobody else does", |engine| own_writes(engine).boxed()),
    ("a deleted row is gone", |engine| deleted(engine).boxed()),
    ("clearing a prefix removes its rows and no others", |engine| cleared(engine).boxed()),
    ("a row written after a clear in one transaction stays", |engine| cleared_then_written(engine).boxed()),
    ("clearing thousands of rows removes all of them", |engine| cleared_many(engine).boxed()),
    ("a dropped transaction leaves nothing", |engine| dropped(engine).boxed()),
    ("a view and a transaction stay at their moment", |engine| moments(engine).boxed()),
    ("many rows come in the order asked for", |engine| many(engine).boxed()),
    ("many rows come also where some between them are missing", |engine| many_with_gaps(engine).boxed()),
    ("an empty value and long values come back", |engine| sizes(engine).boxed()),
    ("relaxed commits are read back like others", |engine| relaxed(engine).boxed()),
    ("an empty transaction commits", |engine| empty(engine).boxed()),
    ("reclaiming a range keeps the rows that are there", |engine| reclaimed(engine).boxed()),
];

async fn committed_rows(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", [1]).await;
    assert_eq!(db.view().get(&ROWS, ("a", 1)).await.unwrap().as_deref(), Some("a1"));
    assert_eq!(db.begin().get(&ROWS, ("a", 1)).await.unwrap().as_deref(), Some("a1"));
    assert_eq!(db.view().get(&ROWS, ("a", 2)).await.unwrap(), None);
    assert_eq!(db.view().get(&NEXT, ("a", 1)).await.unwrap(), None);
    fill(&db, "a", [1]).await;
    write(&db, |tx| tx.put(&ROWS, ("a", 1), &"changed".to_owned())).await;
    assert_eq!(db.view().get(&ROWS, ("a", 1)).await.unwrap().as_deref(), Some("changed"));
}

async fn own_writes(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    let mut tx = db.begin();
    tx.put(&ROWS, ("a", 1), &"mine".to_owned());
    assert_eq!(tx.get(&ROWS, ("a", 1)).await.unwrap().as_deref(), Some("mine"));
    assert_eq!(tx.get_many(&ROWS, [("a", 1), ("a", 2)]).await.unwrap(), [Some("mine".to_owned()), None]);
    assert_eq!(db.view().get(&ROWS, ("a", 1)).await.unwrap(), None);
    assert_eq!(db.begin().get(&ROWS, ("a", 1)).await.unwrap(), None);
    tx.delete(&ROWS, ("a", 1));
    assert_eq!(tx.get(&ROWS, ("a", 1)).await.unwrap(), None);
}

async fn deleted(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", 1..3).await;
    write(&db, |tx| tx.delete(&ROWS, ("a", 1))).await;
    write(&db, |tx| tx.delete(&ROWS, ("never", 1))).await;
    assert_eq!(db.view().get(&ROWS, ("a", 1)).await.unwrap(), None);
    assert_eq!(db.view().get(&ROWS, ("a", 2)).await.unwrap().as_deref(), Some("a2"));
}

async fn cleared(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    for name in ["a", "b", "c"] {
        fill(&db, name, 0..5).await;
    }
    write(&db, |tx| tx.put(&NEXT, ("b", 0), &"neighbour".to_owned())).await;
    write(&db, |tx| tx.clear(&ROWS, &("b",))).await;
    let left = db.view().scan(&ROWS, ROWS.all()).collect().await.unwrap();
    assert_eq!(left.len(), 10);
    assert!(left.iter().all(|((name, _), _)| name != "b"));
    assert_eq!(db.view().get(&ROWS, ("b", 3)).await.unwrap(), None);
    assert!(db.view().get(&NEXT, ("b", 0)).await.unwrap().is_some());
    write(&db, |tx| tx.clear_range(ROWS.between(&("z", 0), &("a", 0)))).await;
    assert_eq!(db.view().scan(&ROWS, ROWS.all()).collect().await.unwrap().len(), 10);
}

async fn cleared_then_written(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", 0..5).await;
    write(&db, |tx| {
        tx.put(&ROWS, ("a", 7), &"before".to_owned());
        tx.clear(&ROWS, &("a",));
        tx.put(&ROWS, ("a", 3), &"after".to_owned());
    })
    .await;
    let left = db.view().scan(&ROWS, ROWS.all()).collect().await.unwrap();
    assert_eq!(left, [(("a".to_owned(), 3), "after".to_owned())]);
}

async fn cleared_many(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", 0..3_000).await;
    fill(&db, "b", [1]).await;
    write(&db, |tx| tx.clear(&ROWS, &("a",))).await;
    assert_eq!(db.view().scan(&ROWS, ROWS.all()).collect().await.unwrap().len(), 1);
    fill(&db, "a", [5]).await;
    assert_eq!(db.view().get(&ROWS, ("a", 5)).await.unwrap().as_deref(), Some("a5"));
}

async fn dropped(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    let mut tx = db.begin();
    tx.put(&ROWS, ("a", 1), &"lost".to_owned());
    drop(tx);
    assert_eq!(db.begin().get(&ROWS, ("a", 1)).await.unwrap(), None);
}

async fn moments(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", [1]).await;
    let (view, tx) = (db.view(), db.begin());
    write(&db, |tx| tx.clear(&ROWS, &("a",))).await;
    fill(&db, "a", [2]).await;
    for read in [view.get_many(&ROWS, [("a", 1), ("a", 2)]).await, tx.get_many(&ROWS, [("a", 1), ("a", 2)]).await] {
        assert_eq!(read.unwrap(), [Some("a1".to_owned()), None]);
    }
    assert_eq!(view.scan(&ROWS, ROWS.all()).collect().await.unwrap().len(), 1);
}

async fn many(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", 0..100).await;
    let asked: Vec<_> = (0..120).rev().map(|n| ("a", n)).collect();
    let rows = db.view().get_many(&ROWS, asked).await.unwrap();
    assert!(rows[..20].iter().all(Option::is_none));
    assert_eq!(rows[20].as_deref(), Some("a99"));
    assert_eq!(rows[119].as_deref(), Some("a0"));
    assert!(db.view().get_many(&ROWS, Vec::<(&str, u64)>::new()).await.unwrap().is_empty());
}

async fn many_with_gaps(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", (0..40).chain(200..240).chain([999])).await;
    write(&db, |tx| tx.delete(&ROWS, ("a", 20))).await;
    fill(&db, "b", 0..3).await;
    let mut asked: Vec<_> = (10..50).chain(190..250).chain([5, 5, 220, 999, 1000]).map(|n| ("a", n)).collect();
    asked.extend([("b", 1), ("c", 1)]);
    for read in [db.view().get_many(&ROWS, asked.clone()).await, db.begin().get_many(&ROWS, asked.clone()).await] {
        for ((name, n), row) in asked.iter().zip(read.unwrap()) {
            let there = matches!((*name, *n), ("a", 0..40 | 200..240 | 999) | ("b", 0..3)) && *n != 20;
            assert_eq!(row, there.then(|| format!("{name}{n}")), "{name} {n}");
        }
    }
}

async fn sizes(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    for size in [0, 1, 70_000, 2_000_000] {
        let text = "x".repeat(size);
        write(&db, |tx| tx.put(&ROWS, ("size", size as u64), &text)).await;
        assert_eq!(db.view().get(&ROWS, ("size", size as u64)).await.unwrap(), Some(text));
    }
}

async fn relaxed(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    for n in 0..10_u64 {
        let mut tx = db.begin();
        tx.put(&COUNTS, "relaxed", &n);
        let tx = if n % 2 == 0 { tx.relaxed() } else { tx };
        tx.commit().await.unwrap();
        assert_eq!(db.view().get(&COUNTS, "relaxed").await.unwrap(), Some(n));
    }
}

async fn empty(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    db.begin().commit().await.unwrap();
    db.begin().relaxed().commit().await.unwrap();
    assert_eq!(db.positions(), db.view().positions().clone());
}

async fn reclaimed(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", 0..500).await;
    write(&db, |tx| tx.clear(&ROWS, &("a",))).await;
    fill(&db, "a", [7]).await;
    db.reclaim(&ROWS.all()).await.unwrap();
    assert_eq!(db.view().scan(&ROWS, ROWS.all()).collect().await.unwrap().len(), 1);
}
