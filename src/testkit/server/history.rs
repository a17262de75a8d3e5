//! Sending events and reading them again: state, history, context, relations, threads, redactions, reports.

use http::Method;
use ruma::OwnedRoomId;
use serde_json::{Value, json};
use testkit::{Answer, Client, Federation, TestServer};

async fn server() -> TestServer {
    TestServer::builder().in_memory().start().await
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.errcode())
}

async fn get(client: &Client, path: &str) -> Answer {
    client.call(Method::GET, path, None).await
}

fn bodies(events: &Value) -> Vec<&str> {
    events.as_array().into_iter().flatten().filter_map(|event| event["content"]["body"].as_str()).collect()
}

async fn room_of_two(server: &TestServer) -> (Client, Client, OwnedRoomId) {
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    bob.join(&room).await;
    (alice, bob, room)
}

#[tokio::test]
async fn messages_are_sent_once_and_read_both_ways() {
    let server = server().await;
    let (alice, bob, room) = room_of_two(&server).await;
    let first = alice.send_text(&room, "1", "one").await;
    assert_eq!(alice.send_text(&room, "1", "one").await, first);
    let since = bob.sync(None).await["next_batch"].as_str().unwrap().to_owned();
    for n in ["two", "three", "four"] {
        bob.send_text(&room, n, n).await;
    }
    let path = |query: &str| format!("/v3/rooms/{room}/messages?{query}");

    let back = alice.get(&path("dir=b&limit=3")).await;
    assert_eq!(bodies(&back["chunk"]), ["four", "three", "two"]);
    assert_eq!(back["chunk"][0]["room_id"], room.as_str());
    assert_eq!(back["chunk"][0]["unsigned"]["membership"], "join");
    let older = alice.get(&path(&format!("dir=b&limit=1&from={}", back["end"].as_str().unwrap()))).await;
    assert_eq!(bodies(&older["chunk"]), ["one"]);
    assert_eq!(older["chunk"][0]["unsigned"]["transaction_id"], "1");
    let forth = alice.get(&path(&format!("dir=f&from={}", older["end"].as_str().unwrap()))).await;
    assert_eq!(bodies(&forth["chunk"]), ["one", "two", "three", "four"]);
    let before_sync = alice.get(&path(&format!("dir=b&limit=1&from={since}"))).await;
    assert_eq!(bodies(&before_sync["chunk"]), ["one"]);
    let after_sync = alice.get(&path(&format!("dir=f&from={since}"))).await;
    assert_eq!(bodies(&after_sync["chunk"]), ["two", "three", "four"]);

    let lazy = "%7B%22lazy_load_members%22:true,%22types%22:%5B%22m.room.message%22%5D%7D";
    let lazy = alice.get(&path(&format!("dir=b&limit=2&filter={lazy}"))).await;
    let members: Vec<_> = lazy["state"].as_array().unwrap().iter().map(|event| &event["state_key"]).collect();
    assert_eq!(members, [bob.user_id.as_str()]);

    assert_eq!(refused(&get(&alice, &path("dir=b&from=nonsense")).await), (400, "M_INVALID_PARAM".into()));
    let carol = server.user("carol").await;
    assert_eq!(refused(&get(&carol, &path("dir=b")).await), (403, "M_FORBIDDEN".into()));
    server.stop().await;
}

#[tokio::test]
async fn bad_events_are_refused() {
    let server = server().await;
    let (alice, bob, room) = room_of_two(&server).await;
    let send = async |client: &Client, path: &str, body: Value| {
        refused(&client.call(Method::PUT, &format!("/v3/rooms/{room}/{path}"), Some(body)).await)
    };
    let bad = (400, "M_BAD_JSON".to_owned());
    assert_eq!(send(&alice, "send/m.room.message/a", json!({ "body": "no type" })).await, bad);
    assert_eq!(send(&alice, "send/m.custom/b", json!([])).await, bad);
    let levels = json!({ "users": { alice.user_id.as_str(): "100" } });
    assert_eq!(send(&alice, "state/m.room.power_levels", levels).await, bad);
    assert_eq!(send(&bob, "state/m.room.name", json!({ "name": "no" })).await, (403, "M_FORBIDDEN".into()));
    let aliases = json!({ "alias": "#nobody:test.example" });
    assert_eq!(send(&alice, "state/m.room.canonical_alias", aliases).await, (400, "M_BAD_ALIAS".into()));
    let large = json!({ "body": "x".repeat(70_000), "msgtype": "m.text" });
    assert_eq!(send(&alice, "send/m.room.message/c", large).await, (413, "M_TOO_LARGE".into()));
    let carol = server.user("carol").await;
    assert_eq!(send(&carol, "send/m.custom/d", json!({})).await, (403, "M_FORBIDDEN".into()));
    server.stop().await;
}

