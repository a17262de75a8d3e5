use proptest::prelude::*;

use super::*;
use crate::{Usage, blobs::Blobs};

#[tokio::test]
async fn what_goes_in_comes_out_with_its_type_and_name() {
    let fixture = Fixture::new();
    let id = fixture.media.upload(alice(), info("image/png", "cat.png"), body("meow")).await.unwrap();
    let download = fixture.download(&id).await.unwrap();
    assert_eq!(download.content_type, "image/png");
    assert_eq!(download.filename.as_deref(), Some("cat.png"));
    assert_eq!(read(&download.content).await, b"meow");
}

#[tokio::test]
async fn files_of_every_size_come_back_whole() {
    let fixture = Fixture::new();
    for size in [0, 1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 1 << 20, 3_000_001] {
        let bytes = noise(size);
        let id = fixture.media.upload(alice(), FileInfo::default(), pieces(&bytes, 60_000)).await.unwrap();
        let content = fixture.download(&id).await.unwrap().content;
        assert_eq!(content.size, size as u64);
        assert_eq!(read(&content).await, bytes);
    }
    assert_eq!(fixture.files("tmp"), 0);
}

#[tokio::test]
async fn a_range_is_sent_alone() {
    let fixture = Fixture::new();
    let bytes = noise(1 << 20);
    let id = fixture.upload(bytes.clone()).await;
    let content = fixture.download(&id).await.unwrap().content;
    for range in [0..1, 5..500_000, 1_000_000..2_000_000, 9..9] {
        let body = content.open(Some(range.clone())).await.unwrap();
        let sent: Vec<Bytes> = body.into_stream().try_collect().await.unwrap();
        let end = usize::try_from(range.end).unwrap().min(bytes.len());
        assert_eq!(sent.concat(), bytes[usize::try_from(range.start).unwrap()..end]);
    }
}

#[tokio::test]
async fn equal_files_are_stored_once_and_stay_until_the_last_id_is_gone() {
    let fixture = Fixture::flaky();
    let (one, two) = (fixture.upload(noise(400_000)).await, fixture.upload(noise(400_000)).await);
    assert_ne!(one, two);
    assert_eq!(fixture.files("files"), 1);
    assert!(fixture.media.delete(hs(), &one).await.unwrap());
    fixture.media.clean().await.unwrap();
    assert_eq!(read(&fixture.download(&two).await.unwrap().content).await, noise(400_000));
    assert!(fixture.media.delete(hs(), &two).await.unwrap());
    assert!(!fixture.media.delete(hs(), &two).await.unwrap());
    fixture.media.clean().await.unwrap();
    assert_eq!(fixture.files("files"), 0);
    fixture.media.clean().await.unwrap();
}

#[tokio::test]
async fn equal_files_uploaded_at_once_are_stored_once() {
    let fixture = Fixture::new();
    let uploads = (0..8).map(|_| fixture.upload(noise(300_000)));
    let ids = futures::future::join_all(uploads).await;
    assert_eq!((fixture.files("files"), fixture.files("tmp")), (1, 0));
    for id in &ids {
        fixture.media.delete(hs(), id).await.unwrap();
    }
    fixture.media.clean().await.unwrap();
    assert_eq!(fixture.files("files"), 0);
}

#[tokio::test]
async fn an_upload_that_meets_an_orphan_keeps_it() {
    let fixture = Fixture::new();
    let gone = fixture.upload("x").await;
    fixture.media.delete(hs(), &gone).await.unwrap();
    let kept = fixture.upload("x").await;
    fixture.media.clean().await.unwrap();
    assert_eq!(read(&fixture.download(&kept).await.unwrap().content).await, b"x");
}

#[tokio::test]
async fn a_lost_file_is_replaced_by_the_next_equal_upload() {
    let fixture = Fixture::new();
    let id = fixture.upload("precious").await;
    std::fs::remove_dir_all(fixture.dir.path().join("files")).unwrap();
    let content = fixture.download(&id).await.unwrap().content;
    assert!(matches!(content.open(None).await, Err(Error::NotFound)));
    fixture.upload("precious").await;
    assert_eq!(read(&fixture.download(&id).await.unwrap().content).await, b"precious");
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_while_it_streams_and_leaves_nothing() {
    let fixture = Fixture::with(Config { max_upload_bytes: 600_000, ..Config::default() });
    let endless = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from(vec![0; 50_000])));
    let error = fixture.media.upload(alice(), FileInfo::default(), endless).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 600_000 }));
    assert_eq!((fixture.files("files"), fixture.files("tmp")), (0, 0));
    assert_eq!(fixture.media.usage(alice()).await.unwrap(), Usage::default());
    fixture.media.upload(alice(), FileInfo::default(), body(noise(600_000))).await.unwrap();
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let fixture = Fixture::new();
    let broken = stream::iter([Ok(Bytes::from(noise(700_000))), Err("connection reset")]);
    let error = fixture.media.upload(alice(), FileInfo::default(), broken).await.unwrap_err();
    assert!(matches!(error, Error::Body(_)));
    assert_eq!((fixture.files("files"), fixture.files("tmp")), (0, 0));
}

