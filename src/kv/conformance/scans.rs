//! Ranges, both ways, with the transaction's own writes.

use std::sync::Arc;

use futures::FutureExt;

use super::{Case, ROWS, fill, numbers};
use crate::{Db, Engine, Read};

pub const CASES: &[(&str, Case)] = &[
    ("a scan walks rows in order, both ways", |engine| both_ways(engine).boxed()),
    ("bounds are kept: from included, to excluded", |engine| bounds(engine).boxed()),
    ("a scan by small pages misses and repeats nothing", |engine| pages(engine).boxed()),
    ("a transaction's scan merges its own writes", |engine| merged(engine).boxed()),
    ("a transaction's scan skips what it cleared", |engine| cleared(engine).boxed()),
    ("an empty or inverted range has no rows", |engine| empty(engine).boxed()),
];

async fn both_ways(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", (0..300).rev()).await;
    fill(&db, "ab", [1]).await;
    let forth = db.view().scan(&ROWS, ROWS.under(&("a",))).collect().await.unwrap();
    assert_eq!(numbers(&forth), (0..300).collect::<Vec<_>>());
    let back = db.view().scan_back(&ROWS, ROWS.under(&("a",))).collect().await.unwrap();
    assert_eq!(numbers(&back), (0..300).rev().collect::<Vec<_>>());
}

async fn bounds(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", 0..10).await;
    let view = db.view();
    let read = async |range| numbers(&view.scan(&ROWS, range).collect().await.unwrap());
    assert_eq!(read(ROWS.between(&("a", 3), &("a", 5))).await, [3, 4]);
    assert_eq!(read(ROWS.from(&("a",), &("a", 8))).await, [8, 9]);
    assert_eq!(read(ROWS.after(&("a",), &("a", 8))).await, [9]);
    assert_eq!(read(ROWS.before(&("a",), &("a", 2))).await, [0, 1]);
    assert_eq!(read(ROWS.upto(&("a",), &("a", 2))).await, [0, 1, 2]);
    let last = view.scan_back(&ROWS, ROWS.before(&("a",), &("a", 9))).first(2).await.unwrap();
    assert_eq!(numbers(&last), [8, 7]);
}

async fn pages(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", 0..50).await;
    for size in [1, 2, 7, 50, 51] {
        let forth = db.view().scan(&ROWS, ROWS.all()).by(size).collect().await.unwrap();
        assert_eq!(numbers(&forth), (0..50).collect::<Vec<_>>());
        let back = db.view().scan_back(&ROWS, ROWS.all()).by(size).collect().await.unwrap();
        assert_eq!(numbers(&back), (0..50).rev().collect::<Vec<_>>());
    }
}

async fn merged(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", (0..20).filter(|n| n % 2 == 0)).await;
    let mut tx = db.begin();
    for n in [1, 4, 19, 30] {
        tx.put(&ROWS, ("a", n), &"own".to_owned());
    }
    tx.delete(&ROWS, ("a", 0));
    tx.delete(&ROWS, ("a", 18));
    let expected = [1, 2, 4, 6, 8, 10, 12, 14, 16, 19, 30];
    for size in [1, 3, 100] {
        let forth = tx.scan(&ROWS, ROWS.all()).by(size).collect().await.unwrap();
        assert_eq!(numbers(&forth), expected);
        assert_eq!(forth[2].1, "own");
        let mut back = tx.scan_back(&ROWS, ROWS.all()).by(size).collect().await.unwrap();
        back.reverse();
        assert_eq!(numbers(&back), expected);
    }
}

async fn cleared(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", 0..20).await;
    fill(&db, "b", 0..3).await;
    let mut tx = db.begin();
    tx.clear(&ROWS, &("a",));
    tx.put(&ROWS, ("a", 5), &"own".to_owned());
    for size in [1, 100] {
        assert_eq!(numbers(&tx.scan(&ROWS, ROWS.all()).by(size).collect().await.unwrap()), [5, 0, 1, 2]);
        assert_eq!(numbers(&tx.scan_back(&ROWS, ROWS.all()).by(size).collect().await.unwrap()), [2, 1, 0, 5]);
    }
}

async fn empty(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    fill(&db, "a", 0..3).await;
    for range in [ROWS.between(&("a", 2), &("a", 1)), ROWS.between(&("a", 1), &("a", 1)), ROWS.under(&("b",))] {
        assert!(db.view().scan(&ROWS, range.clone()).collect().await.unwrap().is_empty());
        let mut tx = db.begin();
        tx.put(&ROWS, ("c", 1), &"own".to_owned());
        assert!(tx.scan_back(&ROWS, range).collect().await.unwrap().is_empty());
    }
}
