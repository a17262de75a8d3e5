use std::collections::HashSet;

use ruma::OwnedEventId;
use serde_json::{Value, json};

use super::rig::{Rig, user};
use crate::{Direction, Include, RelationsQuery, RoomError, TimelineToken, Viewer};

fn message(body: &str, relates_to: &Value) -> Value {
    json!({ "msgtype": "m.text", "body": body, "m.relates_to": relates_to })
}

fn relation(rel_type: &str, to: &OwnedEventId) -> Value {
    json!({ "rel_type": rel_type, "event_id": to })
}

async fn reply(rig: &Rig, sender: &str, body: &str, root: &OwnedEventId) -> OwnedEventId {
    rig.send(sender, "m.room.message", &message(body, &relation("m.thread", root))).await
}

async fn edit(rig: &Rig, sender: &str, body: &str, of: &OwnedEventId) -> OwnedEventId {
    rig.send(sender, "m.room.message", &message(body, &relation("m.replace", of))).await
}

async fn bundle(rig: &Rig, viewer: &str, of: &OwnedEventId) -> Value {
    rig.find(viewer, of).await.unwrap()["unsigned"]["m.relations"].clone()
}

#[tokio::test]
async fn the_newest_valid_edit_is_bundled() {
    let rig = Rig::flaky().await;
    rig.join("bob").await;
    let said = rig.say("alice", "helo").await;
    edit(&rig, "alice", "first", &said).await;
    let second = edit(&rig, "alice", "second", &said).await;
    edit(&rig, "bob", "forged", &said).await;
    assert_eq!(bundle(&rig, "bob", &said).await["m.replace"]["content"]["body"], "second");
    assert_eq!(rig.find("bob", &said).await.unwrap()["content"]["body"], "helo");

    rig.rooms.redact(&rig.id, &user("alice"), &second, None, None).await.unwrap();
    assert_eq!(bundle(&rig, "bob", &said).await["m.replace"]["content"]["body"], "first");
    rig.rooms.redact(&rig.id, &user("alice"), &said, None, None).await.unwrap();
    assert_eq!(bundle(&rig, "bob", &said).await, Value::Null);
}

#[tokio::test]
async fn an_edit_of_an_edit_counts_for_nothing() {
    let rig = Rig::new().await;
    let said = rig.say("alice", "a").await;
    let once = edit(&rig, "alice", "b", &said).await;
    edit(&rig, "alice", "c", &once).await;
    assert_eq!(bundle(&rig, "alice", &once).await, Value::Null);
    assert_eq!(bundle(&rig, "alice", &said).await["m.replace"]["content"]["body"], "b");
}

#[tokio::test]
async fn a_thread_knows_its_size_its_end_and_its_people() {
    let rig = Rig::flaky().await;
    rig.join("bob").await;
    rig.join("carol").await;
    let root = rig.say("alice", "root").await;
    reply(&rig, "bob", "one", &root).await;
    let last = reply(&rig, "bob", "two", &root).await;
    edit(&rig, "bob", "two, edited", &last).await;

    let thread = bundle(&rig, "bob", &root).await["m.thread"].clone();
    assert_eq!((&thread["count"], &thread["current_user_participated"]), (&json!(2), &json!(true)));
    assert_eq!(thread["latest_event"]["event_id"], last.as_str());
    let edited = &thread["latest_event"]["unsigned"]["m.relations"]["m.replace"]["content"]["body"];
    assert_eq!(edited, "two, edited");
    assert_eq!(bundle(&rig, "carol", &root).await["m.thread"]["current_user_participated"], false);
    assert_eq!(bundle(&rig, "alice", &root).await["m.thread"]["current_user_participated"], true);

    rig.rooms.redact(&rig.id, &user("bob"), &last, None, None).await.unwrap();
    let thread = bundle(&rig, "carol", &root).await["m.thread"].clone();
    assert_eq!((&thread["count"], &thread["latest_event"]["content"]["body"]), (&json!(1), &json!("one")));
}

