use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;

use super::*;
use crate::tables::ITEMS;
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
