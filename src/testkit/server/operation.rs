//! Start, stop, and the command line's socket.

use hearth::{Answer, Command, Error, Server, control, server::Options};
use http::{Method, StatusCode};
use testkit::TestServer;

fn create(name: &str) -> Command {
    Command::CreateUser { name: name.to_owned(), password: "secret password".to_owned(), admin: true }
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let server = TestServer::new().await;
    let error = Server::start(server.config().clone(), Options::default()).await.unwrap_err();
    assert!(matches!(error, Error::Running(_)), "{error}");
    assert!(error.to_string().contains("another Hearth runs on"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn a_running_server_creates_accounts_by_its_socket() {
    let server = TestServer::new().await;
    let ask = async |command| control::ask(&server.config().data_dir, &command).await.unwrap().unwrap();
    assert_eq!(ask(create("carol")).await, Answer::Done("created @carol:test.example".to_owned()));
    assert!(matches!(ask(create("carol")).await, Answer::Refused(_)));
    server.stop().await;
}

#[tokio::test]
async fn nobody_answers_on_the_socket_of_a_stopped_server() {
    let server = TestServer::new().await;
    let config = server.config().clone();
    let server = server.restart().await;
    assert!(control::ask(&config.data_dir, &create("dave")).await.unwrap().is_some());
    server.stop().await;
    assert!(control::ask(&config.data_dir, &create("erin")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_restart_keeps_accounts_and_sessions() {
    let server = TestServer::new().await;
    let alice = server.user("alice").await;
    let server = server.restart().await;
    let path = "/_matrix/client/v3/account/whoami";
    let who = server.http().send(Method::GET, path, Some(&alice.token), "").await.ok();
    assert_eq!(who["user_id"], "@alice:test.example");
    server.stop().await;
}

#[tokio::test]
async fn health_is_told() {
    let server = TestServer::new().await;
    let answer = server.http().send(Method::GET, "/health", None, "").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"ok\n"[..]));
    server.stop().await;
}

#[tokio::test]
async fn a_stop_answers_those_who_wait_for_news() {
    let server = TestServer::new().await;
    let alice = server.user("alice").await;
    let first = alice.sync(None).await;
    let since = first["next_batch"].as_str().unwrap().to_owned();
    let path = format!("/v3/sync?since={since}&timeout=60000");
    let idle = server.server().wired().stop.receiver_count();
    let waiting = tokio::spawn(async move { alice.call(Method::GET, &path, None).await });
    // Who waits for news also listens for the stop.
    while server.server().wired().stop.receiver_count() == idle {
        tokio::task::yield_now().await;
    }
    server.stop().await;
    assert_eq!(waiting.await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_stopped_server_is_compacted_and_keeps_everything() {
    let server = TestServer::new().await;
    let (alice, room) = server.user_in_room("alice").await;
    let first = alice.send_text(&room, "one", "hi").await;
    let config = server.config().clone();
    let error = hearth::compact(&config).await.unwrap_err();
    assert!(matches!(error, Error::Running(_)), "{error}");

    let stopped = server.pause().await;
    let said = hearth::compact(&config).await.unwrap();
    assert!(said.contains(" bytes before, ") && said.ends_with(" bytes after"), "{said}");
    let server = stopped.start().await;
    let alice = server.login("alice").await;
    assert_eq!(
        alice.sync(None).await["rooms"]["join"][room.as_str()]["timeline"]["events"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()["event_id"],
        first.as_str()
    );
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_not_compacted() {
    let server = TestServer::new().await;
    let mut config = server.config().clone();
    server.stop().await;
    config.data_dir = config.data_dir.join("elsewhere");
    let error = hearth::compact(&config).await.unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
    assert!(!config.data_dir.exists(), "nothing is made for it");
}

/// Copies the database of a running server, as a crash would leave it.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn a_damaged_database_is_refused_until_it_is_repaired_and_starts_with_what_is_left() {
    let fsync = hearth::config::Durability::Fsync;
    let server = TestServer::builder().config(|config| config.durability = fsync).start().await;
    let (alice, room) = server.user_in_room("alice").await;
    for n in 0..50 {
        alice.send_text(&room, &n.to_string(), &"x".repeat(1000)).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut config = server.config().clone();
    let database = directory.path().join("db");
    copy(&config.data_dir.join("db"), &database);
    std::fs::copy(config.data_dir.join("signing.key"), directory.path().join("signing.key")).unwrap();
    config.data_dir = directory.path().to_owned();
    server.stop().await;

    let logs = std::fs::read_dir(&database).unwrap().map(|entry| entry.unwrap().path());
    let log = logs.filter(|file| file.extension().is_some_and(|extension| extension == "log")).max().unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    let place = bytes.len() - 20_000;
    bytes[place] ^= 1;
    std::fs::write(&log, &bytes).unwrap();
    for _ in 0..2 {
        let error = Box::pin(Server::start(config.clone(), Options::default())).await.unwrap_err().to_string();
        assert!(error.contains("would lose acknowledged changes") && error.contains("`hearth repair`"), "{error}");
        assert_eq!(std::fs::read(&log).unwrap(), bytes, "a refusal changes nothing");
    }
    let said = Box::pin(hearth::repair(&config)).await.unwrap();
    assert!(said.contains("counts as restored"), "{said}");
    let said = Box::pin(hearth::repair(&config)).await.unwrap();
    assert!(said.contains("is whole"), "{said}");
    let server = Box::pin(Server::start(config, Options::default())).await.unwrap();
    let http = testkit::Http::new(server.addresses()[0]);
    let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=1000");
    let left = http.send(Method::GET, &path, Some(&alice.token), "").await.ok()["chunk"].as_array().unwrap().len();
    assert!(20 < left && left < 55, "{left} events are left");
    Box::pin(server.stop()).await;
}
