//! Positions in keys and values.

use std::sync::Arc;

use futures::FutureExt;

use super::{Case, LAST, LOG, write};
use crate::{Db, Engine, Read, Stamped};

pub const CASES: &[(&str, Case)] = &[
    ("stamps in keys and values are the ones that the commit answers", |engine| resolved(engine).boxed()),
    ("stamps increase within and across transactions", |engine| increasing(engine).boxed()),
    ("a view holds exactly the rows up to its positions", |engine| complete(engine).boxed()),
    ("a transaction without stamps moves no position", |engine| unmoved(engine).boxed()),
    ("the last write to a stamped row counts", |engine| rewritten(engine).boxed()),
    ("clearing removes stamped rows", |engine| cleared(engine).boxed()),
];

async fn resolved(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    let mut tx = db.begin();
    let (first, second) = (tx.stamp(), tx.stamp());
    tx.put(&LOG, ("a", second), &"second".to_owned());
    tx.put_stamped(&LAST, "a", first, "first".to_owned());
    assert!(tx.scan(&LOG, LOG.all()).collect().await.unwrap().is_empty());
    assert_eq!(tx.get(&LAST, "a").await.unwrap().map(|row| row.value).as_deref(), Some("first"));
    let pending = tx.submit().await.unwrap();
    let (first, second) = (pending.stamp(first), pending.stamp(second));
    pending.durable().await.unwrap();
    assert_eq!(first.n + 1, second.n);
    assert_eq!(first.writer, db.writer());
    let view = db.view();
    assert!(view.positions().covers(second));
    assert_eq!(view.get(&LOG, ("a", second)).await.unwrap().as_deref(), Some("second"));
    assert_eq!(view.get(&LAST, "a").await.unwrap(), Some(Stamped { at: first, value: "first".to_owned() }));
    assert_eq!(view.scan(&LOG, LOG.all()).collect().await.unwrap().len(), 1);
}

async fn increasing(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    let mut last = db.positions().of(db.writer());
    for n in 0..20 {
        let mut tx = db.begin();
        let slots: Vec<_> = (0..n % 4).map(|_| tx.stamp()).collect();
        let pending = tx.submit().await.unwrap();
        for slot in slots {
            let stamp = pending.stamp(slot);
            assert!(stamp.n > last);
            last = stamp.n;
        }
        pending.durable().await.unwrap();
        assert_eq!(db.positions().of(db.writer()), last);
    }
}

/// Appends rows while another task looks.
async fn complete(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    let base = db.positions().of(db.writer());
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                for n in 0..25 {
                    let mut tx = db.begin();
                    let slot = tx.stamp();
                    tx.put(&LOG, ("a", slot), &"row".to_owned());
                    let tx = if n % 3 == 0 { tx.relaxed() } else { tx };
                    tx.commit().await.unwrap();
                }
            })
        })
        .collect();
    while db.positions().of(db.writer()) < base + 100 {
        let view = db.view();
        let rows = view.scan(&LOG, LOG.all()).collect().await.unwrap();
        assert_eq!(rows.len() as u64, view.positions().of(db.writer()) - base);
        assert!(rows.iter().all(|((_, stamp), _)| view.positions().covers(*stamp)));
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(db.view().scan(&LOG, LOG.all()).collect().await.unwrap().len(), 100);
}

async fn unmoved(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    let before = db.positions();
    super::fill(&db, "a", [1]).await;
    assert_eq!(db.positions().of(db.writer()), before.of(db.writer()));
}

async fn rewritten(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    write(&db, |tx| {
        let slot = tx.stamp();
        tx.put_stamped(&LAST, "twice", slot, "first".to_owned());
        tx.put_stamped(&LAST, "twice", slot, "second".to_owned());
        tx.put_stamped(&LAST, "deleted", slot, "gone".to_owned());
        tx.delete(&LAST, "deleted");
        tx.delete(&LAST, "restored");
        tx.put_stamped(&LAST, "restored", slot, "there".to_owned());
        tx.put_stamped(&LAST, "fixed", slot, "stamped".to_owned());
        let at = crate::Stamp { writer: crate::WriterId(9), n: 9 };
        tx.put(&LAST, "fixed", &Stamped { at, value: "plain".to_owned() });
    })
    .await;
    let view = db.view();
    let value = async |key: &str| view.get(&LAST, key).await.unwrap().map(|row| row.value);
    assert_eq!(value("twice").await.as_deref(), Some("second"));
    assert_eq!(value("deleted").await, None);
    assert_eq!(value("restored").await.as_deref(), Some("there"));
    assert_eq!(value("fixed").await.as_deref(), Some("plain"));
}

async fn cleared(engine: Arc<dyn Engine>) {
    let db = Db::new(engine);
    for _ in 0..3 {
        write(&db, |tx| {
            let slot = tx.stamp();
            tx.put(&LOG, ("a", slot), &"old".to_owned());
        })
        .await;
    }
    write(&db, |tx| {
        let slot = tx.stamp();
        tx.clear(&LOG, &("a",));
        tx.put(&LOG, ("a", slot), &"new".to_owned());
    })
    .await;
    let rows = db.view().scan(&LOG, LOG.all()).collect().await.unwrap();
    assert_eq!(rows.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), ["new"]);
}
