//! Two writers on one store.

use std::sync::Arc;

use futures::FutureExt;

use super::{COUNTS, LOG, PairCase, ROWS, fill, must_conflict};
use crate::{Db, Engine, Read};

pub const CASES: &[(&str, PairCase)] = &[
    ("a writer sees what the other committed", |pair| visible(pair).boxed()),
    ("a change by the other writer conflicts", |pair| conflicting(pair).boxed()),
    ("each writer counts its own positions", |pair| positions(pair).boxed()),
];

async fn visible([one, other]: [Arc<dyn Engine>; 2]) {
    let (one, other) = (Db::new(one), Db::new(other));
    fill(&one, "a", [1]).await;
    assert_eq!(other.view().get(&ROWS, ("a", 1)).await.unwrap().as_deref(), Some("a1"));
}

async fn conflicting([one, other]: [Arc<dyn Engine>; 2]) {
    let (one, other) = (Db::new(one), Db::new(other));
    let mut tx = one.begin();
    let _ = tx.get(&COUNTS, "n").await.unwrap();
    tx.put(&COUNTS, "n", &1);
    super::write(&other, |tx| tx.put(&COUNTS, "n", &2)).await;
    must_conflict(tx).await;
}

async fn positions([one, other]: [Arc<dyn Engine>; 2]) {
    let (one, other) = (Db::new(one), Db::new(other));
    assert_ne!(one.writer(), other.writer());
    for db in [&one, &other, &one] {
        super::write(db, |tx| {
            let slot = tx.stamp();
            tx.put(&LOG, ("a", slot), &"row".to_owned());
        })
        .await;
    }
    let view = other.view();
    assert_eq!(view.positions().of(one.writer()), 2);
    assert_eq!(view.positions().of(other.writer()), 1);
    assert_eq!(view.scan(&LOG, LOG.all()).collect().await.unwrap().len(), 3);
}