#[tokio::test]
async fn a_crash_before_the_rename_leaves_nothing_after_a_restart() {
    let fixture = Fixture::new();
    std::fs::write(fixture.dir.path().join("tmp/half"), b"half").unwrap();
    fixture.reopened();
    assert_eq!(fixture.files("tmp"), 0);
}

#[tokio::test]
async fn a_crash_between_rename_and_row_leaves_a_file_that_the_sweep_removes() {
    let fixture = Fixture::new();
    let kept = fixture.upload("kept").await;
    let mut spool = Blobs::open(fixture.dir.path()).unwrap().spool();
    spool.push(Bytes::from_static(b"never named")).await.unwrap();
    let placed = spool.finish().await.unwrap().place().await.unwrap();
    assert_eq!(fixture.files("files"), 2);
    drop(placed); // the process dies here
    let media = fixture.reopened();
    assert_eq!(media.sweep().await.unwrap(), 1);
    assert_eq!(media.sweep().await.unwrap(), 0);
    assert_eq!(read(&fixture.download(&kept).await.unwrap().content).await, b"kept");
}

#[tokio::test]
async fn the_sweep_leaves_a_file_alone_that_is_being_placed() {
    let fixture = Fixture::new();
    let mut spool = fixture.media.blobs.spool();
    spool.push(Bytes::from_static(b"on its way")).await.unwrap();
    let placed = spool.finish().await.unwrap().place().await.unwrap();
    assert_eq!(fixture.media.sweep().await.unwrap(), 0);
    drop(placed);
    assert_eq!(fixture.media.sweep().await.unwrap(), 1);
}

#[tokio::test]
async fn an_account_stores_no_more_than_its_quota() {
    let fixture = Fixture::with(Config { user_quota_bytes: 10, ..Config::default() });
    let first = fixture.upload("12345678").await;
    let more = fixture.media.upload(alice(), FileInfo::default(), body("123")).await;
    assert!(matches!(more, Err(Error::QuotaExceeded { quota: 10 })));
    assert_eq!(fixture.files("files"), 1);
    fixture.media.upload(&bob(), FileInfo::default(), body("123")).await.unwrap();
    fixture.media.delete(hs(), &first).await.unwrap();
    fixture.upload("123").await;
    assert_eq!(fixture.media.usage(alice()).await.unwrap(), Usage { files: 1, bytes: 3, pending: 0 });
}

#[tokio::test]
async fn uploads_are_listed_newest_first_by_pages_and_removed_together() {
    let fixture = Fixture::new();
    let mut ids = Vec::new();
    for n in 0..5_u8 {
        ids.insert(0, fixture.upload(vec![n]).await);
        fixture.clock.advance(1);
    }
    let page = fixture.media.uploads_of(alice(), None, 3).await.unwrap();
    let rest = fixture.media.uploads_of(alice(), page.last(), 3).await.unwrap();
    let listed: Vec<_> = page.iter().chain(&rest).map(|upload| upload.id.clone()).collect();
    assert_eq!(listed, ids);
    assert_eq!(fixture.media.delete_uploads_of(alice()).await.unwrap(), 5);
    assert!(fixture.media.uploads_of(alice(), None, 3).await.unwrap().is_empty());
    assert_eq!(fixture.media.usage(alice()).await.unwrap(), Usage::default());
}

#[tokio::test]
async fn media_of_other_servers_is_not_local() {
    let fixture = Fixture::new();
    let (server, id) = (server_name!("elsewhere"), MediaId::random());
    let result = fixture.media.download((server, &id), Access::Authorized, NO_WAIT).await;
    assert!(matches!(result, Err(Error::NotLocal)));
}

#[tokio::test]
async fn new_media_is_hidden_from_the_frozen_addresses_unless_configured() {
    let frozen = Fixture::new();
    let id = frozen.upload("x").await;
    let result = frozen.media.download((hs(), &id), Access::Legacy, NO_WAIT).await;
    assert!(matches!(result, Err(Error::NotFound)));
    let open = Fixture::with(Config { allow_legacy: true, ..Config::default() });
    let id = open.upload("x").await;
    assert!(open.media.download((hs(), &id), Access::Legacy, NO_WAIT).await.is_ok());
}

#[tokio::test]
async fn a_hostile_name_is_cut_and_never_reaches_the_disk() {
    let fixture = Fixture::new();
    let name = format!("../../{}", "ä".repeat(300));
    let id = fixture.media.upload(alice(), info("a/b", &name), body("x")).await.unwrap();
    let kept = fixture.download(&id).await.unwrap().filename.unwrap();
    assert!(kept.len() <= 255 && name.starts_with(&kept));
    assert_eq!(fixture.files(""), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_file_is_the_same_however_it_is_cut(len in 0usize..600_000, piece in 1usize..300_000) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new();
            let bytes = noise(len);
            let id = fixture.media.upload(alice(), FileInfo::default(), pieces(&bytes, piece)).await.unwrap();
            let content = fixture.download(&id).await.unwrap().content;
            assert_eq!(content.tag, blake3::hash(&bytes).to_hex().as_str());
            assert_eq!(read(&content).await, bytes);
        });
    }
}