#[tokio::test]
async fn ignored_users_do_not_count_in_threads_and_references() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    rig.join("carol").await;
    let root = rig.say("alice", "root").await;
    reply(&rig, "carol", "hers", &root).await;
    reply(&rig, "bob", "his", &root).await;
    rig.send("bob", "m.custom", &json!({ "m.relates_to": relation("m.reference", &root) })).await;
    let hers = rig.send("carol", "m.custom", &json!({ "m.relates_to": relation("m.reference", &root) })).await;
    let seen = rig.seen_ignoring("alice", &["bob"]).await;
    let seen = seen.iter().find(|event| event["event_id"] == root.as_str()).unwrap();
    let relations = &seen["unsigned"]["m.relations"];
    assert_eq!(relations["m.thread"]["count"], 1);
    assert_eq!(relations["m.thread"]["latest_event"]["content"]["body"], "hers");
    assert_eq!(relations["m.reference"]["chunk"], json!([{ "event_id": hers }]));
}

#[tokio::test]
async fn a_reaction_counts_once_until_it_is_redacted() {
    let rig = Rig::flaky().await;
    let said = rig.say("alice", "nice").await;
    let reaction = |key: &str| json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": said, "key": key } });
    let first = rig.send("alice", "m.reaction", &reaction("+1")).await;
    rig.send("alice", "m.reaction", &reaction("-1")).await;
    let again = rig.try_send("alice", "m.reaction", &reaction("+1")).await;
    assert!(matches!(again, Err(RoomError::DuplicateAnnotation)));
    rig.rooms.redact(&rig.id, &user("alice"), &first, None, None).await.unwrap();
    rig.send("alice", "m.reaction", &reaction("+1")).await;
    assert_eq!(bundle(&rig, "alice", &said).await, Value::Null);
}

#[tokio::test]
async fn a_thread_cannot_start_inside_another() {
    let rig = Rig::new().await;
    let root = rig.say("alice", "root").await;
    let inner = reply(&rig, "alice", "inner", &root).await;
    let content = message("no", &relation("m.thread", &inner));
    assert!(matches!(rig.try_send("alice", "m.room.message", &content).await, Err(RoomError::BadThreadRoot)));
}

#[tokio::test]
async fn an_event_is_in_the_thread_of_what_it_refers_to() {
    let rig = Rig::new().await;
    let root = rig.say("alice", "root").await;
    let inner = reply(&rig, "alice", "inner", &root).await;
    let changed = edit(&rig, "alice", "changed", &inner).await;
    let view = rig.rooms.db().view();
    let (root_num, _) = rig.row(&root).await;
    for (event, expected) in [(&root, None), (&inner, Some(root_num)), (&changed, Some(root_num))] {
        let (num, _) = rig.row(event).await;
        assert_eq!(rig.rooms.thread_root_of(&view, rig.num, num).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn what_refers_to_an_unknown_event_is_found_when_it_comes() {
    let rig = Rig::new().await;
    rig.join("bob:other.test").await;
    let root = rig.foreign("bob:other.test", "m.room.message", &json!({ "msgtype": "m.text", "body": "root" })).await;
    let inner =
        rig.foreign("bob:other.test", "m.room.message", &message("early", &relation("m.thread", &root.event_id))).await;
    rig.append(&inner).await;
    rig.append(&root).await;
    assert_eq!(bundle(&rig, "alice", &root.event_id).await["m.thread"]["count"], 1);
}

#[tokio::test]
async fn bundles_hide_what_came_after_the_viewer_left() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    let root = rig.say("alice", "root").await;
    rig.member("bob", "bob", "leave").await;
    reply(&rig, "alice", "secret", &root).await;
    edit(&rig, "alice", "secret", &root).await;
    rig.send("alice", "m.custom", &json!({ "m.relates_to": relation("m.reference", &root) })).await;
    assert_eq!(bundle(&rig, "bob", &root).await, Value::Null);
}

struct Lists<'a> {
    rig: &'a Rig,
    parent: OwnedEventId,
}

impl Lists<'_> {
    async fn page(
        &self,
        rel_type: Option<&str>,
        direction: Direction,
        recurse: bool,
        limit: usize,
    ) -> Vec<OwnedEventId> {
        let (rig, view, user) = (self.rig, self.rig.rooms.db().view(), user("alice"));
        let viewer = Viewer { user: &user, device: None, now: 0, ignored: &HashSet::new() };
        let (parent, _) = rig.row(&self.parent).await;
        let mut all = Vec::new();
        let mut from: Option<TimelineToken> = None;
        loop {
            let query = RelationsQuery { parent, rel_type, kind: None, from, to: None, direction, limit, recurse };
            let page = rig.rooms.relations(&view, rig.num, &viewer, &query).await.unwrap();
            assert!(page.rows.len() <= limit);
            all.extend(page.rows.iter().map(|(_, row)| OwnedEventId::try_from(row.event.event_id()).unwrap()));
            match page.next {
                Some(next) => from = Some(TimelineToken::parse(&next.to_string()).unwrap()),
                None => return all,
            }
        }
    }
}

