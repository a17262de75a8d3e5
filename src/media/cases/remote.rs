use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;

use super::*;
use crate::tables::{ITEMS, REMOTE, REMOTE_DAYS};
use kv::Read;

fn far() -> &'static ServerName {
    server_name!("far.test")
}

fn id() -> MediaId {
    MediaId::parse("abc").unwrap()
}

#[tokio::test]
async fn a_file_of_another_server_is_kept_and_served_like_one_of_ours() {
    let fixture = Fixture::flaky();
    let (far_id, own) = (id(), fixture.upload("meow").await);
    let key = (far(), &far_id);
    assert!(matches!(fixture.media.download(key, Access::Authorized, NO_WAIT).await, Err(Error::NotLocal)));
    fixture.media.keep_remote(key, info("image/png", "cat.png"), body("meow")).await.unwrap();
    let download = fixture.media.download(key, Access::Authorized, NO_WAIT).await.unwrap();
    assert_eq!((download.content_type.as_str(), download.filename.as_deref()), ("image/png", Some("cat.png")));
    assert_eq!(read(&download.content).await, b"meow");
    assert_eq!(fixture.files("files"), 1, "equal to a file of ours");
    assert!(matches!(fixture.media.download(key, Access::Legacy, NO_WAIT).await, Err(Error::NotFound)));
    assert_eq!(fixture.media.usage(alice()).await.unwrap().files, 1, "counted for nobody");

    fixture.media.keep_remote(key, FileInfo::default(), body("other")).await.unwrap();
    assert_eq!(read(&fixture.media.download(key, Access::Authorized, NO_WAIT).await.unwrap().content).await, b"meow");
    assert!(fixture.media.delete(hs(), &own).await.unwrap());
    assert!(fixture.media.delete(far(), &far_id).await.unwrap());
    fixture.media.clean().await.unwrap();
    assert_eq!(fixture.files("files"), 0);
}

#[tokio::test]
async fn a_file_that_is_too_large_or_breaks_off_is_not_kept() {
    let fixture = Fixture::with(Config { max_remote_bytes: 10, ..Config::default() });
    let (id, own) = (id(), server_name!("hs"));
    let large = fixture.media.keep_remote((far(), &id), FileInfo::default(), body(noise(11))).await;
    assert!(matches!(large, Err(Error::RemoteTooLarge { limit: 10 })));
    let cut = stream::iter([Ok(Bytes::from("a")), Err("gone")]);
    let cut = fixture.media.keep_remote((far(), &id), FileInfo::default(), cut).await;
    assert!(matches!(cut, Err(Error::Remote(_))));
    assert!(fixture.media.keep_remote((own, &id), FileInfo::default(), body("x")).await.is_err());
    assert!(fixture.db.view().scan(&ITEMS, ITEMS.all()).collect().await.unwrap().is_empty());
    assert_eq!(fixture.files("files") + fixture.files("tmp"), 0);
}

#[tokio::test]
async fn who_asks_for_the_same_file_at_the_same_time_waits_for_one_fetch() {
    let fixture = Fixture::new();
    let far_id = id();
    let fetched = Arc::new(AtomicU32::new(0));
    let bring = |answer: Result<()>| {
        let (media, id, fetched) = (fixture.media.clone(), far_id.clone(), fetched.clone());
        let fetch = move || {
            async move {
                fetched.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                answer?;
                media.keep_remote((far(), &id), FileInfo::default(), body("meow")).await
            }
            .boxed()
        };
        fixture.media.bring((far(), &far_id), fetch)
    };
    let refused = futures::join!(bring(Err(Error::NotFound)), bring(Ok(())));
    assert!(refused.0.is_err() && refused.1.is_err(), "the failure is shared");
    let (a, b) = futures::join!(bring(Ok(())), bring(Ok(())));
    a.and(b).unwrap();
    assert_eq!(fetched.load(Ordering::Relaxed), 2, "and not remembered");
    bring(Err(Error::NotFound)).await.unwrap();
    assert_eq!(fetched.load(Ordering::Relaxed), 2, "what is here is not fetched");
}

const DAY: u64 = 24 * 60 * 60 * 1000;

async fn kept(fixture: &Fixture) -> Vec<String> {
    let rows = fixture.db.view().scan(&ITEMS, ITEMS.all()).collect().await.unwrap();
    rows.into_iter().map(|((_, id), _)| id).collect()
}

async fn keep(fixture: &Fixture, name: &str, size: usize) {
    let mut bytes = noise(size);
    bytes.extend_from_slice(name.as_bytes());
    let id = MediaId::parse(name).unwrap();
    fixture.media.keep_remote((far(), &id), FileInfo::default(), body(bytes)).await.unwrap();
}

#[tokio::test]
async fn the_longest_unused_media_of_other_servers_goes_when_there_is_too_much() {
    let fixture = Fixture::with(Config { remote_keep_mb: 1, ..Config::default() });
    let own = fixture.upload(noise(1 << 20)).await;
    for name in ["a", "b", "c"] {
        keep(&fixture, name, 400 << 10).await;
        fixture.clock.advance(DAY);
    }
    let a = MediaId::parse("a").unwrap();
    fixture.media.download((far(), &a), Access::Authorized, NO_WAIT).await.unwrap();
    assert_eq!(fixture.media.evict().await.unwrap(), 1);
    assert_eq!(fixture.media.evict().await.unwrap(), 0);
    let mut expected = vec!["a".to_owned(), "c".to_owned(), own.to_string()];
    let mut found = kept(&fixture).await;
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "what was used lately stays, and so does ours");
    fixture.media.clean().await.unwrap();
    assert_eq!(fixture.files("files"), 3);
    assert_eq!(fixture.db.view().scan(&REMOTE, REMOTE.all()).collect().await.unwrap().len(), 2);
}

#[tokio::test]
async fn media_of_other_servers_goes_after_a_time_without_use() {
    let fixture = Fixture::with(Config { remote_keep_days: 30, ..Config::default() });
    keep(&fixture, "a", 10).await;
    keep(&fixture, "b", 10).await;
    fixture.clock.advance(20 * DAY);
    let a = MediaId::parse("a").unwrap();
    fixture.media.download((far(), &a), Access::Authorized, NO_WAIT).await.unwrap();
    fixture.clock.advance(20 * DAY);
    assert_eq!(fixture.media.evict().await.unwrap(), 1);
    assert_eq!(kept(&fixture).await, ["a"]);
    fixture.clock.advance(20 * DAY);
    assert_eq!(fixture.media.evict().await.unwrap(), 1);
    assert_eq!(fixture.db.view().scan(&REMOTE_DAYS, REMOTE_DAYS.all()).collect().await.unwrap(), []);
}
