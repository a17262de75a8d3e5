use super::*;
use crate::Usage;

const DAY: u64 = 24 * 60 * 60 * 1000;

async fn complete(fixture: &Fixture, user: &UserId, id: &MediaId) -> Result<()> {
    fixture.media.complete(user, (hs(), id), info("text/plain", "a.txt"), body("late")).await
}

#[tokio::test]
async fn a_promise_is_kept_once_by_its_owner() {
    let fixture = Fixture::flaky();
    let promise = fixture.media.create(alice()).await.unwrap();
    assert_eq!(promise.expires, START + DAY);
    assert!(matches!(fixture.download(&promise.id).await, Err(Error::NotYetUploaded)));
    assert!(matches!(complete(&fixture, &bob(), &promise.id).await, Err(Error::NotYours)));
    complete(&fixture, alice(), &promise.id).await.unwrap();
    assert_eq!(read(&fixture.download(&promise.id).await.unwrap().content).await, b"late");
    assert!(matches!(complete(&fixture, alice(), &promise.id).await, Err(Error::AlreadyUploaded)));
    assert_eq!(fixture.media.usage(alice()).await.unwrap(), Usage { files: 1, bytes: 4, pending: 0 });
}

#[tokio::test]
async fn an_unknown_id_cannot_be_uploaded_to() {
    let fixture = Fixture::new();
    assert!(matches!(complete(&fixture, alice(), &MediaId::random()).await, Err(Error::NotFound)));
    let promise = fixture.media.create(alice()).await.unwrap();
    let elsewhere = (server_name!("elsewhere"), &promise.id);
    let result = fixture.media.complete(alice(), elsewhere, FileInfo::default(), body("x")).await;
    assert!(matches!(result, Err(Error::NotFound)));
}

#[tokio::test]
async fn a_plain_upload_cannot_be_overwritten() {
    let fixture = Fixture::new();
    let id = fixture.upload("x").await;
    assert!(matches!(complete(&fixture, alice(), &id).await, Err(Error::AlreadyUploaded)));
}

#[tokio::test]
async fn two_uploads_to_one_promise_leave_one() {
    let fixture = Fixture::new();
    let promise = fixture.media.create(alice()).await.unwrap();
    let put =
        |text: &'static str| fixture.media.complete(alice(), (hs(), &promise.id), FileInfo::default(), body(text));
    let (one, two) = tokio::join!(put("one"), put("two"));
    let refused = one.err().or(two.err()).unwrap();
    assert!(same(&refused, &Error::AlreadyUploaded));
    assert_eq!(fixture.files("files"), 1);
}

#[tokio::test]
async fn a_promise_is_void_after_a_day() {
    let fixture = Fixture::new();
    let promise = fixture.media.create(alice()).await.unwrap();
    fixture.clock.advance(DAY - 1);
    assert!(matches!(fixture.download(&promise.id).await, Err(Error::NotYetUploaded)));
    fixture.clock.advance(1);
    assert!(matches!(fixture.download(&promise.id).await, Err(Error::NotFound)));
    assert!(matches!(complete(&fixture, alice(), &promise.id).await, Err(Error::NotFound)));
    for _ in 0..2 {
        fixture.media.clean().await.unwrap();
        assert_eq!(fixture.media.usage(alice()).await.unwrap(), Usage::default());
    }
}

#[tokio::test]
async fn promises_are_limited_per_user_until_they_are_kept_or_void() {
    let fixture = Fixture::with(Config { max_pending_uploads: 2, ..Config::default() });
    let first = fixture.media.create(alice()).await.unwrap();
    fixture.media.create(alice()).await.unwrap();
    assert!(matches!(fixture.media.create(alice()).await, Err(Error::TooManyPending)));
    fixture.media.create(&bob()).await.unwrap();
    complete(&fixture, alice(), &first.id).await.unwrap();
    fixture.media.create(alice()).await.unwrap();
    fixture.clock.advance(DAY);
    fixture.media.create(alice()).await.unwrap(); // without a clean-up before
}

#[tokio::test(start_paused = true)]
async fn a_download_waits_for_the_upload() {
    let fixture = Fixture::new();
    let promise = fixture.media.create(alice()).await.unwrap();
    let target = (hs(), &promise.id);
    let waiting = fixture.media.download(target, Access::Authorized, Duration::from_secs(20));
    let uploading = async {
        tokio::task::yield_now().await;
        complete(&fixture, alice(), &promise.id).await
    };
    let (download, upload) = tokio::join!(waiting, uploading);
    upload.unwrap();
    assert_eq!(read(&download.unwrap().content).await, b"late");
    assert!(fixture.media.waiters.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_its_time_is_over() {
    let fixture = Fixture::new();
    let promise = fixture.media.create(alice()).await.unwrap();
    let target = (hs(), &promise.id);
    let result = fixture.media.download(target, Access::Authorized, Duration::from_secs(3)).await;
    assert!(matches!(result, Err(Error::NotYetUploaded)));
    assert!(fixture.media.waiters.is_empty());
}