#[tokio::test]
async fn relations_are_listed_both_ways_in_pages_and_over_several_hops() {
    let rig = Rig::new().await;
    let root = rig.say("alice", "root").await;
    let one = reply(&rig, "alice", "one", &root).await;
    let changed = edit(&rig, "alice", "one!", &one).await;
    let two = reply(&rig, "alice", "two", &root).await;
    let better = edit(&rig, "alice", "root!", &root).await;
    let lists = Lists { rig: &rig, parent: root };
    for limit in [1, 2, 10] {
        let back = lists.page(None, Direction::Backward, false, limit).await;
        assert_eq!(back, [better.clone(), two.clone(), one.clone()]);
        let forth = lists.page(Some("m.thread"), Direction::Forward, false, limit).await;
        assert_eq!(forth, [one.clone(), two.clone()]);
        let deep = lists.page(None, Direction::Forward, true, limit).await;
        assert_eq!(deep, [one.clone(), changed.clone(), two.clone(), better.clone()]);
        let edits = lists.page(Some("m.replace"), Direction::Forward, true, limit).await;
        assert_eq!(edits, [changed.clone(), better.clone()]);
    }
}

#[tokio::test]
async fn threads_are_listed_by_their_newest_event() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    let first = rig.say("alice", "first").await;
    let second = rig.say("bob", "second").await;
    let third = rig.say("alice", "third").await;
    for root in [&first, &second, &third] {
        reply(&rig, "alice", "a", root).await;
    }
    reply(&rig, "bob", "b", &first).await;
    let list = |who: &'static str, include, limit| {
        let rig = &rig;
        async move {
            let (view, user) = (rig.rooms.db().view(), user(who));
            let viewer = Viewer { user: &user, device: None, now: 0, ignored: &HashSet::new() };
            let (mut all, mut from) = (Vec::new(), None);
            loop {
                let page = rig.rooms.threads(&view, rig.num, &viewer, include, from, limit).await.unwrap();
                all.extend(page.roots.iter().map(|(_, row)| row.event.event_id().to_owned()));
                match page.next {
                    Some(next) => from = Some(next),
                    None => return all,
                }
            }
        }
    };
    for limit in [1, 2, 5] {
        assert_eq!(list("bob", Include::All, limit).await, [first.as_str(), third.as_str(), second.as_str()]);
        assert_eq!(list("bob", Include::Participated, limit).await, [first.as_str(), second.as_str()]);
    }
}

#[tokio::test]
async fn a_page_looks_at_so_many_relations_and_the_next_one_goes_on() {
    let rig = Rig::new().await;
    let root = rig.say("alice", "root").await;
    let first = reply(&rig, "alice", "first", &root).await;
    for key in 0..50 {
        let relates_to = json!({ "rel_type": "m.annotation", "event_id": root, "key": key.to_string() });
        rig.send("alice", "m.reaction", &json!({ "m.relates_to": relates_to })).await;
    }
    let last = reply(&rig, "alice", "last", &root).await;
    let (view, user) = (rig.rooms.db().view(), user("alice"));
    let viewer = Viewer { user: &user, device: None, now: 0, ignored: &HashSet::new() };
    let (parent, _) = rig.row(&root).await;
    for (direction, expected) in [(Direction::Forward, [&first, &last]), (Direction::Backward, [&last, &first])] {
        let (mut found, mut from, mut pages) = (Vec::new(), None, 0);
        loop {
            let kind = Some("m.room.message");
            let query =
                RelationsQuery { parent, rel_type: None, kind, from, to: None, direction, limit: 5, recurse: false };
            let page = rig.rooms.relations(&view, rig.num, &viewer, &query).await.unwrap();
            found.extend(page.rows.iter().map(|(_, row)| row.event.event_id().to_owned()));
            pages += 1;
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(found, expected.map(|id| id.to_string()), "in order, none twice");
        assert!(pages > 2, "{pages}");
    }
}