#[tokio::test]
async fn state_is_read_as_content_as_event_and_as_a_list() {
    let server = server().await;
    let (alice, bob, room) = room_of_two(&server).await;
    let path = |rest: &str| format!("/v3/rooms/{room}/state{rest}");
    alice.put(&path("/m.room.name/"), json!({ "name": "old" })).await;
    alice.put(&path("/m.room.name"), json!({ "name": "new" })).await;
    assert_eq!(bob.get(&path("/m.room.name")).await, json!({ "name": "new" }));
    let event = bob.get(&path("/m.room.name?format=event")).await;
    assert_eq!((&event["type"], &event["state_key"]), (&json!("m.room.name"), &json!("")));
    assert_eq!(event["unsigned"]["prev_content"], json!({ "name": "old" }));
    assert_eq!(refused(&get(&bob, &path("/m.nothing")).await), (404, "M_NOT_FOUND".into()));

    bob.leave(&room).await;
    alice.put(&path("/m.room.name"), json!({ "name": "newest" })).await;
    assert_eq!(bob.get(&path("/m.room.name")).await, json!({ "name": "new" }));
    assert_eq!(alice.get(&path("/m.room.name")).await, json!({ "name": "newest" }));
    let count = async |client: &Client, query: &str| {
        let members = client.get(&format!("/v3/rooms/{room}/members{query}")).await;
        members["chunk"].as_array().unwrap().len()
    };
    assert_eq!(count(&alice, "").await, 2);
    assert_eq!(count(&alice, "?membership=join").await, 1);
    assert_eq!(count(&alice, "?not_membership=join").await, 1);
    let list = alice.get(&path("")).await;
    assert!(list.as_array().unwrap().iter().any(|event| event["content"]["name"] == "newest"));
    let carol = server.user("carol").await;
    assert_eq!(refused(&get(&carol, &path("")).await), (403, "M_FORBIDDEN".into()));
    server.stop().await;
}

#[tokio::test]
async fn events_are_found_with_their_context_and_redacted() {
    let server = server().await;
    let (alice, bob, room) = room_of_two(&server).await;
    let before = bob.send_text(&room, "1", "before").await;
    let event = bob.send_text(&room, "2", "here").await;
    bob.send_text(&room, "3", "after").await;
    let context = alice.get(&format!("/v3/rooms/{room}/context/{event}?limit=2")).await;
    assert_eq!(context["event"]["content"]["body"], "here");
    assert_eq!(bodies(&context["events_before"]), ["before"]);
    assert_eq!(bodies(&context["events_after"]), ["after"]);
    assert!(context["state"].as_array().unwrap().len() > 5);

    let path = format!("/v3/rooms/{room}/redact/{event}/t1");
    assert_eq!(bob.put(&path, json!({ "reason": "oops" })).await, bob.put(&path, json!({ "reason": "oops" })).await);
    let seen = alice.get(&format!("/v3/rooms/{room}/event/{event}")).await;
    assert_eq!(seen["content"], json!({}));
    assert_eq!(seen["unsigned"]["redacted_because"]["content"]["reason"], "oops");
    let carol = server.user("carol").await;
    let denied = get(&carol, &format!("/v3/rooms/{room}/event/{before}")).await;
    assert_eq!(refused(&denied), (404, "M_NOT_FOUND".into()));

    let report = format!("/v3/rooms/{room}/report/{before}");
    alice.post(&report, json!({ "reason": "rude" })).await;
    let denied = carol.call(Method::POST, &report, Some(json!({}))).await;
    assert_eq!(refused(&denied), (404, "M_NOT_FOUND".into()));
    carol.post(&format!("/v3/rooms/{room}/report"), json!({ "reason": "loud" })).await;
    carol.post(&format!("/v3/users/{}/report", bob.user_id), json!({ "reason": "rude" })).await;
    server.stop().await;
}

#[tokio::test]
async fn relations_and_threads_are_listed_and_bundled() {
    let server = server().await;
    let (alice, bob, room) = room_of_two(&server).await;
    let root = alice.send_text(&room, "1", "root").await;
    let content = |body: &str, rel_type: &str| {
        let relates_to = json!({ "rel_type": rel_type, "event_id": root });
        json!({ "msgtype": "m.text", "body": body, "m.relates_to": relates_to })
    };
    bob.send(&room, "m.room.message", "2", content("reply", "m.thread")).await;
    alice.send(&room, "m.room.message", "3", content("edited", "m.replace")).await;
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": root, "key": "+1" } });
    bob.send(&room, "m.reaction", "4", reaction.clone()).await;
    let again = bob.call(Method::PUT, &format!("/v3/rooms/{room}/send/m.reaction/5"), Some(reaction)).await;
    assert_eq!(refused(&again), (400, "M_DUPLICATE_ANNOTATION".into()));

    let relations = async |rest: &str| {
        let page = alice.get(&format!("/v1/rooms/{room}/relations/{root}{rest}")).await;
        page["chunk"].as_array().unwrap().len()
    };
    assert_eq!(relations("").await, 3);
    assert_eq!(relations("/m.thread").await, 1);
    assert_eq!(relations("/m.annotation/m.reaction").await, 1);
    assert_eq!(relations("/m.annotation/m.room.message").await, 0);

    let threads = alice.get(&format!("/v1/rooms/{room}/threads?include=all")).await;
    assert_eq!(threads["chunk"][0]["event_id"], root.as_str());
    let bundle = &threads["chunk"][0]["unsigned"]["m.relations"];
    assert_eq!((&bundle["m.thread"]["count"], &bundle["m.replace"]["content"]["body"]), (&json!(1), &json!("edited")));
    server.stop().await;
}

#[tokio::test]
async fn everybody_reads_a_room_that_is_readable_by_the_world_and_nobody_what_was_before() {
    let server = server().await;
    let (alice, _, room) = room_of_two(&server).await;
    let visibility = format!("/v3/rooms/{room}/state/m.room.history_visibility");
    alice.put(&visibility, json!({ "history_visibility": "joined" })).await;
    let hidden = alice.send_text(&room, "1", "hidden").await;
    alice.put(&visibility, json!({ "history_visibility": "world_readable" })).await;
    let open = alice.send_text(&room, "2", "open").await;
    let carol = server.user("carol").await;
    assert_eq!(bodies(&carol.get(&format!("/v3/rooms/{room}/messages?dir=b")).await["chunk"]), ["open"]);
    assert!(carol.get(&format!("/v3/rooms/{room}/state")).await.as_array().unwrap().len() > 3);
    carol.get(&format!("/v3/rooms/{room}/event/{open}")).await;
    carol.get(&format!("/v3/rooms/{room}/context/{open}")).await;
    for path in [format!("event/{hidden}"), format!("context/{hidden}")] {
        let answer = get(&carol, &format!("/v3/rooms/{room}/{path}")).await;
        assert_eq!(refused(&answer), (404, "M_NOT_FOUND".into()), "{path}");
    }
    alice.put(&visibility, json!({ "history_visibility": "shared" })).await;
    let closed = get(&carol, &format!("/v3/rooms/{room}/messages?dir=b")).await;
    assert_eq!(refused(&closed), (403, "M_FORBIDDEN".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_transaction_id_counts_for_one_redaction() {
    let server = server().await;
    let (alice, _, room) = room_of_two(&server).await;
    let (one, two) = (alice.send_text(&room, "1", "one").await, alice.send_text(&room, "2", "two").await);
    let redact = async |event: &str| alice.put(&format!("/v3/rooms/{room}/redact/{event}/same"), json!({})).await;
    let first = redact(one.as_str()).await;
    assert_eq!(redact(one.as_str()).await, first);
    assert_ne!(redact(two.as_str()).await, first);
    assert_eq!(alice.get(&format!("/v3/rooms/{room}/event/{two}")).await["content"], json!({}));
    server.stop().await;
}

#[tokio::test]
async fn events_by_time_are_fetched_from_other_servers() {
    let servers = Federation::pair().await;
    let (alice, bob) = (servers.one.user("alice").await, servers.two.user("bob").await);
    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    let mut sent = Vec::new();
    for n in ["one", "two", "three"] {
        let event = alice.send_text(&room, n, n).await;
        let time = alice.get(&format!("/v3/rooms/{room}/event/{event}")).await["origin_server_ts"].as_u64().unwrap();
        sent.push((event, time));
    }
    bob.join_via(&room, &servers.one).await;
    let at = async |time: u64, dir: &str| {
        bob.get(&format!("/v1/rooms/{room}/timestamp_to_event?ts={time}&dir={dir}")).await["event_id"].clone()
    };
    let (last, time) = sent.last().unwrap();
    assert_eq!(at(*time, "b").await, last.as_str());
    let context = bob.get(&format!("/v3/rooms/{room}/context/{last}?limit=0")).await;
    let before = bob.get(&format!("/v3/rooms/{room}/messages?dir=b&from={}", context["start"].as_str().unwrap())).await;
    let found: Vec<_> =
        before["chunk"].as_array().unwrap().iter().filter_map(|event| event["content"]["body"].as_str()).collect();
    assert_eq!(found, ["two", "one"]);
    assert_eq!(at(sent[0].1, "f").await, sent[0].0.as_str());
    // All of the room is here now, in order and once.
    let all = bob.get(&format!("/v3/rooms/{room}/messages?dir=b&limit=100")).await;
    let found: Vec<_> =
        all["chunk"].as_array().unwrap().iter().filter_map(|event| event["content"]["body"].as_str()).collect();
    assert_eq!(found, ["three", "two", "one"]);
    servers.stop().await;
}
